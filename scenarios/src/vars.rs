//! `${name}` becomes a value.
//!
//! Owns the spelling: `${name}` is a constant from `vars`, put in when the file is loaded; `${now}`,
//! `${source.NAME.directory}` and `${step.ID.request_id}` are known only in a run and stay until [`fill`];
//! `$${` writes `${`. A string that is nothing but `${name}` becomes the value itself, with its type.
//! Deliberately absent: expressions.

use std::collections::BTreeMap;

use crate::decode::nearest;
use crate::diagnostic::{Diagnostic, Files};
use crate::node::{Node, Span, Value};

/// The code for a `${name}` that does not exist.
pub const E_VARIABLE: &str = "E106";

/// A value that is known only in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Builtin {
    /// `${now}`: the clock, RFC 3339 with milliseconds.
    Now,
    /// `${source.NAME.directory}`: where a directory source keeps its objects.
    SourceDirectory(String),
    /// `${step.ID.request_id}`: the request id of a step's invocation.
    StepRequestId(String),
}

impl Builtin {
    /// The built-in of this name, without `${` and `}`.
    pub fn parse(name: &str) -> Option<Builtin> {
        if name == "now" {
            return Some(Builtin::Now);
        }
        let source = name
            .strip_prefix("source.")
            .and_then(|rest| rest.strip_suffix(".directory"));
        let step = name
            .strip_prefix("step.")
            .and_then(|rest| rest.strip_suffix(".request_id"));
        match (source, step) {
            (Some(source), _) => Some(Builtin::SourceDirectory(source.to_owned())),
            (_, Some(step)) => Some(Builtin::StepRequestId(step.to_owned())),
            _ => None,
        }
    }
}

/// Puts the built-ins into a text; one that `lookup` does not know stays as it is.
pub fn fill(text: &str, lookup: &dyn Fn(&Builtin) -> Option<String>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, tail) = rest.split_at(at);
        done.push_str(before);
        let value = tail
            .find('}')
            .and_then(|end| Some((lookup(&Builtin::parse(&tail[2..end])?)?, end + 1)));
        let (value, used) = value.unwrap_or(("${".to_owned(), 2));
        done.push_str(&value);
        rest = &tail[used..];
    }
    done + rest
}

/// [`fill`] for every string of a tree, keys included.
pub fn fill_node(node: &Node, lookup: &dyn Fn(&Builtin) -> Option<String>) -> Node {
    let value = match &node.value {
        Value::String(text) => Value::String(fill(text, lookup)),
        Value::List(items) => Value::List(items.iter().map(|item| fill_node(item, lookup)).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let mut key = key.clone();
                    key.value = fill(&key.value, lookup);
                    (key, fill_node(value, lookup))
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node {
        span: node.span,
        value,
    }
}

/// Puts constants into a tree, notes built-ins and what does not exist.
pub(crate) struct Expander<'a> {
    /// The constants.
    pub vars: &'a BTreeMap<String, Node>,
    /// For the exact place inside a string.
    pub files: &'a Files,
    /// The built-ins that were met.
    pub builtins: Vec<(Span, Builtin)>,
    /// What is wrong.
    pub out: &'a mut Vec<Diagnostic>,
}

impl Expander<'_> {
    /// Replaces in place.
    pub fn node(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::String(text) => {
                if let Some(whole) = self.whole(text) {
                    node.value = whole;
                } else if let Some(expanded) = self.text(text, node.span) {
                    node.value = Value::String(expanded);
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Value::Map(entries) => {
                for at in 0..entries.len() {
                    let (key, value) = &mut entries[at];
                    self.node(value);
                    if let Some(expanded) = self.text(&key.value, key.span) {
                        let span = key.span;
                        key.value = expanded;
                        let (before, rest) = entries.split_at(at);
                        if let Some((first, _)) = before.iter().find(|(k, _)| k.value == rest[0].0.value) {
                            let what = format!("the key `{}` is there twice", first.value);
                            self.out.push(
                                Diagnostic::new("E101", what)
                                    .at(span, "again here")
                                    .also(first.span, "first here"),
                            );
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The value of a string that is one constant and nothing else.
    fn whole(&self, text: &str) -> Option<Value> {
        let name = text.strip_prefix("${")?.strip_suffix('}')?;
        self.vars.get(name).map(|node| node.value.clone())
    }

    /// The text with its constants, or `None` if nothing changes.
    fn text(&mut self, text: &str, span: Span) -> Option<String> {
        if !text.contains("${") {
            return None;
        }
        let mut done = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, tail) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                done.push_str(before);
                done.push_str("${");
                rest = &tail[2..];
                continue;
            }
            done.push_str(before);
            let Some(end) = tail.find('}') else {
                self.refuse("`${` has no `}`".to_owned(), "${", span, None);
                return None;
            };
            let name = &tail[2..end];
            match (self.vars.get(name).map(|node| &node.value), Builtin::parse(name)) {
                (Some(Value::List(_) | Value::Map(_)), _) => {
                    let what = format!("`{name}` is a list or map and cannot be part of a text");
                    self.refuse(
                        what,
                        name,
                        span,
                        Some(format!("write the value as `${{{name}}}` and nothing else")),
                    );
                }
                (Some(Value::String(value)), _) => done.push_str(value),
                (Some(value), _) => {
                    done.push_str(
                        &Node {
                            span,
                            value: value.clone(),
                        }
                        .to_json()
                        .to_string(),
                    );
                }
                (None, Some(builtin)) => {
                    self.builtins.push((span, builtin));
                    done.push_str(&tail[..=end]);
                }
                (None, None) => self.unknown(name, span),
            }
            rest = &tail[end + 1..];
        }
        Some(done + rest)
    }

    fn unknown(&mut self, name: &str, span: Span) {
        let builtins = ["now", "source.NAME.directory", "step.ID.request_id"];
        let known = self.vars.keys().map(String::as_str).chain(builtins);
        let meant = nearest(name, known).map(|meant| format!("did you mean `${{{meant}}}`? "));
        let help = format!(
            "{}constants stand in `vars`; write `$${{` for the two characters",
            meant.unwrap_or_default()
        );
        self.refuse(format!("there is no variable `{name}`"), name, span, Some(help));
    }

    /// An error at `part` inside the string at `span`.
    fn refuse(&mut self, what: String, part: &str, span: Span, help: Option<String>) {
        let text = self
            .files
            .text(span.file)
            .get(span.start as usize..span.end as usize)
            .unwrap_or("");
        let mut place = span;
        if let Some(at) = text.find(part).and_then(|at| u32::try_from(at).ok()) {
            place.start = span.start + at;
            place.end = place.start + u32::try_from(part.len()).unwrap_or(0);
        }
        let mut diagnostic = Diagnostic::new(E_VARIABLE, what).at(place, "");
        diagnostic.help = help;
        self.out.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_ins_are_filled_and_the_rest_stays() {
        let lookup = |b: &Builtin| match b {
            Builtin::Now => Some("N".to_owned()),
            Builtin::SourceDirectory(name) => Some(format!("/{name}")),
            Builtin::StepRequestId(_) => None,
        };
        let text = "${now} a${source.up.directory}/${step.x.request_id} ${other} ${";
        assert_eq!(fill(text, &lookup), "N a/up/${step.x.request_id} ${other} ${");
    }
}
