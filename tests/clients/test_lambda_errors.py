"""Every error text of spec/errors §3 to §7 that can be caused here, row by row."""

import re

from lambda_api import ACCOUNT, ARN, EMPTY, LAYER_ARN, NO_REVISION, ROLE, active, create, request, says, serve, unserve, zipped
from lambda_table import TableCase, call, is_like

MISSING, CONFLICT, STALE = "ResourceNotFoundException", "ResourceConflictException", "PreconditionFailedException"
INVALID = "InvalidParameterValueException"
STALE_TEXT = "The Revision Id provided does not match the latest Revision Id. Call the {} API to retrieve the latest Revision Id"
NO, F = "missing", "f"
SOURCE = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
SQS = f"arn:aws:sqs:us-east-1:{ACCOUNT}:none"
FAR = ARN.replace("us-east-1", "eu-west-1")
FOREIGN = ARN.replace(ACCOUNT, "000000000001")


def setUpModule():
    """`f` with versions 1 and 2, an alias of each, a statement, a URL; and functions that some rows need."""
    client = serve(EMPTY).client
    create(client, F, says("one"), Publish=True)
    client.update_function_code(FunctionName=F, ZipFile=says("two"))
    client.get_waiter("function_updated_v2").wait(FunctionName=F)
    client.publish_version(FunctionName=F)
    client.create_alias(FunctionName=F, Name="live", FunctionVersion="1")
    client.add_permission(FunctionName=F, StatementId="s", **SOURCE)
    client.create_function_url_config(FunctionName=F, AuthType="NONE")
    create(client, "bare")


def tearDownModule():
    unserve()


def named(name=NO, **more):
    return {"FunctionName": name, **more}


