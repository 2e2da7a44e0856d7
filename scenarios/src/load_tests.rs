#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use super::*;
use crate::file::function::Program;
use crate::file::step::Verb;
use crate::render::render;

/// A directory with a scenario, a project and the files they name.
fn site(scenario: &str, project: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("resize")).unwrap();
    fs::create_dir_all(dir.path().join("fixtures")).unwrap();
    fs::write(dir.path().join("fixtures/cat.jpg"), b"cat").unwrap();
    fs::write(dir.path().join("s.yaml"), scenario).unwrap();
    fs::write(dir.path().join("triggerfish.yaml"), project).unwrap();
    dir
}

const PROJECT: &str =
    "schema: 1\nfunctions:\n  hello: { command: ./hello, timeout: 5s, environment: { AA: x, BB: y } }\n";

fn loaded(scenario: &str) -> Result<Scenario, String> {
    let dir = site(scenario, PROJECT);
    let mut files = Files::default();
    load(&dir.path().join("s.yaml"), &mut files).map_err(|all| {
        all.iter()
            .map(|d| render(&files, d, false))
            .collect::<Vec<_>>()
            .join("\n")
    })
}

const PUT: &str = r#"schema: 1
name: a put triggers the resizer
functions:
  resize: { runtime: nodejs20.x, handler: app.handler, code: ./resize }
sources:
  uploads: { kind: s3, bucket: uploads }
  thumbs: { kind: s3, bucket: thumbs }
routes:
  - { from: uploads, events: "ObjectCreated:*", suffix: .jpg, to: resize }
steps:
  - put: { uploads/cat.jpg: { file: fixtures/cat.jpg } }
expect:
  invocations:
    - function: resize
      event: { Records: [{ eventName: "ObjectCreated:Put", s3: { object: { key: cat.jpg } } }] }
  objects: { thumbs/cat.jpg: { size: { $gt: 0 } } }
"#;

#[test]
fn example_1_loads() {
    let s = loaded(PUT).unwrap();
    assert_eq!(s.routes[0].name.value.as_str(), "uploads-resize");
    assert_eq!(
        s.routes[0].filter.to_json().to_string(),
        r#"{"events":"ObjectCreated:*","suffix":".jpg"}"#
    );
    assert_eq!(s.steps[0].id, "put-1");
    let Verb::Put(objects) = &s.steps[0].verb else {
        panic!()
    };
    assert_eq!(
        (&*objects[0].0.value.source, &*objects[0].0.value.key),
        ("uploads", "cat.jpg")
    );
    assert!(
        matches!(&s.functions["resize"].program, Program::Runtime { handler, .. } if handler.value == "app.handler")
    );
    assert!(s.expect.is_some());
}

#[test]
fn example_2_loads_over_its_project() {
    let s = loaded(
        "schema: 1\nproject: triggerfish.yaml\nvars: { who: Ada }\nfunctions: { hello: { environment: { BB: z } } }\nsteps:\n  \
         - invoke: { function: hello, payload: { name: \"${who}\" }, log: tail }\n    expect: { status: 200 }\n",
    )
    .unwrap();
    let hello = &s.functions["hello"];
    assert_eq!(
        (&*hello.environment["AA"].value, &*hello.environment["BB"].value),
        ("x", "z")
    );
    assert_eq!(hello.timeout.as_secs(), 5);
    let Verb::Invoke(invoke) = &s.steps[0].verb else {
        panic!()
    };
    assert_eq!(
        invoke.payload.as_ref().unwrap().to_json().to_string(),
        r#"{"name":"Ada"}"#
    );
}

