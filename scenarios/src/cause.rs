//! The line that explains a failure: the setting that ended an event's retries.
//!
//! A failed expectation names the effect; the cause stands elsewhere in the file, or in the project, or
//! nowhere, if it is a default. Found only when a report is written. Deliberately absent: judging.

use crate::diagnostic::{Diagnostic, Files};
use crate::node::{Span, Value};
use crate::yaml;

/// Why an event got no further attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The function.
    pub function: String,
    /// The word of the journal: `RetriesExhausted` or `EventAgeExceeded`.
    pub how: String,
    /// When the last attempt started: `+3m00s`.
    pub at: String,
}

/// The diagnostic with the line of its cause, if it has one.
pub fn explain(files: &Files, problem: &Diagnostic) -> Diagnostic {
    let Some(cause) = &problem.cause else {
        return problem.clone();
    };
    let (key, what) = match cause.how.as_str() {
        "RetriesExhausted" => ("retry", "retries end here"),
        "EventAgeExceeded" => ("max_event_age", "events end here"),
        _ => return problem.clone(),
    };
    match setting(files, &cause.function, key) {
        Some((span, true)) => problem.clone().also(span, format!("{what}, at {}", cause.at)),
        Some((span, false)) => problem
            .clone()
            .also(span, format!("{what} without a `{key}`, at {}", cause.at)),
        None => problem.clone(),
    }
}

/// The place of a function's setting, or of its name. The scenario, read first, wins over its project.
fn setting(files: &Files, function: &str, key: &str) -> Option<(Span, bool)> {
    let mut named = None;
    for file in 0..files.len() {
        let tree = yaml::parse(file, files.text(file)).ok()?;
        let Some(Value::Map(functions)) = tree.get("functions").map(|node| &node.value) else {
            continue;
        };
        let Some((name, node)) = functions.iter().find(|(name, _)| name.value == function) else {
            continue;
        };
        if let Some(value) = node.get(key) {
            return Some((value.span, true));
        }
        named = named.or(Some((name.span, false)));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::render;

    fn told(function: &str) -> String {
        let mut files = Files::default();
        files.add("s.yaml", format!("schema: 1\nfunctions:\n  {function}\n"));
        let mut problem = Diagnostic::new("E201", "attempt 4 of f did not happen").at(Span::default(), "");
        problem.cause = Some(Box::new(Cause {
            function: "f".to_owned(),
            how: "RetriesExhausted".to_owned(),
            at: "+3m00s".to_owned(),
        }));
        render(&files, &explain(&files, &problem), false)
    }

    #[test]
    fn the_setting_is_shown_or_that_it_is_missing() {
        assert!(
            told("f: { retry: { max: 2 } }")
                .contains("  |               ---------- retries end here, at +3m00s")
        );
        assert!(told("f: {}").contains("  |   - retries end here without a `retry`, at +3m00s"));
        assert!(!told("g: {}").contains("retries end here"));
    }
}
