"""Real clients against a running `triggerfish up`: boto3 and the aws CLI."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import unittest

import botocore.exceptions

from live import Live

PROJECT = """
schema: 1
name: clients
functions:
  echo: { runtime: python3.12, handler: app.handler, code: code, environment: { GREETING: hello } }
  node: { runtime: nodejs20.x, handler: app.handler, code: code }
  closed: { runtime: python3.12, handler: app.handler, code: code, concurrency: 0 }
sources:
  uploads: { kind: s3, bucket: uploads }
routes:
  - { from: uploads, to: echo }
"""

PYTHON = """
import os
def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    print("got", sorted(event))
    for _ in range(event.get("times", 0)):
        print("said", event["say"])
    custom = context.client_context.custom if context.client_context else None
    return {"event": event, "id": context.aws_request_id, "custom": custom, "env": os.environ["GREETING"],
            "arn": context.invoked_function_arn}
"""

NODE = """
exports.handler = async (event) => { console.log("node got", event.n); return { n: event.n + 1 }; };
"""


def put_code(root):
    (root / "code").mkdir()
    (root / "uploads").mkdir()
    (root / "code" / "app.py").write_text(PYTHON)
    (root / "code" / "app.js").write_text(NODE)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = Live(PROJECT, put_code)
        cls.root = cls.live.root
        cls.client = cls.live.client
        cls.env = {
            "AWS_ENDPOINT_URL": cls.live.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PATH": os.environ["PATH"],
        }

    @classmethod
    def tearDownClass(cls):
        cls.live.stop()

    def test_synchronous_invoke_with_log_tail_and_client_context(self):
        context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
        answer = self.client.invoke(
            FunctionName="echo", Payload=b'{"n": 1.50}', LogType="Tail", ClientContext=context
        )
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        body = json.loads(answer["Payload"].read())
        self.assertEqual(body["custom"], {"k": "v"})
        self.assertEqual(body["env"], "hello")
        self.assertEqual(body["id"], answer["ResponseMetadata"]["RequestId"])
        tail = base64.b64decode(answer["LogResult"]).decode()
        self.assertIn("START RequestId: " + body["id"], tail)
        self.assertIn("got ['n']\n", tail)
        self.assertRegex(tail, r"REPORT RequestId: .*\tMax Memory Used: \d+ MB\t")

    def test_the_handler_sees_the_arn_as_it_was_asked_for(self):
        arn = "arn:aws:lambda:us-east-1:123456789012:function:echo"
        for asked, seen in [({}, arn), ({"Qualifier": "$LATEST"}, arn + ":$LATEST")]:
            answer = self.client.invoke(FunctionName="echo", **asked)
            self.assertEqual(json.loads(answer["Payload"].read())["arn"], seen)

    def test_a_raising_handler_is_a_function_error(self):
        answer = self.client.invoke(FunctionName="echo", Payload=b'{"fail": "no"}')
        self.assertEqual((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
        error = json.loads(answer["Payload"].read())
        self.assertEqual((error["errorType"], error["errorMessage"]), ("ValueError", "no"))

    def test_the_log_is_the_last_4_kb_of_that_invocation(self):
        tails = []
        for word, times in [("first", 2000), ("second", 1), ("third", 2000)]:
            payload = json.dumps({"say": word, "times": times}).encode()
            answer = self.client.invoke(FunctionName="echo", Payload=payload, LogType="Tail")
            tails.append(base64.b64decode(answer["LogResult"]))
            self.assertIn(answer["ResponseMetadata"]["RequestId"].encode(), tails[-1])
        first, second, third = tails
        self.assertEqual((len(first), len(third)), (4096, 4096))
        self.assertTrue(second.startswith(b"START RequestId: "))
        self.assertEqual(second.count(b"said second\n"), 1)
        for tail, word in [(second, b"first"), (third, b"second"), (third, b"first")]:
            self.assertNotIn(word, tail)

    def test_event_and_dry_run(self):
        self.assertEqual(self.client.invoke(FunctionName="echo", InvocationType="Event")["StatusCode"], 202)
        self.assertEqual(self.client.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"], 204)

    def test_errors_are_awss(self):
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException) as caught:
            self.client.invoke(FunctionName="missing")
        self.assertIn("function:missing:$LATEST", str(caught.exception))
        with self.assertRaises(self.client.exceptions.InvalidRequestContentException):
            self.client.invoke(FunctionName="echo", Payload=b"{bad")
        with self.assertRaises(self.client.exceptions.TooManyRequestsException) as caught:
            self.client.invoke(FunctionName="closed")
        self.assertEqual(
            caught.exception.response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded"
        )
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.client.list_capacity_providers()
        self.assertIn("not supported", str(caught.exception))

    def test_limits_of_the_payload(self):
        exact = b'"' + b"x" * (1_048_576 - 2) + b'"'
        self.assertEqual(
            self.client.invoke(FunctionName="echo", InvocationType="Event", Payload=exact)["StatusCode"], 202
        )
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.client.invoke(FunctionName="echo", InvocationType="Event", Payload=exact + b" ")
        self.assertIn("limit 1048576 bytes", str(caught.exception))

    def test_aws_cli(self):
        out = self.root / "out.json"
        command = [pathlib.Path(sys.executable).parent / "aws", "lambda", "invoke", "--function-name", "node"]
        payload = base64.b64encode(b'{"n": 41}').decode()
        version = subprocess.run([command[0], "--version"], capture_output=True, text=True, env=self.env)
        if "aws-cli/1" in version.stdout + version.stderr:
            payload = '{"n": 41}'
        done = subprocess.run(
            [*command, "--payload", payload, out], capture_output=True, text=True, env=self.env
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(out.read_text()), {"n": 42})


if __name__ == "__main__":
    unittest.main()
