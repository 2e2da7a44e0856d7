"""Layers (spec/lambda §8.7): published, listed, seen below /opt by handlers in Python and Node, in their order."""

import base64
import hashlib
import json
import stat
import urllib.request

from lambda_api import LAYER_ARN, ApiCase, Wire, active, call, serve, unserve, zipped

CREATED = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$"

# Reads a file of /opt, imports a module of a layer, and runs a program that a layer puts on the PATH.
PYTHON = """
import subprocess, word
def handler(event, context):
    return [word.WORD, open("/opt/note.txt").read(), subprocess.run(["hello"], capture_output=True, text=True).stdout]
"""
NODE = """
const fs = require('fs');
const word = require('word');
exports.handler = async () => [word, fs.readFileSync('/opt/note.txt', 'utf8')];
"""


def layer(text):
    """A layer whose files all say `text`."""
    files = {
        "python/word.py": f"WORD = {text!r}\n",
        "nodejs/node_modules/word/index.js": f"module.exports = {text!r};\n",
        "note.txt": text,
        "bin/hello": f"#!/bin/sh\necho {text}\n",
    }
    return zipped(files, {"bin/hello": stat.S_IFREG | 0o755})


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Api(ApiCase):
    def publish(self, name, code, **members):
        """Publishes a layer's version: its ARN."""
        return self.client.publish_layer_version(LayerName=name, Content={"ZipFile": code}, **members)["LayerVersionArn"]


class Layers(Api):
    def test_what_a_version_looks_like(self):
        code = layer("looks")
        given = {"Description": "d", "CompatibleRuntimes": ["python3.12"], "CompatibleArchitectures": ["x86_64"], "LicenseInfo": "MIT"}
        made = self.client.publish_layer_version(LayerName="looks", Content={"ZipFile": code}, **given)
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual((made["LayerArn"], made["LayerVersionArn"], made["Version"]), (LAYER_ARN + "looks", LAYER_ARN + "looks:1", 1))
        self.assertEqual({member: made[member] for member in given}, given)
        self.assertRegex(made["CreatedDate"], CREATED)
        sha256 = base64.b64encode(hashlib.sha256(code).digest()).decode()
        self.assertEqual((made["Content"]["CodeSha256"], made["Content"]["CodeSize"]), (sha256, len(code)))
        again = self.client.publish_layer_version(LayerName="looks", Content={"ZipFile": code})
        self.assertEqual((again["Version"], again["Description"]), (2, ""))
        self.assertNotIn("CompatibleRuntimes", again)
        for found in (
            self.client.get_layer_version(LayerName="looks", VersionNumber=1),
            self.client.get_layer_version(LayerName=LAYER_ARN + "looks", VersionNumber=1),
            self.client.get_layer_version_by_arn(Arn=LAYER_ARN + "looks:1"),
        ):
            with urllib.request.urlopen(found["Content"]["Location"]) as download:
                self.assertEqual(download.read(), code)
            self.assertEqual((found["LayerVersionArn"], found["Description"]), (LAYER_ARN + "looks:1", "d"))

    def test_lists(self):
        self.publish("list", layer("a"), CompatibleRuntimes=["python3.12"])
        self.publish("list", layer("b"), CompatibleRuntimes=["nodejs20.x"])
        versions = self.client.list_layer_versions(LayerName="list")["LayerVersions"]
        self.assertEqual([item["Version"] for item in versions], [2, 1])
        versions = self.client.list_layer_versions(LayerName="list", CompatibleRuntime="python3.12")["LayerVersions"]
        self.assertEqual([item["Version"] for item in versions], [1])
        found = [item for item in self.client.list_layers()["Layers"] if item["LayerName"] == "list"]
        self.assertEqual([item["LatestMatchingVersion"]["Version"] for item in found], [2])
        self.assertEqual(found[0]["LayerArn"], LAYER_ARN + "list")

    def test_deleting_twice_is_no_error_and_numbers_go_on(self):
        self.publish("deleted", layer("a"))
        wire = Wire(self.client)
        for _ in range(2):
            self.client.delete_layer_version(LayerName="deleted", VersionNumber=1)
            self.assertEqual(wire.status, 204)
        self.assertEqual(self.client.list_layer_versions(LayerName="deleted")["LayerVersions"], [])
        self.assertEqual(self.publish("deleted", layer("a")), LAYER_ARN + "deleted:2")

    def test_policies(self):
        self.publish("shared", layer("a"))
        version = {"LayerName": "shared", "VersionNumber": 1}
        wire = Wire(self.client)
        added = self.client.add_layer_version_permission(
            **version, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
        )
        self.assertEqual(wire.status, 201)
        statement = json.loads(added["Statement"])
        self.assertEqual((statement["Principal"], statement["Resource"]), ("*", LAYER_ARN + "shared:1"))
        policy = json.loads(self.client.get_layer_version_policy(**version)["Policy"])
        self.assertEqual([each["Sid"] for each in policy["Statement"]], ["all"])
        self.client.remove_layer_version_permission(**version, StatementId="all")
        self.assertEqual(wire.status, 204)
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            self.client.get_layer_version_policy(**version)


