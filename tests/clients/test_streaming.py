"""InvokeWithResponseStream: what a handler writes arrives while the handler still runs."""

import http.client
import json
import socket
import unittest
import urllib.parse

from live import CACHE, Live

# AWS's own runtime client, to the handlers of ours.
VENDOR = f'[node, "{CACHE}/npm/node_modules/aws-lambda-ric/index.mjs", app.handler]'

PROJECT = f"""
schema: 1
name: streaming
functions:
  stream: {{ runtime: nodejs20.x, handler: app.handler, code: code, timeout: 20s }}
  vendor: {{ command: {VENDOR}, handler: app.handler, code: code, timeout: 20s }}
  short: {{ runtime: nodejs20.x, handler: app.handler, code: code, timeout: 1s }}
  whole: {{ runtime: python3.12, handler: app.handler, code: code }}
"""

# `waits` goes on when somebody who accepts its connection says so: no clock is involved.
NODE = """
const net = require("node:net");
const told = (port) => new Promise((resolve, reject) => net.connect(port, "127.0.0.1").once("data", resolve).once("error", reject));
const written = (stream, text) => new Promise((resolve) => stream.write(text, resolve));

const does = {
  waits: async (event, stream) => {
    stream.write("first");
    await told(event.port);
    stream.write("second");
    stream.end();
  },
  throws: async (event, stream) => { await written(stream, "half"); throw new TypeError("in the middle"); },
  hangs: async (event, stream) => { stream.write("half"); await new Promise(() => setTimeout(() => {}, 60000)); },
  exits: async (event, stream) => { stream.write("half"); await told(event.port); process.exit(3); },
  large: async (event, stream) => {
    for (let n = 0; n < event.pieces; n++) {
      if (!stream.write(Buffer.alloc(1024 * 1024, 97 + n))) await new Promise((resolve) => stream.once("drain", resolve));
    }
    stream.end();
  },
};
exports.handler = awslambda.streamifyResponse((event, stream) => does[event.do](event, stream));
"""

PYTHON = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no")
    return "x" * event["size"]
"""


def put_code(root):
    (root / "code").mkdir()
    (root / "code" / "app.js").write_text(NODE)
    (root / "code" / "app.py").write_text(PYTHON)


class Gate:
    """A port at which a handler waits until it is let through."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def open(self):
        waiting, _ = self.listener.accept()
        with waiting:
            waiting.sendall(b"go")


class Streaming(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = Live(PROJECT, put_code)
        cls.client = cls.live.client

    @classmethod
    def tearDownClass(cls):
        cls.live.stop()

    def ask(self, function, **event):
        return self.client.invoke_with_response_stream(FunctionName=function, Payload=json.dumps(event))

    def told(self, function, **event):
        """The whole of a streamed response, and how it ended."""
        body, complete = b"", None
        for event in self.ask(function, **event)["EventStream"]:
            body += event.get("PayloadChunk", {}).get("Payload", b"")
            complete = event.get("InvokeComplete", complete)
        return body, complete

    def test_the_first_chunk_arrives_while_the_handler_waits(self):
        for function in ("stream", "vendor"):
            with self.subTest(function), Gate() as gate:
                answer = self.ask(function, do="waits", port=gate.port)
                self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
                events = iter(answer["EventStream"])
                self.assertEqual(next(events), {"PayloadChunk": {"Payload": b"first"}})
                gate.open()
                self.assertEqual(next(events), {"PayloadChunk": {"Payload": b"second"}})
                self.assertEqual(next(events), {"InvokeComplete": {}})
                self.assertEqual(list(events), [])

    def test_a_plain_invoke_gets_all_of_it_at_the_end(self):
        answer = self.client.invoke(FunctionName="stream", Payload=json.dumps({"do": "large", "pieces": 2}))
        self.assertEqual(answer["Payload"].read(), b"a" * 2**20 + b"b" * 2**20)
        self.assertNotIn("FunctionError", answer)

    def test_what_goes_wrong_in_the_middle_is_told_at_the_end(self):
        for function in ("stream", "vendor"):
            with self.subTest(function):
                body, complete = self.told(function, do="throws")
                self.assertEqual((body, complete["ErrorCode"]), (b"half", "Unhandled"))
                details = json.loads(complete["ErrorDetails"])
                self.assertEqual((details["errorType"], details["errorMessage"]), ("TypeError", "in the middle"))

    def test_a_timeout_in_the_middle(self):
        body, complete = self.told("short", do="hangs")
        self.assertEqual(body, b"half")
        self.assertIn("Task timed out after 1.00 seconds", complete["ErrorDetails"])

    def test_a_crash_in_the_middle(self):
        with Gate() as gate:
            events = iter(self.ask("stream", do="exits", port=gate.port)["EventStream"])
            self.assertEqual(next(events), {"PayloadChunk": {"Payload": b"half"}})
            gate.open()
            complete = next(events)["InvokeComplete"]
        self.assertEqual(complete["ErrorCode"], "Unhandled")
        self.assertIn("Runtime.", json.loads(complete["ErrorDetails"])["errorType"])

    def test_a_handler_that_does_not_stream(self):
        body, complete = self.told("whole", size=100_000)
        self.assertEqual((body, complete), (b'"' + b"x" * 100_000 + b'"', {}))
        body, complete = self.told("whole", fail=True)
        self.assertEqual((body, complete["ErrorCode"]), (b"", "Unhandled"))

    def test_more_than_a_whole_response_may_have(self):
        body, complete = self.told("stream", do="large", pieces=9)
        self.assertEqual((len(body), complete), (9 * 2**20, {}))
        self.assertEqual(body[:: 2**20], b"abcdefghi")
        # Sent whole, it is too much.
        answer = self.client.invoke(FunctionName="stream", Payload=json.dumps({"do": "large", "pieces": 9}))
        self.assertEqual(json.loads(answer["Payload"].read())["errorType"], "Function.ResponseSizeTooLarge")

    def test_a_client_that_goes_does_not_stop_the_handler(self):
        host = urllib.parse.urlsplit(self.live.endpoint).netloc
        with Gate() as gate:
            caller = http.client.HTTPConnection(host, timeout=60)
            caller.request(
                "POST",
                "/2021-11-15/functions/stream/response-streaming-invocations",
                json.dumps({"do": "waits", "port": gate.port}),
            )
            answer = caller.getresponse()
            self.assertIn(b"first", answer.read1())
            answer.close()
            caller.close()
            gate.open()
        self.live.until("firstsecond")


if __name__ == "__main__":
    unittest.main()
