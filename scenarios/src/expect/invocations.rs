//! Expected invocations against those that were seen.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;

use super::model::{Attempt, Expect, Invocation, parse_at};
use super::pairing::{self, Pairing};
use super::seen::{Seen, SeenEvent};
use super::{judge_lines, with_mismatches};
use crate::cause::Cause;
use crate::diagnostic::Diagnostic;
use crate::matcher::{self, shorten};
use crate::node::Located;
use crate::timeline::clock;

/// Judges `invocations`, and what the closed world says of the rest.
pub fn judge(expect: &Expect, seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let explained = match expect.any_order {
        true => pairing::in_any_order(expect, seen),
        false => pairing::in_order(expect, seen),
    };
    let mut told = BTreeSet::new();
    for (i, expected) in expect.invocations.iter().enumerate() {
        let chosen: Vec<usize> = explained.events_of(i).collect();
        if let Some(times) = &expected.times {
            if let Err(found) = matcher::matches(times, &Json::from(chosen.len())) {
                let what = format!(
                    "{} invocations of {} like this, not as expected",
                    chosen.len(),
                    expected.function.value
                );
                let mut problem = with_mismatches(Diagnostic::new("E203", what), times, &found);
                let left = explained.left_for(expected, seen);
                if left > 0 && !expect.any_order {
                    problem = problem
                        .note(format!("{left} more like this came out of their order"))
                        .help("`any_order: true` counts them wherever they stand");
                }
                out.push(problem);
            }
        } else if chosen.is_empty() {
            out.push(missing(
                expected,
                explained.instead_of(i).map(|e| &seen.events[e]),
                seen,
            ));
        }
        for e in chosen {
            let before = out.len();
            judge_one(expect, expected, &seen.events[e], out);
            if out.len() > before {
                told.insert(e);
            }
        }
    }
    if expect.at_step {
        return;
    }
    if expect.closed.covers("invocations") {
        let surprises = (0..seen.events.len()).filter(|e| !explained.is_taken(*e));
        for event in surprises
            .map(|e| &seen.events[e])
            .filter(|event| !event.attempts.is_empty())
        {
            let what = format!("{} was invoked, and no line explains it", event.function);
            let problem = Diagnostic::new("E210", what).at(expect.span, "");
            let problem = problem.note(format!("{}: {}", event.name, shorten(&event.body.to_string())));
            out.push(problem.help("expect it, or say `closed: { except: [invocations] }`"));
        }
    }
    if expect.closed.covers("logs") {
        error_logs(expect, seen, &explained, &told, out);
    }
}

fn missing(expected: &Invocation, instead: Option<&SeenEvent<'_>>, seen: &Seen<'_>) -> Diagnostic {
    let function = &expected.function;
    if let (Some(instead), Some(node)) = (instead, &expected.event)
        && let Err(found) = matcher::matches(node, &instead.body)
    {
        let what = format!("the event of {} differs", function.value);
        return with_mismatches(Diagnostic::new("E204", what), node, &found);
    }
    let mut problem =
        Diagnostic::new("E203", format!("{} was not invoked", function.value)).at(function.span, "expected");
    for (source, kind, subject, route, why) in seen.refused.iter().take(5) {
        problem = problem.note(format!(
            "{source} saw {kind} {subject}, but route {route} did not take it: {why}"
        ));
    }
    for (source, kind, subject) in seen.unrouted.iter().take(5) {
        problem = problem.note(format!(
            "{source} saw {kind} {subject}, but no route leaves {source}"
        ));
    }
    if seen.refused.is_empty() && seen.unrouted.is_empty() && seen.events.is_empty() {
        problem = problem.note("no source saw anything");
    }
    problem
}

/// What is wrong with an event, its document aside. Where success was taken for granted, a failure explains everything
/// else and is told alone.
pub(super) fn judge_one(
    expect: &Expect,
    expected: &Invocation,
    event: &SeenEvent<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let before = out.len();
    judge_details(expect, expected, event, out);
    // In the middle of a scenario a retry may still come.
    let ended = !expect.at_step || event.how.is_some() || out.len() > before;
    if ended && grants_success(expected) && FAILURES.contains(&event.outcome()) {
        out.truncate(before);
        out.push(failure(expected, event));
    }
}

