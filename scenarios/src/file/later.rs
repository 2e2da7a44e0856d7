//! Words of the design that are not supported yet: they get an error of their own, so that nobody looks for
//! a typing mistake.

use crate::decode::decode;
use crate::diagnostic::Diagnostic;
use crate::node::{Node, Value};
use serde::de::DeserializeOwned;

/// The code for a word of the design that is not supported yet.
pub const E_LATER: &str = "E104";

/// Keys of a file.
pub const FILE: &[&str] = &[
    "matrix",
    "schedule",
    "invariants",
    "explore",
    "load",
    "thresholds",
    "search",
    "redact",
    "threads",
];
/// Keys of `fixtures`.
pub const FIXTURES: &[&str] = &["files", "tables", "env", "services"];
/// Keys of a function.
pub const FUNCTION: &[&str] = &["clock", "layers", "provisioned", "architecture", "url"];
/// Keys of a route.
pub const ROUTE: &[&str] = &["batch", "retry", "parallel", "dead"];
/// Keys of a step.
pub const STEP: &[&str] = &[
    "sql", "publish", "log", "mail", "http", "tick", "fault", "heal", "run", "capture", "at",
];
/// Keys of a fault.
pub const FAULT: &[&str] = &["name", "behind"];
/// Keys of a fault's `on`.
pub const ON: &[&str] = &["sink", "call"];
/// Values of a fault's `do`.
pub const DO: &[&str] = &[
    "cold",
    "lost_response",
    "crash_at",
    "delay",
    "reorder",
    "drop",
    "partial",
    "corrupt",
    "call_error",
    "call_slow",
    "source_restart",
    "clock_skew",
];
/// Kinds of sources.
pub const KINDS: &[&str] = &[
    "dynamodb",
    "sns",
    "sqs",
    "logs",
    "ses",
    "http",
    "cron",
    "kinesis",
    "eventbridge",
];

/// How many mistakes of one map are looked for.
const MOST: usize = 100;

/// "`word` is not supported yet".
pub fn not_yet(word: &str) -> Diagnostic {
    Diagnostic::new(E_LATER, format!("`{word}` is not supported yet"))
        .help("the design has it, this version does not: remove it for now")
}

/// Reads a map as a `T` and collects as many errors as it has: a key at fault is noted, left out, and the
/// rest is read again. `later` are its keys that are not supported yet.
pub fn read<T: DeserializeOwned>(node: &Node, later: &[&str], out: &mut Vec<Diagnostic>) -> Option<T> {
    let before = out.len();
    let value = read_some(node, later, out);
    value.filter(|_| out.len() == before)
}

/// [`read`], but what could be read is returned beside the errors.
pub fn read_some<T: DeserializeOwned>(node: &Node, later: &[&str], out: &mut Vec<Diagnostic>) -> Option<T> {
    let mut node = node.clone();
    let before = out.len();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| {
            let refused = later.contains(&key.value.as_str());
            if refused {
                out.push(not_yet(&key.value).at(key.span, "not supported yet"));
            }
            !refused
        });
    }
    loop {
        let diagnostic = match decode::<T>(&node) {
            Ok(value) => return Some(value),
            Err(diagnostic) => diagnostic,
        };
        let span = diagnostic.at.as_ref().map(|(span, _)| *span).unwrap_or_default();
        let at_fault = match &node.value {
            Value::Map(entries) => entries.iter().position(|(key, value)| {
                let inside = |outer: crate::node::Span| {
                    outer.file == span.file && outer.start <= span.start && span.end <= outer.end
                };
                inside(key.span) || inside(value.span)
            }),
            _ => None,
        };
        match (at_fault, &mut node.value) {
            // Each turn reads everything again; a map with more mistakes than this is not one of ours.
            _ if out.len() > before + MOST => return None,
            (Some(at), Value::Map(entries)) => {
                entries.remove(at);
                out.push(diagnostic);
            }
            // What is missing may be missing only because it was left out above.
            _ if out.len() > before => return None,
            _ => {
                out.push(diagnostic);
                return None;
            }
        }
    }
}
