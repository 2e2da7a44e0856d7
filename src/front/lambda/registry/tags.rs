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
/// How keys begin that are AWS's own, in letters of either case.
const RESERVED: &str = "aws:";

/// The tags of an input.
///
/// # Errors
/// Too many, or a key that is AWS's own.
pub fn read(input: &Input, member: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let pairs = structure(input, member).into_iter().flatten();
    let tags: BTreeMap<String, String> = pairs
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    if tags.keys().any(|key| is_reserved(key)) {
        return Err(invalid(
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    check(tags)
}

fn is_reserved(key: &str) -> bool {
    let start = key.get(..RESERVED.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
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
    fn keys_of_aws_are_refused() {
        let mut world = World::with(&["f"]);
        let text = "aws: prefixed tag key names are not allowed for external use.";
        let told = (400, "InvalidParameterValueException", text.to_owned());
        for key in ["aws:", "aws:cloudformation:stack-name", "AWS:x"] {
            let tags = json!({ "Resource": arn("f"), "Tags": { "a": "1", key: "2" } });
            assert_eq!(world.refused("TagResource", tags), told);
            let new = and(new_function("g"), json!({ "Tags": { key: "" } }));
            assert_eq!(world.refused("CreateFunction", new), told);
        }
        for key in ["aws", "my:aws:x", "awsé:"] {
            let tags = json!({ "Resource": arn("f"), "Tags": { key: "1" } });
            world.done("TagResource", tags);
        }
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
