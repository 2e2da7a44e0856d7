"""Where code comes from and what is refused of it (spec/lambda §8.1, spec/errors §6): zips, buckets, folders, URLs."""

import base64
import hashlib
import json
import os
import stat
import urllib.error
import urllib.request

from lambda_api import ApiCase, active, call, remove, request, says, serve, unserve, zipped

PROJECT = """
schema: 1
name: code
sources: { packages: { kind: s3, bucket: packages } }
"""
UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
LINK = stat.S_IFLNK | 0o777
RUNS = zipped({"app.py": "def handler(event, context): return 1\n"})

# A runtime in shell, which answers with the mode of its file.
BOOTSTRAP = """#!/bin/sh
set -eu
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
  curl -sS -D /tmp/headers -o /tmp/event "$api/next"
  id=$(grep -i lambda-runtime-aws-request-id /tmp/headers | tr -d '[:space:]' | cut -d: -f2)
  curl -sS -o /tmp/answered -d "\\"$(stat -c %a bootstrap) $(stat -c %a plain)\\"" "$api/$id/response"
done
"""


def setUpModule():
    def prepare(root):
        (root / "packages" / "in").mkdir(parents=True)
        (root / "packages" / "in" / "f.zip").write_bytes(says("from a bucket"))
        (root / "packages" / "text.zip").write_text("no zip")

    serve(PROJECT, prepare)


def tearDownModule():
    unserve()


class Api(ApiCase):
    def refuses(self, code, text=UNZIP, status=400, error="InvalidParameterValueException"):
        self.refused(status, error, text, "create_function", **request("refused", code))
        self.refused(404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:123456789012:function:refused",
                     "get_function", FunctionName="refused")  # fmt: skip


