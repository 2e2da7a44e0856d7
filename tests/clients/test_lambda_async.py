"""Asynchronous invocation: its settings, where records go, and dead letters (spec/lambda §9).

Sinks of the project stand for queues and topics. One attempt only is asked for: the wait before the second is a minute.
"""

import json

from lambda_api import ACCOUNT, ARN, ApiCase, Wire, serve, unserve, zipped

PROJECT = """
schema: 1
name: asynchronous
sinks: { good: {}, dead: {}, letters: {} }
"""
COLLECTOR = """
import json
def handler(event, context):
    print("RECORD", json.dumps(event))
"""
WORKER = """
def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    return event["n"]
"""
SQS, SNS = f"arn:aws:sqs:us-east-1:{ACCOUNT}:", f"arn:aws:sns:us-east-1:{ACCOUNT}:"


def setUpModule():
    serve(PROJECT)


def tearDownModule():
    unserve()


def settings(answer):
    """What a configuration says, but for when it was changed."""
    return {name: value for name, value in answer.items() if name not in ("LastModified", "ResponseMetadata")}


class Config(ApiCase):
    def test_put_overwrites_and_update_merges(self):
        self.function("config", Publish=True)
        wire = Wire(self.client)
        empty = {"OnSuccess": {}, "OnFailure": {}}
        self.client.put_function_event_invoke_config(FunctionName="config", MaximumRetryAttempts=1)
        sent = wire.json()
        self.assertIsInstance(sent.pop("LastModified"), (int, float))
        self.assertEqual(sent, {"FunctionArn": ARN + "config:$LATEST", "MaximumRetryAttempts": 1, "DestinationConfig": empty})
        answer = self.client.update_function_event_invoke_config(FunctionName="config", MaximumEventAgeInSeconds=60)
        self.assertEqual((answer["MaximumRetryAttempts"], answer["MaximumEventAgeInSeconds"]), (1, 60))
        failure = {"OnFailure": {"Destination": SQS + "dead"}}
        answer = self.client.put_function_event_invoke_config(FunctionName="config", DestinationConfig=failure)
        expected = {"FunctionArn": ARN + "config:$LATEST", "DestinationConfig": {"OnSuccess": {}, **failure}}
        self.assertEqual(settings(answer), expected)
        self.assertEqual(settings(self.client.get_function_event_invoke_config(FunctionName="config")), expected)
        answer = self.client.update_function_event_invoke_config(
            FunctionName="config", DestinationConfig={"OnFailure": {"Destination": ""}}, MaximumRetryAttempts=0
        )
        self.assertEqual(answer["DestinationConfig"], empty)

    def test_each_qualifier_has_its_own(self):
        self.function("own", Publish=True)
        self.client.create_alias(FunctionName="own", Name="live", FunctionVersion="1")
        for qualifier in ("1", "live"):
            answer = self.client.put_function_event_invoke_config(FunctionName="own", Qualifier=qualifier, MaximumRetryAttempts=0)
            self.assertEqual(answer["FunctionArn"], f"{ARN}own:{qualifier}")
        listed = self.client.list_function_event_invoke_configs(FunctionName="own")["FunctionEventInvokeConfigs"]
        self.assertEqual({item["FunctionArn"] for item in listed}, {ARN + "own:1", ARN + "own:live"})
        wire = Wire(self.client)
        self.client.delete_function_event_invoke_config(FunctionName="own", Qualifier="live")
        self.assertEqual(wire.status, 204)
        self.refused(
            404, "ResourceNotFoundException", f"The function {ARN}own:live doesn't have an EventInvokeConfig",
            "get_function_event_invoke_config", FunctionName="own", Qualifier="live",
        )  # fmt: skip


class Records(ApiCase):
    def config(self, name, **members):
        self.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, **members)

    def event(self, name, event, **members):
        """Sends an event: the id of the request."""
        answer = self.client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **members)
        self.assertEqual(answer["StatusCode"], 202)
        self.assertNotIn("ExecutedVersion", answer)
        return answer["ResponseMetadata"]["RequestId"]

    def test_a_function_gets_the_record_of_another(self):
        self.function("collector", zipped({"app.py": COLLECTOR}))
        self.function("worker", zipped({"app.py": WORKER}), Publish=True)
        to = {"Destination": ARN + "collector"}
        for qualifier in ("$LATEST", "1"):
            self.client.put_function_event_invoke_config(
                FunctionName="worker", Qualifier=qualifier, MaximumRetryAttempts=0,
                DestinationConfig={"OnSuccess": to, "OnFailure": to},
            )  # fmt: skip
        cases = [("$LATEST", {"fail": "no"}, "RetriesExhausted"), ("1", {"fail": "no"}, "RetriesExhausted"), ("1", {"n": 1}, "Success")]
        for qualifier, event, condition in cases:
            with self.subTest(qualifier=qualifier, event=event):
                asked = {} if qualifier == "$LATEST" else {"Qualifier": qualifier}
                id_ = self.event("worker", event, **asked)
                record = self.record(condition)
                context = {"requestId": id_, "functionArn": f"{ARN}worker:{qualifier}", "condition": condition, "approximateInvokeCount": 1}
                self.assertEqual((record["version"], record["requestContext"], record["requestPayload"]), ("1.0", context, event))
                response = {"statusCode": 200, "executedVersion": qualifier}
                if condition != "Success":
                    response["functionError"] = "Unhandled"
                    self.assertEqual(record["responsePayload"]["errorMessage"], "no")
                self.assertEqual(record["responseContext"], response)
                self.assertRegex(record["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def record(self, condition):
        """The next record that the collector prints; a long line is cut on the screen, so events are small."""
        line = self.live.until("| RECORD ").splitlines()[-1]
        self.assertIn(condition, line)
        return json.loads(line.split("| RECORD ")[1])

    def test_sinks_stand_for_queues_and_topics(self):
        self.function("sunk")
        self.config("sunk", DestinationConfig={"OnSuccess": {"Destination": SNS + "good"}, "OnFailure": {"Destination": SQS + "dead"}})
        self.event("sunk", {"n": 1})
        self.live.until("good  got")
        self.event("sunk", {"fail": "no"})
        self.live.until("dead  got")

    def test_a_dead_letter_is_the_event_itself(self):
        made = self.function("letter", DeadLetterConfig={"TargetArn": SQS + "letters"})
        self.assertEqual(made["DeadLetterConfig"], {"TargetArn": SQS + "letters"})
        self.config("letter")
        self.event("letter", {"fail": "no"})
        # A message of a queue: its body is a text.
        body = json.dumps(json.dumps({"fail": "no"}))
        self.assertIn(f'{{"Body":{body},', self.live.until("letters  got").splitlines()[-1])
        changed = self.client.update_function_configuration(FunctionName="letter", DeadLetterConfig={"TargetArn": ""})
        self.assertNotIn("DeadLetterConfig", changed)

    def test_reserved_concurrency_of_zero_gives_up_at_once(self):
        self.function("closed")
        self.config("closed", DestinationConfig={"OnFailure": {"Destination": SQS + "dead"}})
        self.client.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
        self.event("closed", {"n": 1})
        said = self.live.until("dead  got")
        self.assertIn("ZeroReservedConcurrency", said)
