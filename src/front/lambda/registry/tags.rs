//! Tags: TagResource, UntagResource, ListTags (spec/lambda §8.7).
//!
//! Functions have them; an alias or a version has none.

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
    let name = function(registry, moment, input)?;
    let mut tags = registry
        .functions
        .get(&name)
        .map(|record| record.tags.clone())
        .unwrap_or_default();
    tags.extend(read(input, "Tags")?);
    set(registry, moment, &name, check(tags)?)
}

/// UntagResource.
pub fn untag(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = function(registry, moment, input)?;
    let mut tags = registry
        .functions
        .get(&name)
        .map(|record| record.tags.clone())
        .unwrap_or_default();
    for key in input
        .get("TagKeys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        tags.remove(key.as_str().unwrap_or_default());
    }
    set(registry, moment, &name, tags)
}

/// ListTags.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = function(registry, moment, input)?;
    let tags = registry.functions.get(&name).map(|record| &record.tags);
    Told::json(200, json!({ "Tags": tags }))
}

fn set(
    registry: &mut Registry,
    moment: &mut Moment<'_>,
    name: &FunctionName,
    tags: BTreeMap<String, String>,
) -> Outcome {
    let revision = moment.ids.uuid();
    if let Some(record) = registry.change(name) {
        record.tags = tags;
        record.latest.revision_id = revision;
    }
    Told::nothing()
}

/// The function whose ARN `Resource` is; that it is no alias or version is looked at before whether it exists
/// (spec/errors §8).
fn function(registry: &Registry, moment: &Moment<'_>, input: &Input) -> Result<FunctionName, ApiError> {
    let resource = text(input, "Resource").unwrap_or_default();
    let Some(kind) = resource.split(':').nth(5).filter(|kind| *kind != "function") else {
        let named = name::function(resource)?;
        named.check_place(&moment.place.region, &moment.place.account)?;
        if named.qualifier.is_some() {
            return Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            ));
        }
        let name = FunctionName::new(named.name.as_str());
        return match registry.functions.contains_key(&name) {
            true => Ok(name),
            false => Err(ApiError::not_found(&arn(moment.place, &name, None))),
        };
    };
    let what = match kind {
        "event-source-mapping" => "Event source mapping",
        "code-signing-config" => "Code signing config",
        "capacity-provider" => "Capacity provider",
        _ => "Resource",
    };
    Err(ApiError::missing(&format!("{what} not found: {resource}")))
}
