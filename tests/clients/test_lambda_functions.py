"""Functions as boto3 sees them: made, shown, listed, changed, deleted (spec/lambda §8.1 to §8.3)."""

import base64
import hashlib
import urllib.request

from lambda_api import (
    ARN, CODE, ROLE, UUID, ApiCase, Wire, active, call, create, remove, request, says, serve, unserve, zipped,
)  # fmt: skip

STAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$"


def setUpModule():
    serve()


def tearDownModule():
    unserve()


def without(shown, *members):
    return {key: value for key, value in shown.items() if key not in members and key != "ResponseMetadata"}


class Made(ApiCase):
    def test_what_a_new_function_looks_like(self):
        wire = Wire(self.client)
        made = self.function("new", wait=False)
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertRegex(made["LastModified"], STAMP)
        self.assertRegex(made["RevisionId"], UUID)
        runtime = made["RuntimeVersionConfig"]["RuntimeVersionArn"]
        self.assertRegex(runtime, "^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$")
        expected = {
            "FunctionName": "new",
            "FunctionArn": ARN + "new",
            "Role": ROLE,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "CodeSize": len(CODE),
            "CodeSha256": base64.b64encode(hashlib.sha256(CODE).digest()).decode(),
            "Description": "",
            "Timeout": 3,
            "MemorySize": 128,
            "Version": "$LATEST",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "TracingConfig": {"Mode": "PassThrough"},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/new"},
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
        }
        # As it was sent: boto3 would hide members that it does not know.
        sent = wire.json()
        self.assertEqual(without(sent, "LastModified", "RevisionId", "RuntimeVersionConfig"), expected)
        self.assertRegex(wire.headers["x-amzn-requestid"], UUID)
        self.assertEqual(wire.headers["content-type"], "application/json")

        self.client.get_waiter("function_active_v2").wait(FunctionName="new")
        found = self.client.get_function_configuration(FunctionName="new")
        self.assertNotEqual(found["RevisionId"], made["RevisionId"])
        self.assertEqual((found["State"], found["LastUpdateStatus"]), ("Active", "Successful"))
        gone = ("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "RevisionId")
        self.assertEqual(without(found, *gone), without(made, *gone))

    def test_what_is_given_is_shown(self):
        given = {
            "Description": "d" * 256,
            "Timeout": 900,
            "MemorySize": 10240,
            "EphemeralStorage": {"Size": 10240},
            "Environment": {"Variables": {"AB": "1"}},
            "TracingConfig": {"Mode": "Active"},
            "Architectures": ["arm64"],
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/mine"},
        }
        made = self.function("given", **given, Tags={"team": "a"})
        shown = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **given["LoggingConfig"]}
        self.assertEqual({member: made[member] for member in given}, {**given, "LoggingConfig": shown})
        self.assertEqual(self.client.get_function(FunctionName="given")["Tags"], {"team": "a"})

    def test_variables_given_empty_are_shown_empty(self):
        self.assertEqual(self.function("empty", Environment={"Variables": {}})["Environment"], {"Variables": {}})

    def test_published_at_once(self):
        made = self.function("published", Publish=True)
        self.assertEqual((made["Version"], made["FunctionArn"]), ("1", ARN + "published"))
        self.assertEqual(call(self.client, "published", Qualifier="1")["version"], "1")

    def test_get_function(self):
        self.function("got")
        found = self.client.get_function(FunctionName="got")
        self.assertEqual(found["Code"]["RepositoryType"], "S3")
        self.assertTrue(found["Code"]["Location"].startswith("http"))
        self.assertNotIn("Tags", found)
        self.assertNotIn("Concurrency", found)
        self.client.put_function_concurrency(FunctionName="got", ReservedConcurrentExecutions=7)
        found = self.client.get_function(FunctionName="got")
        self.assertEqual(found["Concurrency"], {"ReservedConcurrentExecutions": 7})

    def test_every_spelling_of_a_name(self):
        self.function("spelled")
        for name in ("spelled", ARN + "spelled", "123456789012:function:spelled", "function:spelled"):
            found = self.client.get_function_configuration(FunctionName=name)
            self.assertEqual(found["FunctionArn"], ARN + "spelled", name)
            for more, arguments in [(name + ":$LATEST", {}), (name, {"Qualifier": "$LATEST"})]:
                found = self.client.get_function_configuration(FunctionName=more, **arguments)
                self.assertEqual(found["FunctionArn"], ARN + "spelled:$LATEST", more)
        self.assertEqual(call(self.client, ARN + "spelled:$LATEST")["arn"], ARN + "spelled:$LATEST")

    def test_names_up_to_64_characters(self):
        name = "n" * 64
        self.assertEqual(self.function(name)["FunctionName"], name)
        self.assertEqual(call(self.client, name)["calls"], 1)

    def test_a_runtime_that_is_no_longer_supported(self):
        self.refused(
            400, "InvalidParameterValueException",
            "The runtime parameter of nodejs8.10 is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions.",
            "create_function", **{**request("old"), "Runtime": "nodejs8.10"},
        )  # fmt: skip


