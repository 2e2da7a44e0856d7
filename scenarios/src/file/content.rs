//! What an object contains, in a file's words: a text, or one of `text`, `json`, `file`, `base64`.

use std::path::PathBuf;

use base64::Engine as _;
use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer};

use crate::decode::{E_VALUE, decode, refuse};
use crate::diagnostic::Diagnostic;
use crate::file::Bases;
use crate::node::{Located, Node, Value};

/// What an object contains.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// This text.
    Text(String),
    /// This value as JSON without white space, keys in the order of the file.
    Json(Node),
    /// What is in this file; an absolute path, or relative to the working directory, once loaded.
    File(Located<PathBuf>),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// The spelling with a key.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ContentMap")]
enum ContentMap {
    /// This text.
    Text(String),
    /// This value as JSON.
    Json(Node),
    /// What is in this file.
    File(Located<String>),
    /// These bytes.
    Base64(Located<String>),
}

impl Content {
    /// The bytes; reads the file if it is one.
    pub fn bytes(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Content::Text(text) => Ok(text.clone().into_bytes()),
            Content::Json(node) => serde_json::to_vec(node).map_err(std::io::Error::other),
            Content::File(path) => std::fs::read(&path.value),
            Content::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    /// Makes a path relative to its file's directory and checks that the file is there.
    pub(crate) fn resolve(&mut self, bases: &Bases, out: &mut Vec<Diagnostic>) {
        let Content::File(path) = self else { return };
        let full = bases.of(path.span.file).join(&path.value);
        if !full.is_file() {
            out.push(
                Diagnostic::new(
                    crate::load::E_PATH,
                    format!("file {} does not exist", path.value.display()),
                )
                .at(path.span, "not found")
                .help(format!("it was looked for at {}", full.display())),
            );
        }
        path.value = full;
    }

    fn read(node: &Node) -> Result<Content, Diagnostic> {
        let help = "write a text, or `{ json: … }`, `{ file: path }`, `{ base64: … }`";
        match &node.value {
            Value::String(text) => return Ok(Content::Text(text.clone())),
            Value::Map(entries) if entries.len() == 1 => {}
            _ => {
                return Err(Diagnostic::new(E_VALUE, "this is not the content of an object")
                    .at(node.span, "")
                    .help(help));
            }
        }
        Ok(match decode(node)? {
            ContentMap::Text(text) => Content::Text(text),
            ContentMap::Json(node) => Content::Json(node),
            ContentMap::File(path) => Content::File(Located {
                span: path.span,
                value: path.value.into(),
            }),
            ContentMap::Base64(text) => {
                let compact: String = text.value.split_whitespace().collect();
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(compact)
                    .map_err(|error| {
                        Diagnostic::new(
                            E_VALUE,
                            format!("this is not base64: {}", error.to_string().to_lowercase()),
                        )
                        .at(text.span, "")
                    })?;
                Content::Bytes(bytes)
            }
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Content::read(&Node::deserialize(deserializer)?).map_err(refuse)
    }
}

impl JsonSchema for Content {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Content".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let map = generator.subschema_for::<ContentMap>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}
