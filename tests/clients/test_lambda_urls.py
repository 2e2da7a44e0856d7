"""Function URLs over plain HTTP: the event that a request becomes, and the response that an answer becomes (spec/lambda §10)."""

import http.client
import json
import urllib.parse

from lambda_api import ARN, ApiCase, serve, unserve, zipped

# Answers with the event, or with what the body asks for.
ECHO = """
import json
def handler(event, context):
    asked = json.loads(event["body"]) if event["rawPath"] == "/answer" else {"give": event}
    if "fail" in asked:
        raise ValueError(asked["fail"])
    return asked["give"]
"""


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Urls(ApiCase):
    def setUp(self):
        self.function("url", zipped({"app.py": ECHO}))
        permission = {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}
        self.client.add_permission(FunctionName="url", StatementId="url", **permission)
        self.client.add_permission(
            FunctionName="url", StatementId="invoke", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True
        )
        self.url = self.client.create_function_url_config(FunctionName="url", AuthType="NONE")["FunctionUrl"]

    def ask(self, method, path, body=None, headers=None, url=None):
        """A request with the URL's host to where the gateway listens: names below localhost need not resolve."""
        host = urllib.parse.urlsplit(url or self.url).netloc
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.live.endpoint).netloc)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {"Host": host, **(headers or {})})
        answer = connection.getresponse()
        return answer, answer.read()

    def event(self, *request, **more):
        answer, body = self.ask(*request, **more)
        self.assertEqual(answer.status, 200, body)
        return json.loads(body)

    def test_a_request_becomes_an_event(self):
        headers = {"User-Agent": "me/1", "Cookie": "a=1; b=2", "X-Mine": "Yes"}
        event = self.event("GET", "/a%20b/c?x=1&y=two%20words", headers=headers)
        self.assertEqual((event["version"], event["routeKey"]), ("2.0", "$default"))
        self.assertEqual((event["rawPath"], event["rawQueryString"]), ("/a%20b/c", "x=1&y=two%20words"))
        self.assertEqual(event["queryStringParameters"], {"x": "1", "y": "two words"})
        self.assertEqual(event["cookies"], ["a=1", "b=2"])
        self.assertEqual((event["headers"]["x-mine"], event["headers"]["user-agent"]), ("Yes", "me/1"))
        self.assertFalse(event["isBase64Encoded"])
        self.assertNotIn("body", event)
        context = event["requestContext"]
        self.assertEqual((context["accountId"], context["stage"], context["routeKey"]), ("anonymous", "$default", "$default"))
        host = urllib.parse.urlsplit(self.url).hostname
        self.assertEqual((context["apiId"], context["domainPrefix"]), (host.split(".")[0],) * 2)
        seen = {name: context["http"][name] for name in ("method", "path", "protocol", "userAgent")}
        self.assertEqual(seen["method"], "GET")
        self.assertEqual((seen["protocol"], seen["userAgent"]), ("HTTP/1.1", "me/1"))
        self.assertIsInstance(context["timeEpoch"], int)

    def test_bodies(self):
        event = self.event("POST", "/", "text", headers={"Content-Type": "text/plain"})
        self.assertEqual((event["body"], event["isBase64Encoded"]), ("text", False))
        event = self.event("POST", "/", b"\x00\xff", headers={"Content-Type": "application/octet-stream"})
        self.assertEqual((event["body"], event["isBase64Encoded"]), ("AP8=", True))

    def test_answers(self):
        whole = {"statusCode": 201, "headers": {"X-Mine": "yes"}, "cookies": ["a=1", "b=2"], "body": "made"}
        cases = [
            (whole, 201, b"made"),
            ({"statusCode": "404", "body": "AP8=", "isBase64Encoded": True}, 404, b"\x00\xff"),
            ("text", 200, b"text"),
            ({"a": [1, None]}, 200, b'{"a":[1,null]}'),
            (5, 200, b"5"),
        ]
        for give, status, expected in cases:
            with self.subTest(give=give):
                answer, body = self.ask("POST", "/answer", json.dumps({"give": give}), {"Content-Type": "application/json"})
                self.assertEqual((answer.status, body), (status, expected))
                if give is whole:
                    self.assertEqual((answer.headers["x-mine"], answer.headers.get_all("set-cookie")), ("yes", ["a=1", "b=2"]))
                elif status == 200:
                    self.assertEqual(answer.headers["content-type"], "application/json")

    def test_a_function_error_is_a_502(self):
        answer, body = self.ask("POST", "/answer", json.dumps({"fail": "no"}), {"Content-Type": "application/json"})
        self.assertEqual((answer.status, body), (502, b"Internal Server Error"))

    def test_who_must_sign_and_does_not_is_refused(self):
        self.client.update_function_url_config(FunctionName="url", AuthType="AWS_IAM")
        answer, body = self.ask("GET", "/")
        self.assertEqual((answer.status, answer.headers["x-amzn-ErrorType"]), (403, "AccessDeniedException"))
        self.assertTrue(json.loads(body)["Message"].startswith("Forbidden"))

    def test_an_alias_has_a_url_of_its_own(self):
        self.client.publish_version(FunctionName="url")
        self.client.create_alias(FunctionName="url", Name="live", FunctionVersion="1")
        self.client.add_permission(
            FunctionName="url", Qualifier="live", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
            FunctionUrlAuthType="NONE",
        )  # fmt: skip
        made = self.client.create_function_url_config(FunctionName="url", Qualifier="live", AuthType="NONE")
        self.assertEqual(made["FunctionArn"], ARN + "url:live")
        answer, body = self.ask("GET", "/", url=made["FunctionUrl"])
        self.assertEqual((answer.status, json.loads(body)["rawPath"]), (200, "/"))
