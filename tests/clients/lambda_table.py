"""Tables of refusals: each row is a call, and the error that it must get as it is on the wire (spec/errors §1)."""

import re

import botocore.exceptions

from lambda_api import UUID, ApiCase, Wire

# Whose text is in `Message`; all others have `message`.
CAPITAL = {
    "ResourceNotFoundException", "ServiceException", "ResourceInUseException", "PublicPolicyException",
    "RecursiveInvocationException", "CodeSigningConfigNotFoundException", "InvalidRuntimeException", "InvalidZipFileException",
}  # fmt: skip
UNTYPED = {"ValidationException", "AccessDeniedException"}
STATUS = {
    "ValidationException": 400,
    "InvalidParameterValueException": 400,
    "InvalidRequestContentException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ProvisionedConcurrencyConfigNotFoundException": 404,
    "ResourceConflictException": 409,
    "PreconditionFailedException": 412,
    "RequestEntityTooLargeException": 413,
    "TooManyRequestsException": 429,
    "NotImplementedException": 501,
}
# Whether `Type` comes with it, where the specification leaves it open.
EITHER = {"RequestEntityTooLargeException", "NotImplementedException"}


def call(operation, **parameters):
    """The call of a row."""
    return operation, parameters


def is_like(text):
    """A text of which only the pattern is known."""
    return re.compile(text, re.DOTALL)


class TableCase(ApiCase):
    """Checks rows `(call, code, text)` and `(call, code, text, False)`, the latter without `Type`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # boto3 itself refuses what breaks a minimum or lacks a member: one that lets everything pass.
        cls.loose = cls.live.connect(retries={"total_max_attempts": 1}, parameter_validation=False)

    def check(self, rows):
        wire = Wire(self.loose)
        for (operation, parameters), code, text, *typed in rows:
            with self.subTest(operation=operation, text=getattr(text, "pattern", text)):
                self.row(wire, operation, parameters, code, text, typed == [])

    def row(self, wire, operation, parameters, code, text, typed):
        try:
            getattr(self.loose, operation)(**parameters)
        except botocore.exceptions.ClientError:
            pass
        else:
            self.fail(f"was not refused: {parameters}")
        body = wire.json()
        self.assertEqual((wire.headers.get("x-amzn-errortype"), wire.status), (code, STATUS[code]), body)
        self.assertRegex(wire.headers["x-amzn-requestid"], UUID)
        self.assertEqual(wire.headers["content-type"], "application/json")
        if code == "AccessDeniedException" and text is None:
            return
        member = "Message" if code in CAPITAL else "message"
        self.assertIn(member, body)
        if hasattr(text, "fullmatch"):
            self.assertRegex(body[member], text)
        else:
            self.assertEqual(body[member], text)
        if code not in EITHER:
            self.assertEqual(body.get("Type"), "User" if typed and code not in UNTYPED else None)