class NotFound(TableCase):
    def test_functions(self):
        none = "Function not found: " + ARN + NO
        plain = [
            "get_function", "get_function_configuration", "delete_function", "publish_version", "list_versions_by_function",
            "list_aliases", "get_function_concurrency", "delete_function_concurrency",
        ]  # fmt: skip
        rows = [(call(operation, **named()), MISSING, none) for operation in plain]
        rows += [
            (call("update_function_code", **named(ZipFile=says("x"))), MISSING, none),
            (call("update_function_configuration", **named(Timeout=5)), MISSING, none),
            (call("tag_resource", Resource=ARN + NO, Tags={"a": "b"}), MISSING, none),
            (call("list_tags", Resource=ARN + NO), MISSING, none),
            (call("untag_resource", Resource=ARN + NO, TagKeys=["a"]), MISSING, none),
            (call("create_alias", **named(Name="a", FunctionVersion="1")), MISSING, none),
            (call("invoke", **named()), MISSING, none + ":$LATEST"),
            (call("put_function_concurrency", **named(ReservedConcurrentExecutions=1)), MISSING, none + ":$LATEST"),
            (call("get_function", **named(Qualifier="9")), MISSING, none + ":9"),
            (call("invoke", **named(Qualifier="live")), MISSING, none + ":live"),
        ]
        self.check(rows)

    def test_versions_and_aliases(self):
        none = "Function not found: " + ARN + F
        rows = [
            (call("get_function", **named(F, Qualifier="9")), MISSING, none + ":9"),
            (call("get_function_configuration", **named(F + ":nope")), MISSING, none + ":nope"),
            (call("invoke", **named(F, Qualifier="9")), MISSING, none + ":9"),
            (call("invoke", **named(ARN + F + ":nope")), MISSING, none + ":nope"),
            (call("add_permission", **named(F, Qualifier="9", StatementId="x", **SOURCE)), MISSING, none + ":9"),
            (call("create_alias", **named(F, Name="a", FunctionVersion="9")), MISSING, none + ":9"),
            (call("put_provisioned_concurrency_config", **named(F, Qualifier="9", ProvisionedConcurrentExecutions=1)), MISSING, none + ":9"),
            (call("get_alias", **named(F, Name="nope")), MISSING, f"Cannot find alias arn: {ARN}{F}:nope"),
            (call("add_permission", **named(F, Qualifier="nope", StatementId="x", **SOURCE)), MISSING, f"Cannot find alias arn: {ARN}{F}:nope"),
            (call("get_provisioned_concurrency_config", **named(F, Qualifier="nope")), MISSING, f"Cannot find alias arn: {ARN}{F}:nope"),
            (call("update_alias", **named(F, Name="nope", FunctionVersion="1")), MISSING, f"Alias not found: {ARN}{F}:nope"),
        ]
        self.check(rows)

    def test_what_hangs_on_functions(self):
        resource = "The resource you requested does not exist."
        config = f"The function {ARN}{F}:$LATEST doesn't have an EventInvokeConfig"
        rows = [
            (call("get_policy", **named()), MISSING, resource),
            (call("get_policy", **named("bare")), MISSING, resource),
            (call("remove_permission", **named(F, StatementId="x")), MISSING, "Statement x is not found in resource policy."),
            (call("remove_permission", **named("bare", StatementId="x")), MISSING, is_like(".")),
            (call("remove_permission", **named(StatementId="x")), MISSING, is_like(".")),
            (call("put_function_event_invoke_config", **named(MaximumRetryAttempts=1)), MISSING, "The function doesn't exist."),
            (call("put_function_event_invoke_config", **named(F, Qualifier="nope", MaximumRetryAttempts=1)), MISSING, "The function doesn't exist."),
            (call("list_function_event_invoke_configs", **named()), MISSING, "The function doesn't exist."),
            (call("get_function_event_invoke_config", **named(F)), MISSING, config),
            (call("delete_function_event_invoke_config", **named(F)), MISSING, config),
            (call("update_function_event_invoke_config", **named(F, MaximumRetryAttempts=1)), MISSING, config),
            (call("get_function_event_invoke_config", **named(F, Qualifier="live")), MISSING, config.replace("$LATEST", "live")),
            (call("get_function_event_invoke_config", **named()), MISSING, config.replace(F + ":", NO + ":")),
            (call("get_function_url_config", **named("bare")), MISSING, resource),
            (call("delete_function_url_config", **named("bare")), MISSING, resource),
            (call("update_function_url_config", **named("bare", AuthType="NONE")), MISSING, resource),
            (call("create_function_url_config", **named(AuthType="NONE")), MISSING, "Function does not exist"),
            (call("list_function_url_configs", **named()), MISSING, "Function does not exist"),
            (call("update_function_url_config", **named(AuthType="NONE")), MISSING, "Function does not exist"),
            (call("get_provisioned_concurrency_config", **named(F, Qualifier="1")), "ProvisionedConcurrencyConfigNotFoundException",
             "No Provisioned Concurrency Config found for this function"),
        ]  # fmt: skip
        self.check(rows)

    def test_layers_and_mappings(self):
        uuid = NO_REVISION
        mapping = f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:{uuid}"
        rows = [
            (call("get_layer_version", LayerName="layer", VersionNumber=9), MISSING, is_like(".")),
            (call("get_layer_version_by_arn", Arn=LAYER_ARN + "layer:9"), MISSING, is_like(".")),
            (call("get_layer_version_policy", LayerName="layer", VersionNumber=9), MISSING, f"Layer version {LAYER_ARN}layer:9 does not exist."),
            (call("get_event_source_mapping", UUID=uuid), MISSING, "The resource you requested does not exist."),
            (call("list_tags", Resource=mapping), MISSING, "Event source mapping not found: " + mapping),
        ]
        self.check(rows)

    def test_other_places(self):
        rows = [
            (call("get_function", **named(FAR + F)), MISSING, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"),
            (call("invoke", **named(FAR + F)), MISSING, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"),
            (call("get_function", **named(FOREIGN + F)), "AccessDeniedException", None),
            (call("invoke", **named(FOREIGN + F)), "AccessDeniedException", None),
        ]
        self.check(rows)


class Conflicts(TableCase):
    def test_what_is_there_already(self):
        statement = "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing statement."
        url = f"Failed to create function url config for [functionArn = {ARN}{F}]. Error message:  FunctionUrlConfig exists for this Lambda function"
        rows = [
            (call("create_function", **request(F)), CONFLICT, "Function already exist: f", False),
            (call("create_alias", **named(F, Name="live", FunctionVersion="1")), CONFLICT, f"Alias already exists: {ARN}{F}:live"),
            (call("add_permission", **named(F, StatementId="s", **SOURCE)), CONFLICT, statement),
            (call("create_function_url_config", **named(F, AuthType="NONE")), CONFLICT, url),
        ]
        self.check(rows)

    def test_an_update_in_progress(self):
        text = "The operation cannot be performed at this time. An update is in progress for resource: " + ARN + "busy"
        self.function("busy", says("a"))
        seconds = [("update_function_code", {"ZipFile": says("b")}), ("update_function_configuration", {"Timeout": 6}), ("publish_version", {})]
        for operation, parameters in seconds:
            with self.subTest(operation):
                self.assertEqual(self.second(operation, parameters), (409, "User", text))

    def second(self, operation, parameters):
        """What an operation right after an update gets. It takes a tenth of a second, which a busy machine may miss."""
        for _ in range(5):
            active(self.client, "busy")
            self.client.update_function_configuration(**named("busy", Timeout=5))
            try:
                getattr(self.client, operation)(**named("busy", **parameters))
            except self.client.exceptions.ResourceConflictException as error:
                told = error.response
                return told["ResponseMetadata"]["HTTPStatusCode"], told.get("Type"), told["Error"]["Message"]
        return None

    def test_provisioned_versions_and_aliases(self):
        self.function("places", says("one"), Publish=True)
        self.client.create_alias(FunctionName="places", Name="live", FunctionVersion="1")
        put = ("put_provisioned_concurrency_config", {"FunctionName": "places", "ProvisionedConcurrentExecutions": 1})
        alias = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        for first, second, text in [("1", "live", alias), ("live", "1", "Version is pointed by a Provisioned Concurrency alias")]:
            self.client.put_provisioned_concurrency_config(**put[1], Qualifier=first)
            self.check([(call(put[0], **put[1], Qualifier=second), CONFLICT, text)])
            self.client.delete_provisioned_concurrency_config(FunctionName="places", Qualifier=first)

    def test_stale_revisions(self):
        function, policy = STALE_TEXT.format("GetFunction/GetAlias"), STALE_TEXT.format("GetPolicy")
        old = {"RevisionId": NO_REVISION}
        rows = [
            (call("update_function_code", **named(F, ZipFile=says("x"), **old)), STALE, function),
            (call("update_function_configuration", **named(F, Timeout=5, **old)), STALE, function),
            (call("publish_version", **named(F, **old)), STALE, function),
            (call("update_alias", **named(F, Name="live", **old)), STALE, function),
            (call("add_permission", **named(F, StatementId="x", **SOURCE, **old)), STALE, policy),
            (call("remove_permission", **named(F, StatementId="s", **old)), STALE, policy),
        ]
        self.check(rows)

    def test_stale_revisions_of_layers(self):
        version = {"LayerName": "stale", "VersionNumber": 1}
        everybody = {"Action": "lambda:GetLayerVersion", "Principal": "*"}
        self.client.publish_layer_version(LayerName="stale", Content={"ZipFile": zipped({"a": "b"})})
        self.client.add_layer_version_permission(**version, StatementId="s", **everybody)
        old, text = {"RevisionId": NO_REVISION}, STALE_TEXT.format("GetLayerPolicy")
        self.check([
            (call("remove_layer_version_permission", **version, StatementId="s", **old), STALE, text),
            (call("add_layer_version_permission", **version, StatementId="x", **everybody, **old), STALE, text),
        ])  # fmt: skip


class Invoke(TableCase):
    def test_payloads(self):
        bad = r"^Could not parse request body into json: Could not parse payload into json: "
        limits = {"RequestResponse": 6_291_456, "Event": 1_048_576}
        text = "{} byte payload is too large for the {} invocation type (limit {} bytes)"
        rows = [
            (call("invoke", **named(F, Payload=payload)), "InvalidRequestContentException", is_like(bad))
            for payload in (b"{bad", b"{}{}", b"\xff", b"'x'", b"nul")
        ]
        rows += [
            (call("invoke", **named(F, Payload=b"{bad", InvocationType="Event")), "InvalidRequestContentException", is_like(bad)),
        ]
        for kind, limit in limits.items():
            over = call("invoke", **named(F, Payload=self.document(limit + 1), InvocationType=kind))
            rows.append((over, "RequestEntityTooLargeException", text.format(limit + 1, kind, limit)))
        self.check(rows)
        for kind, limit in limits.items():
            answer = self.client.invoke(**named(F, Payload=self.document(limit), InvocationType=kind))
            self.assertIn(answer["StatusCode"], (200, 202))

    def document(self, size):
        return b'"' + b"x" * (size - 2) + b'"'

    def test_throttled(self):
        self.function("closed")
        self.client.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
        self.check([(call("invoke", **named("closed")), "TooManyRequestsException", "Rate Exceeded.")])


class NotOffered(TableCase):
    """What AWS has and triggerfish lacks says so; nothing is accepted and ignored."""

    def test_members(self):
        text = is_like(r" is not supported by this version of triggerfish$")
        subnet = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
        files = {"FileSystemConfigs": [{"Arn": f"arn:aws:elasticfilesystem:us-east-1:{ACCOUNT}:access-point/fsap-{'0' * 17}", "LocalMountPath": "/mnt/a"}]}
        members = [
            subnet, files, {"KMSKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"}, {"SnapStart": {"ApplyOn": "PublishedVersions"}},
            {"CodeSigningConfigArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-{'0' * 17}"},
            {"DurableConfig": {"ExecutionTimeout": 60}}, {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
        ]  # fmt: skip
        rows = [(call("create_function", **request("new", **each)), INVALID, text) for each in members]
        image = {"FunctionName": "new", "Role": ROLE, "PackageType": "Image", "Code": {"ImageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/a:b"}}
        rows += [(call("create_function", **image), INVALID, text)]
        rows += [(call("update_function_configuration", **named("bare", **each)), INVALID, text) for each in (subnet, members[3])]
        self.check(rows)

    def test_operations(self):
        operations = ["list_capacity_providers", "list_code_signing_configs"]
        names = {"list_capacity_providers": "ListCapacityProviders", "list_code_signing_configs": "ListCodeSigningConfigs"}
        self.check([(call(each), "NotImplementedException", is_like(re.escape(names[each]))) for each in operations])
