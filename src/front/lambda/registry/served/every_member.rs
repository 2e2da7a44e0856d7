//! Whether what the table says is read makes a difference: each member, down to the innermost, is either refused by name,
//! or two inputs that differ in nothing else have another answer or leave other records.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::EventSource;
use super::super::world::{ROLE, World, and, new_function};
use super::SERVED;
use crate::front::lambda::model::MODEL;
use crate::front::lambda::model::samples::Leaf;

const HERE: &str = "us-east-1:123456789012";

/// What strings are chosen from. Some of these are there in the world.
const TEXTS: &[&str] = &[
    "f",
    "x",
    "1",
    "2",
    "live",
    "",
    "ALL",
    "eu-west-1",
    "/mnt/a",
    "{\"a\":[1]}",
    "GET",
    "123456789012",
    "s3.amazonaws.com",
    "lambda:InvokeFunction",
    "lambda:GetLayerVersion",
    "o-a1b2c3d4e5",
    "KAFKA_BOOTSTRAP_SERVERS",
    "kafka.example:9092",
    "subnet-0123456789abcdef0",
    "sg-0123456789abcdef0",
    ROLE,
    "arn:aws:iam::123456789012:role/other",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "arn:aws:lambda:us-east-1:123456789012:function:g",
    "arn:aws:lambda:us-east-1:123456789012:layer:l:1",
    "arn:aws:lambda:us-east-1:123456789012:layer:l:2",
    "arn:aws:lambda:us-east-1:123456789012:capacity-provider:c",
    "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0",
    "arn:aws:lambda:us-east-1:123456789012:runtime/0123456789abcdef",
    "arn:aws:lambda:us-east-1::runtime:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
    "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
    "arn:aws:sqs:us-east-1:123456789012:q",
];

/// A world in which everything is there once, most of it twice.
fn world() -> World {
    let mut world = World::with(&["f", "g"]);
    let f = |more: Value| and(json!({ "FunctionName": "f" }), more);
    world.outside.sinks.insert("q".to_owned());
    for source in [queue("new"), queue("old"), stream("new"), stream("old")] {
        let exists = EventSource::Exists {
            visibility_seconds: None,
        };
        world.outside.sources.insert(source, exists);
    }
    world.done("PublishVersion", f(json!({})));
    world.done("UpdateFunctionConfiguration", f(json!({ "Timeout": 7 })));
    world.pass(Duration::from_secs(1));
    world.done("PublishVersion", f(json!({})));
    // It is another than its last version.
    world.done("UpdateFunctionConfiguration", f(json!({ "Timeout": 8 })));
    world.pass(Duration::from_secs(1));
    for (name, version) in [("live", "1"), ("next", "2")] {
        world.done(
            "CreateAlias",
            f(json!({ "Name": name, "FunctionVersion": version })),
        );
        let on = || f(json!({ "Qualifier": name }));
        world.done(
            "PutFunctionEventInvokeConfig",
            and(on(), json!({ "MaximumRetryAttempts": 1 })),
        );
        world.done(
            "CreateFunctionUrlConfig",
            and(on(), json!({ "AuthType": "NONE" })),
        );
        let units = json!({ "ProvisionedConcurrentExecutions": 1 });
        world.done("PutProvisionedConcurrencyConfig", and(on(), units));
    }
    world.done(
        "PutFunctionConcurrency",
        f(json!({ "ReservedConcurrentExecutions": 50 })),
    );
    for on in [f(json!({})), f(json!({ "Qualifier": "live" }))] {
        world.done("AddPermission", and(on, permission("old")));
    }
    for (name, runtime, architecture) in [
        ("l", "python3.12", "x86_64"),
        ("l", "nodejs20.x", "arm64"),
        ("m", "python3.12", "x86_64"),
    ] {
        let layer = json!({
            "LayerName": name, "Content": { "ZipFile": "eno=" },
            "CompatibleRuntimes": [runtime], "CompatibleArchitectures": [architecture],
        });
        world.done("PublishLayerVersion", layer);
    }
    world.done("AddLayerVersionPermission", layer_permission("old"));
    let resource = format!("arn:aws:lambda:{HERE}:function:f");
    world.done(
        "TagResource",
        json!({ "Resource": resource, "Tags": { "a": "1", "x": "2" } }),
    );
    for input in [mapping(&queue("old")), stream_mapping(&stream("old"))] {
        world.done("CreateEventSourceMapping", input);
    }
    world.pass(Duration::from_secs(60));
    world
}

