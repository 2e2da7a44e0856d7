"""The document's own sequence with the real `aws` CLI: create, invoke with every option, get, list, update, delete."""

import base64
import json
import pathlib
import subprocess
import sys

from lambda_api import ARN, ROLE, ApiCase, serve, unserve, zipped

AWS = pathlib.Path(sys.executable).parent / "aws"

# The handler of the document, in the style of its time: the answer goes to a callback.
HELLO = """
exports.handler = (event, context, callback) => {
  console.log('name is', event.name);
  const custom = context.clientContext ? context.clientContext.custom.size : 'none';
  callback(null, `Hello ${event.name} and address is ${event.address}, context ${custom}`);
};
"""
ROY = {"name": "Roy Singh", "address": "Delhi"}
SAID = "Hello Roy Singh and address is Delhi, context none"


def setUpModule():
    def prepare(root):
        (root / "index.zip").write_bytes(zipped({"index.js": HELLO}))
        (root / "second.zip").write_bytes(zipped({"index.js": HELLO.replace("Hello", "Good day")}))

    serve(prepare=prepare, arguments=["--allow-retired-runtimes"])


def tearDownModule():
    unserve()


class Cli(ApiCase):
    def aws(self, *arguments, fails=False):
        """Runs the CLI's `lambda` command: what it prints, as JSON; its complaint if it is to fail."""
        done = subprocess.run(
            [AWS, "lambda", *arguments], capture_output=True, text=True, cwd=self.live.root, env=self.live.environment()
        )
        self.assertEqual(done.returncode != 0, fails, done.stdout + done.stderr)
        return done.stderr if fails else json.loads(done.stdout or "{}")

    def create(self, name, runtime, *more):
        made = self.aws(
            "create-function", "--function-name", name, "--runtime", runtime, "--role", ROLE,
            "--handler", "index.handler", "--zip-file", "fileb://index.zip", "--timeout", "5", "--memory-size", "256", *more,
        )  # fmt: skip
        self.addCleanup(self.client.get_waiter("function_active_v2").wait, FunctionName=name)
        return made

    def invoke(self, name, *options, payload=ROY):
        """The CLI's metadata, and what it wrote to the outfile."""
        out = self.live.root / "out.txt"
        out.unlink(missing_ok=True)
        answer = self.aws("invoke", "--function-name", name, "--payload", json.dumps(payload), *options, "out.txt")
        return answer, out.read_text()


