//! Event source mappings: CreateEventSourceMapping, GetEventSourceMapping, UpdateEventSourceMapping,
//! DeleteEventSourceMapping, ListEventSourceMappings (spec/event-source-mapping §1).
//!
//! Owns what these operations check and change: [`mod@kind`] tells kinds of sources apart; [`settings`] and [`start`]
//! check what is said, patterns with [`router::pattern`]; [`check`] looks whether what is named is there, and [`record`]
//! keeps it. Deliberately absent: the polling, which reads [`super::Registry::mappings`] and says by
//! [`super::Registry::change_mapping`] how it went; and sources, which are asked for by [`super::Outside`].

pub mod check;
pub mod kind;
pub mod record;
pub mod settings;
pub mod start;
#[cfg(test)]
mod tests;

use router::name::FunctionName;
use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::configuration::arn;
use super::{Moment, Outcome, Registry, Told, page, tags, text};
use crate::front::lambda::model::Input;
use crate::front::lambda::name::{self, Named};
use check::{check_alone, check_destination, check_source, kind, time_limit, unrecognized};
use kind::Kind;
pub use record::Mapping;
use record::{Change, Settled, State};
use settings::Settings;

/// Items of a page.
const PAGE: usize = 100;
/// `LastProcessingResult` before the first batch.
const NOTHING_YET: &str = "No records processed";

/// CreateEventSourceMapping.
pub fn create(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let function = function(moment, input)?;
    let source = text(input, "EventSourceArn").unwrap_or_default();
    let kind = kind(moment, input, source)?;
    let settings = Settings::new(kind, source, input)?;
    let tags = tags::read(input, "Tags")?;
    let timeout = time_limit(registry, &function)?;
    check_source(moment, kind, source, timeout)?;
    check_destination(moment, input)?;
    let enabled = input.get("Enabled").and_then(Value::as_bool).unwrap_or(true);
    let mapping = Mapping {
        uuid: fresh(registry, moment),
        source: source.to_owned(),
        function: FunctionName::new(function.name.as_str()),
        qualifier: function.qualifier,
        settings,
        state: match enabled || kind.is_stream() {
            true => State::changing(Change::Creating, enabled, moment.now),
            // A queue's is disabled from the start.
            false => State::Disabled,
        },
        modified: moment.now,
        result: NOTHING_YET.to_owned(),
        problem: None,
        tags,
    };
    check_alone(registry, kind, &mapping)?;
    let shown = mapping.show(moment.place);
    registry.insert_mapping(mapping);
    Told::json(202, shown)
}

/// GetEventSourceMapping. Who looks sees it done, as with functions ([`super::record::TRANSITION`]).
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let uuid = find(registry, input)?.uuid.clone();
    if let Some(until) = registry.mappings.get(&uuid).and_then(Mapping::next_deadline) {
        registry.settle_mapping(&uuid, until);
    }
    Told::json(200, find(registry, input)?.show(moment.place))
}

/// UpdateEventSourceMapping: what is not given stays.
pub fn update(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let mut mapping = find(registry, input)?.clone();
    // Nothing else was ever taken in.
    let kind = Kind::of(&mapping.source).ok_or_else(unrecognized)?;
    mapping.settings.take(kind, input)?;
    if input.contains_key("FunctionName") {
        let function = function(moment, input)?;
        let timeout = time_limit(registry, &function)?;
        check_source(moment, kind, &mapping.source, timeout)?;
        mapping.function = FunctionName::new(function.name.as_str());
        mapping.qualifier = function.qualifier;
    }
    check_destination(moment, input)?;
    let before = match mapping.state {
        State::Enabled => true,
        State::Disabled => false,
        _ => return Err(in_use("update")),
    };
    check_alone(registry, kind, &mapping)?;
    let enabled = input.get("Enabled").and_then(Value::as_bool).unwrap_or(before);
    let change = match (before, enabled) {
        (false, true) => Change::Enabling,
        (true, false) => Change::Disabling,
        _ => Change::Updating,
    };
    mapping.state = State::changing(change, enabled, moment.now);
    mapping.modified = moment.now;
    mapping.problem = None;
    let shown = mapping.show(moment.place);
    registry.insert_mapping(mapping);
    Told::json(202, shown)
}

