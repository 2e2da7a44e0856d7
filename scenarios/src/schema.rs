//! The JSON Schema of scenario and project files, made from the types that read them.
//!
//! Deliberately absent: the keys of each kind of source, which the caller hands in.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value as Json, json};

use crate::file::FileSpec;
use crate::node::{Located, Node};

/// The schema (draft 2020-12) with the keys of each kind of source: its name, the schema of its
/// configuration and that of the keys that a route from it may have.
pub fn schema(kinds: &[(&str, Schema, Schema)]) -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<FileSpec>().to_value();
    let mut definitions = Map::new();
    let (mut sources, mut filters) = (Vec::new(), Map::new());
    for (kind, config, filter) in kinds {
        let config = lift(config, &mut definitions);
        let filter = lift(filter, &mut definitions);
        sources.push(source(kind, &config));
        if let Some(Json::Object(properties)) = filter.get("properties") {
            filters.extend(properties.clone());
        }
    }
    let Some(Json::Object(all)) = schema.get_mut("$defs") else {
        return schema;
    };
    all.extend(definitions);
    if !sources.is_empty() {
        all.insert(
            "Source".to_owned(),
            json!({ "description": "A source of events.", "oneOf": sources }),
        );
    }
    if let Some(Json::Object(route)) = all.get_mut("Route") {
        if let Some(Json::Object(properties)) = route.get_mut("properties") {
            properties.extend(filters);
        }
        route.insert("additionalProperties".to_owned(), Json::Bool(kinds.is_empty()));
    }
    schema
}

/// A source of one kind: its configuration's keys and `kind`.
fn source(kind: &str, config: &Map<String, Json>) -> Json {
    let mut config = config.clone();
    let properties = config.entry("properties").or_insert_with(|| json!({}));
    if let Json::Object(properties) = properties {
        properties.insert("kind".to_owned(), json!({ "const": kind }));
    }
    let required = config.entry("required").or_insert_with(|| json!([]));
    if let Json::Array(required) = required {
        required.push(json!("kind"));
    }
    Json::Object(config)
}

/// The schema without its frame; its definitions move to the common ones.
fn lift(schema: &Schema, definitions: &mut Map<String, Json>) -> Map<String, Json> {
    let mut map = schema.as_object().cloned().unwrap_or_default();
    map.remove("$schema");
    if let Some(Json::Object(own)) = map.remove("$defs") {
        definitions.extend(own);
    }
    map
}

impl JsonSchema for Node {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Any".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
