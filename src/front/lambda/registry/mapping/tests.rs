//! Every answer and every refusal of the operations on mappings.

use std::time::Duration;

use serde_json::{Value, json};

use crate::front::lambda::registry::EventSource;
use crate::front::lambda::registry::world::{World, and, arn, new_function};

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:jobs";
const FIFO: &str = "arn:aws:sqs:us-east-1:123456789012:jobs.fifo";
const TABLE: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2025-01-01T00:00:00.000";
const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
const TOPIC: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/c/1";
const UNKNOWN: &str = "The resource you requested does not exist.";

/// A world with functions `f` and `g`, version 1 and alias `prod` of `f`, and sources of every kind.
fn world() -> World {
    let mut world = World::with(&["f", "g"]);
    world.done("PublishVersion", json!({ "FunctionName": "f" }));
    let alias = json!({ "FunctionName": "f", "Name": "prod", "FunctionVersion": "1" });
    world.done("CreateAlias", alias);
    let stream = EventSource::Exists {
        visibility_seconds: None,
    };
    let queue = EventSource::Exists {
        visibility_seconds: Some(30),
    };
    let kafka = EventSource::NotOffered("Kafka");
    let sources = [
        (QUEUE, queue),
        (FIFO, queue),
        (TABLE, stream),
        (STREAM, stream),
        (TOPIC, kafka),
    ];
    world.outside.sources = sources.map(|(arn, source)| (arn.to_owned(), source)).into();
    world.outside.sinks.insert("lost".to_owned());
    world
}

fn of(source: &str) -> Value {
    match source.contains(":sqs:") {
        true => json!({ "FunctionName": "f", "EventSourceArn": source }),
        false => json!({ "FunctionName": "f", "EventSourceArn": source, "StartingPosition": "LATEST" }),
    }
}

fn create(world: &mut World, input: Value) -> Value {
    world.done("CreateEventSourceMapping", input)
}

/// The text of a refusal for a wrong parameter.
#[track_caller]
fn wrong(world: &mut World, operation: &str, input: Value) -> String {
    let (status, code, text) = world.refused(operation, input);
    assert_eq!((status, code), (400, "InvalidParameterValueException"), "{text}");
    text
}

fn id(mapping: &Value) -> Value {
    json!({ "UUID": mapping["UUID"] })
}

fn without(mut shown: Value, members: &[&str]) -> Value {
    for member in members {
        shown.as_object_mut().map(|all| all.remove(*member));
    }
    shown
}

#[test]
fn a_queue_is_shown_as_aws_shows_it() {
    let mut world = world();
    let (status, body) = world
        .call("CreateEventSourceMapping", of(QUEUE))
        .expect("an answer");
    assert_eq!(status, 202);
    let uuid = body["UUID"].as_str().unwrap_or_default().to_owned();
    assert_eq!(uuid.len(), 36);
    let shown = json!({
        "UUID": uuid, "EventSourceArn": QUEUE, "FunctionArn": arn("f"), "BatchSize": 10,
        "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}"),
        "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [], "LastModified": 1_764_038_305.123,
        "State": "Creating", "StateTransitionReason": "USER_INITIATED",
    });
    assert_eq!(body, shown);
    assert!(world.others.contains(&uuid));
}

#[test]
fn a_stream_is_shown_as_aws_shows_it() {
    let mut world = world();
    let shown = without(
        create(&mut world, of(TABLE)),
        &["UUID", "EventSourceMappingArn", "LastModified"],
    );
    let expected = json!({
        "EventSourceArn": TABLE, "FunctionArn": arn("f"), "StartingPosition": "LATEST", "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0, "ParallelizationFactor": 1, "BisectBatchOnFunctionError": false,
        "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1, "TumblingWindowInSeconds": 0,
        "DestinationConfig": { "OnFailure": {} }, "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed", "State": "Creating", "StateTransitionReason": "User action",
    });
    assert_eq!(shown, expected);
}

