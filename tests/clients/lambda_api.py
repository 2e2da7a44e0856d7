"""What the tests of the Lambda API share: packages of code, functions made and called, errors as they were sent."""

import base64
import io
import json
import stat
import unittest
import zipfile

import botocore.exceptions

from live import Live

REGION, ACCOUNT = "us-east-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda-role"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
LAYER_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"
UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
NO_REVISION = "00000000-0000-0000-0000-000000000000"

# A project without functions: all of them are made by the API.
EMPTY = "schema: 1\nname: api\n"

# What most tests run: it tells what it is asked for.
PYTHON = """
import os, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if "fail" in event:
        raise ValueError(event["fail"])
    if "say" in event:
        print(event["say"])
    if "read" in event:
        with open(event["read"]) as file:
            return file.read()
    time.sleep(event.get("sleep", 0))
    return {"event": event, "calls": calls, "arn": context.invoked_function_arn, "version": context.function_version,
            "id": context.aws_request_id, "memory": context.memory_limit_in_mb, "env": dict(os.environ)}
"""


def zipped(files, modes=None):
    """A zip of texts or bytes by their names; `modes` has the names that are not 0644."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # A fixed time: the same files are the same zip.
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = ((modes or {}).get(name, stat.S_IFREG | 0o644)) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


CODE = zipped({"app.py": PYTHON})


def says(text):
    """A package whose handler answers with `text`."""
    return zipped({"app.py": f"def handler(event, context):\n    return {text!r}\n"})


def request(name, code=CODE, **members):
    """The parameters of a CreateFunction."""
    return {
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Code": {"ZipFile": code} if isinstance(code, bytes) else code,
        **members,
    }


def create(client, name, code=CODE, wait=True, **members):
    """Makes a function and gives CreateFunction's answer; unless told otherwise it is active then."""
    made = client.create_function(**request(name, code, **members))
    if wait:
        active(client, name)
    return made


def active(client, name):
    """Waits as documented until a function is active and its last update done."""
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    client.get_waiter("function_updated_v2").wait(FunctionName=name)


def remove(client, *names):
    """Deletes functions, those that are there."""
    for name in names:
        try:
            client.delete_function(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            pass


def call(client, name, event=None, **members):
    """Invokes a function that must succeed: its response."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **members)
    body = answer["Payload"].read()
    assert "FunctionError" not in answer, body
    return json.loads(body)


def tail(answer):
    """The decoded log of an invocation."""
    return base64.b64decode(answer["LogResult"]).decode()


class Wire:
    """Remembers the last response as it came over the wire, before boto3 makes something of it."""

    def __init__(self, client):
        self.status, self.headers, self.body = None, {}, b""
        client.meta.events.register("before-parse.lambda", self.keep)

    def keep(self, response_dict, **_):
        self.status = response_dict["status_code"]
        self.headers = {name.lower(): value for name, value in response_dict["headers"].items()}
        self.body = response_dict["body"] if isinstance(response_dict["body"], bytes) else b""

    def json(self):
        return json.loads(self.body) if self.body else {}


class ApiCase(unittest.TestCase):
    """A test whose module runs one `up` for all its tests, made by `serve`."""

    @classmethod
    def setUpClass(cls):
        cls.live = served["live"]
        cls.client = cls.live.client

    def function(self, name, code=CODE, **members):
        """A function that is gone when the test is."""
        self.addCleanup(remove, self.client, name)
        return create(self.client, name, code, **members)

    def refused(self, status, code, text, operation, client=None, **parameters):
        """Calls an operation that has to be refused; the error as boto3 has it."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            getattr(client or self.client, operation)(**parameters)
        response = caught.exception.response
        seen = (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"])
        if hasattr(text, "search"):
            self.assertEqual(seen[:2], (status, code), seen[2])
            self.assertRegex(seen[2], text)
        else:
            self.assertEqual(seen, (status, code, text))
        return response


served = {}


def serve(project=EMPTY, prepare=lambda root: None, arguments=()):
    """Runs `up` for a module; its `setUpModule` calls this, its `tearDownModule` is `unserve`."""
    served["live"] = Live(project, prepare, arguments)
    return served["live"]


def unserve():
    served.pop("live").stop()