/// Outcomes of a handler that ran and did not succeed.
const FAILURES: &[&str] = &["error", "crash", "timeout"];

/// Whether nothing that an expectation says allows for a failure at the end.
fn grants_success(expected: &Invocation) -> bool {
    let attempts = expected.attempts.as_ref().map(|attempts| &attempts.value);
    let last = attempts.and_then(|attempts| attempts.last());
    let none = |times| pairing::is(times, 0) && !pairing::is(times, 1);
    expected.outcome.is_none()
        && last.is_none_or(|last| last.outcome.is_none() && last.error.is_none())
        && !expected.times.as_ref().is_some_and(none)
        && !shows_error(expected)
}

/// Whether the answer that is expected is an error document.
fn shows_error(expected: &Invocation) -> bool {
    let response = expected.response.as_ref();
    response.is_some_and(|node| node.get("errorType").is_some() || node.get("errorMessage").is_some())
}

fn failure(expected: &Invocation, event: &SeenEvent<'_>) -> Diagnostic {
    let body = event.attempts.last().map_or(&Json::Null, |attempt| &attempt.body);
    let text = |key: &str| body.get(key).and_then(Json::as_str).unwrap_or_default();
    let why = format!("{}: {}", text("errorType"), text("errorMessage"));
    let what = format!(
        "{} failed: {}",
        expected.function.value,
        shorten(why.trim_matches([':', ' ']))
    );
    let problem = Diagnostic::new("E207", what).at(expected.function.span, "expected to succeed");
    let problem = problem.note(match event.attempts.len() {
        1 => format!("its attempt ended in `{}`", event.outcome()),
        n => format!("{n} attempts; the last ended in `{}`", event.outcome()),
    });
    problem.help("if it is meant to fail, expect its `outcome` or list its `attempts`")
}

fn judge_details(expect: &Expect, expected: &Invocation, event: &SeenEvent<'_>, out: &mut Vec<Diagnostic>) {
    let function = &expected.function.value;
    match &expected.attempts {
        Some(attempts) => judge_attempts(function, attempts, event, out),
        None if !expect.at_step && expect.closed.covers("retries") && event.attempts.len() > 1 => {
            let what = format!(
                "{function} was retried: {} attempts, and no line explains them",
                event.attempts.len()
            );
            let problem = Diagnostic::new("E211", what).at(expected.function.span, "one attempt expected");
            out.push(problem.help("list its `attempts`, or say `closed: { except: [retries] }`"));
        }
        None => {}
    }
    if let Some(outcome) = expected.outcome.as_ref().filter(|o| o.value != event.outcome()) {
        let what = format!("{function} ended in `{}`", event.outcome());
        let problem = Diagnostic::new("E202", what).at(outcome.span, "expected");
        out.push(problem.note(last_body(event)));
    }
    if let Some(node) = &expected.response {
        let body = event.attempts.last().map_or(Json::Null, |a| a.body.clone());
        if let Err(found) = matcher::matches(node, &body) {
            out.push(with_mismatches(
                Diagnostic::new("E205", format!("the response of {function} differs")),
                node,
                &found,
            ));
        }
    }
    if let Some(lines) = &expected.logs {
        judge_lines(lines, &event.logs, &format!("log of {function}"), "E206", out);
    }
    if let (Some(cold), Some(first)) = (&expected.cold, event.attempts.first())
        && cold.value != first.cold
    {
        let what = format!(
            "{function} ran in a {} environment",
            if first.cold { "fresh" } else { "warm" }
        );
        out.push(Diagnostic::new("E202", what).at(cold.span, "expected otherwise"));
    }
}

fn last_body(event: &SeenEvent<'_>) -> String {
    event
        .attempts
        .last()
        .map(|a| shorten(&a.body.to_string()))
        .unwrap_or_default()
}

