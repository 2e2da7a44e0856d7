"""Versions and aliases (spec/lambda §2, §8.4): what they are called, what they run, how an alias shares out calls."""

import collections
import concurrent.futures

from lambda_api import ARN, UUID, ApiCase, Wire, active, call, says, serve, unserve


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Api(ApiCase):
    def publish(self, name, code=None):
        """Publishes a function's code, a new one if given: the number of the version."""
        if code:
            self.client.update_function_code(FunctionName=name, ZipFile=code)
            active(self.client, name)
        return self.client.publish_version(FunctionName=name)["Version"]

    def two_versions(self, name):
        self.function(name, says("one"))
        self.assertEqual((self.publish(name), self.publish(name, says("two"))), ("1", "2"))


class Versions(Api):
    def test_what_a_version_looks_like(self):
        made = self.function("looks")
        before = self.client.get_function_configuration(FunctionName="looks")
        version = self.client.publish_version(FunctionName="looks", Description="first")
        self.assertEqual(version["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual((version["FunctionArn"], version["Version"]), (ARN + "looks:1", "1"))
        self.assertEqual((version["State"], version["LastUpdateStatus"]), ("Active", "Successful"))
        self.assertEqual((version["Description"], version["CodeSha256"]), ("first", made["CodeSha256"]))
        after = self.client.get_function_configuration(FunctionName="looks")
        self.assertEqual(len({before["RevisionId"], version["RevisionId"], after["RevisionId"]}), 3)
        found = self.client.get_function_configuration(FunctionName="looks", Qualifier="1")
        self.assertEqual((found["FunctionArn"], found["RevisionId"]), (ARN + "looks:1", version["RevisionId"]))

    def test_nothing_changed_is_no_new_version(self):
        self.function("unchanged")
        first = self.client.publish_version(FunctionName="unchanged", Description="first")
        again = self.client.publish_version(FunctionName="unchanged", Description="again")
        members = ("Version", "RevisionId", "Description")
        self.assertEqual([again[member] for member in members], ["1", first["RevisionId"], "first"])
        self.client.update_function_configuration(FunctionName="unchanged", Timeout=9)
        active(self.client, "unchanged")
        self.assertEqual(self.publish("unchanged"), "2")

    def test_a_version_keeps_its_code_and_its_configuration(self):
        self.function("keeps", Environment={"Variables": {"WORD": "old"}})
        self.publish("keeps")
        self.client.update_function_configuration(FunctionName="keeps", Environment={"Variables": {"WORD": "new"}}, MemorySize=256)
        active(self.client, "keeps")
        old, new = call(self.client, "keeps", Qualifier="1"), call(self.client, "keeps")
        self.assertEqual((old["env"]["WORD"], old["memory"], old["version"]), ("old", "128", "1"))
        self.assertEqual((new["env"]["WORD"], new["memory"], new["version"]), ("new", "256", "$LATEST"))
        self.assertEqual(old["env"]["AWS_LAMBDA_FUNCTION_VERSION"], "1")
        self.assertIn("/[1]", old["env"]["AWS_LAMBDA_LOG_STREAM_NAME"])

    def test_the_list_starts_with_latest(self):
        self.two_versions("list")
        listed = self.client.list_versions_by_function(FunctionName="list")["Versions"]
        self.assertEqual([item["Version"] for item in listed], ["$LATEST", "1", "2"])
        self.assertEqual([item["FunctionArn"] for item in listed], [ARN + "list:" + n for n in ("$LATEST", "1", "2")])
        self.assertNotIn("State", listed[0])

    def test_a_number_is_never_used_again(self):
        self.two_versions("numbers")
        wire = Wire(self.client)
        self.client.delete_function(FunctionName="numbers", Qualifier="2")
        self.assertEqual(wire.status, 204)
        self.refused(
            404, "ResourceNotFoundException", f"Function not found: {ARN}numbers:2", "invoke", FunctionName="numbers:2"
        )
        self.assertEqual(self.publish("numbers", says("three")), "3")

    def test_a_version_of_an_alias_stays(self):
        self.two_versions("held")
        self.client.create_alias(FunctionName="held", Name="live", FunctionVersion="1")
        with self.assertRaises(self.client.exceptions.ResourceConflictException):
            self.client.delete_function(FunctionName="held", Qualifier="1")
        self.assertEqual(call(self.client, "held", Qualifier="live"), "one")


class Aliases(Api):
    def test_what_an_alias_looks_like(self):
        self.two_versions("alias")
        made = self.client.create_alias(FunctionName="alias", Name="live", FunctionVersion="1")
        self.assertEqual(made.pop("ResponseMetadata")["HTTPStatusCode"], 201)
        self.assertRegex(made.pop("RevisionId"), UUID)
        expected = {"AliasArn": ARN + "alias:live", "Name": "live", "FunctionVersion": "1", "Description": ""}
        self.assertEqual(made, expected)
        found = self.client.get_function_configuration(FunctionName="alias", Qualifier="live")
        self.assertEqual((found["FunctionArn"], found["Version"]), (ARN + "alias:live", "1"))

    def test_an_update_keeps_what_it_does_not_name(self):
        self.two_versions("updated")
        made = self.client.create_alias(FunctionName="updated", Name="live", FunctionVersion="1", Description="d")
        changed = self.client.update_alias(FunctionName="updated", Name="live", FunctionVersion="2")
        self.assertEqual((changed["FunctionVersion"], changed["Description"]), ("2", "d"))
        self.assertNotEqual(changed["RevisionId"], made["RevisionId"])
        self.assertEqual(call(self.client, "updated", Qualifier="live"), "two")
        weights = {"AdditionalVersionWeights": {"1": 0.25}}
        changed = self.client.update_alias(FunctionName="updated", Name="live", RoutingConfig=weights)
        self.assertEqual(changed["RoutingConfig"], weights)
        found = self.client.get_alias(FunctionName="updated", Name="live")
        self.assertEqual((found["RoutingConfig"], found["RevisionId"]), (weights, changed["RevisionId"]))
        changed = self.client.update_alias(FunctionName="updated", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
        self.assertNotIn("RoutingConfig", changed)

    def test_lists_are_sorted_and_filtered(self):
        self.two_versions("sorted")
        for name, version in [("b", "1"), ("a", "2"), ("c", "1"), ("latest", "$LATEST")]:
            self.client.create_alias(FunctionName="sorted", Name=name, FunctionVersion=version)
        for more, names in [({}, "a b c latest"), ({"FunctionVersion": "1"}, "b c")]:
            listed = self.client.list_aliases(FunctionName="sorted", **more)["Aliases"]
            self.assertEqual([alias["Name"] for alias in listed], names.split())
        self.assertEqual(call(self.client, "sorted:latest"), "two")

    def test_deleting_what_is_not_there_is_no_error(self):
        self.two_versions("nothing")
        wire = Wire(self.client)
        for _ in range(2):
            self.client.delete_alias(FunctionName="nothing", Name="never")
            self.assertEqual(wire.status, 204)

    def test_qualifiers_tell_case(self):
        self.two_versions("case")
        self.client.create_alias(FunctionName="case", Name="Live", FunctionVersion="1")
        for qualifier in ("live", "$latest"):
            self.refused(
                404, "ResourceNotFoundException", f"Function not found: {ARN}case:{qualifier}",
                "get_function", FunctionName="case", Qualifier=qualifier,
            )  # fmt: skip

    def test_the_handler_sees_the_alias_and_the_version(self):
        self.function("seen")
        self.publish("seen")
        self.client.create_alias(FunctionName="seen", Name="live", FunctionVersion="1")
        for asked, arn in [("live", ARN + "seen:live"), ("1", ARN + "seen:1")]:
            seen = call(self.client, "seen", Qualifier=asked)
            self.assertEqual((seen["arn"], seen["version"]), (arn, "1"))

    def shares(self, name, calls):
        """How many of `calls` went to each version; eight at a time. What ran is what the header says."""

        def one(_):
            answer = self.client.invoke(FunctionName=name, Qualifier="live")
            return answer["ExecutedVersion"], answer["Payload"].read()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            counted = collections.Counter(pool.map(one, range(calls)))
        self.assertLessEqual(set(counted), {("1", b'"one"'), ("2", b'"two"')})
        return counted[("2", b'"two"')]

    def test_weights_share_out_calls(self):
        self.two_versions("weights")
        self.client.create_alias(FunctionName="weights", Name="live", FunctionVersion="1")
        # Bounds are six standard deviations away on either side, or where nothing would be left.
        for weight, calls, low, high in [(0.5, 400, 140, 260), (0.1, 200, 1, 46), (0.0, 20, 0, 0), (1.0, 20, 20, 20)]:
            with self.subTest(weight=weight):
                routing = {"AdditionalVersionWeights": {"2": weight}}
                self.client.update_alias(FunctionName="weights", Name="live", RoutingConfig=routing)
                second = self.shares("weights", calls)
                self.assertTrue(low <= second <= high, second)
