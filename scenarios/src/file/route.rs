//! Sources, routes and sinks, and the objects that steps name.

use std::path::PathBuf;

use router::name::{RouteName, SinkName, SourceName};
use schemars::JsonSchema;
use serde::Deserialize;

use super::later::{self, not_yet};
use crate::decode::{E_VALUE, choices, decode};
use crate::diagnostic::Diagnostic;
use crate::file::Bases;
use crate::node::{Located, Node, Span, Value};

/// The kinds of sources that exist.
pub const KINDS: &[&str] = &["s3"];

/// A source as declared; its own keys are read by its kind.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: Located<SourceName>,
    /// Its kind, one of [`KINDS`].
    pub kind: Located<String>,
    /// Its other keys, a map.
    pub config: Node,
    /// Relative paths in `config` are relative to this.
    pub base: PathBuf,
}

/// Where a source's events go.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, `<from>-<to>` unless given.
    pub name: Located<RouteName>,
    /// The source.
    pub from: Located<String>,
    /// The function.
    pub to: Located<String>,
    /// The other keys, a map: the filter that the source's kind reads.
    pub filter: Node,
    /// The whole route.
    pub span: Span,
}

/// A named end for destination and dead-letter records.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its name.
    pub name: Located<SinkName>,
}

/// One object of a source: `<bucket or source>/<key>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectPath {
    /// The source; until names are resolved, the first part as written.
    pub source: String,
    /// The key, everything after the first slash.
    pub key: String,
}

impl ObjectPath {
    /// Splits at the first slash; both parts must be there.
    pub fn parse(text: &Located<String>) -> Result<Located<ObjectPath>, Diagnostic> {
        match text.value.split_once('/') {
            Some((source, key)) if !source.is_empty() && !key.is_empty() => {
                sources::s3::check_key(key)
                    .map_err(|error| Diagnostic::new(E_VALUE, error.to_string()).at(text.span, ""))?;
                Ok(Located {
                    span: text.span,
                    value: ObjectPath {
                        source: source.to_owned(),
                        key: key.to_owned(),
                    },
                })
            }
            _ => Err(
                Diagnostic::new(E_VALUE, format!("`{}` does not name an object", text.value))
                    .at(text.span, "")
                    .help("write `bucket/key`"),
            ),
        }
    }
}

/// A source as it stands in a file; further keys belong to its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Source")]
pub struct SourceSpec {
    /// What kind of source it is.
    pub kind: Located<String>,
}

/// A route as it stands in a file; further keys are the filter of the source's kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Route")]
pub struct RouteSpec {
    /// The source.
    pub from: Located<String>,
    /// The function.
    pub to: Located<String>,
    /// The route's name, `<from>-<to>` unless given.
    pub name: Option<Located<String>>,
}

/// A sink as it stands in a file; it has no keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sink")]
pub struct SinkSpec {}

impl Source {
    /// Reads one entry of `sources`.
    pub fn read(
        name: &Located<String>,
        node: &Node,
        bases: &Bases,
        out: &mut Vec<Diagnostic>,
    ) -> Option<Source> {
        let spec: SourceSpec = later::read(node, &[], out)?;
        let kind = spec.kind;
        if !KINDS.contains(&kind.value.as_str()) {
            out.push(match later::KINDS.contains(&kind.value.as_str()) {
                true => not_yet(&format!("kind: {}", kind.value)).at(kind.span, "not supported yet"),
                false => Diagnostic::new(
                    E_VALUE,
                    format!("there is no kind of source called `{}`", kind.value),
                )
                .at(kind.span, "")
                .help(choices(&kind.value, KINDS, "kinds")),
            });
            return None;
        }
        let name = checked(
            name,
            |text| SourceName::parse(text).map_err(|e| e.to_string()),
            out,
        )?;
        let base = bases.of(node.span.file).to_owned();
        Some(Source {
            name,
            kind,
            config: without(node, &["kind"]),
            base,
        })
    }
}

impl Route {
    /// Reads one entry of `routes`.
    pub fn read(node: &Node, out: &mut Vec<Diagnostic>) -> Option<Route> {
        let spec: RouteSpec = later::read(node, later::ROUTE, out)?;
        let name = spec.name.unwrap_or_else(|| Located {
            span: node.span,
            value: format!("{}-{}", spec.from.value, spec.to.value),
        });
        let name = checked(
            &name,
            |text| RouteName::parse(text).map_err(|e| e.to_string()),
            out,
        )?;
        let filter = without(node, &["from", "to", "name"]);
        Some(Route {
            name,
            from: spec.from,
            to: spec.to,
            filter,
            span: node.span,
        })
    }
}

impl Sink {
    /// Reads one entry of `sinks`.
    pub fn read(name: &Located<String>, node: &Node, out: &mut Vec<Diagnostic>) -> Option<Sink> {
        if let Err(diagnostic) = decode::<Option<SinkSpec>>(node) {
            out.push(diagnostic);
        }
        let name = checked(name, |text| SinkName::parse(text).map_err(|e| e.to_string()), out)?;
        Some(Sink { name })
    }
}

/// The name as its own type, or an error at its place.
pub(crate) fn checked<T>(
    name: &Located<String>,
    parse: impl Fn(&str) -> Result<T, String>,
    out: &mut Vec<Diagnostic>,
) -> Option<Located<T>> {
    match parse(&name.value) {
        Ok(value) => Some(Located {
            span: name.span,
            value,
        }),
        Err(what) => {
            out.push(Diagnostic::new(E_VALUE, what).at(name.span, ""));
            None
        }
    }
}

/// The map without some of its keys.
fn without(node: &Node, keys: &[&str]) -> Node {
    let mut node = node.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| !keys.contains(&key.value.as_str()));
    }
    node
}
