use std::time::Duration;

use serde_json::{Value, json};

use super::super::world::{World, and, new_function};
use super::runtimes::{RETIRED, RUNTIMES};

/// The text with which a new function with some members more is refused.
fn text(more: Value) -> String {
    refused(&mut World::default(), more)
}

fn refused(world: &mut World, more: Value) -> String {
    let (status, code, text) = world.refused("CreateFunction", and(new_function("f"), more));
    assert_eq!(status, 400);
    assert!(
        ["InvalidParameterValueException", "ValidationException"].contains(&code),
        "{code}"
    );
    text
}

#[test]
fn runtimes_are_taken_retired_unknown_or_not_here() {
    for runtime in RUNTIMES {
        World::default().done(
            "CreateFunction",
            and(new_function("f"), json!({ "Runtime": runtime })),
        );
    }
    for runtime in RETIRED {
        let told = format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        );
        assert_eq!(text(json!({ "Runtime": runtime })), told);
        let mut world = World::default();
        world.outside.takes_retired = true;
        world.done(
            "CreateFunction",
            and(new_function("f"), json!({ "Runtime": runtime })),
        );
    }
    let mut world = World::default();
    let why = "java21 is not installed here".to_owned();
    world.outside.cannot_run.insert("java21".to_owned(), why.clone());
    assert_eq!(refused(&mut world, json!({ "Runtime": "java21" })), why);
}

#[test]
fn runtime_and_handler_are_needed() {
    let told = "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
    assert_eq!(text(json!({ "Runtime": null })), told);
    assert_eq!(text(json!({ "Handler": null })), told);
}

#[test]
fn numbers_have_limits() {
    let over = |path: &str, value: u32, limit: u32| {
        format!(
            "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must have value less than or equal to {limit}"
        )
    };
    assert_eq!(text(json!({ "Timeout": 901 })), over("timeout", 901, 900));
    assert_eq!(
        text(json!({ "MemorySize": 10241 })),
        over("memorySize", 10241, 10240)
    );
    let storage = json!({ "EphemeralStorage": { "Size": 10241 } });
    assert_eq!(text(storage), over("ephemeralStorage.size", 10241, 10240));
    for small in [
        json!({ "Timeout": 0 }),
        json!({ "MemorySize": 127 }),
        json!({ "EphemeralStorage": { "Size": 511 } }),
    ] {
        let told = text(small);
        assert!(
            told.contains("Member must have value greater than or equal to"),
            "{told}"
        );
    }
    let most = json!({ "Timeout": 900, "MemorySize": 10240, "EphemeralStorage": { "Size": 10240 } });
    World::default().done("CreateFunction", and(new_function("f"), most));
}

#[test]
fn variables_are_neither_reserved_nor_too_many() {
    let start = "Lambda was unable to configure your environment variables because the environment variables you have provided";
    let with = |variables: Value| json!({ "Environment": { "Variables": variables } });
    assert_eq!(
        text(with(
            json!({ "AWS_REGION": "r", "AB": "1", "LAMBDA_TASK_ROOT": "/" })
        )),
        format!(
            "{start} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"
        )
    );
    // {"AB":""} is nine bytes of the limit.
    let of = |length: usize| with(json!({ "AB": "x".repeat(length - 9) }));
    World::default().done("CreateFunction", and(new_function("f"), of(4096)));
    let measured = format!("{{\"AB\":\"{}\"}}", "x".repeat(4088));
    assert_eq!(
        text(of(4097)),
        format!("{start} exceeded the 4KB limit. String measured: {measured}")
    );
}

#[test]
fn log_levels_are_of_logs_in_json() {
    let told = "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the LogFormat to \"JSON\" and try again.";
    assert_eq!(
        text(json!({ "LoggingConfig": { "ApplicationLogLevel": "DEBUG" } })),
        told
    );
    let logging = json!({ "LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": "g" });
    let shown = json!({
        "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": "g",
    });
    let mut world = World::default();
    let body = world.done(
        "CreateFunction",
        and(new_function("f"), json!({ "LoggingConfig": logging })),
    );
    assert_eq!(body["LoggingConfig"], shown);
    world.pass(Duration::from_secs(1));
    let text = json!({ "FunctionName": "f", "LoggingConfig": { "LogFormat": "Text" } });
    let body = world.done("UpdateFunctionConfiguration", text);
    assert_eq!(
        body["LoggingConfig"],
        json!({ "LogFormat": "Text", "LogGroup": "g" })
    );
}

