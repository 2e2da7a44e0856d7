use router::journal::{Body, Entry, Line};
use router::name::{FunctionName, Name, Seed, SourceName};
use router::time::Timestamp;

use super::*;
use crate::expect;

/// Events for `f`: what each is, how it ended, and a line that it wrote.
fn journal(events: &[(&str, &str, &str)]) -> Vec<Line> {
    let mut entries = Vec::new();
    for (n, (document, outcome, log)) in events.iter().enumerate() {
        let event = Name::new(format!("evt:{n}"));
        let name = Name::new(format!("inv:f/{n}#1"));
        let function = FunctionName::new("f");
        entries.push(Entry::Evt {
            name: event.clone(),
            id: Seed(0).request_id("x"),
            origin: SourceName::new("uploads"),
            route: None,
            subject: String::new(),
            to: function.clone(),
            lane: "queue".to_owned(),
            body: Body::of(&(*document).to_owned().into()),
        });
        entries.push(Entry::Inv {
            name: name.clone(),
            event: event.clone(),
            function: function.clone(),
            attempt: 1,
        });
        entries.push(Entry::Log {
            name: name.clone(),
            line: (*log).to_owned(),
        });
        entries.push(Entry::Res {
            name,
            event,
            function,
            outcome: (*outcome).to_owned(),
            environment: None,
            cold: false,
            duration: 0,
            body: Body::string("done"),
        });
    }
    let line = |entry| Line {
        n: 0,
        t: Timestamp::VIRTUAL_START,
        entry,
    };
    entries.into_iter().map(line).collect()
}

/// The codes of what is not as expected.
fn codes(expected: &str, events: &[(&str, &str, &str)]) -> Vec<&'static str> {
    let node = crate::yaml::parse(0, expected).expect("YAML");
    let expect = expect::parse(&node, false).expect("an expectation");
    let mut out = Vec::new();
    judge(
        &expect,
        &Seen::of(&journal(events), Timestamp::VIRTUAL_START),
        &mut out,
    );
    out.iter().map(|problem| problem.code).collect()
}

const A: (&str, &str, &str) = (r#"{"a":1}"#, "ok", "");
const B: (&str, &str, &str) = (r#"{"b":1}"#, "ok", "");
const ERROR: &str = "[ERROR] no";

#[test]
fn in_any_order_an_assignment_is_found_where_there_is_one() {
    let any = |list: &str| format!("any_order: true\ninvocations: {list}\n");
    let wide_first = any("[{ function: f }, { function: f, event: { a: 1 } }]");
    assert_eq!(codes(&wide_first, &[A, B]), [""; 0]);
    assert_eq!(codes(&wide_first, &[B, A]), [""; 0]);
    assert_eq!(codes(&wide_first, &[B, B]), ["E204"]);
    assert_eq!(codes(&wide_first, &[A]), ["E203"]);
    let counted_first = any("[{ function: f, times: { $gte: 1 } }, { function: f, event: { a: 1 } }]");
    assert_eq!(codes(&counted_first, &[A, B, B]), [""; 0]);
    let exactly = any("[{ function: f, times: 2 }, { function: f, event: { a: 1 } }]");
    assert_eq!(codes(&exactly, &[A, B, B]), [""; 0]);
    assert_eq!(codes(&exactly, &[A, B, B, B]), ["E203"]);
    assert_eq!(codes(&any("[{ function: f, times: 0 }]"), &[A]), ["E203"]);
}

#[test]
fn in_any_order_the_outcome_tells_events_apart_too() {
    let either =
        "any_order: true\ninvocations: [{ function: f, outcome: error }, { function: f, outcome: ok }]\n";
    let failed = (A.0, "error", ERROR);
    assert_eq!(codes(either, &[A, failed]), [""; 0]);
    assert_eq!(codes(either, &[failed, A]), [""; 0]);
    assert_eq!(codes(either, &[A, A]), ["E202"]);
}

#[test]
fn in_order_each_speaks_of_the_next() {
    let ordered = "invocations: [{ function: f, event: { a: 1 } }, { function: f, event: { b: 1 } }]\n";
    assert_eq!(codes(ordered, &[A, B]), [""; 0]);
    assert_eq!(codes(ordered, &[B, A]), ["E204", "E204"]);
    assert_eq!(
        codes(
            "invocations: [{ function: f, event: { b: 1 }, times: 1 }, { function: f }]\n",
            &[A, B]
        ),
        [""; 0]
    );
    assert_eq!(codes(ordered, &[A, B, A]), ["E210"]);
}

#[test]
fn an_error_log_is_explained_by_the_failure_of_its_own_event() {
    let loud = (A.0, "ok", ERROR);
    let failed = (B.0, "error", ERROR);
    for outcome in ["outcome: ok", "attempts: [{ outcome: ok }]", "event: { a: 1 }"] {
        let expected = format!("invocations: [{{ function: f, {outcome} }}]\n");
        assert_eq!(codes(&expected, &[loud]), ["E212"], "{outcome}");
    }
    for failure in [
        "outcome: error",
        "attempts: [{ outcome: error }]",
        "outcome: timeout",
    ] {
        let expected = format!("invocations: [{{ function: f, {failure} }}]\n");
        assert!(!codes(&expected, &[failed]).contains(&"E212"), "{failure}");
    }
    let other = "invocations: [{ function: f }, { function: f, outcome: error }]\n";
    assert_eq!(
        codes(other, &[loud, failed]),
        ["E212"],
        "the failure of another explains nothing"
    );
    for listed in [
        "invocations: [{ function: f, logs: [\"[ERROR] no\"] }]\n",
        "invocations: [{ function: f }]\nlogs: { f: [\"[ERROR] no\"] }\n",
    ] {
        assert_eq!(codes(listed, &[loud]), [""; 0], "{listed}");
    }
}