#[test]
fn every_member_is_kept() {
    let mut world = world();
    let pattern = r#"{"body":{"n":[1]}}"#;
    let criteria = json!({ "Filters": [{ "Pattern": pattern }] });
    let queue = json!({
        "BatchSize": 20, "MaximumBatchingWindowInSeconds": 1, "ScalingConfig": { "MaximumConcurrency": 2 },
        "FilterCriteria": criteria, "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    let target = "arn:aws:sqs:us-east-1:123456789012:lost";
    let stream = json!({
        "BatchSize": 10000, "MaximumBatchingWindowInSeconds": 300, "ParallelizationFactor": 10,
        "MaximumRetryAttempts": 0, "MaximumRecordAgeInSeconds": 60, "BisectBatchOnFunctionError": true,
        "TumblingWindowInSeconds": 900, "DestinationConfig": { "OnFailure": { "Destination": target } },
        "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1700000000.5, "FilterCriteria": criteria,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    for (source, members) in [(QUEUE, queue), (STREAM, stream)] {
        let shown = create(&mut world, and(of(source), members.clone()));
        for (member, value) in members.as_object().into_iter().flatten() {
            assert_eq!(&shown[member], value, "{member}");
        }
    }
    let none = json!({ "FilterCriteria": { "Filters": [] } });
    assert_eq!(
        create(&mut world, and(of(TABLE), none)).get("FilterCriteria"),
        None
    );
}

#[test]
fn the_function_is_shown_as_it_was_named() {
    let mut world = world();
    for (name, shown) in [
        ("f".to_owned(), "f"),
        ("f:$LATEST".to_owned(), "f:$LATEST"),
        ("f:1".to_owned(), "f:1"),
        ("123456789012:function:f:prod".to_owned(), "f:prod"),
    ] {
        let body = create(&mut world, and(of(QUEUE), json!({ "FunctionName": name })));
        assert_eq!(body["FunctionArn"], arn(shown), "{name}");
    }
    // AWS's own: a full ARN loses $LATEST.
    let full = and(of(TABLE), json!({ "FunctionName": arn("f:$LATEST") }));
    assert_eq!(create(&mut world, full)["FunctionArn"], arn("f"));
    for name in ["x", "f:9", "f:dev"] {
        let input = and(of(FIFO), json!({ "FunctionName": name }));
        assert_eq!(
            wrong(&mut world, "CreateEventSourceMapping", input),
            "Function does not exist"
        );
    }
    let other = and(of(FIFO), json!({ "FunctionName": "000000000000:function:f" }));
    assert_eq!(world.refused("CreateEventSourceMapping", other).0, 403);
}

#[test]
fn states_pass_and_who_looks_sees_the_next() {
    let mut world = world();
    let mapping = create(&mut world, of(QUEUE));
    world.pass(Duration::from_millis(99));
    let state = |world: &World| {
        world
            .registry
            .mappings
            .values()
            .next()
            .map(|mapping| mapping.state.word())
    };
    assert_eq!(state(&world), Some("Creating"));
    world.pass(Duration::from_millis(1));
    assert_eq!(state(&world), Some("Enabled"));
    for (update, first, then) in [
        (json!({ "BatchSize": 5 }), "Updating", "Enabled"),
        (json!({ "Enabled": false }), "Disabling", "Disabled"),
        (json!({ "Enabled": false }), "Updating", "Disabled"),
        (json!({}), "Updating", "Disabled"),
        (json!({ "Enabled": true }), "Enabling", "Enabled"),
    ] {
        let (status, body) = world
            .call("UpdateEventSourceMapping", and(id(&mapping), update.clone()))
            .expect("an answer");
        assert_eq!((status, &body["State"]), (202, &json!(first)), "{update}");
        let (status, body) = world
            .call("GetEventSourceMapping", id(&mapping))
            .expect("an answer");
        assert_eq!(
            (status, &body["State"], &body["BatchSize"]),
            (200, &json!(then), &json!(5)),
            "{update}"
        );
    }
    let (status, body) = world
        .call("DeleteEventSourceMapping", id(&mapping))
        .expect("an answer");
    assert_eq!(
        (status, &body["State"], &body["BatchSize"]),
        (202, &json!("Deleting"), &json!(5))
    );
    world.others.clear();
    world.pass(Duration::from_millis(100));
    assert_eq!(world.others.len(), 1);
    assert_eq!(world.registry.next_deadline(), None);
    for operation in [
        "GetEventSourceMapping",
        "UpdateEventSourceMapping",
        "DeleteEventSourceMapping",
    ] {
        let refused = world.refused(operation, id(&mapping));
        assert_eq!(
            refused,
            (404, "ResourceNotFoundException", UNKNOWN.to_owned()),
            "{operation}"
        );
    }
}

#[test]
fn a_mapping_that_is_not_enabled_does_not_poll() {
    let mut world = world();
    let off = json!({ "Enabled": false });
    let queue = create(&mut world, and(of(QUEUE), off.clone()));
    assert_eq!(queue["State"], "Disabled");
    let stream = create(&mut world, and(of(TABLE), off));
    assert_eq!(stream["State"], "Creating");
    assert_eq!(
        world.done("GetEventSourceMapping", id(&stream))["State"],
        "Disabled"
    );
    assert!(world.registry.mappings.values().all(|mapping| !mapping.polls()));
    world.done(
        "UpdateEventSourceMapping",
        and(id(&queue), json!({ "Enabled": true })),
    );
    world.pass(Duration::from_secs(1));
    world.done(
        "UpdateEventSourceMapping",
        and(id(&queue), json!({ "BatchSize": 1 })),
    );
    assert_eq!(
        world
            .registry
            .mappings
            .values()
            .filter(|mapping| mapping.polls())
            .count(),
        1
    );
}

#[test]
fn what_is_being_changed_is_in_use() {
    let mut world = world();
    let mapping = create(&mut world, of(QUEUE));
    for (operation, what) in [
        ("UpdateEventSourceMapping", "update"),
        ("DeleteEventSourceMapping", "delete"),
    ] {
        let text = format!("Cannot {what} the event source mapping because it is in use.");
        let body = json!({ "Type": "User", "Message": text });
        let refused = world.call(operation, id(&mapping)).err();
        assert_eq!(refused, Some((400, "ResourceInUseException", body)));
    }
}

#[test]
fn an_update_leaves_what_it_does_not_name_and_checks_the_rest_together() {
    let mut world = world();
    let criteria = json!({ "FilterCriteria": { "Filters": [{ "Pattern": r#"{"body":["x"]}"# }] } });
    let more = and(criteria, json!({ "ScalingConfig": { "MaximumConcurrency": 5 } }));
    let mapping = create(&mut world, and(of(QUEUE), more));
    world.pass(Duration::from_secs(1));
    let update = |world: &mut World, more: Value| {
        let shown = world.done("UpdateEventSourceMapping", and(id(&mapping), more));
        world.pass(Duration::from_secs(1));
        shown
    };
    let shown = update(&mut world, json!({ "FunctionName": "g" }));
    assert_eq!(shown["FunctionArn"], arn("g"));
    assert_eq!(shown["ScalingConfig"], json!({ "MaximumConcurrency": 5 }));
    assert!(shown["LastModified"].as_f64() > mapping["LastModified"].as_f64());
    let big = and(id(&mapping), json!({ "BatchSize": 11 }));
    let text =
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    assert_eq!(wrong(&mut world, "UpdateEventSourceMapping", big), text);
    update(&mut world, json!({ "MaximumBatchingWindowInSeconds": 1 }));
    let shown = update(
        &mut world,
        json!({ "BatchSize": 11, "ScalingConfig": {}, "FilterCriteria": {} }),
    );
    assert_eq!(
        (shown.get("ScalingConfig"), shown.get("FilterCriteria")),
        (None, None)
    );
    let gone = and(id(&mapping), json!({ "FunctionName": "x" }));
    assert_eq!(
        wrong(&mut world, "UpdateEventSourceMapping", gone),
        "Function does not exist"
    );
}

#[test]
fn a_destination_can_be_taken_away() {
    let mut world = world();
    let target = "arn:aws:sns:us-east-1:123456789012:lost";
    let to = |target: &str| json!({ "DestinationConfig": { "OnFailure": { "Destination": target } } });
    let mapping = create(&mut world, and(of(TABLE), to(target)));
    for none in [json!({ "DestinationConfig": {} }), to("")] {
        world.pass(Duration::from_secs(1));
        let shown = world.done("UpdateEventSourceMapping", and(id(&mapping), none));
        assert_eq!(shown["DestinationConfig"], json!({ "OnFailure": {} }));
        world.pass(Duration::from_secs(1));
        world.done("UpdateEventSourceMapping", and(id(&mapping), to(target)));
    }
    for (target, text) in [
        (
            "arn:aws:sqs:us-east-1:123456789012:x",
            "The destination ARN arn:aws:sqs:us-east-1:123456789012:x is invalid.",
        ),
        (
            "arn:aws:sqs:eu-west-1:123456789012:lost",
            "The destination ARN arn:aws:sqs:eu-west-1:123456789012:lost is invalid.",
        ),
        (
            "arn:aws:s3:::b",
            "A bucket as DestinationConfig.OnFailure is not supported by this version of triggerfish",
        ),
        (
            "kafka://t",
            "A Kafka topic as DestinationConfig.OnFailure is not supported by this version of triggerfish",
        ),
    ] {
        let input = and(of(STREAM), to(target));
        assert_eq!(wrong(&mut world, "CreateEventSourceMapping", input), text);
    }
}

#[test]
fn a_source_has_to_be_known_and_there() {
    let mut world = world();
    let named = |source: &str| and(of(QUEUE), json!({ "EventSourceArn": source }));
    let gone = TABLE.replace("table/t", "table/x");
    let at_gone = and(named(&gone), json!({ "StartingPosition": "LATEST" }));
    let kafka = json!({
        "FunctionName": "f", "SelfManagedEventSource": { "Endpoints": { "KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000"] } },
    });
    let access = json!({ "SourceAccessConfigurations": [{ "Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s" }] });
    for (input, text) in [
        (json!({ "FunctionName": "x" }), "Unrecognized event source.".to_owned()),
        (named("arn:aws:s3:::bucket"), "Unrecognized event source.".to_owned()),
        (named(TOPIC), "Kafka is not supported by this version of triggerfish".to_owned()),
        (
            named(&QUEUE.replace("jobs", "x")),
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.".to_owned(),
        ),
        (at_gone, format!("Stream not found: {gone}")),
        (kafka.clone(), "Required 'sourceAccessConfigurations' parameter is missing.".to_owned()),
        (
            and(kafka, access),
            "SelfManagedEventSource (Kafka) is not supported by this version of triggerfish".to_owned(),
        ),
    ] {
        assert_eq!(wrong(&mut world, "CreateEventSourceMapping", input), text);
    }
}

#[test]
fn a_queue_hides_messages_for_as_long_as_a_function_may_take() {
    let mut world = world();
    for (name, timeout) in [("quick", 30), ("slow", 31)] {
        world.done(
            "CreateFunction",
            and(new_function(name), json!({ "Timeout": timeout })),
        );
    }
    let slow = and(of(QUEUE), json!({ "FunctionName": "slow" }));
    let text = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds";
    assert_eq!(wrong(&mut world, "CreateEventSourceMapping", slow), text);
    create(&mut world, and(of(QUEUE), json!({ "FunctionName": "quick" })));
}

#[test]
fn a_stream_starts_somewhere_it_can() {
    let mut world = world();
    let at = |source: &str, more: Value| and(json!({ "FunctionName": "f", "EventSourceArn": source }), more);
    let text = "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.";
    assert_eq!(
        wrong(&mut world, "CreateEventSourceMapping", at(TABLE, json!({}))),
        text
    );
    let then = json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1 });
    let text = format!("Unsupported starting position for arn type: {TABLE}");
    assert_eq!(
        wrong(&mut world, "CreateEventSourceMapping", at(TABLE, then)),
        text
    );
    let never = json!({ "StartingPosition": "AT_TIMESTAMP" });
    let text = wrong(&mut world, "CreateEventSourceMapping", at(STREAM, never));
    assert!(text.contains("needs a StartingPositionTimestamp"), "{text}");
    let both = json!({ "StartingPosition": "LATEST", "StartingPositionTimestamp": 1 });
    let text = wrong(&mut world, "CreateEventSourceMapping", at(STREAM, both));
    assert!(text.contains("leave it out with LATEST"), "{text}");
    for member in ["StartingPosition", "StartingPositionTimestamp"] {
        let value = if member == "StartingPosition" {
            json!("LATEST")
        } else {
            json!(1)
        };
        let text = wrong(
            &mut world,
            "CreateEventSourceMapping",
            at(QUEUE, json!({ member: value })),
        );
        assert_eq!(text, format!("{member} is not valid for SQS event sources."));
    }
    let refused = world.refused(
        "CreateEventSourceMapping",
        at(TABLE, json!({ "StartingPosition": "invalid" })),
    );
    let text = "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]";
    assert_eq!(refused, (400, "ValidationException", text.to_owned()));
}

#[test]
fn batches_have_the_rules_of_their_source() {
    let mut world = world();
    let window =
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    for (source, size, seconds, text) in [
        (QUEUE, 11, 0, window),
        (
            FIFO,
            11,
            0,
            "BatchSize 11 is too large: a batch of a FIFO queue has 10 messages at most",
        ),
        (FIFO, 10, 1, "Batching window is not supported for FIFO queues"),
        (FIFO, 100, 5, "Batching window is not supported for FIFO queues"),
    ] {
        let batch = json!({ "BatchSize": size, "MaximumBatchingWindowInSeconds": seconds });
        assert_eq!(
            wrong(&mut world, "CreateEventSourceMapping", and(of(source), batch)),
            text
        );
    }
    for (source, size, seconds) in [(QUEUE, 10000, 1), (FIFO, 10, 0), (TABLE, 10000, 0)] {
        let batch = json!({ "BatchSize": size, "MaximumBatchingWindowInSeconds": seconds });
        create(&mut world, and(of(source), batch));
    }
    for seconds in [-2, 0, 59, 604_801] {
        let age = json!({ "MaximumRecordAgeInSeconds": seconds });
        assert_eq!(
            world.refused("CreateEventSourceMapping", and(of(STREAM), age)).0,
            400,
            "{seconds}"
        );
    }
}

#[test]
fn members_belong_to_kinds_of_sources() {
    let mut world = world();
    let target = json!({ "Destination": "arn:aws:sqs:us-east-1:123456789012:lost" });
    for (source, member, value) in [
        (QUEUE, "DestinationConfig", json!({ "OnSuccess": target })),
        (QUEUE, "DestinationConfig", json!({ "OnFailure": target })),
        (TABLE, "DestinationConfig", json!({ "OnSuccess": target })),
        (QUEUE, "ParallelizationFactor", json!(1)),
        (QUEUE, "MaximumRecordAgeInSeconds", json!(-1)),
        (QUEUE, "BisectBatchOnFunctionError", json!(false)),
        (QUEUE, "MaximumRetryAttempts", json!(1)),
        (QUEUE, "TumblingWindowInSeconds", json!(0)),
        (TABLE, "ScalingConfig", json!({ "MaximumConcurrency": 2 })),
    ] {
        // Before it is looked whether the function is there.
        let input = and(of(source), json!({ "FunctionName": "x", member: value }));
        let text = format!("Unsupported {member} parameter for given event source mapping type.");
        assert_eq!(wrong(&mut world, "CreateEventSourceMapping", input), text);
    }
    for (member, value) in [
        ("KMSKeyArn", json!("arn:aws:kms:us-east-1:123456789012:key/k")),
        ("MetricsConfig", json!({ "Metrics": ["EventCount"] })),
        ("LoggingConfig", json!({ "SystemLogLevel": "INFO" })),
        ("ProvisionedPollerConfig", json!({ "MinimumPollers": 1 })),
        ("Queues", json!(["q"])),
        ("Topics", json!(["topic"])),
    ] {
        let text = wrong(
            &mut world,
            "CreateEventSourceMapping",
            and(of(QUEUE), json!({ member: value })),
        );
        assert_eq!(
            text,
            format!("{member} is not supported by this version of triggerfish")
        );
    }
    let nothing = json!({ "KMSKeyArn": "", "MetricsConfig": { "Metrics": [] } });
    create(&mut world, and(of(QUEUE), nothing));
}

#[test]
fn filters_are_patterns_and_not_too_many() {
    let mut world = world();
    let with = |filters: Value| and(of(QUEUE), json!({ "FilterCriteria": { "Filters": filters } }));
    for pattern in [
        "null",
        "\"simple string\"",
        r#"{"eventSource":"aws:sqs"}"#,
        r#"{"eventSource":[]}"#,
    ] {
        let text = wrong(
            &mut world,
            "CreateEventSourceMapping",
            with(json!([{ "Pattern": pattern }])),
        );
        assert_eq!(text, "Invalid filter pattern definition.");
    }
    assert_eq!(
        wrong(&mut world, "CreateEventSourceMapping", with(json!([{}]))),
        "Invalid filter pattern definition."
    );
    let filters = |n: usize| json!(vec![json!({ "Pattern": r#"{"body":["x"]}"# }); n]);
    let text = wrong(&mut world, "CreateEventSourceMapping", with(filters(6)));
    assert!(
        text.starts_with("FilterCriteria has 6 filters: a mapping has 5 at most"),
        "{text}"
    );
    create(&mut world, with(filters(5)));
}

#[test]
fn one_source_and_function_have_one_mapping() {
    let mut world = world();
    for source in [QUEUE, TABLE] {
        let first = create(&mut world, of(source));
        create(&mut world, and(of(source), json!({ "FunctionName": "g" })));
        let qualified = create(&mut world, and(of(source), json!({ "FunctionName": "f:prod" })));
        for (input, function, uuid) in [
            (of(source), "f", &first["UUID"]),
            (
                and(of(source), json!({ "FunctionName": "f:prod" })),
                "f:prod",
                &qualified["UUID"],
            ),
        ] {
            let uuid = uuid.as_str().unwrap_or_default();
            let hint = format!("Please update or delete the existing mapping with UUID {uuid}");
            let text = match source {
                QUEUE => format!(
                    "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" {function} \") already exists. {hint}"
                ),
                _ => format!(
                    "The event source arn (\" {TABLE} \") and function (\" {function} \") provided mapping already exists. {hint}"
                ),
            };
            let refused = world.refused("CreateEventSourceMapping", input);
            assert_eq!(refused, (409, "ResourceConflictException", text));
        }
        world.pass(Duration::from_secs(1));
        let clash = and(id(&qualified), json!({ "FunctionName": "f" }));
        assert_eq!(world.refused("UpdateEventSourceMapping", clash).0, 409);
    }
}

#[test]
fn mappings_are_listed_by_source_and_function() {
    let mut world = world();
    for (source, function) in [(QUEUE, "f"), (QUEUE, "g"), (TABLE, "f"), (TABLE, "f:1")] {
        create(&mut world, and(of(source), json!({ "FunctionName": function })));
    }
    let mut count = |filter: Value| {
        let body = world.done("ListEventSourceMappings", filter);
        body["EventSourceMappings"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count(json!({})), 4);
    assert_eq!(count(json!({ "EventSourceArn": QUEUE })), 2);
    assert_eq!(count(json!({ "FunctionName": "f" })), 2);
    assert_eq!(count(json!({ "FunctionName": arn("f:1") })), 1);
    assert_eq!(count(json!({ "FunctionName": "f", "EventSourceArn": TABLE })), 1);
    assert_eq!(count(json!({ "FunctionName": "doesnotexist" })), 0);
    let first = world.done("ListEventSourceMappings", json!({ "MaxItems": 3 }));
    let rest = json!({ "Marker": first["NextMarker"] });
    let rest = world.done("ListEventSourceMappings", rest);
    assert_eq!(rest["EventSourceMappings"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_mapping_outlives_its_function() {
    let mut world = world();
    let mapping = create(&mut world, of(QUEUE));
    world.done("DeleteFunction", json!({ "FunctionName": "f" }));
    assert_eq!(
        world.done("GetEventSourceMapping", id(&mapping))["State"],
        "Enabled"
    );
}

#[test]
fn mappings_have_tags() {
    let mut world = world();
    let mapping = create(&mut world, and(of(QUEUE), json!({ "Tags": { "a": "1" } })));
    let resource = json!({ "Resource": mapping["EventSourceMappingArn"] });
    let tags = |world: &mut World| world.done("ListTags", resource.clone())["Tags"].clone();
    assert_eq!(tags(&mut world), json!({ "a": "1" }));
    let more = and(resource.clone(), json!({ "Tags": { "a": "2", "b": "3" } }));
    assert_eq!(world.call("TagResource", more), Ok((204, Value::Null)));
    assert_eq!(tags(&mut world), json!({ "a": "2", "b": "3" }));
    let less = and(resource.clone(), json!({ "TagKeys": ["a", "none"] }));
    assert_eq!(world.call("UntagResource", less), Ok((204, Value::Null)));
    assert_eq!(tags(&mut world), json!({ "b": "3" }));
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (n.to_string(), json!(""))).collect();
    let many = and(resource.clone(), json!({ "Tags": many }));
    assert_eq!(
        wrong(&mut world, "TagResource", many),
        "Number of tags exceeds resource tag limit."
    );
    let other =
        "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:00000000-0000-4000-8000-000000000000";
    let text = format!("Event source mapping not found: {other}");
    for (operation, more) in [
        ("ListTags", json!({})),
        ("TagResource", json!({ "Tags": { "a": "1" } })),
        ("UntagResource", json!({ "TagKeys": ["a"] })),
    ] {
        let refused = world.refused(operation, and(json!({ "Resource": other }), more));
        assert_eq!(
            refused,
            (404, "ResourceNotFoundException", text.clone()),
            "{operation}"
        );
    }
}

#[test]
fn an_id_that_was_kept_is_not_drawn_again() {
    let mut first = world();
    let kept = create(&mut first, of(QUEUE));
    // Ids begin again with a run, records do not.
    let mut second = world();
    second.registry.mappings = std::mem::take(&mut first.registry.mappings);
    let made = create(&mut second, of(TABLE));
    assert_ne!(made["UUID"], kept["UUID"]);
    assert_eq!(second.registry.mappings.len(), 2);
}

#[test]
fn what_a_poller_says_is_shown() {
    let mut world = world();
    let shown = create(&mut world, of(TABLE));
    let uuid = shown["UUID"].as_str().unwrap_or_default();
    world.pass(Duration::from_secs(1));
    let mapping = world.registry.change_mapping(uuid).expect("it was made");
    mapping.result = "OK".to_owned();
    mapping.problem = Some("PROBLEM: Function not found".to_owned());
    let body = world.done("GetEventSourceMapping", id(&shown));
    assert_eq!(body["LastProcessingResult"], "OK");
    assert_eq!(body["StateTransitionReason"], "PROBLEM: Function not found");
    let body = world.done("UpdateEventSourceMapping", id(&shown));
    assert_eq!(body["StateTransitionReason"], "User action");
}
