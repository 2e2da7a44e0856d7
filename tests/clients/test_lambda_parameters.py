"""Parameters that are refused: AWS's generic constraints (spec/errors §2), semantic checks (§6), and which error wins (§8)."""

import json

from lambda_api import ACCOUNT, ARN, EMPTY, create, request, says, serve, unserve
from lambda_table import TableCase, call, is_like

VALIDATION, INVALID, MISSING = "ValidationException", "InvalidParameterValueException", "ResourceNotFoundException"
REGION = r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"
START = rf"(arn:(aws[a-zA-Z-]*)?:lambda:)?{REGION}:)?(\d{{12}}:)?(function:)?"
READ = START + r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
WRITE = START + r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
DESTINATION = rf"$|kafka://([^.]([a-zA-Z0-9\-_.]{{0,248}}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:{REGION})?:(\d{{12}})?:(.*)"
RUNTIMES = (
    "nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, python3.10, python3.11, "
    "java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, "
    "provided.al2, java8.al2"
)
SOURCE = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
NEW = request("new")
SQS = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"


def setUpModule():
    client = serve(EMPTY + "sinks: { letters: {} }\n").client
    create(client, "f", says("one"), Publish=True)
    client.update_function_code(FunctionName="f", ZipFile=says("two"))
    client.get_waiter("function_updated_v2").wait(FunctionName="f")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")


def tearDownModule():
    unserve()


def f(**more):
    return {"FunctionName": "f", **more}


def new(**more):
    return {**NEW, **more}


def broken(value, path, rule):
    """The text of one broken constraint; `None` is a member that is missing."""
    value = "null" if value is None else f"'{value}'"
    return f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {rule}"


def pattern(value, path, regex):
    return broken(value, path, "Member must satisfy regular expression pattern: " + regex)


def enum(value, path, choices):
    return broken(value, path, f"Member must satisfy enum value set: [{choices}]")


def most(value, path, limit):
    return broken(value, path, f"Member must have value less than or equal to {limit}")


def least(value, path, limit):
    return broken(value, path, f"Member must have value greater than or equal to {limit}")


class Constraints(TableCase):
    def refuses(self, *rows):
        self.check([(made, VALIDATION, text) for made, text in rows])

    def test_patterns(self):
        role = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
        self.refuses(
            (call("create_function", **new(Role="r1")), pattern("r1", "role", role)),
            (call("get_function", FunctionName="*"), pattern("*", "functionName", READ)),
            (call("invoke", FunctionName="f:$OTHER"), pattern("f:$OTHER", "functionName", READ)),
            (call("create_function", **new(FunctionName="a*")), pattern("a*", "functionName", WRITE)),
            (call("update_function_code", FunctionName="a.b", ZipFile=b"x"), pattern("a.b", "functionName", WRITE)),
            (call("create_alias", **f(Name="1", FunctionVersion="1")), pattern("1", "name", "(?!^[0-9]+$)([a-zA-Z0-9-_]+)")),
            (call("add_permission", **f(StatementId="a b", **SOURCE)), pattern("a b", "statementId", "([a-zA-Z0-9-_]+)")),
            (call("get_function_url_config", **f(Qualifier="1")), pattern("1", "qualifier", r"((?!^\d+$)^[0-9a-zA-Z-_]+$)")),
            (call("put_function_event_invoke_config", **f(DestinationConfig={"OnFailure": {"Destination": "x"}})),
             pattern("x", "destinationConfig.onFailure.destination", DESTINATION)),
        )  # fmt: skip

    def test_enumerations(self):
        architectures = broken("[X86_64]", "architectures", "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]")
        self.refuses(
            (call("put_function_recursion_config", **f(RecursiveLoop="x")), enum("x", "recursiveLoop", "Terminate, Allow")),
            (call("create_function", **new(SnapStart={"ApplyOn": "x"})), enum("x", "snapStart.applyOn", "PublishedVersions, None")),
            (call("create_function_url_config", **f(AuthType="NONE", InvokeMode="x")), enum("x", "invokeMode", "RESPONSE_STREAM, BUFFERED")),
            (call("list_functions", FunctionVersion="x"), enum("x", "functionVersion", "ALL")),
            (call("create_function", **new(Architectures=["X86_64"])), architectures),
        )

    def test_numbers_and_lengths(self):
        length = "Member must have length less than or equal to "
        self.refuses(
            (call("create_function", **new(Timeout=0)), least(0, "timeout", 1)),
            (call("create_function", **new(MemorySize=127)), least(127, "memorySize", 128)),
            (call("create_function", **new(EphemeralStorage={"Size": 511})), least(511, "ephemeralStorage.size", 512)),
            (call("create_function", **new(EphemeralStorage={"Size": 10241})), most(10241, "ephemeralStorage.size", 10240)),
            (call("create_function", **new(Description="d" * 257)), broken("d" * 257, "description", length + "256")),
            (call("create_alias", FunctionName="a" * 141, Name="a", FunctionVersion="1"), broken("a" * 141, "functionName", length + "140")),
            (call("create_alias", **f(Name="a" * 129, FunctionVersion="1")), broken("a" * 129, "name", length + "128")),
            (call("get_function", **f(Qualifier="q" * 129)), broken("q" * 129, "qualifier", length + "128")),
            (call("put_function_concurrency", **f(ReservedConcurrentExecutions=-1)), least(-1, "reservedConcurrentExecutions", 0)),
            (call("put_function_event_invoke_config", **f(MaximumRetryAttempts=3)), most(3, "maximumRetryAttempts", 2)),
            (call("put_function_event_invoke_config", **f(MaximumEventAgeInSeconds=59)), least(59, "maximumEventAgeInSeconds", 60)),
            (call("put_function_event_invoke_config", **f(MaximumEventAgeInSeconds=21601)), most(21601, "maximumEventAgeInSeconds", 21600)),
            (call("list_functions", MaxItems=10001), most(10001, "maxItems", 10000)),
            (call("list_functions", MaxItems=0), least(0, "maxItems", 1)),
        )

    def test_missing_members(self):
        null = "Member must not be null"
        self.refuses(
            (call("create_alias", **f(Name="a")), broken(None, "functionVersion", null)),
            (call("create_function", **{key: value for key, value in NEW.items() if key != "Role"}), broken(None, "role", null)),
            (call("put_function_recursion_config", **f()), broken(None, "recursiveLoop", null)),
        )

    def test_maps_say_what_is_wrong_with_keys_and_values(self):
        weights = {"AdditionalVersionWeights": {"1": 1.5}}
        self.refuses(
            (call("create_function", **new(Environment={"Variables": {"A": "b"}})), is_like(r"^1 validation error detected: Value '.*' at 'environment\.variables' failed to satisfy constraint: Map keys .*\[.*Member must satisfy regular expression pattern: \[a-zA-Z\]\(\[a-zA-Z0-9_\]\)\+")),
            (call("update_alias", **f(Name="live", RoutingConfig=weights)), is_like(r"^1 validation error detected: Value '\{1=1\.5\}' at 'routingConfig\.additionalVersionWeights' failed to satisfy constraint: Map value .*\[.*Member must have value less than or equal to 1")),
        )  # fmt: skip

    def test_several_are_told_together_and_in_any_order(self):
        cases = [
            ("create_function", new(Role="r1", FunctionName="a*"), ["'r1' at 'role'", "'a*' at 'functionName'"]),
            # One value that breaks two constraints.
            ("create_alias", f(Name="a*" * 100, FunctionVersion="1"), ["less than or equal to 128", "regular expression"]),
        ]
        for operation, parameters, parts in cases:
            with self.subTest(operation):
                text = self.refused(400, VALIDATION, is_like("^2 validation errors detected: "), operation, self.loose, **parameters)
                clauses = text["Error"]["Message"].split("; ")
                self.assertEqual(len(clauses), 2)
                self.assertTrue(all(any(part in clause for clause in clauses) for part in parts), clauses)


