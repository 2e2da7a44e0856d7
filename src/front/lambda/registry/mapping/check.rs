//! What a mapping names has to be there: its function, its source, its destination (spec/errors §4, §6).
//!
//! Owns the questions and AWS's texts. Deliberately absent: checks that need nothing but the request ([`super::settings`]).

use scenarios::api::error::ApiError;

use super::kind::Kind;
use super::record::Mapping;
use crate::front::lambda::model::Input;
use crate::front::lambda::name::Named;
use crate::front::lambda::registry::{
    EventSource, Moment, Registry, conflict, invalid, not_offered, structure, text,
};

/// Seconds that an invocation of a function may take.
///
/// # Errors
/// It, or what the qualifier names, is not there.
pub fn time_limit(registry: &Registry, function: &Named) -> Result<u32, ApiError> {
    let record = registry.get(&function.name);
    let found = record.and_then(|record| record.resolve(function.qualifier.as_deref()));
    let (_, revision) = found.ok_or_else(|| invalid("Function does not exist"))?;
    Ok(revision.config.timeout)
}

/// The kind of the source that an input names.
///
/// # Errors
/// None is named, nothing that can be polled, or a kind that is not offered here.
pub fn kind(moment: &Moment<'_>, input: &Input, source: &str) -> Result<Kind, ApiError> {
    if input.contains_key("SelfManagedEventSource") {
        return Err(match input.contains_key("SourceAccessConfigurations") {
            true => not_offered("SelfManagedEventSource (Kafka)"),
            false => invalid("Required 'sourceAccessConfigurations' parameter is missing."),
        });
    }
    if source.is_empty() {
        return Err(unrecognized());
    }
    if let EventSource::NotOffered(what) = moment.outside.event_source(source) {
        return Err(not_offered(what));
    }
    Kind::of(source).ok_or_else(unrecognized)
}

/// What AWS says of a source that Lambda polls nothing of.
pub fn unrecognized() -> ApiError {
    invalid("Unrecognized event source.")
}

/// Refuses a source that is not there, and a queue that shows messages again before a function is done with them
/// (spec/event-source-mapping §5.1).
///
/// # Errors
/// As said.
pub fn check_source(
    moment: &Moment<'_>,
    kind: Kind,
    source: &str,
    timeout_seconds: u32,
) -> Result<(), ApiError> {
    match moment.outside.event_source(source) {
        EventSource::NotOffered(what) => Err(not_offered(what)),
        EventSource::Missing => Err(invalid(kind.missing(source))),
        EventSource::Exists {
            visibility_seconds: Some(visible),
        } if visible < timeout_seconds => Err(invalid(format!(
            "Queue visibility timeout: {visible} seconds is less than Function timeout: {timeout_seconds} seconds"
        ))),
        EventSource::Exists { .. } => Ok(()),
    }
}

/// Refuses a destination that is not there, or of a kind that is not offered here.
///
/// # Errors
/// As said.
pub fn check_destination(moment: &Moment<'_>, input: &Input) -> Result<(), ApiError> {
    let failure = structure(input, "DestinationConfig").and_then(|config| structure(config, "OnFailure"));
    let given = failure.and_then(|failure| text(failure, "Destination"));
    let Some(target) = given.filter(|target| !target.is_empty()) else {
        return Ok(());
    };
    let place = moment.place;
    let known = match target.split(':').collect::<Vec<_>>().as_slice() {
        ["kafka", ..] => return Err(not_offered("A Kafka topic as DestinationConfig.OnFailure")),
        ["arn", _, "s3", ..] => return Err(not_offered("A bucket as DestinationConfig.OnFailure")),
        ["arn", _, "sqs" | "sns", region, account, name] => {
            *region == place.region && *account == place.account && moment.outside.sink(name).is_some()
        }
        _ => false,
    };
    match known {
        true => Ok(()),
        false => Err(invalid(format!("The destination ARN {target} is invalid."))),
    }
}

/// Refuses a second mapping of one source and one function with its qualifier (spec/errors §4).
///
/// # Errors
/// As said.
pub fn check_alone(registry: &Registry, kind: Kind, mapping: &Mapping) -> Result<(), ApiError> {
    let same = |other: &&Mapping| {
        other.uuid != mapping.uuid
            && other.source == mapping.source
            && other.function == mapping.function
            && other.qualifier == mapping.qualifier
    };
    let Some(other) = registry.mappings.values().find(same) else {
        return Ok(());
    };
    let function = match &mapping.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", mapping.function),
        None => mapping.function.to_string(),
    };
    Err(conflict(kind.exists(&mapping.source, &function, &other.uuid)))
}
