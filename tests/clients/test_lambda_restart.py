"""What the API made is there again after a restart, be it after Ctrl-C or after `kill -9`."""

import unittest

from lambda_api import ARN, EMPTY, LAYER_ARN, call, create, says, zipped
from live import Live

USES_LAYER = "import word\ndef handler(event, context): return word.WORD\n"


class Restart(unittest.TestCase):
    def setUp(self):
        self.live = Live(EMPTY, arguments=["--data-dir", "data"])
        self.addCleanup(self.live.stop)
        self.make(self.live.client)

    def make(self, client):
        """Two versions and an alias with all that can hang on them, and a layer in use."""
        create(client, "kept", says("one"), Publish=True, Tags={"a": "1"}, Environment={"Variables": {"AB": "1"}})
        client.update_function_code(FunctionName="kept", ZipFile=says("two"))
        client.get_waiter("function_updated_v2").wait(FunctionName="kept")
        client.create_alias(FunctionName="kept", Name="live", FunctionVersion="1", Description="d")
        client.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=3)
        client.put_function_event_invoke_config(FunctionName="kept", Qualifier="live", MaximumRetryAttempts=0)
        client.add_permission(
            FunctionName="kept", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
        )
        layer = client.publish_layer_version(LayerName="words", Content={"ZipFile": zipped({"python/word.py": "WORD = 'w'\n"})})
        create(client, "layered", zipped({"app.py": USES_LAYER}), Layers=[layer["LayerVersionArn"]])
        create(client, "deleted")
        client.delete_function(FunctionName="deleted")

    def seen(self):
        """All that the API tells, but for what differs in each answer, and what the functions answer."""
        client = self.live.client
        told = [
            client.get_function(FunctionName="kept"),
            client.list_functions(FunctionVersion="ALL"),
            client.list_versions_by_function(FunctionName="kept"),
            client.list_aliases(FunctionName="kept"),
            client.get_function_event_invoke_config(FunctionName="kept", Qualifier="live"),
            client.get_policy(FunctionName="kept"),
            client.list_tags(Resource=ARN + "kept"),
            client.list_layer_versions(LayerName="words"),
            client.get_account_settings(),
        ]
        for answer in told:
            answer.pop("ResponseMetadata")
        # Its signature is new each time, its port after each start.
        told[0]["Code"].pop("Location")
        calls = [("kept", "$LATEST"), ("kept", "1"), ("kept", "live"), ("layered", "$LATEST")]
        return told, [call(client, name, Qualifier=qualifier) for name, qualifier in calls]

    def test_ctrl_c(self):
        before = self.seen()
        self.assertEqual(before[1], ["two", "one", "one", "w"])
        self.live.end()
        self.live.start()
        self.assertEqual(self.seen(), before)

    def test_kill_9_right_after_an_answer(self):
        before = self.seen()
        self.live.client.update_alias(FunctionName="kept", Name="live", FunctionVersion="$LATEST")
        self.live.client.delete_function(FunctionName="layered")
        create(self.live.client, "last", says("last"), wait=False)
        self.live.kill()
        self.live.start()
        client = self.live.client
        # What was answered is kept, whatever it was.
        client.get_waiter("function_active_v2").wait(FunctionName="last")
        self.assertEqual(call(client, "last"), "last")
        self.assertEqual(call(client, "kept", Qualifier="live"), "two")
        with self.assertRaises(client.exceptions.ResourceNotFoundException):
            client.get_function(FunctionName="layered")
        layers = client.list_layer_versions(LayerName="words")["LayerVersions"]
        self.assertEqual([item["LayerVersionArn"] for item in layers], [LAYER_ARN + "words:1"])
        self.assertEqual(before[0][5]["Policy"], client.get_policy(FunctionName="kept")["Policy"])

    def test_numbers_and_versions_go_on_where_they_were(self):
        self.live.client.delete_layer_version(LayerName="words", VersionNumber=1)
        self.live.end()
        self.live.start()
        client = self.live.client
        self.assertEqual(client.publish_version(FunctionName="kept")["Version"], "2")
        layer = client.publish_layer_version(LayerName="words", Content={"ZipFile": zipped({"x": "y"})})
        self.assertEqual(layer["Version"], 2)
        # A function keeps the content of a layer that is gone.
        self.assertEqual(call(client, "layered"), "w")


class Fresh(unittest.TestCase):
    def test_one_data_directory_has_one_up(self):
        live = Live(EMPTY, arguments=["--data-dir", "data"])
        self.addCleanup(live.stop)
        with self.assertRaises(AssertionError):
            second = Live.__new__(Live)
            second.folder, second.root, second.arguments = live.folder, live.root, live.arguments
            second.start()
        self.assertNotEqual(second.up.wait(timeout=30), 0)
