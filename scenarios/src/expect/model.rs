//! The keys of `expect:`, read strictly.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::decode::decode;
use crate::diagnostic::Diagnostic;
use crate::file::later;
use crate::matcher;
use crate::node::{Located, Node, Span, Value};

/// What must have happened.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The whole of it.
    pub span: Span,
    /// Whether it belongs to a step; only the end is a closed world.
    pub at_step: bool,
    /// Invocations, in order for each function.
    pub invocations: Vec<Invocation>,
    /// Whether the order of invocations does not matter.
    pub any_order: bool,
    /// Chains of ids, each earlier than the next.
    pub order: Vec<Vec<Located<String>>>,
    /// The records of each sink.
    pub sinks: Vec<(Located<String>, Located<Vec<Node>>)>,
    /// Objects by `bucket/key`.
    pub objects: Vec<(Located<String>, Node)>,
    /// Lines of each function's log, in this order.
    pub logs: Vec<(Located<String>, Vec<Node>)>,
    /// Status of the step's reply.
    pub status: Option<Node>,
    /// Payload of the step's reply.
    pub payload: Option<Node>,
    /// Lines of the step's log tail, in this order.
    pub log_tail: Option<Vec<Node>>,
    /// Whether what no line explains fails the run.
    pub closed: Closed,
}

/// One expected invocation: one event for one function, with its attempts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The function.
    pub function: Located<String>,
    /// A subset of the event.
    #[serde(default, deserialize_with = "given")]
    pub event: Option<Node>,
    /// How many such events there are; 1 unless given.
    pub times: Option<Node>,
    /// Every attempt, in order.
    pub attempts: Option<Located<Vec<Attempt>>>,
    /// The outcome of the last attempt, or `expired`.
    pub outcome: Option<Located<String>>,
    /// What the handler answered at last.
    #[serde(default, deserialize_with = "given")]
    pub response: Option<Node>,
    /// Lines that the handler wrote, in this order.
    pub logs: Option<Vec<Node>>,
    /// Whether the first attempt had a fresh environment.
    pub cold: Option<Located<bool>>,
}

/// One expected attempt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// When, from the start: `+1m`.
    pub at: Option<Located<String>>,
    /// `ok`, `error`, `timeout`, `crash` or `throttled`.
    pub outcome: Option<Located<String>>,
    /// The `errorType`.
    pub error: Option<Node>,
    /// The environment, `env:<function>/<n>`.
    pub environment: Option<Node>,
}

/// What the closed world leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Closed {
    /// Nothing.
    #[default]
    All,
    /// These kinds.
    Except(Vec<String>),
    /// Everything.
    Open,
}

impl Closed {
    /// Whether a kind of surprise fails the run.
    pub fn covers(&self, kind: &str) -> bool {
        match self {
            Closed::All => true,
            Closed::Except(kinds) => !kinds.iter().any(|k| k == kind),
            Closed::Open => false,
        }
    }
}

const KINDS: &[&str] = &["invocations", "retries", "sinks", "logs"];
const OUTCOMES: &[&str] = &[
    "ok",
    "error",
    "timeout",
    "crash",
    "throttled",
    "expired",
    "system",
];
const LATER: &[&str] = &[
    "delivered",
    "headers",
    "json",
    "text",
    "files",
    "tables",
    "sql",
    "outbox",
    "snapshot",
    "batch",
    "when",
    "within",
];

/// What must have happened, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub struct ExpectSpec {
    /// Invocations, in order for each function.
    #[schemars(with = "Option<Vec<Invocation>>")]
    invocations: Option<Vec<Node>>,
    /// Whether the order of invocations does not matter.
    any_order: Option<bool>,
    /// Ids, each earlier than the next; or a list of such lists.
    #[schemars(with = "Option<Vec<Node>>")]
    order: Option<Node>,
    /// The records of each sink, all of them.
    #[schemars(with = "Option<BTreeMap<String, Vec<Node>>>")]
    sinks: Option<BTreeMap<Located<String>, Located<Vec<Node>>>>,
    /// Objects by `bucket/key`: `size`, `text`, `json`, or `{ $absent: true }`.
    #[schemars(with = "Option<BTreeMap<String, BTreeMap<String, Node>>>")]
    objects: Option<BTreeMap<Located<String>, Node>>,
    /// Lines of each function's log, in this order.
    #[schemars(with = "Option<BTreeMap<String, Vec<Node>>>")]
    logs: Option<BTreeMap<Located<String>, Vec<Node>>>,
    /// Status of the reply, after an `invoke`.
    status: Option<Node>,
    /// Payload of the reply, after an `invoke`.
    #[serde(default, deserialize_with = "given")]
    payload: Option<Node>,
    /// Lines of the log tail, after an `invoke` with `log: tail`.
    log_tail: Option<Located<Vec<Node>>>,
    /// Whether what no line explains fails the run: `true`, `false` or `{ except: [logs] }`.
    #[schemars(with = "Option<ClosedSpec>")]
    closed: Option<Node>,
}