class Semantics(TableCase):
    def refuses(self, *rows):
        self.check([(made, INVALID, *rest) for made, *rest in rows])

    def test_functions(self):
        name = "n" * 65
        variables = {"AB": "x" * 4090}
        measured = json.dumps(variables, separators=(",", ":"))
        start = "Lambda was unable to configure your environment variables because the environment variables you have provided "
        reserved = "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "
        text = 'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and try again.'
        sha = self.client.get_function_configuration(FunctionName="f")["CodeSha256"]
        self.refuses(
            (call("create_function", **new(FunctionName=name)), broken(name, "functionName", "Member must have length less than or equal to 64")),
            (call("create_function", **new(Runtime="cobol")), f"Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{RUNTIMES}] or be a valid ARN"),
            (call("create_function", **new(Environment={"Variables": variables})), f"{start}exceeded the 4KB limit. String measured: {measured}"),
            (call("create_function", **new(Environment={"Variables": {"AWS_REGION": "x"}})), start + reserved + "AWS_REGION"),
            (call("create_function", **new(LoggingConfig={"LogFormat": "Text", "SystemLogLevel": "INFO"})), text),
            (call("publish_version", **f(CodeSha256="x")), f"CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({sha}). Please try again with the CodeSHA256 in $LATEST."),
            (call("delete_function", **f(Qualifier="$LATEST")), "$LATEST version cannot be deleted without deleting the function."),
            (call("delete_function", **f(Qualifier="live")), "Deletion of aliases is not currently supported."),
            (call("update_function_code", **f(ImageUri="a:b")), "Please don't provide ImageUri when updating a function with packageType Zip."),
            (call("create_function", **new(DeadLetterConfig={"TargetArn": SQS + "none"})), is_like(".")),
            (call("get_layer_version", LayerName="l", VersionNumber=0), "Layer Version Cannot be less than 1"),
        )  # fmt: skip
        fits = {"AB": "x" * (4096 - len('{"AB":""}'))}
        self.function("fits", Environment={"Variables": fits})
        for member, over in [("Timeout", 901), ("MemorySize", 10241)]:
            self.refused(400, is_one_of(VALIDATION, INVALID), is_like(f"'{member[0].lower() + member[1:]}'"), "create_function", **new(**{member: over}))

    def test_names_and_qualifiers(self):
        mismatch = "The derived qualifier from the function name does not match the specified qualifier."
        unqualified = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN."
        self.refuses(
            (call("get_function", FunctionName="f:1", Qualifier="2"), mismatch),
            (call("invoke", FunctionName="f:live", Qualifier="1"), mismatch),
            (call("put_function_concurrency", FunctionName="f:live", ReservedConcurrentExecutions=1), unqualified),
            (call("tag_resource", Resource=ARN + "f:live", Tags={"a": "b"}), "Tags on function aliases and versions are not supported. Please specify a function ARN."),
            (call("tag_resource", Resource=ARN + "f", Tags={f"k{n}": "v" for n in range(51)}), "Number of tags exceeds resource tag limit."),
        )
        self.client.get_function(FunctionName="f:1", Qualifier="1")

    def test_aliases_and_concurrency(self):
        def routed(weights, version="1"):
            return f(Name="a", FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": weights})

        minimum = " decreases account's UnreservedConcurrentExecution below its minimum value of [100]."
        unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        latest = "The function resource provided must be an alias or a published version."
        self.refuses(
            (call("create_alias", **routed({"1": 0.1, "2": 0.2})), "Number of items in AdditionalVersionWeights cannot be greater than 1"),
            (call("create_alias", **routed({"1": 0.1})), "Invalid function version 1. Function version 1 is already included in routing configuration."),
            (call("create_alias", **routed({"1": 0.1}, "$LATEST")), is_like(".")),
            (call("put_function_concurrency", **f(ReservedConcurrentExecutions=901)), "Specified ReservedConcurrentExecutions for function" + minimum, False),
            (call("put_provisioned_concurrency_config", **f(Qualifier="1", ProvisionedConcurrentExecutions=901)), "Specified ConcurrentExecutions for function" + minimum, False),
            (call("put_provisioned_concurrency_config", **f(Qualifier="1", ProvisionedConcurrentExecutions=1001)), "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].", False),
            (call("put_provisioned_concurrency_config", **f(Qualifier="$LATEST", ProvisionedConcurrentExecutions=1)), unpublished),
            (call("get_provisioned_concurrency_config", **f(Qualifier="$LATEST")), latest),
            (call("delete_provisioned_concurrency_config", **f(Qualifier="$LATEST")), latest),
        )  # fmt: skip
        self.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
        self.addCleanup(self.client.delete_function_concurrency, FunctionName="f")
        over = "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        self.refuses((call("put_provisioned_concurrency_config", **f(Qualifier="1", ProvisionedConcurrentExecutions=3)), over))

    def test_invoke_configs_permissions_and_mappings(self):
        def to(arn):
            return f(DestinationConfig={"OnFailure": {"Destination": arn}})

        put, mapping = "put_function_event_invoke_config", "create_event_source_mapping"
        queue = "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist."
        table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
        self.refuses(
            (call(put, **f()), "You must specify at least one of error handling or destination setting."),
            (call(put, **to(SQS + "none")), f"The destination ARN {SQS}none is invalid."),
            (call(put, **to(ARN + "none")), f"The destination ARN {ARN}none is invalid."),
            (call(put, **to(ARN + "f")), "You can't specify the function as a destination for itself."),
            (call("add_permission", **f(StatementId="x", Action="lambda:InvokeFunction", Principal="nobody")), "The provided principal was invalid. Please check the principal and try again."),
            (call(mapping, **f()), "Unrecognized event source."),
            (call(mapping, FunctionName="none", EventSourceArn=SQS + "q"), "Function does not exist"),
            (call(mapping, **f(EventSourceArn=SQS + "q")), queue),
            (call(mapping, **f(EventSourceArn=table, StartingPosition="LATEST")), "Stream not found: " + table),
        )  # fmt: skip
        self.assertEqual(self.client.list_event_source_mappings()["EventSourceMappings"], [])

    def test_which_error_wins(self):
        self.check([
            (call("get_function", FunctionName="none*", Qualifier="9"), VALIDATION, is_like("none")),
            (call("get_function", FunctionName="none:1", Qualifier="2"), INVALID, is_like("derived qualifier")),
            (call("tag_resource", Resource=ARN + "none:1", Tags={"a": "b"}), INVALID, is_like("Tags on function aliases")),
            (call("update_function_code", FunctionName="none", RevisionId="x", ZipFile=b"x"), MISSING, is_like("none")),
            (call("update_function_code", **f(RevisionId="x", ZipFile=b"x")), "PreconditionFailedException", is_like("Revision Id")),
            (call("add_permission", FunctionName="f:1", Qualifier="2", StatementId="x", Action="lambda:InvokeFunction", Principal="nobody"), INVALID, is_like("derived qualifier")),
            (call("invoke", FunctionName="none", Payload=b"{bad"), MISSING, is_like("none")),
        ])  # fmt: skip


class is_one_of:
    """Is equal to each of some."""

    def __init__(self, *values):
        self.values = values

    def __eq__(self, other):
        return other in self.values
