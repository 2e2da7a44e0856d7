//! Expectations: what a scenario says must have happened, judged from the journal alone.
//!
//! Owns the keys of `expect:` and their verdicts. Mistakes in an expectation are found by [`parse`] before
//! anything runs. Deliberately absent: asking anybody but the journal (and the buckets, for `objects`).

pub mod invocations;
pub mod model;
mod pairing;
pub mod seen;

use std::collections::BTreeMap;

use router::journal::{Entry, Line};
use router::time::Timestamp;
use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::matcher::{self, Mismatch, shorten};
use crate::node::{Located, Node, Value};
use crate::words::count_of;
pub use model::{Expect, parse};
use seen::Seen;

/// What a call was answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// HTTP status of the Invoke API.
    pub status: u16,
    /// The body.
    pub payload: Vec<u8>,
    /// `X-Amz-Function-Error`, or the code of an API error.
    pub error: Option<String>,
    /// The decoded log tail, if asked for.
    pub log_tail: Option<String>,
}

/// What is judged.
pub struct World<'a> {
    /// The journal.
    pub lines: &'a [Line],
    /// Where virtual time started.
    pub start: Timestamp,
    /// Every object of a bucket, by source name.
    pub objects: &'a dyn Fn(&str) -> BTreeMap<String, Vec<u8>>,
    /// The reply of the step, for a step's expectations.
    pub reply: Option<&'a Reply>,
}

/// Judges; an empty answer means that everything was as expected.
pub fn judge(expect: &Expect, world: &World<'_>) -> Vec<Diagnostic> {
    let seen = Seen::of(world.lines, world.start);
    let mut out = Vec::new();
    invocations::judge(expect, &seen, &mut out);
    for order in &expect.order {
        judge_order(order, world, &mut out);
    }
    for (name, records) in &expect.sinks {
        judge_sink(name, records, &seen, &mut out);
    }
    if expect.closed.covers("sinks") && !expect.at_step {
        unexpected_records(expect, &seen, &mut out);
    }
    for (path, node) in &expect.objects {
        judge_object(path, node, world, &mut out);
    }
    for (function, lines) in &expect.logs {
        let written: Vec<&str> = seen.logs_of(&function.value);
        judge_lines(
            lines,
            &written,
            &format!("log of {}", function.value),
            "E206",
            &mut out,
        );
    }
    if let Some(reply) = world.reply {
        judge_reply(expect, reply, &mut out);
    }
    out
}

fn judge_order(order: &[Located<String>], world: &World<'_>, out: &mut Vec<Diagnostic>) {
    let place = |id: &str| world.lines.iter().position(|line| names(&line.entry, id));
    for pair in order.windows(2) {
        let problem = match (place(&pair[0].value), place(&pair[1].value)) {
            (Some(first), Some(second)) if first < second => continue,
            (Some(_), Some(_)) => (
                format!("`{}` came after `{}`", pair[0].value, pair[1].value),
                pair[1].span,
            ),
            (None, _) => (format!("`{}` did not happen", pair[0].value), pair[0].span),
            (_, None) => (format!("`{}` did not happen", pair[1].value), pair[1].span),
        };
        let help = "an id is a step's id, or an event or invocation name as `triggerfish show` prints it";
        out.push(Diagnostic::new("E220", problem.0).at(problem.1, "").help(help));
    }
}

/// Whether an entry is the start of what is called `id`: in full, without its kind, or a function's name.
fn names(entry: &Entry, id: &str) -> bool {
    match entry {
        Entry::Step { name, .. } | Entry::Evt { name, .. } => name.as_str() == id || name.path() == id,
        Entry::Inv { name, function, .. } => {
            name.as_str() == id || name.path() == id || function.as_str() == id
        }
        _ => false,
    }
}

fn judge_sink(
    name: &Located<String>,
    records: &Located<Vec<Node>>,
    seen: &Seen<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let actual = seen.sink(&name.value);
    if actual.len() != records.value.len() {
        let what = match records.value.len() {
            0 => format!("sink `{}` is not empty", name.value),
            n => format!(
                "sink `{}` has {}, not {n}",
                name.value,
                count_of(actual.len(), "record")
            ),
        };
        let expected = Value::List(records.value.clone());
        let expected = Node {
            span: records.span,
            value: expected,
        }
        .to_json()
        .to_string();
        let got = Json::Array(actual.into_iter().cloned().collect()).to_string();
        let problem = Diagnostic::new("E230", what).at(records.span, "");
        out.push(
            problem
                .note(format!("- {}", shorten(&expected)))
                .note(format!("+ {}", shorten(&got))),
        );
        return;
    }
    for (node, record) in records.value.iter().zip(actual) {
        if let Err(found) = matcher::matches(node, record) {
            let what = format!("a record of sink `{}` differs", name.value);
            out.push(with_mismatches(Diagnostic::new("E230", what), node, &found));
        }
    }
}

