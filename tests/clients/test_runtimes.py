"""Other people's runtime clients, unchanged, behind `triggerfish up`; and their retries in virtual time.

Each of `handlers/` is the same handler on another client: what is asked of one is asked of all.
"""

import base64
import json
import shutil
import subprocess
import sys
import unittest

from live import BINARY, CACHE, Live

HERE = CACHE.parent / "tests" / "clients"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
# The largest response (docs of Lambda's quotas: 6 MB, exactly 6,291,556 bytes).
LARGEST = 6_291_556

# All members of `client`: the crate lambda_runtime ends its process if one is missing.
CLIENT_CONTEXT = {
    "client": dict.fromkeys(["installationId", "appTitle", "appVersionName", "appVersionCode", "appPackageName"], "x"),
    "custom": {"k": "v"},
    "env": {},
}

# What starts each of them.
RUNTIMES = {
    "awslambdaric": f'command: ["{sys.executable}", -m, awslambdaric, app.handler]',
    "aws-lambda-ric": f'command: [node, "{CACHE}/npm/node_modules/aws-lambda-ric/index.mjs", app.handler], handler: app.handler',
    "lambda_runtime": "runtime: provided.al2023",
    "shell": "runtime: provided.al2023",
    "perl": "runtime: provided.al2023",
}


def functions(code):
    """The three functions of each: as it is, in a hurry, and one that cannot start."""
    for name, program in RUNTIMES.items():
        program = f"{program}, memory: 512, code: {code}{name}"
        yield f"  {name}: {{ {program}, timeout: 30s }}"
        yield f"  {name}-hasty: {{ {program}, timeout: 1s }}"
        yield f"  {name}-broken: {{ {program}, timeout: 30s, environment: {{ INIT: fail }} }}"


def json_functions():
    logging = "code: json, logging: { format: JSON, application_level: INFO }"
    for name in ("awslambdaric", "aws-lambda-ric"):
        yield f"  json-{name}: {{ {RUNTIMES[name]}, {logging} }}"
    yield f"  json-python: {{ runtime: python3.12, handler: app.handler, {logging} }}"
    yield f"  json-node: {{ runtime: nodejs22.x, handler: app.handler, {logging} }}"


def put_code(root):
    shutil.copytree(HERE / "handlers" / "json", root / "json")
    for name in RUNTIMES:
        if name == "lambda_runtime":
            (root / name).mkdir()
            shutil.copy(CACHE / "rust-handler" / "debug" / "rust-handler", root / name / "bootstrap")
        else:
            shutil.copytree(HERE / "handlers" / name, root / name)


def setUpModule():
    global live
    live = Live("schema: 1\nname: runtimes\nfunctions:\n" + "\n".join([*functions(""), *json_functions()]) + "\n", put_code)


def tearDownModule():
    live.stop()


