"""Function URLs, as curl and browsers ask them."""

import json
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from live import Live

PROJECT = """
schema: 1
name: urls
functions:
  web: { runtime: python3.12, handler: app.handler, code: code }
  page: { runtime: nodejs20.x, handler: app.handler, code: code, timeout: 20s }
  closed: { runtime: python3.12, handler: app.handler, code: code, concurrency: 0 }
"""

PYTHON = """
import json
def handler(event, context):
    path = event["rawPath"]
    if path == "/event":
        return event
    if path == "/text":
        return "text"
    if path == "/fails":
        raise ValueError("no")
    if path == "/version":
        return {"version": context.function_version, "arn": context.invoked_function_arn}
    return {"statusCode": 201, "headers": {"x-own": "1", "content-type": "text/html"}, "cookies": ["a=1", "b=2"],
            "body": "aGk=", "isBase64Encoded": True}
"""

NODE = """
const net = require("node:net");
const told = (port) => new Promise((resolve, reject) => net.connect(port, "127.0.0.1").once("data", resolve).once("error", reject));
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const port = event.queryStringParameters?.port;
  if (event.rawPath === "/early") throw new Error("before the head");
  if (event.rawPath === "/plain") stream.setContentType("text/plain");
  else stream = awslambda.HttpResponseStream.from(stream, { statusCode: 202, headers: { "x-own": "2" }, cookies: ["c=3"] });
  stream.write("first");
  await told(port);
  if (event.rawPath === "/late") throw new Error("after the head");
  stream.write("second");
  stream.end();
});
"""


def put_code(root):
    (root / "code").mkdir()
    (root / "code" / "app.js").write_text(NODE)
    (root / "code" / "app.py").write_text(PYTHON)