class Opt(Api):
    def test_both_runtimes_see_it(self):
        arn = self.publish("both", layer("hi"))
        made = self.function("python", zipped({"app.py": PYTHON}), Layers=[arn])
        self.assertEqual(made["Layers"], [{"Arn": arn, "CodeSize": len(layer("hi"))}])
        self.function("node", zipped({"app.js": NODE}), Layers=[arn], Runtime="nodejs20.x")
        self.assertEqual(call(self.client, "python"), ["hi", "hi", "hi\n"])
        self.assertEqual(call(self.client, "node"), ["hi", "hi"])

    def test_the_later_one_wins(self):
        first, second = self.publish("first", layer("first")), self.publish("second", layer("second"))
        self.function("order", zipped({"app.py": PYTHON}), Layers=[first, second])
        self.assertEqual(call(self.client, "order"), ["second", "second", "second\n"])
        self.client.update_function_configuration(FunctionName="order", Layers=[second, first])
        active(self.client, "order")
        self.assertEqual(call(self.client, "order"), ["first", "first", "first\n"])

    def test_layers_are_merged(self):
        words = self.publish("words", zipped({"python/word.py": "WORD = 'w'\n"}))
        rest = self.publish("rest", zipped({"note.txt": "n", "bin/hello": "#!/bin/sh\necho h\n"}, {"bin/hello": 0o755}))
        self.function("merged", zipped({"app.py": PYTHON}), Layers=[words, rest])
        self.assertEqual(call(self.client, "merged"), ["w", "n", "h\n"])

    def test_opt_cannot_be_written(self):
        arn = self.publish("readonly", layer("hi"))
        code = "def handler(event, context):\n    try: open('/opt/note.txt', 'w')\n    except OSError as e: return e.strerror\n"
        self.function("writer", zipped({"app.py": code}), Layers=[arn])
        self.assertEqual(call(self.client, "writer"), "Read-only file system")

    def test_functions_keep_a_deleted_layer_and_can_lose_one(self):
        arn = self.publish("kept", layer("kept"))
        self.function("keeper", zipped({"app.py": PYTHON}), Layers=[arn], Publish=True)
        self.client.delete_layer_version(LayerName="kept", VersionNumber=1)
        self.assertEqual(call(self.client, "keeper")[0], "kept")
        changed = self.client.update_function_configuration(FunctionName="keeper", Layers=[])
        self.assertNotIn("Layers", changed)
        active(self.client, "keeper")
        self.assertEqual(self.client.invoke(FunctionName="keeper")["FunctionError"], "Unhandled")
        self.assertEqual(call(self.client, "keeper", Qualifier="1")[0], "kept")

    def test_a_bootstrap_of_a_layer(self):
        bootstrap = (
            "#!/bin/sh\nset -eu\nwhile true; do\n"
            '  H=$(mktemp); curl -sS -D "$H" -o /tmp/event "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next"\n'
            "  ID=$(grep -i lambda-runtime-aws-request-id $H | tr -d '[:space:]' | cut -d: -f2)\n"
            '  curl -sS -o /dev/null -d "\\"from a layer\\"" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$ID/response"\ndone\n'
        )
        arn = self.publish("runtime", zipped({"bootstrap": bootstrap}, {"bootstrap": stat.S_IFREG | 0o755}))
        self.function("custom", zipped({"x": "nothing"}), Layers=[arn], Runtime="provided.al2023", Handler="any")
        self.assertEqual(call(self.client, "custom"), "from a layer")


class Limits(Api):
    def refuses(self, text, *arns):
        self.function(f"f{len(arns)}")
        self.refused(
            400, "InvalidParameterValueException", text,
            "update_function_configuration", FunctionName=f"f{len(arns)}", Layers=list(arns),
        )  # fmt: skip

    def test_five_and_six(self):
        arns = [self.publish(f"many{n}", zipped({f"f{n}": str(n)})) for n in range(6)]
        self.refuses("Cannot reference more than 5 layers.", *arns)
        code = "import os\ndef handler(event, context): return sorted(os.listdir('/opt'))\n"
        self.function("five", zipped({"app.py": code}), Layers=arns[:5])
        self.assertEqual(call(self.client, "five"), ["f0", "f1", "f2", "f3", "f4"])

    def test_two_versions_of_one(self):
        a, b = self.publish("twice", layer("a")), self.publish("twice", layer("b"))
        self.refuses(
            "Two different versions of the same layer are not allowed to be referenced in the same function. "
            f"{a} and {b} are versions of the same layer.",
            a, b,
        )  # fmt: skip

    def test_not_there(self):
        arn = LAYER_ARN + "never:1"
        self.refuses(f"Layer version {arn} does not exist.", arn)

    def test_another_region(self):
        arn = (LAYER_ARN + "far:1").replace("us-east-1", "eu-west-1")
        text = "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
        self.refuses(text, arn)

    def test_function_and_layers_are_limited_together(self):
        # 250 MiB is the limit of both; zeros are small in a zip.
        half = zipped({"zeros": bytes(131_072_001)})
        arn = self.publish("half", half)
        with self.assertRaises(self.client.exceptions.InvalidParameterValueException):
            self.function("whole", half, Layers=[arn])
