//! Settings of asynchronous invocations: Put, Update, Get, Delete and ListFunctionEventInvokeConfig(s) (spec/lambda §9.2).
//!
//! Owns them and the checks of destinations. Each qualifier has its own; publishing copies none. Deliberately absent:
//! retries and the sending of records, which are the router's. Destinations are queues, topics and functions; event buses,
//! buckets and Kafka topics are refused by name.

use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::configuration::epoch;
use super::function::PAGE;
use super::target::Asked;
use super::{Moment, Outcome, Registry, Told, invalid, not_offered, number, page, structure, text};
use crate::front::lambda::model::Input;
use crate::front::lambda::name;

/// What becomes of asynchronous events; where something is `None`, AWS's default holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvokeConfig {
    /// Further attempts after a function error, 0 to 2.
    pub retries: Option<u32>,
    /// Seconds that an event is kept, 60 to 21600.
    pub age: Option<u32>,
    /// The ARN that is told of success.
    pub on_success: Option<String>,
    /// The ARN that is told of failure.
    pub on_failure: Option<String>,
    /// When this was set.
    pub modified: Timestamp,
}

/// PutFunctionEventInvokeConfig: what is not given is as if never set.
pub fn put(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = existing(registry, moment, input)?;
    let nothing = InvokeConfig {
        retries: None,
        age: None,
        on_success: None,
        on_failure: None,
        modified: moment.now,
    };
    let config = nothing.with(registry, moment, &asked, input)?;
    set(registry, moment, &asked, config)
}

/// UpdateFunctionEventInvokeConfig: what is not given stays.
pub fn update(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = existing(registry, moment, input)?;
    let config = configured(registry, moment, &asked)?.clone();
    let config = config.with(registry, moment, &asked, input)?;
    set(registry, moment, &asked, config)
}

/// GetFunctionEventInvokeConfig.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    let config = configured(registry, moment, &asked)?;
    Told::json(200, show(moment, &asked, config))
}

/// DeleteFunctionEventInvokeConfig.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    configured(registry, moment, &asked)?;
    if let Some(record) = registry.change(&asked.name) {
        record.invoke_configs.remove(asked.key());
    }
    Told::nothing()
}

/// ListFunctionEventInvokeConfigs, by qualifier.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = existing(registry, moment, input)?.name;
    let configs = registry.functions.get(&name).map(|record| &record.invoke_configs);
    let items = configs.into_iter().flatten().map(|(key, config)| {
        let asked = Asked {
            name: name.clone(),
            qualifier: Some(key.clone()),
        };
        (key.clone(), show(moment, &asked, config))
    });
    let items = items.collect();
    Told::json(200, page(input, PAGE, "FunctionEventInvokeConfigs", items)?)
}

/// What is asked for, if it is there.
fn existing(registry: &Registry, moment: &Moment<'_>, input: &Input) -> Result<Asked, ApiError> {
    let asked = Asked::read(moment, input)?;
    match asked.find(registry) {
        Some(_) => Ok(asked),
        None => Err(ApiError::missing("The function doesn't exist.")),
    }
}

fn configured<'a>(
    registry: &'a Registry,
    moment: &Moment<'_>,
    asked: &Asked,
) -> Result<&'a InvokeConfig, ApiError> {
    let record = registry.functions.get(&asked.name);
    let config = record.and_then(|record| record.invoke_configs.get(asked.key()));
    config.ok_or_else(|| {
        let arn = asked.full_arn(moment);
        ApiError::missing(&format!("The function {arn} doesn't have an EventInvokeConfig"))
    })
}

fn set(registry: &mut Registry, moment: &Moment<'_>, asked: &Asked, config: InvokeConfig) -> Outcome {
    let shown = show(moment, asked, &config);
    if let Some(record) = registry.change(&asked.name) {
        record.invoke_configs.insert(asked.key().to_owned(), config);
    }
    Told::json(200, shown)
}

