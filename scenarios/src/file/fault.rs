//! Faults: what goes wrong on purpose, and when.

use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Deserializer;

use super::later::{self, not_yet};
use super::time::Time;
use crate::decode::{E_VALUE, choices, refuse};
use crate::diagnostic::Diagnostic;
use crate::node::{Located, Node, Span, Value};

/// Something that goes wrong on purpose.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What the journal calls it: `faults[0]`.
    pub name: String,
    /// When it strikes.
    pub on: On,
    /// What it does.
    pub act: Act,
    /// The whole fault.
    pub span: Span,
}

/// When a fault strikes: every condition that is given has to hold.
#[derive(Clone, Debug, Default)]
pub struct On {
    /// The function.
    pub function: Option<Located<String>>,
    /// The source of the event.
    pub source: Option<Located<String>>,
    /// The route's name.
    pub route: Option<Located<String>>,
    /// A subset of the event document.
    pub event: Option<Node>,
    /// Only the n-th event (from 1) that meets the conditions above.
    pub nth: Option<u32>,
    /// Only these attempts, from 1.
    pub attempt: Option<RangeInclusive<u32>>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// The handler does not run; the outcome is this error.
    Error(FaultError),
    /// The handler runs and its effects stay; the outcome is this error.
    ErrorAfter(FaultError),
    /// The handler does not run: 429.
    Throttle,
    /// The handler does not run; its time runs out.
    Timeout,
    /// The process is killed before the handler starts.
    CrashBefore,
    /// The process is killed after the handler's effects, before its response.
    CrashAfter,
    /// The event is delivered once more, after this time.
    Duplicate {
        /// How long after the first delivery.
        after: Duration,
    },
}

/// The error of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultError {
    /// `errorType`.
    #[serde(rename = "type", default = "fault_type")]
    pub kind: String,
    /// `errorMessage`.
    #[serde(default = "fault_message")]
    pub message: String,
}

fn fault_type() -> String {
    "InjectedFault".to_owned()
}

fn fault_message() -> String {
    "injected by the scenario".to_owned()
}

/// A fault as it stands in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fault")]
pub struct FaultSpec {
    /// When it strikes.
    #[schemars(with = "OnSpec")]
    pub on: Node,
    /// What it does.
    #[serde(rename = "do")]
    #[schemars(with = "DoSpec")]
    pub act: Node,
    /// With `error` and `error_after`: the error.
    pub error: Option<Located<FaultError>>,
    /// With `duplicate`: how long after the first delivery; 0s unless given.
    pub after: Option<Time>,
}

/// When a fault strikes, as it stands in a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "On")]
pub struct OnSpec {
    /// The function.
    pub function: Option<Located<String>>,
    /// The source of the event.
    pub source: Option<Located<String>>,
    /// The route's name.
    pub route: Option<Located<String>>,
    /// A subset of the event document.
    pub event: Option<Node>,
    /// Only the n-th event that meets the conditions.
    #[schemars(range(min = 1))]
    pub nth: Option<Located<u32>>,
    /// Only this attempt, or these: `1..3`.
    pub attempt: Option<Attempts>,
}

/// What a fault does, as it stands in a file.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Do")]
pub enum DoSpec {
    /// The handler does not run and fails.
    Error,
    /// 429.
    Throttle,
    /// The handler does not run; its time runs out.
    Timeout,
    /// The handler runs, effects stay, the outcome is an error.
    ErrorAfter,
    /// Killed before the handler starts.
    CrashBefore,
    /// Killed after the effects, before the response.
    CrashAfter,
    /// Delivered once more.
    Duplicate,
}

const DO: &[&str] = &[
    "error",
    "throttle",
    "timeout",
    "error_after",
    "crash_before",
    "crash_after",
    "duplicate",
];

/// One attempt or a range of them, both ends included.
#[derive(Clone, Debug)]
pub struct Attempts(RangeInclusive<u32>);

