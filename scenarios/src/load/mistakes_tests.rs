//! Mistakes that were once taken in silence: each is refused, at its place, with advice.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;

use super::*;

const WORLD: &str = r#"schema: 1
functions:
  f: { command: ./f }
sources:
  up: { kind: s3, bucket: uploads }
routes: [{ from: up, to: f }]
sinks: { failed: {} }
"#;
const PUT: &str = "steps: [{ put: { uploads/a: x } }]\n";

/// What loading says: `line:column what` of each error, with the world before the text.
fn said(text: &[u8]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.yaml");
    fs::write(&path, [WORLD.as_bytes(), text].concat()).unwrap();
    let mut files = Files::default();
    let problems = load(&path, &mut files).err().unwrap_or_default();
    let tell = |problem: &Diagnostic| {
        let place = problem.at.as_ref().map(|(span, _)| files.line_col(*span));
        let (line, column) = place.unwrap_or_default();
        format!("{line}:{column} {}", problem.what)
    };
    problems.iter().map(tell).collect()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let said = said(text.as_bytes());
    assert!(
        said.len() == 1 && said[0].starts_with(expected),
        "{text}\nexpected {expected}\ngot {said:#?}"
    );
}

/// `expect` at the end, in line 9; what stands in it begins at column 11.
fn at_end(expect: &str) -> String {
    format!("{PUT}expect: {{ {expect} }}\n")
}

#[test]
fn names_in_expectations_must_exist() {
    for (expect, said) in [
        (
            "invocations: [{ function: g }]",
            "9:37 there is no function called `g`",
        ),
        ("logs: { g: [x] }", "9:19 there is no function called `g`"),
        ("sinks: { faild: [] }", "9:20 there is no sink called `faild`"),
        (
            "objects: { upload/a: { size: 1 } }",
            "9:22 there is no bucket called `upload`",
        ),
        (
            "order: [put-1, put-9]",
            "9:26 there is no step or function called `put-9`",
        ),
        ("objects: { uploads/../a: { size: 1 } }", "9:22 key `../a` holds"),
    ] {
        refused(&at_end(expect), said);
    }
}

#[test]
fn keys_without_a_value_expect_nothing() {
    for (expect, said) in [
        ("invocations: ", "9:11 `invocations` is empty"),
        ("closed: ", "9:11 `closed` is empty"),
        (
            "invocations: [{ function: f, attempts: }]",
            "9:40 `attempts` is empty",
        ),
        ("invocations: [{ function: f, times: }]", "9:40 `times` is empty"),
        (
            "invocations: [{ function: f, attempts: [{ at: }] }]",
            "9:53 `at` is empty",
        ),
    ] {
        refused(&at_end(expect), said);
    }
    refused(&format!("{PUT}expect:\n"), "9:1 `expect` is empty");
}

#[test]
fn what_an_expectation_cannot_mean_is_refused() {
    for (expect, said) in [
        (
            "invocations: [{ function: f, times: two }]",
            "9:47 `times` takes a whole number",
        ),
        (
            "invocations: [{ function: f, times: -1 }]",
            "9:47 `times` takes a whole number",
        ),
        (
            "invocations: [{ function: f, attempts: [{ outcome: expired }] }]",
            "9:62 an attempt cannot end in `expired`",
        ),
        (
            "invocations: [{ function: f, attempts: [{ at: +400000000000000d400000000000000d }] }]",
            "9:57 `+400000000000000d400000000000000d` is not a time",
        ),
        (
            "objects: { uploads/a: { sise: 1 } }",
            "9:35 an object has no `sise`",
        ),
        ("objects: { uploads/a: hello }", "9:33 this is not what an object"),
        (
            "log_tail: [x]",
            "9:11 `log_tail` belongs to the `expect` of a step",
        ),
        ("when: now", "9:11 `when` is not supported yet"),
    ] {
        refused(&at_end(expect), said);
    }
}

#[test]
fn only_calls_have_replies() {
    for (step, said) in [
        (
            "put: { uploads/a: x }, expect: { status: 200 }",
            "8:44 this step has no reply, so no `status`",
        ),
        (
            "advance: 3s, expect: { payload: 1 }",
            "8:34 this step has no reply, so no `payload`",
        ),
        (
            "settle: {}, expect: { closed: false }",
            "8:33 `closed` belongs to the `expect` at the end",
        ),
        (
            "invoke: { function: f }, expect: { log_tail: [x] }",
            "8:46 this call does not ask for its log tail",
        ),
        (
            "invoke: { function: f, type: event }, expect: { payload: {} }",
            "8:59 a call that does not wait has no `payload`",
        ),
        (
            "parallel: [{ put: { uploads/a: x }, expect: { status: 1 } }]",
            "8:57 this step has no reply",
        ),
    ] {
        refused(&format!("steps: [{{ {step} }}]\n"), said);
    }
}

#[test]
fn objects_that_a_directory_cannot_hold_are_found_before_the_run() {
    for key in ["uploads/../a", "uploads//a", "uploads/a/"] {
        refused(&format!("steps: [{{ put: {{ {key}: x }} }}]\n"), "8:18 key `");
    }
}

#[test]
fn built_ins_stand_only_where_a_run_fills_them_in() {
    let said = said(format!("name: \"${{now}}\"\n{PUT}").as_bytes());
    assert_eq!(said, ["8:7 `${now}` is known only in a run, and not here"]);
    refused(
        "steps: [{ invoke: { function: f, payload: \"${step.invoke-1.request_id}\" } }]\n",
        "8:43 `${step.invoke-1.request_id}` is not supported yet",
    );
    refused(&format!("vars: {{ now: x }}\n{PUT}"), "8:9 `now` is built in");
    refused(
        &format!("vars: {{ a: \"${{now}}\" }}\n{PUT}"),
        "8:12 a constant cannot hold",
    );
    assert!(said_nothing(
        "steps: [{ invoke: { function: f, payload: \"${now}\" } }]\n"
    ));
}

#[test]
fn constants_may_use_those_above() {
    assert!(said_nothing(
        "vars: { a: uploads, b: \"${a}/x\" }\nsteps: [{ put: { \"${b}\": x } }]\n"
    ));
    refused(
        &format!("vars: {{ a: \"${{a}}\" }}\n{PUT}"),
        "8:15 there is no variable `a`",
    );
}

#[test]
fn faults_fixtures_and_limits_are_read_strictly() {
    for (text, said) in [
        (
            "faults: [{ on: { event: { a: { $ree: x } } }, do: error }]\n",
            "9:32 there is no matcher `$ree`",
        ),
        ("fixtures: { files: {} }\n", "9:13 `files` is not supported yet"),
        ("limits: { events: 0 }\n", "9:19 `events` is at least 1"),
        ("limits: { init: 0s }\n", "9:17 a limit `init` of nothing"),
    ] {
        refused(&format!("{PUT}{text}"), said);
    }
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    refused("name: \"a\0b\"\n", "8:9 the control character 0x00");
    assert_eq!(said(b"name: a\xff\n")[0].split_once('/').unwrap().0, "8:8 file ");
}

#[test]
fn a_file_full_of_mistakes_ends() {
    let many = (0..3000).fold(String::new(), |text, i| format!("{text}k{i}: v\n"));
    assert!(said(many.as_bytes()).len() <= 100);
}

fn said_nothing(text: &str) -> bool {
    let said = said(text.as_bytes());
    assert!(said.is_empty(), "{said:#?}");
    true
}