/// What the closed world leaves open, as it stands in a file.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Closed")]
#[expect(dead_code, reason = "only its schema is used")]
enum ClosedSpec {
    /// Everything, or nothing.
    All(bool),
    /// These kinds.
    Except(Except),
}

/// Kinds of surprises that the closed world lets pass.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Except {
    /// Of `invocations`, `retries`, `sinks` and `logs`.
    #[schemars(with = "Vec<String>")]
    except: Vec<Located<String>>,
}

/// A value that is given even if it is `null`: a handler may answer just that.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Node>, D::Error> {
    Node::deserialize(deserializer).map(Some)
}

/// A key without a value expects nothing, which nobody means; only documents may be `null`.
fn empty_keys(node: &Node, out: &mut Vec<Diagnostic>) {
    let Value::Map(entries) = &node.value else { return };
    for (key, value) in entries {
        let document = ["payload", "response", "event"].contains(&key.value.as_str());
        if value.value == Value::Null && !document && !LATER.contains(&key.value.as_str()) {
            let what = format!("`{}` is empty", key.value);
            out.push(
                Diagnostic::new("E103", what)
                    .at(key.span, "expects nothing")
                    .help("give it a value, or remove it"),
            );
        }
    }
}

/// Reads the expectations of a step or of the end.
///
/// # Errors
/// Every mistake in them.
pub fn parse(node: &Node, at_step: bool) -> Result<Expect, Vec<Diagnostic>> {
    let mut out = Vec::new();
    let expect = read(node, at_step, &mut out);
    match expect {
        Some(expect) if out.is_empty() => Ok(expect),
        _ => Err(out),
    }
}

fn read(node: &Node, at_step: bool, out: &mut Vec<Diagnostic>) -> Option<Expect> {
    empty_keys(node, out);
    let spec: ExpectSpec = later::read(node, LATER, out)?;
    for key in if at_step { &["closed"][..] } else { REPLY } {
        if let Some((key, _)) = entry(node, key) {
            let (what, help) = match at_step {
                true => (
                    "`closed` belongs to the `expect` at the end".to_owned(),
                    "a step's `expect` says only what it lists",
                ),
                false => (
                    format!("`{}` belongs to the `expect` of a step", key.value),
                    "move it below the step that calls",
                ),
            };
            out.push(Diagnostic::new("E105", what).at(key.span, "").help(help));
        }
    }
    for found in [&spec.status, &spec.payload].into_iter().flatten() {
        out.extend(matcher::check(found));
    }
    let invocations: Vec<Invocation> = spec
        .invocations
        .iter()
        .flatten()
        .filter_map(|node| invocation(node, out))
        .collect();
    let pairs = |map: Option<BTreeMap<Located<String>, Node>>| map.into_iter().flatten().collect::<Vec<_>>();
    let objects = pairs(spec.objects);
    for (path, value) in &objects {
        if !path.value.contains('/') {
            out.push(Diagnostic::new("E105", "an object is named `bucket/key`").at(path.span, ""));
        }
        object(value, out);
    }
    let sinks: Vec<_> = spec.sinks.into_iter().flatten().collect();
    let logs: Vec<_> = spec.logs.into_iter().flatten().collect();
    let records = sinks.iter().flat_map(|(_, records)| &records.value);
    let lines = logs
        .iter()
        .flat_map(|(_, lines)| lines)
        .chain(spec.log_tail.iter().flat_map(|lines| &lines.value));
    out.extend(records.chain(lines).flat_map(matcher::check));
    Some(Expect {
        span: node.span,
        at_step,
        invocations,
        any_order: spec.any_order.unwrap_or(false),
        order: order(spec.order.as_ref(), out),
        sinks,
        objects,
        logs,
        status: spec.status,
        payload: spec.payload,
        log_tail: spec.log_tail.map(|lines| lines.value),
        closed: closed(spec.closed.as_ref(), out),
    })
}

/// The keys of a step's `expect` that judge its reply.
pub const REPLY: &[&str] = &["status", "payload", "log_tail"];

/// An entry of a map, with the place of its key.
pub fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a (Located<String>, Node)> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(k, _)| k.value == key),
        _ => None,
    }
}