class Zips(Api):
    def test_modes_are_kept(self):
        files = {"bootstrap": BOOTSTRAP, "plain": ""}
        code = zipped(files, {"bootstrap": stat.S_IFREG | 0o755, "plain": stat.S_IFREG | 0o640})
        self.function("modes", code, Runtime="provided.al2023", Handler="any")
        bootstrap, plain = call(self.client, "modes").split()
        self.assertEqual(bootstrap, "755")
        self.assertEqual(plain[0], "6")

    def test_a_bootstrap_that_may_not_run_and_none_at_all(self):
        self.function("plain", zipped({"bootstrap": BOOTSTRAP}), Runtime="provided.al2023", Handler="any")
        self.function("none", zipped({"x": ""}), Runtime="provided.al2023", Handler="any")
        for name in ("plain", "none"):
            answer = self.client.invoke(FunctionName=name)
            self.assertEqual(answer["FunctionError"], "Unhandled")
            self.assertEqual(json.loads(answer["Payload"].read())["errorType"], "Runtime.InvalidEntrypoint")

    def test_links_within(self):
        files = {"app.py": "def handler(event, context): return open('link').read()\n", "data/real": "hi", "link": "data/real"}
        self.function("links", zipped(files, {"link": LINK}))
        self.assertEqual(call(self.client, "links"), "hi")

    def test_what_would_escape(self):
        good = {"app.py": "def handler(event, context): return 1\n"}
        cases = {
            "above": ({"../evil": "x"}, {}),
            "above, later": ({"a/../../evil": "x"}, {}),
            "absolute": ({"/tmp/triggerfish-evil": "x"}, {}),
            "a link above": ({"link": "../evil"}, {"link": LINK}),
            "an absolute link": ({"link": "/etc/passwd"}, {"link": LINK}),
            "a link to a link": ({"a": "b", "b": "../evil"}, {"a": LINK, "b": LINK}),
            "through a link": ({"dir": "..", "dir/evil": "x"}, {"dir": LINK}),
            "a device": ({"null": ""}, {"null": stat.S_IFCHR | 0o666}),
        }
        for name, (files, modes) in cases.items():
            with self.subTest(name):
                self.refuses(zipped({**good, **files}, modes))
        self.assertFalse(os.path.exists("/tmp/triggerfish-evil"))

    def test_what_is_no_zip(self):
        for name, code in [("text", b"no zip"), ("torn", RUNS[: len(RUNS) // 2]), ("nothing", b"\0")]:
            with self.subTest(name):
                self.refuses(code)
        # A byte of its data is another: the checksum tells.
        bad = bytearray(zipped({"app.py": os.urandom(1000)}))
        bad[200] ^= 1
        self.refuses(bytes(bad))

    def test_a_bomb(self):
        self.refuses(zipped({"zeros": bytes(262_144_001)}), "Unzipped size must be smaller than 262144000 bytes")

    def test_the_largest_zips(self):
        self.refuses(bytes(52_428_801), "Zipped size must be smaller than 52428800 bytes", 413, "RequestEntityTooLargeException")
        self.refuses(
            bytes(52_700_000), "Request must be smaller than 70167211 bytes for the CreateFunction operation",
            413, "RequestEntityTooLargeException",
        )  # fmt: skip

    def test_10_mb(self):
        code = zipped({"app.py": "def handler(event, context): return 1\n", "ballast": os.urandom(10_000_000)})
        made = self.function("large", code)
        self.assertEqual(made["CodeSize"], len(code))
        self.assertEqual(call(self.client, "large"), 1)


class Buckets(Api):
    def test_a_zip_of_a_bucket(self):
        made = self.function("bucket", {"S3Bucket": "packages", "S3Key": "in/f.zip"})
        self.assertEqual(made["CodeSize"], len(says("from a bucket")))
        self.assertEqual(call(self.client, "bucket"), "from a bucket")
        # It is a copy: what lies in the bucket may change.
        (self.live.root / "packages" / "in" / "g.zip").write_bytes(says("the second"))
        self.assertEqual(call(self.client, "bucket"), "from a bucket")
        self.client.update_function_code(FunctionName="bucket", S3Bucket="packages", S3Key="in/g.zip")
        active(self.client, "bucket")
        self.assertEqual(call(self.client, "bucket"), "the second")

    def test_what_is_not_there(self):
        start = "Error occurred while GetObject. S3 Error Code: "
        none = start + "NoSuchBucket. S3 Error Message: The specified bucket does not exist"
        self.refuses({"S3Bucket": "nowhere", "S3Key": "in/f.zip"}, none)
        for key in ("in/none.zip", "in", "../triggerfish.yaml"):
            none = start + "NoSuchKey. S3 Error Message: The specified key does not exist."
            self.refuses({"S3Bucket": "packages", "S3Key": key}, none)
        self.refuses({"S3Bucket": "packages", "S3Key": "text.zip"})

    def test_a_layer_of_a_bucket(self):
        made = self.client.publish_layer_version(LayerName="bucket", Content={"S3Bucket": "packages", "S3Key": "in/f.zip"})
        self.assertEqual(made["Content"]["CodeSize"], len(says("from a bucket")))


class Folders(Api):
    def test_a_folder_runs_in_place_and_is_looked_at_again(self):
        folder = self.live.root / "hot"
        folder.mkdir()
        app = folder / "app.py"
        app.write_text("def handler(event, context): return 'one'\n")
        self.function("hot", {"S3Bucket": "hot-reload", "S3Key": str(folder)})
        self.assertEqual(call(self.client, "hot"), "one")
        self.client.publish_version(FunctionName="hot")
        app.write_text("def handler(event, context): return 'second'\n")
        self.assertEqual(call(self.client, "hot"), "second")
        # A version is what the folder was.
        self.assertEqual(call(self.client, "hot", Qualifier="1"), "one")
        # From a folder to a zip, and back.
        self.client.update_function_code(FunctionName="hot", ZipFile=says("zip"))
        active(self.client, "hot")
        self.assertEqual(call(self.client, "hot"), "zip")
        self.client.update_function_code(FunctionName="hot", S3Bucket="hot-reload", S3Key=str(folder))
        active(self.client, "hot")
        self.assertEqual(call(self.client, "hot"), "second")

    def test_what_is_no_folder(self):
        paths = [str(self.live.root / "none"), "relative", str(self.live.root / "triggerfish.yaml")]
        for n, path in enumerate(paths):
            self.addCleanup(remove, self.client, f"no-folder{n}")
            with self.subTest(path), self.assertRaises(self.client.exceptions.InvalidParameterValueException):
                self.client.create_function(**request(f"no-folder{n}", {"S3Bucket": "hot-reload", "S3Key": path}))


class Urls(Api):
    def status(self, url):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def test_the_url_gives_the_very_bytes(self):
        code = says("download")
        self.function("download", code, Publish=True)
        self.client.update_function_code(FunctionName="download", ZipFile=says("another"))
        active(self.client, "download")
        for qualifier, expected in [("1", code), ("$LATEST", says("another"))]:
            found = self.client.get_function(FunctionName="download", Qualifier=qualifier)
            with urllib.request.urlopen(found["Code"]["Location"]) as answer:
                body = answer.read()
            self.assertEqual(body, expected)
            sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
            self.assertEqual(sha256, found["Configuration"]["CodeSha256"])

    def test_a_url_is_good_as_it_is_or_not_at_all(self):
        self.function("signed")
        self.function("other")
        url = self.client.get_function(FunctionName="signed")["Code"]["Location"]
        self.assertEqual(self.status(url), 200)
        start, query = url.split("?")
        for part in query.split("&"):
            name, value = part.split("=", 1)
            flipped = value[:-1] + ("1" if value[-1] == "0" else "0")
            changed = start + "?" + query.replace(part, f"{name}={flipped}")
            with self.subTest(name):
                self.assertEqual(self.status(changed), 403)
        for changed in (start, url.replace("signed/", "other/")):
            self.assertIn(self.status(changed), (400, 403))