class Urls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = Live(PROJECT, put_code)
        cls.client = cls.live.client
        cls.web = cls.url("web", AuthType="NONE")
        cls.page = cls.url("page", AuthType="NONE", InvokeMode="RESPONSE_STREAM")

    @classmethod
    def tearDownClass(cls):
        cls.live.stop()

    @classmethod
    def url(cls, function, **settings):
        """A new URL of a function, or one that is changed."""
        operation = cls.client.create_function_url_config
        try:
            return operation(FunctionName=function, **settings)["FunctionUrl"]
        except cls.client.exceptions.ResourceConflictException:
            return cls.client.update_function_url_config(FunctionName=function, **settings)["FunctionUrl"]

    def curl(self, url, *arguments, body=None):
        """Status, headers (the last of each name) and body."""
        parts = urllib.parse.urlsplit(url)
        # Not every curl knows that all names below localhost are this machine.
        here = ("--resolve", f"{parts.hostname}:{parts.port}:127.0.0.1")
        with tempfile.NamedTemporaryFile() as head:
            done = subprocess.run(
                ["curl", "-sS", "-D", head.name, *here, *arguments, url], input=body, capture_output=True, timeout=60
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            # The last head: one before it was leave to send the body.
            lines = head.read().decode().replace("\r", "").strip().split("\n\n")[-1].split("\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        return int(lines[0].split()[1]), headers, done.stdout

    @staticmethod
    def signed(url, secret):
        """curl's arguments for a request that the key `test` signs."""
        request = botocore.awsrequest.AWSRequest("GET", url)
        keys = botocore.credentials.Credentials("test", secret)
        botocore.auth.SigV4Auth(keys, "lambda", "us-east-1").add_auth(request)
        return [text for name, value in request.headers.items() for text in ("-H", f"{name}: {value}")]

    def test_a_request_is_an_event(self):
        status, headers, body = self.curl(
            f"{self.web}event?a=1&a=2", "-X", "PUT", "-H", "X-Mine: me", "-b", "c=1", "-d", "{}",
            "-H", "content-type: application/json",
        )
        event = json.loads(body)
        self.assertEqual((status, headers["content-type"]), (200, ["application/json"]))
        self.assertEqual((event["version"], event["rawPath"], event["body"]), ("2.0", "/event", "{}"))
        self.assertEqual((event["queryStringParameters"], event["cookies"]), ({"a": "1,2"}, ["c=1"]))
        self.assertEqual((event["headers"]["x-mine"], event["isBase64Encoded"]), ("me", False))
        context = event["requestContext"]
        self.assertEqual((context["http"]["method"], context["accountId"]), ("PUT", "anonymous"))
        self.assertEqual(headers["x-amzn-requestid"], [context["requestId"]])

    def test_an_answer_is_a_response(self):
        status, headers, body = self.curl(self.web)
        self.assertEqual((status, body, headers["content-type"]), (201, b"hi", ["text/html"]))
        self.assertEqual((headers["x-own"], headers["set-cookie"]), (["1"], ["a=1", "b=2"]))
        self.assertEqual(self.curl(f"{self.web}text")[2], b"text")
        status, _, body = self.curl(f"{self.web}fails")
        self.assertEqual((status, body), (502, b"Internal Server Error"))
        status, headers, body = self.curl(self.web, "-I")
        self.assertEqual((status, headers["x-own"], body[:9]), (201, ["1"], b"HTTP/1.1 "))

    def test_an_alias_has_a_url_of_its_own(self):
        code = shutil.make_archive(str(self.live.root / "zipped"), "zip", self.live.root / "code")
        with open(code, "rb") as zipped:
            self.client.create_function(
                FunctionName="made", Runtime="python3.12", Handler="app.handler", Code={"ZipFile": zipped.read()},
                Role="arn:aws:iam::123456789012:role/r", Publish=True,
            )
        self.client.get_waiter("function_active_v2").wait(FunctionName="made")
        self.client.create_alias(FunctionName="made", Name="live", FunctionVersion="1")
        url = self.url("made", Qualifier="live", AuthType="NONE")
        _, _, body = self.curl(f"{url}version")
        told = json.loads(body)
        self.assertEqual((told["version"], told["arn"].split(":")[-2:]), ("1", ["made", "live"]))
        self.client.delete_alias(FunctionName="made", Name="live")
        self.assertEqual(self.curl(url)[0], 404)

    def test_who_is_throttled_or_says_too_much_is_told(self):
        status, _, _ = self.curl(self.url("closed", AuthType="NONE"))
        self.assertEqual(status, 429)
        status, _, body = self.curl(self.web, "-X", "POST", "--data-binary", "@-", body=b"x" * (6 * 2**20 + 1))
        self.assertEqual((status, b"6291456" in body), (413, True))
        # Within the limit itself, and beyond it as the event that it becomes.
        status, _, _ = self.curl(
            self.web, "-X", "POST", "-H", "content-type: image/png", "--data-binary", "@-", body=b"x" * (5 * 2**20)
        )
        self.assertEqual(status, 413)

    def test_iam_wants_a_signature(self):
        url = self.url("web", AuthType="AWS_IAM")
        try:
            status, headers, body = self.curl(url)
            self.assertEqual((status, json.loads(body)), (403, {"Message": "Forbidden"}))
            self.assertEqual(headers["x-amzn-errortype"], ["AccessDeniedException"])
            status, _, body = self.curl(f"{url}event", *self.signed(f"{url}event", "any"))
            context = json.loads(body)["requestContext"]
            self.assertEqual((status, context["authorizer"]["iam"]["accessKey"]), (200, "test"))
            # Nobody checks a signature here, so a page of elsewhere could make one up.
            made_up = f"{url}event?X-Amz-Credential=x/20260101/us-east-1/lambda/aws4_request"
            self.assertEqual(self.curl(made_up)[0], 200)
            for page in ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"]:
                self.assertEqual(self.curl(made_up, "-H", page)[0], 403, page)
        finally:
            self.url("web", AuthType="NONE")

    def test_browsers_are_told_who_may_look(self):
        page = ("-H", "Origin: https://app.example", "-H", "Sec-Fetch-Site: cross-site")
        preflight = (*page, "-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT")
        # Without a configuration the function is asked, and the page does not see its answer.
        status, headers, _ = self.curl(self.web, *preflight)
        self.assertEqual((status, "access-control-allow-origin" in headers), (201, False))
        cors = {"AllowOrigins": ["https://app.example"], "AllowMethods": ["PUT"], "ExposeHeaders": ["x-own"]}
        self.url("web", AuthType="NONE", Cors=cors)
        try:
            status, headers, body = self.curl(self.web, *preflight)
            self.assertEqual((status, body, headers["access-control-allow-methods"]), (200, b"", ["PUT"]))
            status, headers, _ = self.curl(self.web, *page)
            self.assertEqual((status, headers["access-control-allow-origin"]), (201, ["https://app.example"]))
            self.assertEqual(headers["access-control-expose-headers"], ["x-own"])
            _, headers, _ = self.curl(self.web, "-H", "Origin: https://evil.example")
            self.assertNotIn("access-control-allow-origin", headers)
        finally:
            self.url("web", AuthType="NONE", Cors={})
        # The APIs stay closed to pages.
        functions = f"{self.live.endpoint}/2015-03-31/functions"
        self.assertEqual(self.curl(functions, *page)[0], 403)
        # Also to those that a function serves.
        self.assertEqual(self.curl(functions, "-H", f"Origin: {self.web.rstrip('/')}")[0], 403)

    def test_a_host_that_is_no_url(self):
        status, _, body = self.curl(self.web.replace("http://", "http://x"))
        self.assertEqual((status, b"no function has the URL" in body), (404, True))

    def streamed(self, path, port):
        """A curl that runs; what it has read comes from its stdout as it comes."""
        parts = urllib.parse.urlsplit(self.page)
        here = ("--resolve", f"{parts.hostname}:{parts.port}:127.0.0.1")
        return subprocess.Popen(
            ["curl", "-sS", "-N", "-i", *here, f"{self.page}{path}?port={port}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )

    def read_until(self, curl, text):
        said = b""
        while text not in said:
            more = curl.stdout.read(4096)
            self.assertTrue(more, said)
            said += more
        return said

    def test_a_response_streams_while_the_handler_waits(self):
        for path, expected in [
            ("", [b"HTTP/1.1 202", b"x-own: 2", b"set-cookie: c=3", b"content-type: application/octet-stream"]),
            ("plain", [b"HTTP/1.1 200", b"content-type: text/plain"]),
        ]:
            with self.subTest(path), socket.create_server(("127.0.0.1", 0)) as gate:
                gate.settimeout(60)
                with self.streamed(path, gate.getsockname()[1]) as curl:
                    said = self.read_until(curl, b"first")
                    for text in expected:
                        self.assertIn(text, said)
                    waiting, _ = gate.accept()
                    with waiting:
                        waiting.sendall(b"go")
                    self.assertIn(b"second", curl.stdout.read())
                    self.assertEqual(curl.wait(), 0)

    def test_what_fails_before_the_head_is_a_status_and_after_it_breaks_off(self):
        self.assertEqual(self.curl(f"{self.page}early")[0], 502)
        with socket.create_server(("127.0.0.1", 0)) as gate:
            gate.settimeout(60)
            with self.streamed("late", gate.getsockname()[1]) as curl:
                self.read_until(curl, b"first")
                waiting, _ = gate.accept()
                with waiting:
                    waiting.sendall(b"go")
                curl.stdout.read()
                # 18: the transfer ended before it was whole.
                self.assertEqual(curl.wait(), 18)

    def test_signatures_are_checked_where_that_is_asked_for(self):
        def prepare(root):
            put_code(root)
            (root / "keys").write_text("[me]\naws_access_key_id = test\naws_secret_access_key = test\n")
            (root / "keys").chmod(0o600)

        live = Live(PROJECT, prepare, ("--require-signature", "keys"))
        try:
            made = live.client.create_function_url_config(FunctionName="web", AuthType="NONE")
            self.assertEqual(self.curl(f"{made['FunctionUrl']}text")[2], b"text")
            live.client.update_function_url_config(FunctionName="web", AuthType="AWS_IAM")
            url = f"{made['FunctionUrl']}text"
            self.assertEqual(self.curl(url)[0], 403)
            self.assertEqual(self.curl(url, *self.signed(url, "wrong"))[0], 403)
            self.assertEqual(self.curl(url, *self.signed(url, "test"))[2], b"text")
        finally:
            live.stop()


if __name__ == "__main__":
    unittest.main()