impl InvokeConfig {
    /// Takes in what an input says.
    fn with(
        mut self,
        registry: &Registry,
        moment: &Moment<'_>,
        asked: &Asked,
        input: &Input,
    ) -> Result<Self, ApiError> {
        let settings = [
            "MaximumRetryAttempts",
            "MaximumEventAgeInSeconds",
            "DestinationConfig",
        ];
        if !settings.iter().any(|setting| input.contains_key(*setting)) {
            return Err(invalid(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let small = |member: &str| number(input, member).and_then(|n| u32::try_from(n).ok());
        self.retries = small("MaximumRetryAttempts").or(self.retries);
        self.age = small("MaximumEventAgeInSeconds").or(self.age);
        let destinations = structure(input, "DestinationConfig");
        let side = |side: &str| destinations.and_then(|destinations| structure(destinations, side));
        if let Some(given) = side("OnSuccess") {
            self.on_success = destination(registry, moment, asked, given)?;
        }
        if let Some(given) = side("OnFailure") {
            self.on_failure = destination(registry, moment, asked, given)?;
        }
        self.modified = moment.now;
        Ok(self)
    }
}

/// A destination that is there; none for an empty one.
fn destination(
    registry: &Registry,
    moment: &Moment<'_>,
    asked: &Asked,
    given: &Input,
) -> Result<Option<String>, ApiError> {
    let Some(arn) = text(given, "Destination").filter(|arn| !arn.is_empty()) else {
        return Ok(None);
    };
    if arn.starts_with("kafka://") {
        return Err(not_offered("A Kafka topic as a destination"));
    }
    let wrong = || invalid(format!("The destination ARN {arn} is invalid."));
    let parts: Vec<&str> = arn.split(':').collect();
    let known = match parts.as_slice() {
        ["arn", _, "events", ..] => return Err(not_offered("An EventBridge bus as a destination")),
        ["arn", _, "s3", ..] => return Err(not_offered("An S3 bucket as a destination")),
        ["arn", _, "lambda", _, _, "function", name, ..] if asked.name.as_str() == *name => {
            return Err(invalid(
                "You can't specify the function as a destination for itself.",
            ));
        }
        ["arn", _, "lambda", _, _, "function", ..] => is_function(registry, moment, arn),
        _ => moment.sink(arn).is_some(),
    };
    if known {
        Ok(Some(arn.to_owned()))
    } else {
        Err(wrong())
    }
}

/// Whether an ARN is a function's that is here, with what its qualifier names.
fn is_function(registry: &Registry, moment: &Moment<'_>, arn: &str) -> bool {
    let Ok(named) = name::function(arn) else {
        return false;
    };
    let record = registry.get(&named.name);
    named
        .check_place(&moment.place.region, &moment.place.account)
        .is_ok()
        && record.is_some_and(|record| record.resolve(named.qualifier.as_deref()).is_some())
}

fn show(moment: &Moment<'_>, asked: &Asked, config: &InvokeConfig) -> Value {
    let side = |arn: &Option<String>| match arn {
        Some(arn) => json!({ "Destination": arn }),
        None => json!({}),
    };
    let mut shown = json!({
        "LastModified": epoch(config.modified),
        "FunctionArn": asked.full_arn(moment),
        "DestinationConfig": {
            "OnSuccess": side(&config.on_success),
            "OnFailure": side(&config.on_failure),
        },
    });
    if let Some(retries) = config.retries {
        shown["MaximumRetryAttempts"] = json!(retries);
    }
    if let Some(age) = config.age {
        shown["MaximumEventAgeInSeconds"] = json!(age);
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::world::{World, and, arn};

    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:q";

    fn world() -> World {
        let mut world = World::with(&["f", "g"]);
        world.outside.sinks.insert("q".to_owned());
        world.done("PublishVersion", json!({ "FunctionName": "f" }));
        world
    }

    fn f(more: Value) -> Value {
        and(json!({ "FunctionName": "f" }), more)
    }

    fn shape(qualifier: &str, more: Value) -> Value {
        let shown = json!({
            "LastModified": 1_764_038_305.123,
            "FunctionArn": arn(&format!("f:{qualifier}")),
            "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
        });
        and(shown, more)
    }

    #[test]
    fn put_overwrites_and_update_merges() {
        let mut world = world();
        let shown = shape("$LATEST", json!({ "MaximumRetryAttempts": 0 }));
        let answer = world.call(
            "PutFunctionEventInvokeConfig",
            f(json!({ "MaximumRetryAttempts": 0 })),
        );
        assert_eq!(answer, Ok((200, shown)));
        let success = json!({ "OnSuccess": { "Destination": QUEUE } });
        let body = world.done(
            "UpdateFunctionEventInvokeConfig",
            f(json!({ "DestinationConfig": success })),
        );
        let both = json!({ "OnSuccess": { "Destination": QUEUE }, "OnFailure": {} });
        assert_eq!(
            body,
            shape(
                "$LATEST",
                json!({ "MaximumRetryAttempts": 0, "DestinationConfig": both })
            )
        );
        assert_eq!(world.done("GetFunctionEventInvokeConfig", f(json!({}))), body);
        let failure = json!({ "OnFailure": { "Destination": arn("g") } });
        let body = world.done(
            "UpdateFunctionEventInvokeConfig",
            f(json!({ "DestinationConfig": failure })),
        );
        let both = json!({ "OnSuccess": { "Destination": QUEUE }, "OnFailure": { "Destination": arn("g") } });
        assert_eq!(body["DestinationConfig"], both);
        let clear = json!({ "OnFailure": {}, "OnSuccess": { "Destination": "" } });
        let body = world.done(
            "UpdateFunctionEventInvokeConfig",
            f(json!({ "DestinationConfig": clear })),
        );
        assert_eq!(body, shape("$LATEST", json!({ "MaximumRetryAttempts": 0 })));
        let body = world.done(
            "PutFunctionEventInvokeConfig",
            f(json!({ "MaximumEventAgeInSeconds": 60 })),
        );
        assert_eq!(body, shape("$LATEST", json!({ "MaximumEventAgeInSeconds": 60 })));
    }

    #[test]
    fn each_qualifier_has_its_own_until_it_is_deleted() {
        let mut world = world();
        for qualifier in ["$LATEST", "1"] {
            let put = f(json!({ "Qualifier": qualifier, "MaximumRetryAttempts": 1 }));
            world.done("PutFunctionEventInvokeConfig", put);
        }
        let item = |qualifier: &str| shape(qualifier, json!({ "MaximumRetryAttempts": 1 }));
        let listed = world.done("ListFunctionEventInvokeConfigs", f(json!({})));
        assert_eq!(
            listed,
            json!({ "FunctionEventInvokeConfigs": [item("$LATEST"), item("1")] })
        );
        assert_eq!(
            world.call("DeleteFunctionEventInvokeConfig", f(json!({}))),
            Ok((204, Value::Null))
        );
        for operation in ["GetFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig"] {
            let text = format!(
                "The function {} doesn't have an EventInvokeConfig",
                arn("f:$LATEST")
            );
            assert_eq!(
                world.refused(operation, f(json!({}))),
                (404, "ResourceNotFoundException", text)
            );
        }
        world.done("DeleteFunction", f(json!({ "Qualifier": "1" })));
        let listed = world.done("ListFunctionEventInvokeConfigs", f(json!({})));
        assert_eq!(listed, json!({ "FunctionEventInvokeConfigs": [] }));
    }

    #[test]
    fn they_are_listed_by_pages() {
        let mut world = world();
        for qualifier in ["$LATEST", "1"] {
            let put = f(json!({ "Qualifier": qualifier, "MaximumRetryAttempts": 1 }));
            world.done("PutFunctionEventInvokeConfig", put);
        }
        let mut page = |more: Value| {
            let body = world.done(
                "ListFunctionEventInvokeConfigs",
                f(and(json!({ "MaxItems": 1 }), more)),
            );
            let items = body["FunctionEventInvokeConfigs"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let arns: Vec<Value> = items.iter().map(|item| item["FunctionArn"].clone()).collect();
            (arns, body.get("NextMarker").cloned())
        };
        let (first, marker) = page(json!({}));
        assert_eq!(first, [arn("f:$LATEST")]);
        assert_eq!(page(json!({ "Marker": marker })), (vec![json!(arn("f:1"))], None));
        for operation in [
            "ListFunctionEventInvokeConfigs",
            "ListProvisionedConcurrencyConfigs",
            "ListFunctionUrlConfigs",
        ] {
            let refused = world.refused(operation, f(json!({ "Marker": "?" })));
            let told = (
                400,
                "InvalidParameterValueException",
                "Invalid marker: ?".to_owned(),
            );
            assert_eq!(refused, told, "{operation}");
            let refused = world.refused(operation, f(json!({ "MaxItems": 51 })));
            assert_eq!(refused.1, "ValidationException", "{operation}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut world = world();
        let retries = |name: &str| json!({ "FunctionName": name, "MaximumRetryAttempts": 1 });
        for (operation, input) in [
            ("PutFunctionEventInvokeConfig", retries("x")),
            ("PutFunctionEventInvokeConfig", retries("f:dead")),
            ("UpdateFunctionEventInvokeConfig", retries("x")),
            ("ListFunctionEventInvokeConfigs", json!({ "FunctionName": "x" })),
        ] {
            let told = (
                404,
                "ResourceNotFoundException",
                "The function doesn't exist.".to_owned(),
            );
            assert_eq!(
                world.refused(operation, input.clone()),
                told,
                "{operation} {input}"
            );
        }
        let text = |q: &str| format!("The function {} doesn't have an EventInvokeConfig", arn(q));
        let refused = world.refused("UpdateFunctionEventInvokeConfig", retries("f:1"));
        assert_eq!(refused.2, text("f:1"));
        let refused = world.refused("GetFunctionEventInvokeConfig", json!({ "FunctionName": "x" }));
        assert_eq!(refused.2, text("x:$LATEST"));
        let refused = world.refused("PutFunctionEventInvokeConfig", f(json!({})));
        let nothing = "You must specify at least one of error handling or destination setting.";
        assert_eq!(
            refused,
            (400, "InvalidParameterValueException", nothing.to_owned())
        );
        for wrong in [
            json!({ "MaximumRetryAttempts": 3 }),
            json!({ "MaximumEventAgeInSeconds": 59 }),
        ] {
            assert_eq!(
                world.refused("PutFunctionEventInvokeConfig", f(wrong)).1,
                "ValidationException"
            );
        }
    }

    #[test]
    fn destinations_are_there_and_not_the_function_itself() {
        let mut world = world();
        let mut text = |arn: &str| {
            let input = f(json!({ "DestinationConfig": { "OnFailure": { "Destination": arn } } }));
            let (status, code, text) = world.refused("PutFunctionEventInvokeConfig", input);
            assert_eq!((status, code), (400, "InvalidParameterValueException"));
            text
        };
        let own = "You can't specify the function as a destination for itself.";
        assert_eq!(text(&arn("f")), own);
        assert_eq!(text(&arn("f:1")), own);
        for missing in [
            &arn("x"),
            &arn("g:1"),
            "arn:aws:lambda:eu-west-1:123456789012:function:g",
            "arn:aws:sqs:us-east-1:123456789012:other",
            "arn:aws:sqs:us-east-1:000000000000:q",
            "arn:aws:sns:eu-west-1:123456789012:q",
            "arn:aws:iam::123456789012:role/q",
        ] {
            assert_eq!(
                text(missing),
                format!("The destination ARN {missing} is invalid.")
            );
        }
        for other in [
            "arn:aws:events:us-east-1:123456789012:event-bus/b",
            "arn:aws:s3:::bucket",
            "kafka://topic",
        ] {
            assert!(
                text(other).contains("is not supported by this version of triggerfish"),
                "{other}"
            );
        }
    }
}