class Runtime:
    """What every client can do."""

    name = None

    def call(self, function="", **event):
        answer = live.client.invoke(
            FunctionName=self.name + function,
            Payload=json.dumps(event, separators=(",", ":")),
            LogType="Tail",
            ClientContext=base64.b64encode(json.dumps(CLIENT_CONTEXT).encode()).decode(),
        )
        self.assertEqual(answer["StatusCode"], 200)
        tail = base64.b64decode(answer["LogResult"]).decode()
        return answer["Payload"].read(), answer.get("FunctionError"), tail

    def platform_error(self, answer, kind, text):
        body, error, tail = answer
        self.assertEqual(error, "Unhandled")
        body = json.loads(body)
        self.assertEqual(body["errorType"], kind, tail)
        self.assertRegex(body["errorMessage"], "^RequestId: [0-9a-f-]{36} Error: " + text + "$")

    def test_context(self):
        body, error, tail = self.call(do="context")
        self.assertIsNone(error, body)
        seen = json.loads(body)
        self.assertIn(f"START RequestId: {seen['id']} Version: $LATEST\n", tail)
        self.assertIn("got context", tail)
        self.assertIn(f"END RequestId: {seen['id']}\n", tail)
        custom = seen.get("custom", (seen.get("client") or {}).get("custom"))
        self.assertEqual(custom, {"k": "v"})
        self.assertEqual((seen["arn"], seen["name"], str(seen["memory"])), (ARN + self.name, self.name, "512"))
        self.assertTrue(0 < seen["remaining"] <= 30_000, seen)

    def test_one_process_serves_one_event_after_the_other(self):
        counts = [json.loads(self.call(do="count")[0])["calls"] for _ in range(3)]
        self.assertEqual(counts, [counts[0], counts[0] + 1, counts[0] + 2])

    def test_an_error_document_arrives_as_it_was_sent(self):
        body, error, tail = self.call(do="fail", message="no \u00e4 today")
        self.assertEqual(error, "Unhandled")
        self.check_error(body)
        self.assertRegex(tail, "\tStatus: error\tError Type: " + self.error_type + "\t\n$")

    def test_an_exit_is_an_error_and_the_next_event_starts_anew(self):
        self.platform_error(self.call(do="exit"), "Runtime.ExitError", "Runtime exited with error: exit status 3")
        body, error, tail = self.call(do="count")
        self.assertEqual(json.loads(body), {"calls": 1})
        self.assertNotIn("Init Duration", tail)

    def test_a_timeout_is_an_error_and_the_next_event_starts_anew(self):
        slow = self.call("-hasty", do="sleep")
        self.assertIn("got sleep", slow[2])
        self.assertRegex(slow[2], "\tDuration: 1000.00 ms\t.*\tStatus: timeout\t\n$")
        self.platform_error(slow, "Sandbox.Timedout", r"Task timed out after 1\.00 seconds")
        self.assertEqual(json.loads(self.call("-hasty", do="count")[0]), {"calls": 1})

    def test_what_cannot_start_says_so(self):
        for _ in range(2):
            body, error, tail = self.call("-broken", do="count")
            self.assertEqual(error, "Unhandled")
            self.check_init(json.loads(body), tail)

    def test_the_largest_response(self):
        body, error, _ = self.call(do="large", size=LARGEST)
        self.assertIsNone(error, body[:1000])
        self.assertEqual(len(body), LARGEST)

    def test_a_byte_more(self):
        body, error, _ = self.call(do="large", size=LARGEST + 1)
        self.assertEqual(error, "Unhandled")
        self.assertEqual(
            json.loads(body),
            {
                "errorMessage": f"Response payload size exceeded maximum allowed payload size ({LARGEST} bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            },
        )
        # The runtime lives on, or a new one takes its place.
        self.assertIn("calls", json.loads(self.call(do="count")[0]))


class Python(Runtime, unittest.TestCase):
    name = "awslambdaric"
    error_type = "Function.Unknown"

    def check_error(self, body):
        error = json.loads(body)
        self.assertEqual(error["errorMessage"], "no \u00e4 today")
        self.assertEqual(list(error), ["errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertEqual(error["errorType"], "ValueError")

    def check_init(self, body, tail):
        self.assertEqual((body["errorType"], body["errorMessage"]), ("RuntimeError", "no init today"))
        self.assertIn("[ERROR] RuntimeError: no init today\r", tail)


class Node(Runtime, unittest.TestCase):
    name = "aws-lambda-ric"
    error_type = "Function.Unknown"

    def check_error(self, body):
        error = json.loads(body)
        self.assertEqual(error["errorMessage"], "no \u00e4 today")
        self.assertEqual(list(error), ["errorType", "errorMessage", "trace"])
        self.assertEqual(error["errorType"], "RangeError")

    def check_init(self, body, tail):
        self.assertEqual((body["errorType"], body["errorMessage"]), ("RangeError", "no init today"))


class Rust(Runtime, unittest.TestCase):
    name = "lambda_runtime"
    error_type = "Function.Unknown"

    def check_error(self, body):
        error = json.loads(body)
        self.assertEqual(error["errorMessage"], "no \u00e4 today")
        self.assertEqual(list(error), ["errorType", "errorMessage"])

    def check_init(self, body, tail):
        # The crate reports nothing of what fails before `run`: the process just ends.
        self.assertEqual(body["errorType"], "Runtime.ExitError")
        self.assertRegex(body["errorMessage"], "Runtime exited with error: exit status 1$")
        self.assertIn("no init today", tail)

    def test_a_panic_is_an_error(self):
        body, error, tail = self.call(do="panic")
        self.assertEqual(error, "Unhandled")
        self.assertIn("no handler today", json.loads(body)["errorMessage"])


class Shell(Runtime, unittest.TestCase):
    name = "shell"
    error_type = "Function.Shell"

    def check_error(self, body):
        self.assertEqual(body, b'{"errorType":"Function.Shell",  "errorMessage":"as it is"}')

    def check_init(self, body, tail):
        self.assertEqual(body, {"errorType": "Runtime.ShellInit", "errorMessage": "no init today"})
        self.assertRegex(tail, "\tError Type: Runtime.ShellInit\t\n$")


class Perl(Runtime, unittest.TestCase):
    name = "perl"
    error_type = "Function.Perl"

    def check_error(self, body):
        self.assertEqual(body, b'{"errorType":"Function.Perl",  "errorMessage":"as it is"}')

    def check_init(self, body, tail):
        self.assertEqual(body, {"errorType": "Runtime.PerlInit", "errorMessage": "no init today"})
        self.assertRegex(tail, "\tError Type: Runtime.PerlInit\t\n$")

    def test_payloads_pass_as_they_are(self):
        sent = b'  {"do" : "echo", "n": 1.50e+2, "n": -0, "text": "\\u0000 \\ud83d\\ude00 \xf0\x9f\x98\x80 \xc3\xa4 \xe2\x80\xa8"}\r\n'
        answer = live.client.invoke(FunctionName=self.name, Payload=sent)
        self.assertEqual(answer["Payload"].read(), sent)
        self.assertEqual(self.call(do="bytes")[0], bytes(range(256)))


class JsonLogs(unittest.TestCase):
    """AWS's clients and our bootstraps write the same lines, but for times, ids and places."""

    def lines(self, name):
        answer = live.client.invoke(FunctionName=name, LogType="Tail")
        tail = base64.b64decode(answer["LogResult"]).decode()
        lines = [json.loads(line) for line in tail.splitlines() if line.startswith("{")]
        lines = [line for line in lines if "timestamp" in line]
        for line in lines:
            self.assertRegex(line.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$")
            for holder in (line, line["message"] if isinstance(line.get("message"), dict) else {}):
                if "stackTrace" in holder:
                    holder["stackTrace"] = holder["stackTrace"][:1]
            self.assertRegex(line.pop("requestId"), "^[0-9a-f-]{36}$")
        return lines

    def same(self, ours, theirs, count):
        ours = self.lines(ours)
        self.assertEqual(ours, self.lines(theirs))
        self.assertEqual(len(ours), count)

    def test_python(self):
        self.same("json-python", "json-awslambdaric", 4)

    def test_node(self):
        self.same("json-node", "json-aws-lambda-ric", 7)


class VirtualTime(unittest.TestCase):
    def retries(self, names, times):
        lines = ["schema: 1", "name: retries", "functions:", *functions(""), "steps:"]
        lines += [f"  - invoke: {{ function: {name}, type: event, payload: {{ do: flaky }} }}" for name in names]
        lines += ["  - advance: 5m", "expect:", "  invocations:"]
        attempts = "{ at: +0s, outcome: error }, { at: +1m, outcome: error }, { at: +3m, outcome: ok }"
        lines += [f"    - {{ function: {name}, attempts: [{attempts}], response: {{ calls: 3 }} }}" for name in names]
        lines += ["  closed: { except: [logs] }"]
        scenario = live.root / "retries.yaml"
        scenario.write_text("\n".join(lines) + "\n")
        command = [BINARY, "test", scenario, "--times", str(times), "--runs", live.root / "runs"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_three_minutes_of_retries_take_none_and_go_the_same_way_twice(self):
        self.retries([name for name in RUNTIMES if name != "aws-lambda-ric"], 2)

    def test_a_client_that_logs_the_real_time_does_not_go_the_same_way_twice(self):
        self.retries(["aws-lambda-ric"], 1)


if __name__ == "__main__":
    unittest.main()
