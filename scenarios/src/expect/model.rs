//! The keys of `expect:`, read strictly.

use std::collections::BTreeMap;
use std::time::Duration;

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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The function.
    pub function: Located<String>,
    /// A subset of the event.
    pub event: Option<Node>,
    /// How many such events there are; 1 unless given.
    pub times: Option<Node>,
    /// Every attempt, in order.
    pub attempts: Option<Located<Vec<Attempt>>>,
    /// The outcome of the last attempt, or `expired`.
    pub outcome: Option<Located<String>>,
    /// What the handler answered at last.
    pub response: Option<Node>,
    /// Lines that the handler wrote, in this order.
    pub logs: Option<Vec<Node>>,
    /// Whether the first attempt had a fresh environment.
    pub cold: Option<Located<bool>>,
}

/// One expected attempt.
#[derive(Clone, Debug, Deserialize)]
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
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    invocations: Option<Vec<Node>>,
    any_order: Option<bool>,
    order: Option<Node>,
    sinks: Option<BTreeMap<Located<String>, Located<Vec<Node>>>>,
    objects: Option<BTreeMap<Located<String>, Node>>,
    logs: Option<BTreeMap<Located<String>, Vec<Node>>>,
    status: Option<Node>,
    payload: Option<Node>,
    log_tail: Option<Vec<Node>>,
    closed: Option<Node>,
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
    let spec: Spec = later::read(node, LATER, out)?;
    for (key, value) in [("status", &spec.status), ("payload", &spec.payload)] {
        if let Some(value) = value.as_ref().filter(|_| !at_step) {
            let what = format!("`{key}` belongs to the `expect` of a step");
            out.push(
                Diagnostic::new("E105", what)
                    .at(value.span, "")
                    .help("move it below the step that calls"),
            );
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
        out.extend(matcher::check(value));
    }
    let sinks: Vec<_> = spec.sinks.into_iter().flatten().collect();
    let logs: Vec<_> = spec.logs.into_iter().flatten().collect();
    let records = sinks.iter().flat_map(|(_, records)| &records.value);
    let lines = logs
        .iter()
        .flat_map(|(_, lines)| lines)
        .chain(spec.log_tail.iter().flatten());
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
        log_tail: spec.log_tail,
        closed: closed(spec.closed.as_ref(), out),
    })
}

fn invocation(node: &Node, out: &mut Vec<Diagnostic>) -> Option<Invocation> {
    let invocation: Invocation = later::read(node, LATER, out)?;
    let parts = [&invocation.event, &invocation.times, &invocation.response];
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
        total += sources::source::parse_duration(&rest[..unit])?;
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
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Except {
        except: Vec<Located<String>>,
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