class Changed(ApiCase):
    def test_an_update_of_code(self):
        self.function("code", says("one"))
        before = self.client.get_function_configuration(FunctionName="code")
        changed = self.client.update_function_code(FunctionName="code", ZipFile=says("two"))
        self.assertEqual((changed["State"], changed["LastUpdateStatus"]), ("Active", "InProgress"))
        self.assertEqual(changed["LastUpdateStatusReason"], "The function is being created.")
        self.assertEqual(changed["LastUpdateStatusReasonCode"], "Creating")
        self.client.get_waiter("function_updated_v2").wait(FunctionName="code")
        after = self.client.get_function_configuration(FunctionName="code")
        self.assertEqual((after["LastUpdateStatus"], after["CodeSha256"]), ("Successful", changed["CodeSha256"]))
        self.assertNotIn("LastUpdateStatusReason", after)
        self.assertEqual(len({before["RevisionId"], changed["RevisionId"], after["RevisionId"]}), 3)
        self.assertNotEqual(before["CodeSha256"], after["CodeSha256"])
        self.assertEqual(call(self.client, "code"), "two")

    def test_an_update_that_changes_nothing_is_one(self):
        self.function("same", says("one"))
        before = self.client.get_function_configuration(FunctionName="same")
        changed = self.client.update_function_code(FunctionName="same", ZipFile=says("one"))
        self.assertEqual(changed["LastUpdateStatus"], "InProgress")
        self.assertNotEqual(changed["RevisionId"], before["RevisionId"])

    def test_a_dry_run_changes_nothing(self):
        self.function("dry", says("one"))
        before = self.client.get_function_configuration(FunctionName="dry")
        changed = self.client.update_function_code(FunctionName="dry", ZipFile=says("two"), DryRun=True)
        self.assertNotEqual(changed["CodeSha256"], before["CodeSha256"])
        self.assertEqual(without(self.client.get_function_configuration(FunctionName="dry")), without(before))
        self.assertEqual(call(self.client, "dry"), "one")

    def test_an_update_and_a_version_at_once(self):
        self.function("both", says("one"))
        made = self.client.update_function_code(FunctionName="both", ZipFile=says("two"), Publish=True)
        self.assertEqual((made["Version"], made["FunctionArn"], made["State"]), ("1", ARN + "both:1", "Pending"))
        self.client.get_waiter("published_version_active").wait(FunctionName="both", Qualifier="1")
        self.assertEqual(call(self.client, "both", Qualifier="1"), "two")

    def test_an_update_of_the_configuration(self):
        self.function("config", Description="old", Environment={"Variables": {"AB": "1", "CD": "2"}}, Timeout=5)
        call(self.client, "config")
        changed = self.client.update_function_configuration(FunctionName="config", Environment={"Variables": {"EF": "3"}}, MemorySize=192)
        self.assertEqual(changed["LastUpdateStatus"], "InProgress")
        active(self.client, "config")
        found = self.client.get_function_configuration(FunctionName="config")
        self.assertEqual((found["Description"], found["Timeout"], found["MemorySize"]), ("old", 5, 192))
        self.assertEqual(found["Environment"], {"Variables": {"EF": "3"}})
        seen = call(self.client, "config")
        self.assertEqual((seen["calls"], seen["env"].get("AB"), seen["env"]["EF"], seen["memory"]), (1, None, "3", "192"))

    def test_an_update_of_the_handler(self):
        self.function("handler", zipped({"app.py": "def a(event, context): return 'a'\ndef b(event, context): return 'b'\n"}), Handler="app.a")
        self.assertEqual(call(self.client, "handler"), "a")
        self.client.update_function_configuration(FunctionName="handler", Handler="app.b")
        active(self.client, "handler")
        self.assertEqual(call(self.client, "handler"), "b")


class Listed(ApiCase):
    def test_lists_have_no_states(self):
        self.function("listed", Publish=True)
        found = [item for item in self.client.list_functions()["Functions"] if item["FunctionName"] == "listed"]
        self.assertEqual([item["FunctionArn"] for item in found], [ARN + "listed"])
        for member in ("State", "StateReason", "LastUpdateStatus", "RuntimeVersionConfig"):
            self.assertNotIn(member, found[0])
        everything = self.client.list_functions(FunctionVersion="ALL")["Functions"]
        arns = {item["FunctionArn"] for item in everything if item["FunctionName"] == "listed"}
        self.assertEqual(arns, {ARN + "listed:$LATEST", ARN + "listed:1"})

    def test_the_slash_at_the_end_of_a_path_means_nothing(self):
        for path in ("functions", "functions/", "event-source-mappings", "event-source-mappings/"):
            with urllib.request.urlopen(f"{self.live.endpoint}/2015-03-31/{path}") as answer:
                self.assertEqual(answer.status, 200, path)

    def test_deleted_is_deleted(self):
        create(self.client, "gone", Publish=True)
        self.client.create_alias(FunctionName="gone", Name="live", FunctionVersion="1")
        wire = Wire(self.client)
        self.client.delete_function(FunctionName="gone")
        self.assertEqual((wire.status, wire.body), (204, b""))
        missing = "Function not found: " + ARN + "gone"
        self.refused(404, "ResourceNotFoundException", missing, "delete_function", FunctionName="gone")
        self.refused(404, "ResourceNotFoundException", missing + ":$LATEST", "invoke", FunctionName="gone")
        self.refused(404, "ResourceNotFoundException", missing + ":live", "invoke", FunctionName="gone", Qualifier="live")
        # One of the same name is another one.
        create(self.client, "gone")
        self.addCleanup(remove, self.client, "gone")
        self.assertEqual(self.client.list_aliases(FunctionName="gone")["Aliases"], [])
        self.assertEqual(call(self.client, "gone")["calls"], 1)

    def test_the_waiter_for_a_function_that_is_there(self):
        self.function("there", wait=False)
        self.client.get_waiter("function_exists").wait(FunctionName="there")
        self.client.get_waiter("function_active").wait(FunctionName="there")
        self.client.get_waiter("function_updated").wait(FunctionName="there")
