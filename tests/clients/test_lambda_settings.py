"""What hangs on a function: concurrency, provisioned and reserved; policies, tags, URLs, and settings of the account."""

import json
import time

from lambda_api import ACCOUNT, ARN, CODE, UUID, ApiCase, Wire, call, says, serve, unserve, zipped
from live import PATIENCE

ISO = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Concurrency(ApiCase):
    def test_reserved_concurrency(self):
        self.function("reserved")
        self.assertEqual(self.seen("reserved"), None)
        for n in (900, 5, 0):
            answer = self.client.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=n)
            self.assertEqual(answer["ReservedConcurrentExecutions"], n)
            self.assertEqual(self.seen("reserved"), n)
            limit = self.client.get_account_settings()["AccountLimit"]
            self.assertEqual((limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]), (1000, 1000 - n))
        wire = Wire(self.client)
        self.client.delete_function_concurrency(FunctionName="reserved")
        self.assertEqual(wire.status, 204)
        self.assertEqual(self.seen("reserved"), None)

    def seen(self, name):
        return self.client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")

    def test_none_reserved_throttles_calls_and_takes_events(self):
        self.function("closed")
        self.client.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
        response = self.refused(429, "TooManyRequestsException", "Rate Exceeded.", "invoke", FunctionName="closed")
        self.assertEqual(response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        self.assertEqual(response["Type"], "User")
        self.assertEqual(self.client.invoke(FunctionName="closed", InvocationType="Event")["StatusCode"], 202)
        self.client.delete_function_concurrency(FunctionName="closed")
        self.assertEqual(call(self.client, "closed")["calls"], 1)


class Provisioned(ApiCase):
    def published(self, name, code=CODE):
        self.function(name, code, Publish=True)
        self.client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1")

    def put(self, name, qualifier, n):
        return self.client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=n
        )

    def settled(self, name, qualifier):
        """The configuration when it is no longer in progress; each look is a round trip, so this needs no pause."""
        late = time.monotonic() + PATIENCE
        while time.monotonic() < late:
            found = self.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
            if found["Status"] != "IN_PROGRESS":
                return found
        self.fail("it is in progress for ever")

    def test_provisioned_environments_are_there_before_calls(self):
        self.published("ready")
        made = self.put("ready", "1", 2)
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 202)
        numbers = [made[n + "ProvisionedConcurrentExecutions"] for n in ("Requested", "Available", "Allocated")]
        self.assertEqual((numbers, made["Status"]), ([2, 0, 0], "IN_PROGRESS"))
        self.assertRegex(made["LastModified"], ISO + r"\+0000$")
        found = self.settled("ready", "1")
        numbers = [found[n + "ProvisionedConcurrentExecutions"] for n in ("Requested", "Available", "Allocated")]
        self.assertEqual((numbers, found["Status"]), ([2, 2, 2], "READY"))
        answer = self.client.invoke(FunctionName="ready", Qualifier="1")
        seen = json.loads(answer["Payload"].read())
        self.assertEqual(seen["env"]["AWS_LAMBDA_INITIALIZATION_TYPE"], "provisioned-concurrency")
        self.assertEqual(call(self.client, "ready")["env"]["AWS_LAMBDA_INITIALIZATION_TYPE"], "on-demand")
        listed = self.client.list_provisioned_concurrency_configs(FunctionName="ready")["ProvisionedConcurrencyConfigs"]
        self.assertEqual([item["FunctionArn"] for item in listed], [ARN + "ready:1"])
        wire = Wire(self.client)
        self.client.delete_provisioned_concurrency_config(FunctionName="ready", Qualifier="1")
        self.assertEqual(wire.status, 204)
        listed = self.client.list_provisioned_concurrency_configs(FunctionName="ready")["ProvisionedConcurrencyConfigs"]
        self.assertEqual(listed, [])

    def test_an_alias_gives_its_version_environments(self):
        self.published("aliased")
        self.client.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
        self.put("aliased", "live", 1)
        self.assertEqual(self.settled("aliased", "live")["Status"], "READY")
        seen = call(self.client, "aliased", Qualifier="live")
        self.assertEqual(seen["env"]["AWS_LAMBDA_INITIALIZATION_TYPE"], "provisioned-concurrency")

    def test_an_init_that_fails(self):
        self.published("failing", zipped({"app.py": "raise ValueError('no init today')\n"}))
        self.put("failing", "1", 1)
        found = self.settled("failing", "1")
        self.assertEqual((found["Status"], found["StatusReason"]), ("FAILED", "FUNCTION_ERROR_INIT_FAILURE"))
        self.assertEqual(found["AllocatedProvisionedConcurrentExecutions"], 0)


