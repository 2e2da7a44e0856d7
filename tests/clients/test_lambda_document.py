"""The document's own sequence with the real `aws` CLI: create, invoke with every option, get, list, update, delete."""

import base64
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

from lambda_api import ARN, ROLE, ApiCase, active, remove, serve, unserve, zipped

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
        self.addCleanup(remove, self.client, name)
        return self.aws(
            "create-function", "--function-name", name, "--runtime", runtime, "--role", ROLE,
            "--handler", "index.handler", "--zip-file", "fileb://index.zip", "--timeout", "5", "--memory-size", "256", *more,
        )  # fmt: skip

    def invoke(self, name, *options, payload=json.dumps(ROY)):
        """The CLI's metadata, and what it wrote to the outfile."""
        with tempfile.NamedTemporaryFile("r", dir=self.live.root) as out:
            given = ["--payload", payload] if payload else []
            answer = self.aws("invoke", "--function-name", name, *given, *options, out.name)
            return answer, out.read()

    def together(self, *calls):
        """Some calls at the same time, as the CLI takes half a second to start: what each gave, in their order."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(lambda one: one(), calls))


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
        event, dry, latest = self.together(
            lambda: self.invoke("hello", "--invocation-type", "Event"),
            lambda: self.invoke("hello", "--invocation-type", "DryRun"),
            lambda: self.invoke("hello", "--qualifier", "$LATEST"),
        )
        self.assertEqual(event, ({"StatusCode": 202}, ""))
        self.assertEqual(dry, ({"StatusCode": 204}, ""))
        self.assertEqual(json.loads(latest[1]), SAID)

    def publishes(self):
        version = self.aws("publish-version", "--function-name", "hello")
        self.assertEqual((version["Version"], version["FunctionArn"]), ("1", ARN + "hello:1"))
        alias = self.aws("create-alias", "--function-name", "hello", "--name", "prod", "--function-version", "1")
        self.assertEqual(alias["AliasArn"], ARN + "hello:prod")
        qualified = [lambda q=q: self.invoke("hello", "--qualifier", q) for q in ("1", "prod")]
        for answer, out in self.together(*qualified):
            self.assertEqual((answer["ExecutedVersion"], json.loads(out)), ("1", SAID))

    def updates(self):
        changed = self.aws("update-function-code", "--function-name", "hello", "--zip-file", "fileb://second.zip")
        self.assertEqual((changed["State"], changed["LastUpdateStatus"]), ("Active", "InProgress"))
        self.assertEqual(self.aws("wait", "function-updated-v2", "--function-name", "hello"), {})
        latest, prod = self.together(
            lambda: self.invoke("hello")[1], lambda: self.invoke("hello", "--qualifier", "prod")[1]
        )
        self.assertEqual((json.loads(latest), json.loads(prod)), (SAID.replace("Hello", "Good day"), SAID))
        changed = self.aws("update-function-configuration", "--function-name", "hello", "--timeout", "7")
        self.assertEqual((changed["Timeout"], changed["MemorySize"]), (7, 256))
        found, listed = self.together(
            lambda: self.aws("get-function", "--function-name", "hello"), lambda: self.aws("list-functions")
        )
        self.assertEqual((found["Configuration"]["Timeout"], found["Code"]["RepositoryType"]), (7, "S3"))
        self.assertIn("hello", [function["FunctionName"] for function in listed["Functions"]])

    def deletes(self):
        self.aws("delete-function", "--function-name", "hello")
        said = self.aws("get-function", "--function-name", "hello", fails=True)
        self.assertIn(f"(ResourceNotFoundException) when calling the GetFunction operation: Function not found: {ARN}hello", said)


class Options(Cli):
    """The seed's own runtime, which AWS has retired, runs where it is asked for."""

    def context(self, size):
        """A client context whose base64, without padding, has `size` characters."""
        empty = json.dumps({"custom": {"size": size, "x": ""}})
        text = json.dumps({"custom": {"size": size, "x": "x" * (size * 6 // 8 - len(empty))}})
        encoded = base64.b64encode(text.encode()).decode().rstrip("=")
        self.assertEqual(len(encoded), size)
        return encoded

    def test_payloads_and_client_contexts_up_to_their_limit(self):
        self.assertEqual(self.create("old", "nodejs8.10")["Runtime"], "nodejs8.10")
        active(self.client, "old")
        (self.live.root / "roy.json").write_text(json.dumps(ROY))
        nobody = "Hello undefined and address is undefined, context none"
        over = ("invoke", "--function-name", "old", "--client-context", self.context(3584), "over.txt")
        plain, file, none, padded, longest, too_long = self.together(
            lambda: self.invoke("old")[1],
            lambda: self.invoke("old", payload="file://roy.json")[1],
            lambda: self.invoke("old", payload=None)[1],
            lambda: self.invoke("old", "--client-context", self.context(3580))[1],
            lambda: self.invoke("old", "--client-context", self.context(3583))[1],
            lambda: self.aws(*over, fails=True),
        )
        self.assertEqual([json.loads(out) for out in (plain, file, none)], [SAID, SAID, nobody])
        self.assertEqual(json.loads(padded), SAID.replace("none", "3580"))
        self.assertEqual(json.loads(longest), SAID.replace("none", "3583"))
        self.assertIn("when calling the Invoke operation", too_long)