impl Fault {
    /// Reads one entry of `faults`.
    pub fn read(index: usize, node: &Node, out: &mut Vec<Diagnostic>) -> Option<Fault> {
        let spec: FaultSpec = later::read(node, later::FAULT, out)?;
        let on: Option<OnSpec> = later::read(&spec.on, later::ON, out);
        let act = act(&spec, out);
        let (on, act) = (on?, act?);
        if let Some(nth) = on.nth.filter(|nth| nth.value == 0) {
            out.push(Diagnostic::new(E_VALUE, "`nth` counts from 1").at(nth.span, ""));
            return None;
        }
        if let Some(event) = &on.event {
            out.extend(crate::matcher::check(event));
        }
        let on = On {
            function: on.function,
            source: on.source,
            route: on.route,
            event: on.event,
            nth: on.nth.map(|nth| nth.value),
            attempt: on.attempt.map(|attempts| attempts.0),
        };
        Some(Fault {
            name: format!("faults[{index}]"),
            on,
            act,
            span: node.span,
        })
    }
}

fn act(spec: &FaultSpec, out: &mut Vec<Diagnostic>) -> Option<Act> {
    let (word, place) = match &spec.act.value {
        Value::String(word) => (word.as_str(), spec.act.span),
        Value::Map(entries) if entries.len() == 1 => (entries[0].0.value.as_str(), entries[0].0.span),
        _ => {
            let what = "expected what the fault does";
            out.push(
                Diagnostic::new(E_VALUE, what)
                    .at(spec.act.span, "")
                    .help(choices("", DO, "values")),
            );
            return None;
        }
    };
    let as_map = matches!(spec.act.value, Value::Map(_));
    if later::DO.contains(&word) || (as_map && DO.contains(&word)) {
        let shown = if as_map {
            format!("do: {{ {word}: … }}")
        } else {
            format!("do: {word}")
        };
        let mut diagnostic = not_yet(&shown).at(place, "not supported yet");
        if as_map && DO.contains(&word) {
            diagnostic = diagnostic.help(format!("write `do: {word}` and its settings beside it"));
        }
        out.push(diagnostic);
        return None;
    }
    let error = || {
        let given = spec.error.as_ref().map(|error| error.value.clone());
        given.unwrap_or_else(|| FaultError {
            kind: fault_type(),
            message: fault_message(),
        })
    };
    let act = match word {
        "error" => Act::Error(error()),
        "error_after" => Act::ErrorAfter(error()),
        "throttle" => Act::Throttle,
        "timeout" => Act::Timeout,
        "crash_before" => Act::CrashBefore,
        "crash_after" => Act::CrashAfter,
        "duplicate" => Act::Duplicate {
            after: spec.after.unwrap_or_default().value,
        },
        _ => {
            let what = format!("a fault cannot do `{word}`");
            out.push(
                Diagnostic::new(E_VALUE, what)
                    .at(place, "")
                    .help(choices(word, DO, "values")),
            );
            return None;
        }
    };
    let misplaced = |key: &str, span, with: &str| {
        Diagnostic::new(E_VALUE, format!("`{key}` means nothing with `do: {word}`"))
            .at(span, "")
            .help(format!("it belongs to {with}"))
    };
    if let Some(error) = &spec.error
        && !matches!(act, Act::Error(_) | Act::ErrorAfter(_))
    {
        out.push(misplaced(
            "error",
            error.span,
            "`do: error` and `do: error_after`",
        ));
        return None;
    }
    if let Some(after) = &spec.after
        && !matches!(act, Act::Duplicate { .. })
    {
        out.push(misplaced("after", after.span, "`do: duplicate`"));
        return None;
    }
    Some(act)
}

impl<'de> Deserialize<'de> for Attempts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let range = match &node.value {
            Value::Number(n) => n.as_u64().and_then(|n| u32::try_from(n).ok()).map(|n| n..=n),
            Value::String(text) => text.split_once("..").and_then(|(first, last)| {
                let last = last.strip_prefix('=').unwrap_or(last);
                Some(first.parse().ok()?..=last.parse().ok()?)
            }),
            _ => None,
        };
        match range {
            Some(range) if *range.start() >= 1 && !range.is_empty() => Ok(Attempts(range)),
            _ => Err(refuse(
                Diagnostic::new(E_VALUE, "this names no attempts")
                    .at(node.span, "")
                    .help("write the number of one, from 1, or a range such as `1..3`"),
            )),
        }
    }
}

impl JsonSchema for Attempts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Attempts".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "One attempt, from 1, or a range: 1..3.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": r"^\d+\.\.=?\d+$" }],
        })
    }
}