fn queue(name: &str) -> String {
    format!("arn:aws:sqs:{HERE}:{name}")
}

fn stream(name: &str) -> String {
    format!("arn:aws:kinesis:{HERE}:stream/{name}")
}

fn mapping(source: &str) -> Value {
    json!({ "FunctionName": "f", "EventSourceArn": source })
}

fn stream_mapping(source: &str) -> Value {
    and(
        mapping(source),
        json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.5 }),
    )
}

fn permission(id: &str) -> Value {
    json!({ "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com" })
}

fn layer_permission(id: &str) -> Value {
    json!({
        "LayerName": "l", "VersionNumber": 1, "StatementId": id, "Action": "lambda:GetLayerVersion", "Principal": "*",
    })
}

/// Inputs that an operation takes, each with a part of what it may say.
fn inputs(operation: &str) -> Vec<Value> {
    let f = |more: Value| and(json!({ "FunctionName": "f" }), more);
    let live = |more: Value| and(f(json!({ "Qualifier": "live" })), more);
    let layer = |more: Value| and(json!({ "LayerName": "l" }), more);
    let resource = json!({ "Resource": format!("arn:aws:lambda:{HERE}:function:f") });
    match operation {
        "AddLayerVersionPermission" => vec![
            layer_permission("new"),
            and(
                layer_permission("new"),
                json!({ "OrganizationId": "o-a1b2c3d4e5" }),
            ),
        ],
        "AddPermission" => vec![
            f(permission("new")),
            f(and(
                permission("new"),
                json!({ "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE" }),
            )),
            f(and(permission("new"), json!({ "Principal": "*" }))),
        ],
        "CreateAlias" => vec![f(json!({ "Name": "new", "FunctionVersion": "2" }))],
        "CreateEventSourceMapping" => vec![mapping(&queue("new")), stream_mapping(&stream("new"))],
        "CreateFunction" => vec![
            new_function("new"),
            and(
                new_function("new"),
                json!({ "LoggingConfig": { "LogFormat": "JSON" } }),
            ),
            and(
                new_function("new"),
                json!({ "Code": { "S3Bucket": "bucket", "S3Key": "k" } }),
            ),
        ],
        "CreateFunctionUrlConfig" => vec![f(json!({ "AuthType": "NONE" }))],
        "DeleteAlias" => vec![f(json!({ "Name": "next" }))],
        "GetAlias" | "UpdateAlias" => vec![f(json!({ "Name": "live" }))],
        "DeleteEventSourceMapping" | "GetEventSourceMapping" | "UpdateEventSourceMapping" => {
            let list = world().done("ListEventSourceMappings", json!({}));
            let list = list["EventSourceMappings"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            list.iter().map(|item| json!({ "UUID": item["UUID"] })).collect()
        }
        "DeleteFunction" => vec![f(json!({}))],
        "GetAccountSettings" | "ListLayers" | "ListFunctions" | "ListEventSourceMappings" => vec![json!({})],
        "DeleteFunctionEventInvokeConfig"
        | "DeleteFunctionUrlConfig"
        | "DeleteProvisionedConcurrencyConfig"
        | "GetFunctionEventInvokeConfig"
        | "GetFunctionUrlConfig"
        | "GetProvisionedConcurrencyConfig"
        | "UpdateFunctionUrlConfig" => vec![live(json!({}))],
        "PutFunctionEventInvokeConfig" | "UpdateFunctionEventInvokeConfig" => {
            vec![live(json!({ "MaximumRetryAttempts": 2 }))]
        }
        "PutProvisionedConcurrencyConfig" => vec![live(json!({ "ProvisionedConcurrentExecutions": 1 }))],
        "DeleteLayerVersion" | "GetLayerVersion" | "GetLayerVersionPolicy" => {
            vec![layer(json!({ "VersionNumber": 1 }))]
        }
        "GetLayerVersionByArn" => vec![json!({ "Arn": format!("arn:aws:lambda:{HERE}:layer:l:1") })],
        "ListLayerVersions" => vec![layer(json!({}))],
        "PublishLayerVersion" => vec![
            layer(json!({ "Content": { "ZipFile": "eno=" } })),
            layer(json!({ "Content": { "S3Bucket": "bucket", "S3Key": "k" } })),
        ],
        "RemoveLayerVersionPermission" => vec![layer(json!({ "VersionNumber": 1, "StatementId": "old" }))],
        "RemovePermission" => vec![f(json!({ "StatementId": "old" }))],
        "PutFunctionConcurrency" => vec![f(json!({ "ReservedConcurrentExecutions": 9 }))],
        "PutFunctionRecursionConfig" => vec![f(json!({ "RecursiveLoop": "Allow" }))],
        "PutRuntimeManagementConfig" => vec![f(json!({ "UpdateRuntimeOn": "Auto" }))],
        "ListTags" => vec![resource],
        "TagResource" => vec![and(resource, json!({ "Tags": { "b": "1" } }))],
        "UntagResource" => vec![and(resource, json!({ "TagKeys": ["a"] }))],
        "UpdateFunctionCode" => vec![
            f(json!({ "ZipFile": "dHdv" })),
            f(json!({ "S3Bucket": "bucket", "S3Key": "k" })),
        ],
        "UpdateFunctionConfiguration" => vec![
            f(json!({})),
            f(json!({ "LoggingConfig": { "LogFormat": "JSON" } })),
        ],
        _ => vec![f(json!({}))],
    }
}

/// What comes of a call in a fresh world; `None` for an input that the model refuses.
fn outcome(operation: &str, input: &Value) -> Option<(Result<String, String>, String)> {
    let known = MODEL.operation(operation)?;
    MODEL.check(known, input.as_object()?).ok()?;
    let mut world = world();
    let told = match world.call(operation, input.clone()) {
        Ok(answer) => Ok(format!("{answer:?}")),
        Err(refused) => Err(format!("{refused:?}")),
    };
    Some((told, format!("{:?}", world.registry)))
}

/// What says that something is refused whatever it is.
const REFUSALS: &[&str] = &[
    "is not supported by this version of triggerfish",
    // Of `SelfManagedEventSource`; with what is missing, it is refused by name.
    "Required 'sourceAccessConfigurations' parameter is missing.",
];
/// The model takes one value of these only.
const CONSTANT: &[&str] = &["AddLayerVersionPermission Action"];

fn is_refused(outcome: &(Result<String, String>, String)) -> bool {
    let told = |refused: &String| REFUSALS.iter().any(|text| refused.contains(text));
    outcome.0.as_ref().is_err_and(told)
}

/// Whether a leaf makes a difference to an input, or is refused.
fn counts(operation: &str, input: &Value, member: &str, leaf: &Leaf) -> bool {
    let mut inputs: Vec<Value> = leaf
        .values
        .iter()
        .map(|value| {
            // The value's members, and what else the input says there.
            let given = input
                .get(member)
                .filter(|given| given.is_object() && member != "Code" && member != "Content");
            let value = given.map_or(value.clone(), |given| and(given.clone(), value.clone()));
            and(input.clone(), json!({ member: value }))
        })
        .collect();
    if leaf.path == member {
        let mut without = input.clone();
        without.as_object_mut().map(|members| members.remove(member));
        inputs.extend([input.clone(), without]);
    }
    let mut outcomes = inputs.iter().filter_map(|input| outcome(operation, input));
    let Some(first) = outcomes.next() else {
        return false;
    };
    let refused = is_refused(&first);
    let differs = outcomes.any(|other| other != first);
    differs || refused
}

#[test]
fn every_member_makes_a_difference_or_is_refused() {
    let mut unread = Vec::new();
    for served in SERVED {
        let inputs = inputs(served.name);
        for input in &inputs {
            let told = outcome(served.name, input).map(|(told, _)| told);
            assert!(
                told.as_ref().is_some_and(Result::is_ok),
                "{} {input}: {told:?}",
                served.name
            );
        }
        for member in served.members.split_whitespace() {
            for leaf in MODEL.samples(served.name, member, TEXTS) {
                if !inputs
                    .iter()
                    .any(|input| counts(served.name, input, member, &leaf))
                {
                    unread.push(format!("{} {}", served.name, leaf.path));
                }
            }
        }
    }
    assert_eq!(unread, CONSTANT);
}