/// DeleteEventSourceMapping: it is there until it is gone, and the answer shows it once more.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let mut mapping = find(registry, input)?.clone();
    if mapping.next_deadline().is_some() {
        return Err(in_use("delete"));
    }
    mapping.state = State::Deleting {
        until: moment.now + super::record::TRANSITION,
    };
    mapping.modified = moment.now;
    let shown = mapping.show(moment.place);
    registry.insert_mapping(mapping);
    Told::json(202, shown)
}

/// ListEventSourceMappings: those of a source and of a function as it is named, if these are given. Whether these are
/// there is not looked at.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let place = moment.place;
    let function = match input.contains_key("FunctionName") {
        true => Some(function(moment, input)?),
        false => None,
    };
    let function = function.map(|named| {
        let name = FunctionName::new(named.name.as_str());
        arn(place, &name, named.qualifier.as_deref())
    });
    let fitting = registry.mappings.values().filter(|mapping| {
        text(input, "EventSourceArn").is_none_or(|source| source == mapping.source)
            && function
                .as_ref()
                .is_none_or(|arn| *arn == mapping.function_arn(place))
    });
    let items = fitting.map(|mapping| (mapping.uuid.clone(), mapping.show(place)));
    Told::json(200, page(input, PAGE, "EventSourceMappings", items.collect())?)
}

/// An id that no mapping has; those of a run before are still in use.
fn fresh(registry: &Registry, moment: &mut Moment<'_>) -> String {
    loop {
        let uuid = moment.ids.uuid();
        if !registry.mappings.contains_key(&uuid) {
            return uuid;
        }
    }
}

fn find<'a>(registry: &'a Registry, input: &Input) -> Result<&'a Mapping, ApiError> {
    let uuid = text(input, "UUID").unwrap_or_default();
    let missing = || ApiError::missing("The resource you requested does not exist.");
    registry.mappings.get(uuid).ok_or_else(missing)
}

/// The function that an input names, with the qualifier that its ARN will show: that of a full ARN does not say
/// `$LATEST` (spec/event-source-mapping §1.2).
fn function(moment: &Moment<'_>, input: &Input) -> Result<Named, ApiError> {
    let given = text(input, "FunctionName").unwrap_or_default();
    let mut named = name::function(given)?;
    named.check_place(&moment.place.region, &moment.place.account)?;
    if given.starts_with("arn:") {
        named.qualifier = named.qualifier.filter(|qualifier| qualifier != "$LATEST");
    }
    Ok(named)
}

/// Refuses a change of a mapping that another one is under way of.
fn in_use(what: &str) -> ApiError {
    let message = format!("Cannot {what} the event source mapping because it is in use.");
    ApiError {
        status: 400,
        code: "ResourceInUseException",
        body: json!({ "Type": "User", "Message": message }).to_string(),
    }
}

impl Registry {
    /// Takes in a new mapping, or one that was changed.
    pub fn insert_mapping(&mut self, mapping: Mapping) {
        self.changed.mapping(&self.mappings, &mapping.uuid);
        self.mappings.insert(mapping.uuid.clone(), mapping);
    }

    /// A mapping, which is changed thereby.
    pub fn change_mapping(&mut self, uuid: &str) -> Option<&mut Mapping> {
        self.changed.mapping(&self.mappings, uuid);
        self.mappings.get_mut(uuid)
    }

    /// Lets everything happen to mappings that was to happen by `now`.
    pub(super) fn settle_mappings(&mut self, now: Timestamp) {
        let due = self.mappings.values().filter(|mapping| {
            let until = mapping.next_deadline();
            until.is_some_and(|until| until <= now)
        });
        for uuid in due.map(|mapping| mapping.uuid.clone()).collect::<Vec<_>>() {
            self.settle_mapping(&uuid, now);
        }
    }

    fn settle_mapping(&mut self, uuid: &str, now: Timestamp) {
        self.changed.mapping(&self.mappings, uuid);
        let settled = self.mappings.get_mut(uuid).map(|mapping| mapping.settle(now));
        if matches!(settled, Some(Settled::Gone)) {
            self.mappings.remove(uuid);
        }
    }
}