/// What an object is expected to hold: a matcher, or a map of `size`, `text` and `json`.
fn object(node: &Node, out: &mut Vec<Diagnostic>) {
    const KEYS: &[&str] = &["size", "text", "json"];
    let Value::Map(entries) = &node.value else {
        out.push(
            Diagnostic::new("E103", "this is not what an object can be expected to hold")
                .at(node.span, "")
                .help("write `{ text: … }`, `{ json: … }`, `{ size: … }` or `{ $absent: true }`"),
        );
        return;
    };
    let unknown = entries
        .iter()
        .filter(|(key, _)| !KEYS.contains(&key.value.as_str()) && !key.value.starts_with('$'));
    for (key, _) in unknown {
        let what = format!("an object has no `{}`", key.value);
        out.push(
            Diagnostic::new("E102", what)
                .at(key.span, "not known here")
                .help(crate::decode::choices(&key.value, KEYS, "keys")),
        );
    }
    out.extend(matcher::check(node));
}

fn invocation(node: &Node, out: &mut Vec<Diagnostic>) -> Option<Invocation> {
    empty_keys(node, out);
    if let Some(Value::List(attempts)) = node.get("attempts").map(|node| &node.value) {
        attempts.iter().for_each(|attempt| empty_keys(attempt, out));
    }
    let invocation: Invocation = later::read(node, LATER, out)?;
    let parts = [&invocation.event, &invocation.response];
    out.extend(
        invocation
            .times
            .iter()
            .flat_map(|times| matcher::check_count(times, "times")),
    );
    out.extend(parts.into_iter().flatten().flat_map(matcher::check));
    out.extend(invocation.logs.iter().flatten().flat_map(matcher::check));
    let attempts = invocation.attempts.iter().flat_map(|attempts| &attempts.value);
    for attempt in attempts.clone() {
        out.extend(
            [&attempt.error, &attempt.environment]
                .into_iter()
                .flatten()
                .flat_map(matcher::check),
        );
        if let Some(at) = &attempt.at
            && parse_at(&at.value).is_none()
        {
            let help = "write the time since the start: `+0s`, `+1m`, `+3m10s`, `+60.010s`";
            out.push(
                Diagnostic::new("E105", format!("`{}` is not a time", at.value))
                    .at(at.span, "")
                    .help(help),
            );
        }
    }
    for outcome in attempts.clone().filter_map(|a| a.outcome.as_ref()) {
        if outcome.value == "expired" {
            let what = "an attempt cannot end in `expired`, only an event can";
            out.push(
                Diagnostic::new("E105", what)
                    .at(outcome.span, "")
                    .help("write `outcome: expired` beside `attempts`"),
            );
        }
    }
    for outcome in attempts
        .filter_map(|a| a.outcome.as_ref())
        .chain(&invocation.outcome)
    {
        if !OUTCOMES.contains(&outcome.value.as_str()) {
            let what = format!("there is no outcome `{}`", outcome.value);
            let help = match crate::decode::nearest(&outcome.value, OUTCOMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("outcomes are {}", OUTCOMES.join(", ")),
            };
            out.push(Diagnostic::new("E105", what).at(outcome.span, "").help(help));
        }
    }
    Some(invocation)
}

/// A time since the start, and whether milliseconds were written.
pub fn parse_at(text: &str) -> Option<(Duration, bool)> {
    let mut rest = text.strip_prefix('+')?;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |n| digits + n);
        total = total.checked_add(sources::source::parse_duration(&rest[..unit])?)?;
        rest = &rest[unit..];
    }
    Some((total, text.contains("ms") || text.contains('.')))
}

fn order(node: Option<&Node>, out: &mut Vec<Diagnostic>) -> Vec<Vec<Located<String>>> {
    let Some(node) = node else { return Vec::new() };
    let lists: Vec<&Node> = match &node.value {
        Value::List(items) if items.iter().all(|item| matches!(item.value, Value::List(_))) => {
            items.iter().collect()
        }
        _ => vec![node],
    };
    let mut read = |list: &Node| decode(list).map_err(|problem| out.push(problem)).ok();
    lists.into_iter().filter_map(&mut read).collect()
}

fn closed(node: Option<&Node>, out: &mut Vec<Diagnostic>) -> Closed {
    let Some(node) = node else { return Closed::All };
    match &node.value {
        Value::Bool(true) => return Closed::All,
        Value::Bool(false) => return Closed::Open,
        _ => {}
    }
    match decode::<Except>(node) {
        Ok(except) => {
            for kind in except
                .except
                .iter()
                .filter(|kind| !KINDS.contains(&kind.value.as_str()))
            {
                let what = format!("the closed world knows no `{}`", kind.value);
                out.push(
                    Diagnostic::new("E105", what)
                        .at(kind.span, "")
                        .help(format!("kinds are {}", KINDS.join(", "))),
                );
            }
            Closed::Except(except.except.into_iter().map(|kind| kind.value).collect())
        }
        Err(problem) => {
            out.push(problem.help("write `true`, `false` or `{ except: [logs] }`"));
            Closed::All
        }
    }
}
