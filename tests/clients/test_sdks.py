"""The AWS SDKs for JavaScript and for Rust, unchanged: created, waited for, invoked, streamed, refused."""

import base64
import json
import subprocess

from lambda_api import ARN, ROLE, ApiCase, serve, unserve, zipped
from live import CACHE, PATIENCE, ROOT

CODE = zipped({"app.js": """
exports.handler = async (event) => {
  if (event.fail) throw new Error(event.fail);
  console.log('name is', event.name);
  return 'Hello ' + event.name;
};
"""})  # fmt: skip


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Sdk(ApiCase):
    def run_client(self, *command):
        """What a client printed, which is JSON."""
        done = subprocess.run(command, capture_output=True, text=True, env=self.live.environment(), timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def check_errors(self, errors):
        names = [error["name"] for error in errors]
        self.assertEqual(names[0], "ResourceNotFoundException")
        self.assertEqual(errors[0]["message"], f"Function not found: {ARN}missing")
        expected = ["ResourceConflictException", "ValidationException", "InvalidRequestContentException", "TooManyRequestsException"]
        self.assertEqual(names[1:], expected)
        self.assertEqual([error["status"] for error in errors], [404, 409, 400, 400, 429])

    def test_javascript(self):
        modules = CACHE / "npm" / "node_modules"
        script = ROOT / "tests" / "clients" / "sdk.mjs"
        seen = self.run_client("node", script, modules, base64.b64encode(CODE).decode(), ROLE)
        self.check_errors(seen.pop("errors"))
        self.assertIn("name is Roy Singh\n", seen.pop("log"))
        self.assertEqual(seen, {
            "created": {"arn": ARN + "javascript", "state": "Pending", "status": 201},
            "waited": "SUCCESS",
            "invoked": {"status": 200, "version": "$LATEST", "payload": "Hello Roy Singh"},
            "failed": {"status": 200, "error": "Unhandled", "message": "no"},
            "streamed": {"body": '"Hello streamed"', "complete": 1},
            "alias": "1",
            "updated": "SUCCESS",
            "pages": [["$LATEST"], ["1"]],
            "gone": "ResourceNotFoundException",
        })  # fmt: skip

    def test_rust(self):
        (self.live.root / "code.zip").write_bytes(CODE)
        seen = self.run_client(CACHE / "rust-sdk" / "debug" / "rust-sdk", self.live.root / "code.zip", ROLE)
        self.check_errors(seen.pop("errors"))
        self.assertEqual(seen, {
            "created": {"arn": ARN + "rust", "state": "Pending"},
            "waited": "Active",
            "invoked": {"status": 200, "version": "$LATEST", "payload": "Hello Roy Singh"},
            "failed": {"status": 200, "error": "Unhandled"},
            "streamed": {"body": '"Hello streamed"', "complete": 1},
            "alias": "1",
            "pages": [["$LATEST"], ["1"]],
            "gone": "ResourceNotFoundException",
        })  # fmt: skip