#[test]
fn each_error_says_what_and_where() {
    let base =
        "schema: 1\nfunctions: { f: { command: x } }\nsources: { up: { kind: s3, bucket: uploads } }\n";
    for (rest, lines) in [
        (
            "stpes: []",
            &[
                "error[E102]: unknown key `stpes`",
                "s.yaml:4:1",
                "did you mean `steps`?",
            ][..],
        ),
        (
            "matrix: []",
            &["error[E104]: `matrix` is not supported yet", "s.yaml:4:1"],
        ),
        (
            "mode: real",
            &["error[E104]: `mode: real` is not supported yet", "s.yaml:4:7"],
        ),
        (
            "sinks:\n  f2: { x: 1 }",
            &["error[E102]: unknown key `x`", "s.yaml:5:9"],
        ),
        (
            "routes: [{ from: upp, to: f }]",
            &[
                "error[E105]: there is no source called `upp`",
                "s.yaml:4:18",
                "did you mean `up`?",
            ],
        ),
        (
            "routes: [{ from: up, to: f, batch: 1 }]",
            &["error[E104]: `batch` is not supported yet"],
        ),
        (
            "steps: [{ put: { upload/a: x } }]",
            &[
                "error[E105]: there is no bucket called `upload`",
                "did you mean `uploads`?",
            ],
        ),
        (
            "steps: [{ put: { uploads/a: { file: no.txt } } }]",
            &["error[E110]: file no.txt does not exist", "s.yaml:4:37"],
        ),
        (
            "steps: [{ sql: x }]",
            &["error[E104]: `sql` is not supported yet", "s.yaml:4:11"],
        ),
        (
            "steps: [{ settle: , advance: 1s }]",
            &["error[E103]: this step has two verbs, `settle` and `advance`"],
        ),
        ("steps: [{ id: a }]", &["error[E103]: this step has no verb"]),
        (
            "steps: [{ advance: 3 }]",
            &[
                "error[E103]: the length of time 3 has no unit",
                "s.yaml:4:20",
                "`100ms`",
            ],
        ),
        (
            "steps: [{ id: a, settle: {} }, { id: a, settle: {} }]",
            &["error[E103]: two steps have the id `a`"],
        ),
        (
            "steps: [{ invoke: { function: f, payload: \"${who}\" } }]",
            &["error[E106]: there is no variable `who`"],
        ),
        (
            "steps: [{ invoke: { function: f, payload: \"${source.u.directory}\" } }]",
            &["error[E105]: there is no source called `u`"],
        ),
        (
            "steps: [{ repeat: { each: [] } }]",
            &["error[E104]: `each` is not supported yet"],
        ),
        (
            "faults: [{ on: { function: g }, do: error }]",
            &["error[E105]: there is no function called `g`"],
        ),
        (
            "faults: [{ on: { function: f }, do: cold }]",
            &["error[E104]: `do: cold` is not supported yet"],
        ),
        (
            "faults: [{ on: { attempt: 0 }, do: error }]",
            &["error[E103]: this names no attempts"],
        ),
        (
            "clock: { start: noon }",
            &["error[E103]: `noon` is not an instant"],
        ),
        (
            "seed: x",
            &[
                "error[E103]: expected a whole number from 0 up, found the string `x`",
                "s.yaml:4:7",
            ],
        ),
        (
            "project: no.yaml",
            &["error[E110]: file ", "no.yaml does not exist", "s.yaml:4:10"],
        ),
    ] {
        let text = loaded(&format!("{base}{rest}\n")).expect_err(rest);
        for line in lines {
            assert!(text.contains(line), "{rest}: no {line:?} in\n{text}");
        }
    }
    for (function, line) in [
        (
            "{ runtime: nodejs20.x, handler: a.b, code: ./no }",
            "error[E110]: code directory ./no does not exist",
        ),
        (
            "{ runtime: nodejs20.x, command: x }",
            "has both `runtime` and `command`",
        ),
        ("{ handler: x }", "has neither `runtime` nor `command`"),
        ("{ command: x, memory: 1 }", "memory of 1 MB is outside"),
        (
            "{ command: x, timeout: 901s }",
            "`timeout` has to be 1 to 900 whole seconds",
        ),
        ("{ command: x, retry: 3 }", "3 retries are more than Lambda's 2"),
        (
            "{ command: x, max_event_age: 1s }",
            "`max_event_age` has to be 60 to 21600",
        ),
        (
            "{ command: x, environment: { AWS_REGION: x } }",
            "`AWS_REGION` is reserved",
        ),
        (
            "{ command: x, environment: { AB: 1 } }",
            "expected a string, found the number 1",
        ),
        (
            "{ command: x, on_failure: lost }",
            "error[E105]: there is no sink or function called `lost`",
        ),
        ("{ command: x, on_failure: f }", "cannot be its own destination"),
        (
            "{ command: x, layers: 1 }",
            "error[E104]: `layers` is not supported yet",
        ),
    ] {
        let text = loaded(&format!("schema: 1\nfunctions: {{ f: {function} }}\n")).expect_err(function);
        assert!(text.contains(line), "{function}: no {line:?} in\n{text}");
    }
    assert!(
        loaded("name: x\n")
            .unwrap_err()
            .contains("the key `schema` is missing")
    );
    assert!(
        loaded("schema: 2\n")
            .unwrap_err()
            .contains("schema 2 is not known")
    );
}

#[test]
fn errors_are_collected() {
    let text = loaded("schema: 1\nstpes: []\nmatrix: {}\nfunctions: { f: { comand: x, memry: 1 } }\nroutes: [{ from: a, to: b }]\n").unwrap_err();
    assert!(text.matches("error[").count() >= 6, "{text}");
}

#[test]
fn a_scenario_is_no_project() {
    let dir = site("schema: 1\nsteps: []\n", PROJECT);
    let mut files = Files::default();
    let all = load_project(&dir.path().join("s.yaml"), &mut files).unwrap_err();
    assert!(all[0].what.contains("this is a scenario"));
    load_project(&dir.path().join("triggerfish.yaml"), &mut Files::default()).unwrap();
}

#[test]
fn no_change_to_a_valid_file_makes_it_panic() {
    let dir = site(PUT, PROJECT);
    let path = dir.path().join("s.yaml");
    let pieces = [
        "", " ", "\n", ":", "-", "{", "}", "[", "]", "\"", "é", "${", "}", "*", "&a ", "null", "9", "~",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    for _ in 0..2_000 {
        let mut text = PUT.to_owned();
        for _ in 0..1 + next() % 3 {
            let mut ends = [next() % (text.len() + 1), 0];
            ends[1] = (ends[0] + next() % 6).min(text.len());
            if text.is_char_boundary(ends[0]) && text.is_char_boundary(ends[1]) {
                text.replace_range(ends[0]..ends[1], pieces[next() % pieces.len()]);
            }
        }
        fs::write(&path, &text).unwrap();
        let mut files = Files::default();
        if let Err(all) = load(&path, &mut files) {
            assert!(!all.is_empty(), "{text}");
            all.iter()
                .for_each(|d| assert!(render(&files, d, true).contains(d.code)));
        }
    }
}
