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

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::world::{World, and, arn, new_function};

    #[test]
    fn tags_are_merged_and_change_the_revision_id() {
        let mut world = World::with(&["f"]);
        let f = || json!({ "Resource": arn("f") });
        let id = |world: &mut World| {
            world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }))["RevisionId"].clone()
        };
        assert_eq!(world.call("ListTags", f()), Ok((200, json!({ "Tags": {} }))));
        let get = |world: &mut World| {
            world
                .done("GetFunction", json!({ "FunctionName": "f" }))
                .get("Tags")
                .cloned()
        };
        assert_eq!(get(&mut world), None);
        let first = id(&mut world);
        let tags = json!({ "Tags": { "a": "1", "b": "2" } });
        assert_eq!(world.call("TagResource", and(f(), tags)), Ok((204, Value::Null)));
        let second = id(&mut world);
        world.done("TagResource", and(f(), json!({ "Tags": { "b": "3" } })));
        assert_eq!(get(&mut world), Some(json!({ "a": "1", "b": "3" })));
        let keys = json!({ "TagKeys": ["a", "none"] });
        assert_eq!(
            world.call("UntagResource", and(f(), keys)),
            Ok((204, Value::Null))
        );
        assert_eq!(world.done("ListTags", f()), json!({ "Tags": { "b": "3" } }));
        let third = id(&mut world);
        assert!(first != second && second != third);
    }

    #[test]
    fn there_are_fifty_at_most() {
        let tags = |from: usize, to: usize| -> Value {
            let pairs = (from..to).map(|n| (format!("k{n}"), json!("v")));
            Value::Object(pairs.collect::<Map<String, Value>>())
        };
        let mut world = World::with(&["f"]);
        let text = "Number of tags exceeds resource tag limit.";
        let told = (400, "InvalidParameterValueException", text.to_owned());
        world.done(
            "TagResource",
            json!({ "Resource": arn("f"), "Tags": tags(0, 50) }),
        );
        world.done(
            "TagResource",
            json!({ "Resource": arn("f"), "Tags": tags(10, 20) }),
        );
        let more = json!({ "Resource": arn("f"), "Tags": tags(50, 51) });
        assert_eq!(world.refused("TagResource", more), told);
        let new = and(new_function("g"), json!({ "Tags": tags(0, 51) }));
        assert_eq!(world.refused("CreateFunction", new), told);
    }

    #[test]
    fn only_functions_have_tags() {
        let mut world = World::with(&["f"]);
        let mut text = |resource: &str| world.refused("ListTags", json!({ "Resource": resource })).2;
        let qualified =
            "Tags on function aliases and versions are not supported. Please specify a function ARN.";
        assert_eq!(text(&arn("f:1")), qualified);
        assert_eq!(text(&arn("x:live")), qualified);
        assert_eq!(text(&arn("x")), format!("Function not found: {}", arn("x")));
        let mapping =
            "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:8e7d5c8a-0000-4000-8000-000000000000";
        assert_eq!(
            text(mapping),
            format!("Event source mapping not found: {mapping}")
        );
    }
}
