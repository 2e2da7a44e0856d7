//! What a function says of its batch: `batchItemFailures`, and the `state` of a window.
//!
//! Owns every well and ill formed case (spec/event-source-mapping §4.3). Deliberately absent: what follows from a verdict.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::Payload;

/// What a response says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it was handled.
    Succeeded,
    /// Everything before this record, counted from 0, was handled; it and all behind it are to be tried again.
    FailedFrom(usize),
    /// Nothing of it counts as handled, for this reason.
    Failed(&'static str),
}

/// Reads `batchItemFailures`: the record that comes first of those that are listed decides. `position` finds a record of the
/// batch by its sequence number.
pub fn verdict(response: &[u8], position: impl Fn(&str) -> Option<usize>) -> Verdict {
    if response.trim_ascii().is_empty() {
        return Verdict::Succeeded;
    }
    let listed = match serde_json::from_slice(response) {
        Ok(Value::Null) => return Verdict::Succeeded,
        Ok(Value::String(text)) if text.is_empty() => return Verdict::Succeeded,
        Ok(Value::Array(items)) if items.is_empty() => return Verdict::Succeeded,
        Ok(Value::Object(mut members)) => members.remove("batchItemFailures").unwrap_or_default(),
        Ok(_) => return Verdict::Failed("the response is no object with batchItemFailures"),
        Err(_) => return Verdict::Failed("the response is no JSON"),
    };
    match listed {
        Value::Null => Verdict::Succeeded,
        Value::Array(items) => first_of(&items, position),
        _ => Verdict::Failed("batchItemFailures is no list"),
    }
}

/// The lowest of the listed records, if each of them is one.
fn first_of(items: &[Value], position: impl Fn(&str) -> Option<usize>) -> Verdict {
    let mut first = None;
    for item in items {
        let identifier = match item.get("itemIdentifier") {
            Some(Value::String(text)) if !text.is_empty() => text,
            Some(Value::String(_)) => return Verdict::Failed("an itemIdentifier is empty"),
            Some(_) => return Verdict::Failed("an itemIdentifier is no string"),
            None => return Verdict::Failed("an entry of batchItemFailures has no itemIdentifier"),
        };
        let Some(index) = position(identifier) else {
            return Verdict::Failed("an itemIdentifier is not in the batch");
        };
        first = Some(first.map_or(index, |first: usize| first.min(index)));
    }
    first.map_or(Verdict::Succeeded, Verdict::FailedFrom)
}

#[derive(Deserialize)]
struct Stateful {
    state: Option<Box<RawValue>>,
}

/// The state of a window, byte for byte; `None` if the response has none, which is a failed invocation
/// (spec/event-source-mapping §3). `null` is none.
pub fn state(response: &[u8]) -> Option<Payload> {
    let stateful: Stateful = serde_json::from_slice(response).ok()?;
    let state = stateful.state?;
    (state.get() != "null").then(|| Payload::copy_from_slice(state.get().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(response: &str) -> Verdict {
        verdict(response.as_bytes(), |id| {
            ["11", "22", "33"].iter().position(|s| *s == id)
        })
    }

    #[test]
    fn responses_without_failures_are_a_success() {
        let good = [
            "",
            " \n",
            "\"\"",
            "[]",
            "null",
            "{}",
            r#"{"other":1}"#,
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
        ];
        for response in good {
            assert_eq!(read(response), Verdict::Succeeded, "{response}");
        }
    }

    #[test]
    fn the_lowest_record_decides() {
        let list = |ids: &[&str]| {
            let entries: Vec<String> = ids
                .iter()
                .map(|id| format!(r#"{{"itemIdentifier":"{id}"}}"#))
                .collect();
            format!(r#"{{"batchItemFailures":[{}]}}"#, entries.join(","))
        };
        assert_eq!(read(&list(&["33"])), Verdict::FailedFrom(2));
        assert_eq!(read(&list(&["33", "22"])), Verdict::FailedFrom(1));
        assert_eq!(read(&list(&["11", "33", "11"])), Verdict::FailedFrom(0));
        assert!(
            matches!(read(&list(&["22", "44"])), Verdict::Failed(_)),
            "one is unknown"
        );
    }

    #[test]
    fn malformed_responses_fail_the_whole_batch() {
        let bad = [
            "{",
            "nope",
            "7",
            "true",
            "\"text\"",
            "[1]",
            r#"{"batchItemFailures":"11"}"#,
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":["11"]}"#,
            r#"{"batchItemFailures":[null]}"#,
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":11}]}"#,
            r#"{"batchItemFailures":[{"item_identifier":"11"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"99"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"011"}]}"#,
        ];
        for response in bad {
            assert!(matches!(read(response), Verdict::Failed(_)), "{response}");
        }
    }

    #[test]
    fn a_state_is_kept_as_it_is_written() {
        let kept = state(br#"{"state": {"n": 1.0e2}, "batchItemFailures": []}"#);
        assert_eq!(kept.as_deref(), Some(br#"{"n": 1.0e2}"#.as_slice()));
        for none in ["", "null", "[]", "{}", r#"{"state":null}"#, "7", "{"] {
            assert_eq!(state(none.as_bytes()), None, "{none}");
        }
    }
}