class Document(Cli):
    """One sequence, in the order of the document."""

    def test_the_sequence_of_the_document(self):
        self.creates()
        self.invokes()
        self.publishes()
        self.updates()
        self.deletes()

    def creates(self):
        made = self.create("hello", "nodejs20.x", "--description", "says hello")
        self.assertEqual((made["FunctionArn"], made["Runtime"], made["Handler"]), (ARN + "hello", "nodejs20.x", "index.handler"))
        self.assertEqual((made["Timeout"], made["MemorySize"], made["Description"]), (5, 256, "says hello"))
        self.assertEqual((made["Version"], made["State"], made["StateReasonCode"]), ("$LATEST", "Pending", "Creating"))
        self.assertEqual(made["CodeSize"], (self.live.root / "index.zip").stat().st_size)
        self.assertEqual(self.aws("wait", "function-active-v2", "--function-name", "hello"), {})

    def invokes(self):
        answer, out = self.invoke("hello", "--invocation-type", "RequestResponse", "--log-type", "Tail")
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(json.loads(out), SAID)
        log = base64.b64decode(answer["LogResult"]).decode()
        self.assertRegex(log, "^START RequestId: [0-9a-f-]{36} Version: \\$LATEST\n")
        self.assertIn("\tINFO\tname is Roy Singh\n", log)
        self.assertRegex(log, "REPORT RequestId: .*\tMemory Size: 256 MB\t.*\tInit Duration: .* ms\t\n$")

        answer, out = self.invoke("hello", "--invocation-type", "Event")
        self.assertEqual((answer, out), ({"StatusCode": 202}, ""))
        answer, out = self.invoke("hello", "--invocation-type", "DryRun")
        self.assertEqual((answer, out), ({"StatusCode": 204}, ""))
        self.assertEqual(json.loads(self.invoke("hello", "--qualifier", "$LATEST")[1]), SAID)

    def publishes(self):
        version = self.aws("publish-version", "--function-name", "hello")
        self.assertEqual((version["Version"], version["FunctionArn"]), ("1", ARN + "hello:1"))
        alias = self.aws("create-alias", "--function-name", "hello", "--name", "prod", "--function-version", "1")
        self.assertEqual(alias["AliasArn"], ARN + "hello:prod")
        for qualifier in ("1", "prod"):
            answer, out = self.invoke("hello", "--qualifier", qualifier)
            self.assertEqual((answer["ExecutedVersion"], json.loads(out)), ("1", SAID))

    def updates(self):
        changed = self.aws("update-function-code", "--function-name", "hello", "--zip-file", "fileb://second.zip")
        self.assertEqual((changed["State"], changed["LastUpdateStatus"]), ("Active", "InProgress"))
        self.assertEqual(self.aws("wait", "function-updated-v2", "--function-name", "hello"), {})
        self.assertEqual(json.loads(self.invoke("hello")[1]), SAID.replace("Hello", "Good day"))
        self.assertEqual(json.loads(self.invoke("hello", "--qualifier", "prod")[1]), SAID)
        changed = self.aws("update-function-configuration", "--function-name", "hello", "--timeout", "7")
        self.assertEqual((changed["Timeout"], changed["MemorySize"]), (7, 256))
        found = self.aws("get-function", "--function-name", "hello")
        self.assertEqual((found["Configuration"]["Timeout"], found["Code"]["RepositoryType"]), (7, "S3"))
        listed = self.aws("list-functions")["Functions"]
        self.assertIn("hello", [function["FunctionName"] for function in listed])

    def deletes(self):
        self.aws("delete-function", "--function-name", "hello")
        said = self.aws("get-function", "--function-name", "hello", fails=True)
        self.assertIn(f"(ResourceNotFoundException) when calling the GetFunction operation: Function not found: {ARN}hello", said)


class Options(Cli):
    def setUp(self):
        # The seed's own runtime, which AWS has retired, runs where it is asked for.
        if "old" not in [function["FunctionName"] for function in self.client.list_functions()["Functions"]]:
            made = self.create("old", "nodejs8.10")
            self.assertEqual(made["Runtime"], "nodejs8.10")
            self.client.get_waiter("function_active_v2").wait(FunctionName="old")

    def test_a_retired_runtime_runs(self):
        self.assertEqual(json.loads(self.invoke("old")[1]), SAID)

    def context(self, size):
        """A client context whose base64, without padding, has `size` characters."""
        bytes_ = size * 6 // 8
        empty = json.dumps({"custom": {"size": size, "x": ""}}, separators=(",", ":"))
        text = json.dumps({"custom": {"size": size, "x": "x" * (bytes_ - len(empty))}}, separators=(",", ":"))
        encoded = base64.b64encode(text.encode()).decode().rstrip("=")
        self.assertEqual(len(encoded), size)
        return encoded

    def test_client_context_up_to_its_limit(self):
        for size in (3580, 3583):
            with self.subTest(size=size):
                out = self.invoke("old", "--client-context", self.context(size))[1]
                self.assertEqual(json.loads(out), SAID.replace("none", str(size)))
        said = self.aws(
            "invoke", "--function-name", "old", "--client-context", self.context(3584), "out.txt", fails=True
        )
        self.assertIn("when calling the Invoke operation", said)

    def test_a_payload_from_a_file_and_none_at_all(self):
        (self.live.root / "roy.json").write_text(json.dumps(ROY))
        answer = self.aws("invoke", "--function-name", "old", "--payload", "file://roy.json", "out.txt")
        self.assertEqual(answer["StatusCode"], 200)
        self.assertEqual(json.loads((self.live.root / "out.txt").read_text()), SAID)
        self.aws("invoke", "--function-name", "old", "out.txt")
        said = "Hello undefined and address is undefined, context none"
        self.assertEqual(json.loads((self.live.root / "out.txt").read_text()), said)