class Policies(ApiCase):
    def add(self, name, **members):
        return json.loads(self.client.add_permission(FunctionName=name, **members)["Statement"])

    def test_statements(self):
        self.function("policy", Publish=True)
        invoke = {"Action": "lambda:InvokeFunction"}
        account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        bucket = "arn:aws:s3:::uploads"
        strings = {"AWS:SourceAccount": ACCOUNT, "lambda:EventSourceToken": "tok", "aws:PrincipalOrgID": "o-1234567890"}
        cases = [
            ({"Principal": "s3.amazonaws.com", "SourceArn": bucket}, {"Service": "s3.amazonaws.com"}, {"ArnLike": {"AWS:SourceArn": bucket}}),
            ({"Principal": ACCOUNT}, account, None),
            ({"Principal": f"arn:aws:iam::{ACCOUNT}:role/r"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"}, None),
            ({"Principal": "sns.amazonaws.com", "SourceAccount": ACCOUNT, "EventSourceToken": "tok", "PrincipalOrgID": "o-1234567890"},
             {"Service": "sns.amazonaws.com"}, {"StringEquals": strings}),
        ]  # fmt: skip
        for n, (given, principal, condition) in enumerate(cases):
            expected = {"Sid": f"s{n}", "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": ARN + "policy"}
            if condition:
                expected["Condition"] = condition
            statement = self.add("policy", StatementId=f"s{n}", **invoke, **given)
            self.assertEqual((statement, list(statement)), (expected, list(expected)))
        url = {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}
        statement = self.add("policy", StatementId="url", **url)
        self.assertEqual((statement["Principal"], statement["Condition"]), ("*", {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}))
        found = self.client.get_policy(FunctionName="policy")
        policy = json.loads(found["Policy"])
        self.assertEqual(list(policy.items())[:2], [("Version", "2012-10-17"), ("Id", "default")])
        self.assertEqual([each["Sid"] for each in policy["Statement"]], ["s0", "s1", "s2", "s3", "url"])
        self.assertRegex(found["RevisionId"], UUID)

    def test_each_qualifier_has_a_policy_of_its_own(self):
        self.function("policies", Publish=True)
        self.client.create_alias(FunctionName="policies", Name="live", FunctionVersion="1")
        who = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
        for qualifier in ("1", "live"):
            statement = self.add("policies", StatementId="s", Qualifier=qualifier, **who)
            self.assertEqual(statement["Resource"], f"{ARN}policies:{qualifier}")
        none = "The resource you requested does not exist."
        self.refused(404, "ResourceNotFoundException", none, "get_policy", FunctionName="policies")
        wire = Wire(self.client)
        self.client.remove_permission(FunctionName="policies", StatementId="s", Qualifier="1")
        self.assertEqual(wire.status, 204)
        self.refused(404, "ResourceNotFoundException", none, "get_policy", FunctionName="policies", Qualifier="1")
        self.assertIn("Policy", self.client.get_policy(FunctionName="policies", Qualifier="live"))


    def test_a_policy_has_20_kb_at_most(self):
        self.function("long")
        with self.assertRaises(self.client.exceptions.PolicyLengthExceededException):
            for n in range(60):
                arn = "arn:aws:s3:::" + "b" * 500
                self.add("long", StatementId=f"s{n}", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn=arn)
        policy = self.client.get_policy(FunctionName="long")["Policy"]
        self.assertTrue(19_000 < len(policy) <= 20_480, len(policy))


class Others(ApiCase):
    def test_tags(self):
        self.function("tagged", Tags={"a": "1", "b": "2"})
        before = self.client.get_function_configuration(FunctionName="tagged")["RevisionId"]
        wire = Wire(self.client)
        self.client.tag_resource(Resource=ARN + "tagged", Tags={"b": "3", "c": "4"})
        self.assertEqual(wire.status, 204)
        self.assertNotEqual(self.client.get_function_configuration(FunctionName="tagged")["RevisionId"], before)
        self.assertEqual(self.client.list_tags(Resource=ARN + "tagged")["Tags"], {"a": "1", "b": "3", "c": "4"})
        self.client.untag_resource(Resource=ARN + "tagged", TagKeys=["a", "b", "none"])
        self.assertEqual(self.client.list_tags(Resource=ARN + "tagged")["Tags"], {"c": "4"})
        self.client.untag_resource(Resource=ARN + "tagged", TagKeys=["c"])
        self.assertEqual(self.client.list_tags(Resource=ARN + "tagged")["Tags"], {})
        self.client.tag_resource(Resource=ARN + "tagged", Tags={f"k{n}": "v" for n in range(50)})
        self.assertEqual(len(self.client.get_function(FunctionName="tagged")["Tags"]), 50)

    def test_the_account(self):
        before = self.client.get_account_settings()
        limit = before["AccountLimit"]
        self.assertEqual(
            (limit["TotalCodeSize"], limit["CodeSizeUnzipped"], limit["CodeSizeZipped"]), (80530636800, 262144000, 52428800)
        )
        self.function("counted")
        usage = self.client.get_account_settings()["AccountUsage"]
        self.assertEqual(usage["FunctionCount"], before["AccountUsage"]["FunctionCount"] + 1)
        self.assertEqual(usage["TotalCodeSize"], before["AccountUsage"]["TotalCodeSize"] + len(CODE))

    def test_recursion(self):
        self.function("recursive")
        self.assertEqual(self.client.get_function_recursion_config(FunctionName="recursive")["RecursiveLoop"], "Terminate")
        for loop in ("Allow", "Terminate"):
            answer = self.client.put_function_recursion_config(FunctionName="recursive", RecursiveLoop=loop)
            self.assertEqual(answer["RecursiveLoop"], loop)
            self.assertEqual(self.client.get_function_recursion_config(FunctionName="recursive")["RecursiveLoop"], loop)

    def test_runtime_management(self):
        self.function("managed")
        found = self.client.get_runtime_management_config(FunctionName="managed")
        self.assertEqual((found["UpdateRuntimeOn"], found["FunctionArn"]), ("Auto", ARN + "managed"))

    def test_no_code_signing(self):
        self.function("unsigned")
        self.assertEqual(self.client.get_function_code_signing_config(FunctionName="unsigned")["FunctionName"], "unsigned")

    def test_function_urls(self):
        self.function("url", says("hi"), Publish=True)
        self.client.create_alias(FunctionName="url", Name="live", FunctionVersion="1")
        wire = Wire(self.client)
        made = self.client.create_function_url_config(FunctionName="url", AuthType="NONE", Cors={"AllowOrigins": ["*"]})
        self.assertEqual((wire.status, made["FunctionArn"], made["AuthType"]), (201, ARN + "url", "NONE"))
        self.assertEqual(made["Cors"], {"AllowOrigins": ["*"]})
        self.assertNotIn("InvokeMode", wire.json())
        self.assertNotIn("LastModifiedTime", wire.json())
        self.assertRegex(made["CreationTime"], ISO + "Z$")
        self.assertRegex(made["FunctionUrl"], r"^https?://[a-z0-9]+\.lambda-url\.us-east-1\..*/$")
        found = self.client.get_function_url_config(FunctionName="url")
        self.assertEqual((found["InvokeMode"], found["FunctionUrl"]), ("BUFFERED", made["FunctionUrl"]))
        other = self.client.create_function_url_config(FunctionName="url", Qualifier="live", AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM")
        self.assertEqual((other["FunctionArn"], other["InvokeMode"]), (ARN + "url:live", "RESPONSE_STREAM"))
        changed = self.client.update_function_url_config(FunctionName="url", AuthType="AWS_IAM")
        self.assertEqual((changed["AuthType"], changed["FunctionUrl"]), ("AWS_IAM", made["FunctionUrl"]))
        listed = self.client.list_function_url_configs(FunctionName="url")["FunctionUrlConfigs"]
        self.assertEqual({item["FunctionArn"] for item in listed}, {ARN + "url", ARN + "url:live"})
        self.client.delete_function_url_config(FunctionName="url")
        self.assertEqual(wire.status, 204)
        none = "The resource you requested does not exist."
        self.refused(404, "ResourceNotFoundException", none, "get_function_url_config", FunctionName="url")