#[test]
fn layers_are_few_of_this_region_and_there() {
    let layer = |region: &str, name: &str, version: u32| {
        format!("arn:aws:lambda:{region}:123456789012:layer:{name}:{version}")
    };
    let with = |layers: &[String]| text(json!({ "Layers": layers }));
    let six: Vec<String> = (0..6).map(|n| layer("us-east-1", &format!("l{n}"), 1)).collect();
    assert_eq!(with(&six), "Cannot reference more than 5 layers.");
    assert_eq!(
        with(&[layer("eu-west-1", "l", 1)]),
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
    );
    let (one, two) = (layer("us-east-1", "l", 1), layer("us-east-1", "l", 2));
    assert_eq!(
        with(&[one.clone(), two.clone()]),
        format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {one} and {two} are versions of the same layer."
        )
    );
    assert_eq!(
        with(std::slice::from_ref(&one)),
        format!("Layer version {one} does not exist.")
    );
}

#[test]
fn what_means_nothing_here_is_refused_unless_it_asks_for_nothing() {
    let nothing = json!({
        "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": false }, "FileSystemConfigs": [], "PackageType": "Zip",
        "KMSKeyArn": "", "SnapStart": { "ApplyOn": "None" }, "Layers": [],
    });
    World::default().done("CreateFunction", and(new_function("f"), nothing));
    for something in [
        json!({ "VpcConfig": { "SubnetIds": ["subnet-1"] } }),
        json!({ "VpcConfig": { "SecurityGroupIds": ["sg-1"] } }),
        json!({ "VpcConfig": { "SubnetIds": [], "Ipv6AllowedForDualStack": true } }),
        json!({ "Code": { "S3Bucket": "bucket", "S3Key": "k", "S3ObjectStorageMode": "REFERENCE" } }),
        json!({ "PackageType": "Image" }),
        json!({ "SnapStart": { "ApplyOn": "PublishedVersions" } }),
        json!({ "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k" }),
        json!({ "Code": { "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/i:1" } }),
    ] {
        let told = text(something.clone());
        assert!(
            told.ends_with("is not supported by this version of triggerfish"),
            "{something}: {told}"
        );
    }
}

#[test]
fn code_is_somewhere() {
    for (code, told) in [
        (json!({}), "Please provide a source for function code."),
        (
            json!({ "S3Bucket": "bucket" }),
            "Please provide both S3Bucket and S3Key.",
        ),
        (
            json!({ "S3Bucket": "missing", "S3Key": "k" }),
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist",
        ),
        (
            json!({ "S3Bucket": "hot-reload", "S3Key": "here" }),
            "With S3Bucket hot-reload, S3Key is the absolute path of a folder; here is not absolute",
        ),
    ] {
        assert_eq!(text(json!({ "Code": code })), told);
    }
    let mut world = World::default();
    let folder = json!({ "Code": { "S3Bucket": "hot-reload", "S3Key": "/folder" } });
    world.done("CreateFunction", and(new_function("f"), folder));
    world.pass(Duration::from_secs(1));
    let published = world.done("PublishVersion", json!({ "FunctionName": "f" }));
    assert_ne!(published["CodeSize"], 0);
}

#[test]
fn a_dead_letter_target_is_there() {
    for arn in [
        "arn:aws:sqs:us-east-1:123456789012:q",
        "arn:aws:sns:us-east-1:123456789012:q",
    ] {
        let target = || json!({ "DeadLetterConfig": { "TargetArn": arn } });
        assert_eq!(text(target()), format!("The destination ARN {arn} is invalid."));
        let mut world = World::default();
        world.outside.sinks.insert("q".to_owned());
        let body = world.done("CreateFunction", and(new_function("f"), target()));
        assert_eq!(body["DeadLetterConfig"], json!({ "TargetArn": arn }));
    }
}
