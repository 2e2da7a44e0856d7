//! Tags: TagResource, UntagResource, ListTags (spec/lambda §8.7).
//!
//! Functions and event source mappings have them; an alias or a version has none.

use std::collections::BTreeMap;

use router::name::FunctionName;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::configuration::arn;
use super::{Moment, Outcome, Registry, Told, invalid, structure, text};
use crate::front::lambda::model::Input;
use crate::front::lambda::name;

/// Tags that a resource may have.
const MOST: usize = 50;

/// The tags of an input.
///
/// # Errors
/// Too many.
pub fn read(input: &Input, member: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let pairs = structure(input, member).into_iter().flatten();
    let tags = pairs
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    check(tags)
}

fn check(tags: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ApiError> {
    match tags.len() > MOST {
        true => Err(invalid("Number of tags exceeds resource tag limit.")),
        false => Ok(tags),
    }
}

/// TagResource: tags of the same key are replaced.
pub fn tag(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let resource = resource(registry, moment, input)?;
    let mut tags = resource.tags(registry).clone();
    tags.extend(read(input, "Tags")?);
    set(registry, moment, &resource, check(tags)?)
}

/// UntagResource.
pub fn untag(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let resource = resource(registry, moment, input)?;
    let mut tags = resource.tags(registry).clone();
    for key in input
        .get("TagKeys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        tags.remove(key.as_str().unwrap_or_default());
    }
    set(registry, moment, &resource, tags)
}

/// ListTags.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let resource = resource(registry, moment, input)?;
    Told::json(200, json!({ "Tags": resource.tags(registry) }))
}

/// Something that has tags, and is there.
enum Tagged {
    Function(FunctionName),
    Mapping(String),
}

impl Tagged {
    fn tags<'a>(&self, registry: &'a Registry) -> &'a BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        let found = match self {
            Tagged::Function(name) => registry.functions.get(name).map(|record| &record.tags),
            Tagged::Mapping(uuid) => registry.mappings.get(uuid).map(|mapping| &mapping.tags),
        };
        found.unwrap_or(&NONE)
    }
}

fn set(
    registry: &mut Registry,
    moment: &mut Moment<'_>,
    resource: &Tagged,
    tags: BTreeMap<String, String>,
) -> Outcome {
    match resource {
        Tagged::Function(name) => {
            let revision = moment.ids.uuid();
            if let Some(record) = registry.change(name) {
                record.tags = tags;
                record.latest.revision_id = revision;
            }
        }
        Tagged::Mapping(uuid) => {
            if let Some(mapping) = registry.change_mapping(uuid) {
                mapping.tags = tags;
            }
        }
    }
    Told::nothing()
}

/// What `Resource` is the ARN of; that it is no alias or version is looked at before whether it exists
/// (spec/errors §8).
fn resource(registry: &Registry, moment: &Moment<'_>, input: &Input) -> Result<Tagged, ApiError> {
    let resource = text(input, "Resource").unwrap_or_default();
    let what = match resource.split(':').nth(5) {
        None | Some("function") => return function(registry, moment, resource),
        Some("event-source-mapping") => {
            let mut mappings = registry.mappings.values();
            if let Some(mapping) = mappings.find(|mapping| mapping.arn(moment.place) == resource) {
                return Ok(Tagged::Mapping(mapping.uuid.clone()));
            }
            "Event source mapping"
        }
        Some("code-signing-config") => "Code signing config",
        Some("capacity-provider") => "Capacity provider",
        Some(_) => "Resource",
    };
    Err(ApiError::missing(&format!("{what} not found: {resource}")))
}

fn function(registry: &Registry, moment: &Moment<'_>, resource: &str) -> Result<Tagged, ApiError> {
    let named = name::function(resource)?;
    named.check_place(&moment.place.region, &moment.place.account)?;
    if named.qualifier.is_some() {
        return Err(invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    let name = FunctionName::new(named.name.as_str());
    match registry.functions.contains_key(&name) {
        true => Ok(Tagged::Function(name)),
        false => Err(ApiError::not_found(&arn(moment.place, &name, None))),
    }
}