fn unexpected_records(expect: &Expect, seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    for (name, records) in seen.sinks() {
        if !expect.sinks.iter().any(|(expected, _)| expected.value == name) {
            let what = format!(
                "sink `{name}` got {} that no line explains",
                count_of(records.len(), "record")
            );
            let first = records
                .first()
                .map(|r| shorten(&r.to_string()))
                .unwrap_or_default();
            let problem = Diagnostic::new("E230", what)
                .at(expect.span, "")
                .note(format!("+ {first}"));
            out.push(problem.help(format!(
                "expect them: `sinks: {{ {name}: [..] }}`, or `closed: {{ except: [sinks] }}`"
            )));
        }
    }
}

fn judge_object(path: &Located<String>, node: &Node, world: &World<'_>, out: &mut Vec<Diagnostic>) {
    let Some((bucket, key)) = path.value.split_once('/') else {
        return;
    };
    let objects = (world.objects)(bucket);
    let body = objects.get(key);
    let absent = node.get("$absent").is_some();
    let Some(body) = body else {
        if !absent {
            let near = crate::decode::nearest(key, objects.keys().map(String::as_str));
            let problem = Diagnostic::new("E240", format!("object {} does not exist", path.value))
                .at(path.span, "expected");
            out.push(match near {
                Some(near) => problem.help(format!("there is {bucket}/{near}")),
                None => problem.note(format!("{bucket} holds {}", count_of(objects.len(), "object"))),
            });
        }
        return;
    };
    if absent {
        out.push(
            Diagnostic::new("E240", format!("object {} exists", path.value))
                .at(path.span, "expected to be absent"),
        );
        return;
    }
    let text = String::from_utf8_lossy(body);
    let mut actual = serde_json::json!({ "size": body.len(), "text": text });
    if let Ok(json) = serde_json::from_slice::<Json>(body) {
        actual["json"] = json;
    }
    if let Err(found) = matcher::matches(node, &actual) {
        out.push(with_mismatches(
            Diagnostic::new("E240", format!("object {} differs", path.value)),
            node,
            &found,
        ));
    }
}

fn judge_lines(
    expected: &[Node],
    actual: &[&str],
    what: &str,
    code: &'static str,
    out: &mut Vec<Diagnostic>,
) {
    let mut rest = actual.iter();
    for node in expected {
        let fits = |line: &&str| {
            let line = line.trim_end();
            match node.as_str() {
                Some(text) => line == text || line.ends_with(&format!("\t{text}")),
                None => matcher::matches(node, &Json::from(line)).is_ok(),
            }
        };
        if rest.by_ref().any(&fits) {
            continue;
        }
        let elsewhere = actual.iter().any(fits);
        let label = if elsewhere {
            "seen, but not in this order"
        } else {
            "no such line"
        };
        let mut problem = Diagnostic::new(code, format!("{what} lacks a line")).at(node.span, label);
        for line in actual.iter().take(8) {
            problem = problem.note(format!("| {}", shorten(line.trim_end())));
        }
        out.push(problem);
        return;
    }
}

fn judge_reply(expect: &Expect, reply: &Reply, out: &mut Vec<Diagnostic>) {
    let payload: Json = serde_json::from_slice(&reply.payload).unwrap_or_else(|_| {
        if reply.payload.is_empty() {
            Json::Null
        } else {
            Json::from(String::from_utf8_lossy(&reply.payload).into_owned())
        }
    });
    if let Some(node) = &expect.status
        && let Err(found) = matcher::matches(node, &Json::from(reply.status))
    {
        let problem = Diagnostic::new("E250", format!("the status is {}", reply.status));
        let problem = with_mismatches(problem, node, &found);
        out.push(problem.note(format!("payload: {}", shorten(&payload.to_string()))));
    }
    if let Some(node) = &expect.payload
        && let Err(found) = matcher::matches(node, &payload)
    {
        out.push(with_mismatches(
            Diagnostic::new("E250", "the payload differs"),
            node,
            &found,
        ));
    }
    if let Some(lines) = &expect.log_tail {
        let tail = reply.log_tail.as_deref().unwrap_or_default();
        judge_lines(
            lines,
            &tail.lines().collect::<Vec<_>>(),
            "the log tail",
            "E250",
            out,
        );
    }
}

/// A diagnostic at the first difference, with all of them below.
fn with_mismatches(problem: Diagnostic, node: &Node, found: &[Mismatch]) -> Diagnostic {
    let span = found.first().map_or(node.span, |m| m.span);
    let mut problem = problem.at(span, "expected");
    for m in found.iter().take(6) {
        problem = problem.note(format!("{}", At(m)));
    }
    if found.len() > 6 {
        problem = problem.note(format!("… and {} more differences", found.len() - 6));
    }
    problem
}

struct At<'a>(&'a Mismatch);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: expected {}, got {}",
            self.0.path, self.0.expected, self.0.actual
        )
    }
}
