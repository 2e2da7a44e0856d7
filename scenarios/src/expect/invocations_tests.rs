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
            qualifier: None,
            lane: "queue".to_owned(),
            body: Body::of(&(*document).to_owned().into()),
        });
        entries.push(Entry::Inv {
            name: name.clone(),
            event: event.clone(),
            function: function.clone(),
            version: None,
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
    judged(&expect, &journal(events))
}

fn judged(expect: &Expect, lines: &[Line]) -> Vec<&'static str> {
    let mut out = Vec::new();
    judge(expect, &Seen::of(lines, Timestamp::VIRTUAL_START), &mut out);
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
            &[B, A]
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

#[test]
fn a_failure_where_success_was_granted_is_told_though_nothing_else_is_wrong() {
    for outcome in ["error", "crash", "timeout"] {
        let failed = (A.0, outcome, "");
        let codes = |line: &str, rest: &str| {
            codes(
                &format!("invocations: [{{ function: f{line} }}]\n{rest}"),
                &[failed],
            )
        };
        for granted in [
            "",
            ", event: { a: 1 }",
            ", attempts: [{ at: +0s }]",
            ", times: { $gte: 1 }",
        ] {
            assert_eq!(codes(granted, ""), ["E207"], "{outcome}: {granted}");
        }
        for open in ["closed: false\n", "closed: { except: [retries, logs] }\n"] {
            assert_eq!(codes("", open), ["E207"], "a line speaks of it: {open}");
        }
        let meant = format!(", outcome: {outcome}");
        let listed = format!(", attempts: [{{ outcome: {outcome} }}]");
        for meant in [
            meant.as_str(),
            listed.as_str(),
            ", response: done, outcome: OUTCOME",
        ] {
            assert_eq!(
                codes(&meant.replace("OUTCOME", outcome), ""),
                [""; 0],
                "{outcome}: {meant}"
            );
        }
        assert_eq!(codes(", times: 0", ""), ["E203"], "none was to succeed");
    }
    let loud = (A.0, "error", ERROR);
    assert_eq!(
        codes("invocations: [{ function: f }]\n", &[loud]),
        ["E207"],
        "the error log tells no more"
    );
    let either = "any_order: true\ninvocations: [{ function: f }, { function: f, outcome: error }]\n";
    assert_eq!(codes(either, &[loud, A]), [""; 0]);
}

#[test]
fn a_step_tells_of_a_failure_when_no_retry_can_mend_it() {
    let node = crate::yaml::parse(0, "invocations: [{ function: f }]\n").expect("YAML");
    let expect = expect::parse(&node, true).expect("an expectation");
    let mut lines = journal(&[(A.0, "crash", "")]);
    assert_eq!(judged(&expect, &lines), [""; 0]);
    lines.push(Line {
        n: 0,
        t: Timestamp::VIRTUAL_START,
        entry: Entry::Done {
            event: Name::new("evt:0"),
            how: "RetriesExhausted".to_owned(),
            executions: 1,
            to: "nowhere".to_owned(),
            why: None,
        },
    });
    assert_eq!(judged(&expect, &lines), ["E207"]);
}

#[test]
fn in_any_order_counts_share_what_is_left() {
    let any = |list: &str, rest: &str| format!("any_order: true\ninvocations: [{list}]\n{rest}");
    let failed = (A.0, "error", ERROR);
    let outcomes = "{ function: f, outcome: ok, times: { $gte: 1 } }, { function: f, outcome: error, times: { $gte: 1 } }";
    assert_eq!(codes(&any(outcomes, ""), &[A, A, failed, failed]), [""; 0]);
    assert_eq!(codes(&any(outcomes, ""), &[failed, A, failed, A]), [""; 0]);
    let bounds = "{ function: f, times: { $lte: 1 } }, { function: f, times: { $gte: 1 } }";
    assert_eq!(codes(&any(bounds, ""), &[A, A, A]), [""; 0]);
    let moved =
        "{ function: f, times: { $gte: 1, $lte: 2 } }, { function: f, event: { a: 1 }, times: { $lte: 2 } }";
    assert_eq!(
        codes(&any(moved, ""), &[A, A, B, B]),
        [""; 0],
        "the first leaves the a to the second"
    );
    let gap = "{ function: f, times: { $or: [1, 3] } }";
    assert_eq!(codes(&any(gap, ""), &[A, A, A]), [""; 0]);
    assert_eq!(codes(&any(gap, ""), &[A, A]), ["E203"]);
    let gap_first = format!("{gap}, {{ function: f, times: {{ $gte: 1 }} }}");
    assert_eq!(codes(&any(&gap_first, ""), &[A, A, A]), [""; 0]);
    let one = "{ function: f, times: 1 }";
    assert_eq!(
        codes(&any(one, "closed: false\n"), &[A, A]),
        ["E203"],
        "counts are whole"
    );
    assert_eq!(
        codes(
            &any("{ function: f, outcome: ok, times: { $gte: 1 } }", ""),
            &[A, failed]
        ),
        ["E202"]
    );
}

#[test]
fn in_order_a_count_speaks_of_events_in_a_row() {
    let counted = |rest: &str| {
        format!(
            "invocations: [{{ function: f, event: {{ a: 1 }}, times: 2 }}, {{ function: f, event: {{ b: 1 }} }}]\n{rest}"
        )
    };
    assert_eq!(codes(&counted(""), &[A, A, B]), [""; 0]);
    assert_eq!(codes(&counted(""), &[B, A, A]), ["E203", "E210", "E210"]);
    assert_eq!(codes(&counted("closed: false\n"), &[B, A, A]), ["E203"]);
    assert_eq!(codes(&counted("any_order: true\n"), &[B, A, A]), [""; 0]);
    let ranges = "invocations: [{ function: f, times: { $gte: 1 } }, { function: f, event: { a: 1 } }]\n";
    assert_eq!(
        codes(ranges, &[B, A, A]),
        [""; 0],
        "a count leaves what the next needs"
    );
    let failed = (A.0, "error", ERROR);
    let outcomes = "invocations: [{ function: f, outcome: ok, times: { $gte: 1 } }, { function: f, outcome: error, times: { $gte: 1 } }]\n";
    assert_eq!(codes(outcomes, &[A, A, failed, failed]), [""; 0]);
    assert_eq!(codes(outcomes, &[A, failed, A]), ["E202", "E202"]);
    let some = "invocations: [{ function: f, event: { a: 1 }, times: { $gte: 1 } }]\nclosed: false\n";
    assert_eq!(codes(some, &[B, A, B, A]), [""; 0], "past what nobody means");
    assert_eq!(codes(some, &[A, B, failed]), ["E207"], "it speaks of all of them");
    let then = "invocations: [{ function: f, event: { a: 1 }, times: { $gte: 1 } }, { function: f, event: { b: 1 } }]\nclosed: false\n";
    assert_eq!(codes(then, &[A, B, A]), [""; 0]);
    assert_eq!(codes(then, &[A, B, failed]), ["E207"]);
    assert_eq!(codes(then, &[B, A]), ["E203"]);
    let none = "invocations: [{ function: f, event: { b: 1 }, times: 0 }]\nclosed: false\n";
    assert_eq!(codes(none, &[A, B]), ["E203"]);
    assert_eq!(codes(none, &[A, A]), [""; 0]);
    let one = "invocations: [{ function: f, event: { a: 1 }, times: 1 }]\nclosed: false\n";
    assert_eq!(codes(one, &[A, B, A]), ["E203"], "counts are whole");
}

#[test]
fn many_events_are_paired_in_a_moment() {
    let events = vec![A; 4000];
    for order in [false, true] {
        let expected = format!(
            "any_order: {order}\ninvocations: [{{ function: f, event: {{ a: 1 }}, times: 3000 }}, {{ function: f, times: 1000 }}]\n"
        );
        let began = std::time::Instant::now();
        assert_eq!(codes(&expected, &events), [""; 0]);
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}

/// Words of a line: a document, an outcome and a count, each with what it means.
type Words<T> = (&'static str, T);
type Count = fn(usize) -> bool;

#[test]
fn a_pairing_is_found_exactly_where_there_is_one() {
    let documents: [Words<Option<&str>>; 3] = [
        ("", None),
        (", event: { a: 1 }", Some(A.0)),
        (", event: { b: 1 }", Some(B.0)),
    ];
    let outcomes: [Words<&str>; 3] = [("", "ok"), (", outcome: ok", "ok"), (", outcome: error", "error")];
    let counts: [Words<Count>; 7] = [
        ("", |n| n == 1),
        (", times: 2", |n| n == 2),
        (", times: { $gte: 1 }", |n| n >= 1),
        (", times: { $lte: 1 }", |n| n <= 1),
        (", times: { $gte: 1, $lte: 2 }", |n| (1..=2).contains(&n)),
        (", times: { $gte: 2 }", |n| n >= 2),
        (", times: { $gte: 0 }", |_| true),
    ];
    let mut state = 7_u64;
    let mut any = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % n
    };
    let mut passed = [0; 2];
    for _ in 0..2000 {
        let events: Vec<_> = (0..any(6))
            .map(|_| ([A.0, B.0][any(2)], ["ok", "error"][any(2)], ""))
            .collect();
        let lines: Vec<_> = (0..=any(3))
            .map(|_| (documents[any(3)], outcomes[any(3)], counts[any(7)]))
            .collect();
        let holds = |line: usize, e: usize| {
            let (document, outcome, _) = lines[line];
            document.1.is_none_or(|document| document == events[e].0) && outcome.1 == events[e].1
        };
        for in_order in [true, false] {
            // Every way to give each event to a line.
            let ways = lines
                .len()
                .pow(u32::try_from(events.len()).expect("a few events"));
            let exists = (0..ways).any(|way| {
                let owner =
                    |e: usize| way / lines.len().pow(u32::try_from(e).expect("a few events")) % lines.len();
                let all = 0..events.len();
                all.clone().all(|e| holds(owner(e), e))
                    && (!in_order || all.clone().skip(1).all(|e| owner(e - 1) <= owner(e)))
                    && (0..lines.len())
                        .all(|i| (lines[i].2.1)(all.clone().filter(|e| owner(*e) == i).count()))
            });
            let list: Vec<String> = lines
                .iter()
                .map(|(d, o, c)| format!("{{ function: f{}{}{} }}", d.0, o.0, c.0))
                .collect();
            let expected = format!("any_order: {}\ninvocations: [{}]\n", !in_order, list.join(", "));
            let found = codes(&expected, &events);
            assert_eq!(found.is_empty(), exists, "{expected}{events:?}\n{found:?}");
            passed[usize::from(in_order)] += usize::from(exists);
        }
    }
    assert!(passed.iter().all(|n| *n > 60), "{passed:?}");
}
