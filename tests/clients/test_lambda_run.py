"""Functions made by the API as they run: what a handler sees, what its caller gets (spec/lambda §3, §4, §5)."""

import json

from lambda_api import ARN, ApiCase, Wire, call, serve, tail, unserve, zipped


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Run(ApiCase):
    def test_its_environment(self):
        self.function("environment", MemorySize=256, Environment={"Variables": {"MINE": "yes", "TZ": "Asia/Tokyo"}})
        seen = call(self.client, "environment")
        env = seen["env"]
        expected = {
            "MINE": "yes",
            "TZ": "Asia/Tokyo",
            "_HANDLER": "app.handler",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            "AWS_LAMBDA_FUNCTION_NAME": "environment",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/environment",
        }
        self.assertEqual({name: env.get(name) for name in expected}, expected)
        self.assertRegex(env["AWS_LAMBDA_LOG_STREAM_NAME"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT"):
            self.assertTrue(env.get(name), name)
        self.assertEqual((seen["memory"], seen["arn"]), ("256", ARN + "environment"))

    def test_its_response_headers(self):
        self.function("headers")
        wire = Wire(self.client)
        seen = call(self.client, "headers", LogType="Tail")
        self.assertEqual(wire.headers["x-amzn-requestid"], seen["id"])
        self.assertEqual(wire.headers["x-amz-executed-version"], "$LATEST")
        self.assertIn("START RequestId: " + seen["id"], tail({"LogResult": wire.headers["x-amz-log-result"]}))
        self.assertNotIn("x-amz-function-error", wire.headers)

    def test_nothing_returned_is_null(self):
        self.function("null", zipped({"app.py": "def handler(event, context): pass"}))
        self.assertEqual(self.client.invoke(FunctionName="null")["Payload"].read(), b"null")

    def test_errors_of_functions_are_no_errors_of_the_api(self):
        self.function("errors")
        self.function("broken", zipped({"app.py": "import nothing_of_this_name\n"}))
        self.function("absent", Handler="other.handler")
        self.function("slow", Timeout=1)
        cases = [
            ("errors", {"fail": "no"}, "ValueError", "^no$"),
            ("broken", {}, "Runtime.ImportModuleError", "nothing_of_this_name"),
            ("absent", {}, "Runtime.ImportModuleError", "other"),
            ("slow", {"sleep": 5}, "Sandbox.Timedout", r"^RequestId: \S+ Error: Task timed out after 1\.00 seconds$"),
        ]
        for name, event, kind, text in cases:
            with self.subTest(name):
                answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event))
                self.assertEqual((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
                body = json.loads(answer["Payload"].read())
                self.assertEqual(body["errorType"], kind)
                self.assertRegex(body["errorMessage"], text)

    def test_json_logs(self):
        self.function("logs", LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "INFO"})
        answer = self.client.invoke(FunctionName="logs", LogType="Tail")
        types = [json.loads(line).get("type") for line in tail(answer).splitlines() if line.startswith("{")]
        self.assertEqual((types[0], types[-1]), ("platform.start", "platform.report"))

    def test_streamed_responses_are_events(self):
        self.function("streamed")
        answer = self.client.invoke_with_response_stream(FunctionName="streamed", Payload=b'{"say": "hi"}', LogType="Tail")
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        events = list(answer["EventStream"])
        body = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
        self.assertEqual(json.loads(body)["event"], {"say": "hi"})
        complete = events[-1]["InvokeComplete"]
        self.assertNotIn("ErrorCode", complete)
        self.assertIn("hi\n", tail(complete))

    def test_a_streamed_error(self):
        self.function("streamed-error")
        answer = self.client.invoke_with_response_stream(FunctionName="streamed-error", Payload=b'{"fail": "no"}')
        complete = list(answer["EventStream"])[-1]["InvokeComplete"]
        self.assertEqual(complete["ErrorCode"], "Unhandled")
        self.assertIn("no", complete["ErrorDetails"])

    def test_the_old_asynchronous_call(self):
        self.function("async")
        answer = self.client.invoke_async(FunctionName="async", InvokeArgs=b'{"say": "called the old way"}')
        self.assertEqual(answer["Status"], 202)
        self.live.until("called the old way")