fn judge_attempts(
    function: &str,
    expected: &Located<Vec<Attempt>>,
    event: &SeenEvent<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let seen = event.attempts.len();
    for (i, attempt) in expected.value.iter().enumerate() {
        let number = i + 1;
        let span = attempt
            .at
            .as_ref()
            .map(|at| at.span)
            .or(attempt.outcome.as_ref().map(|o| o.span));
        let span = span.unwrap_or(expected.span);
        let Some(actual) = event.attempts.get(i) else {
            let what = format!("attempt {number} of {function} did not happen");
            let mut problem =
                Diagnostic::new("E201", what).at(span, format!("expected, {seen} attempts seen"));
            problem.cause = event.how.zip(event.attempts.last()).map(|(how, last)| {
                Box::new(Cause {
                    function: function.to_owned(),
                    how: how.to_owned(),
                    at: clock(last.at),
                })
            });
            out.push(problem.note(format!("the event ended: {}", event.how.unwrap_or("not yet"))));
            return;
        };
        let differs = |what: String, at| {
            Diagnostic::new("E202", format!("attempt {number} of {function} {what}")).at(at, "expected")
        };
        if let Some(at) = &attempt.at
            && let Some((time, exact)) = parse_at(&at.value)
        {
            let same = if exact {
                time == actual.at
            } else {
                time == Duration::from_secs(actual.at.as_secs())
            };
            if !same {
                out.push(differs(format!("started at {}", clock(actual.at)), at.span));
            }
        }
        if let Some(outcome) = attempt
            .outcome
            .as_ref()
            .filter(|o| Some(o.value.as_str()) != actual.outcome)
        {
            let problem = differs(
                format!("ended in `{}`", actual.outcome.unwrap_or("nothing")),
                outcome.span,
            );
            out.push(problem.note(shorten(&actual.body.to_string())));
        }
        let error_type = actual.body.get("errorType").cloned();
        let environment = actual.environment.map(Json::from);
        for (node, value, word) in [
            (&attempt.error, error_type, "error"),
            (&attempt.environment, environment, "environment"),
        ] {
            if let Some(node) = node
                && let Err(found) = matcher::matches_option(node, value.as_ref())
            {
                let what = format!("attempt {number} of {function} has another {word}");
                out.push(with_mismatches(Diagnostic::new("E202", what), node, &found));
            }
        }
    }
    if seen > expected.value.len() {
        let what = format!(
            "{function} had {seen} attempts, {} expected",
            expected.value.len()
        );
        let times: Vec<String> = event.attempts.iter().map(|a| clock(a.at)).collect();
        out.push(
            Diagnostic::new("E211", what)
                .at(expected.span, "")
                .note(format!("they started at {}", times.join(", "))),
        );
    }
}

/// A line that says ERROR in an event that was not meant to fail, and which no `logs` explains; where the event was
/// already `told` to differ, that comes first.
fn error_logs(
    expect: &Expect,
    seen: &Seen<'_>,
    explained: &Pairing,
    told: &BTreeSet<usize>,
    out: &mut Vec<Diagnostic>,
) {
    let is_error = |line: &str| line.starts_with("[ERROR]") || line.contains("\tERROR\t");
    for (e, event) in seen.events.iter().enumerate() {
        let expected = explained.expectation_of(e).map(|i| &expect.invocations[i]);
        let meant = expected.is_some_and(|expected| {
            let shown = shows_error(expected) && FAILURES.contains(&event.outcome());
            expected.logs.is_some() || expects_failure(expected) || shown
        });
        let listed = expect
            .logs
            .iter()
            .any(|(function, _)| function.value == event.function);
        if meant || listed || told.contains(&e) {
            continue;
        }
        if let Some(line) = event.logs.iter().find(|line| is_error(line)) {
            let what = format!("{} logged an error that no line explains", event.function);
            let problem = Diagnostic::new("E212", what)
                .at(
                    expected.map_or(expect.span, |expected| expected.function.span),
                    "",
                )
                .note(format!("| {}", shorten(line)));
            out.push(problem.help("expect it in `logs`, or say `closed: { except: [logs] }`"));
        }
    }
}

/// Whether an expectation says that the event, or an attempt of it, fails.
fn expects_failure(expected: &Invocation) -> bool {
    let fails = |outcome: &Option<Located<String>>| outcome.as_ref().is_some_and(|o| o.value != "ok");
    let mut attempts = expected.attempts.iter().flat_map(|attempts| &attempts.value);
    fails(&expected.outcome) || attempts.any(|a| fails(&a.outcome) || a.error.is_some())
}

#[cfg(test)]
#[path = "invocations_tests.rs"]
mod tests;
