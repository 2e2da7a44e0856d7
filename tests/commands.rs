//! Commands that end by themselves, from outside: what they print and their exit codes.

use std::path::Path;
use std::process::Command;

const FUNCTION: &str = "functions:\n  f: { runtime: python3.12, handler: app.handler, code: code }\n";

/// A directory with files.
fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = here.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    here
}

/// The exit code, and both outputs.
fn run(here: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_triggerfish"));
    command.args(arguments).current_dir(here).env("NO_COLOR", "1");
    let output = command.output().expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn lint_misses_the_file_of_a_handler_as_a_run_does() {
    let scenario =
        format!("schema: 1\n{FUNCTION}steps:\n  - invoke: {{ function: f }}\nexpect: {{ closed: false }}\n");
    let here = files(&[("a.yaml", &scenario), ("code/other.py", "")]);
    let (code, linted) = run(here.path(), &["lint", "."]);
    assert_eq!(code, Some(2), "{linted}");
    let error = linted
        .split("\n\n")
        .next()
        .expect("an error")
        .replace("./a.yaml", "a.yaml");
    assert!(
        error.contains("error[E301]") && error.contains("a.yaml:3:"),
        "{linted}"
    );
    let (code, tested) = run(here.path(), &["test", "a.yaml"]);
    assert_eq!(code, Some(4), "{tested}");
    assert!(tested.contains(error.trim_end()), "{error}\n{tested}");
}

#[test]
fn lint_reads_projects_that_no_scenario_uses_and_others_once() {
    let broken = "schema: 1\nfunctions:\n  f: { runtme: python3.12 }\n";
    let user = "schema: 1\nproject: used.yaml\nsteps: []\nexpect: {}\n";
    let here = files(&[
        ("used.yaml", broken),
        ("user.yaml", user),
        ("unused/other.yaml", broken),
        ("no.yaml", "a: 1\n"),
    ]);
    let (code, text) = run(here.path(), &["lint"]);
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(text.matches("used.yaml:3:8").count(), 1, "{text}");
    assert_eq!(text.matches("other.yaml:3:8").count(), 1, "{text}");
    assert!(text.contains("2 files checked, 2 with errors"), "{text}");
}

#[test]
fn a_scenario_that_expects_nothing_says_so() {
    let head = format!("schema: 1\n{FUNCTION}");
    let silent = format!("{head}steps:\n  - invoke: {{ function: f }}\n    expect: {{}}\n");
    let expects = format!("{head}steps:\n  - invoke: {{ function: f }}\n    expect: {{ status: 200 }}\n");
    let app = "def handler(event, context):\n    return 1\n";
    let here = files(&[("a.yaml", &silent), ("b.yaml", &expects), ("code/app.py", app)]);
    let (code, text) = run(here.path(), &["lint"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("warning[W201]") && text.contains("a.yaml:5:5"),
        "{text}"
    );
    assert!(
        text.contains("2 files checked, 0 with errors, 1 warning"),
        "{text}"
    );
    let (code, text) = run(here.path(), &["test"]);
    assert_eq!(
        (code, text.matches("(nothing expected)").count()),
        (Some(0), 1),
        "{text}"
    );
}

#[test]
fn now_is_the_start_of_the_run_in_every_command() {
    let project = "schema: 1\nfunctions:\n  f: { runtime: python3.12, handler: app.handler, code: code, environment: { AT: \"${now}\" } }\n";
    let app = "import os\ndef handler(event, context):\n    return os.environ['AT']\n";
    let scenario = "schema: 1\nproject: triggerfish.yaml\nsteps:\n  - invoke: { function: f }\n    expect: { payload: \"2026-01-01T00:00:00.000Z\" }\n";
    let here = files(&[
        ("triggerfish.yaml", project),
        ("a.yaml", scenario),
        ("code/app.py", app),
    ]);
    let (code, text) = run(here.path(), &["test", "a.yaml"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(here.path(), &["invoke", "f"]);
    assert_eq!(code, Some(0), "{text}");
    let time = text.trim().trim_matches('"');
    assert!(
        time.starts_with("20") && time.ends_with('Z') && !time.contains('$'),
        "{text}"
    );
}

#[test]
fn a_run_leaves_the_journal_of_another_that_still_goes_on() {
    let scenario = format!(
        "schema: 1\n{FUNCTION}steps:\n  - invoke: {{ function: f, type: event }}\nexpect: {{ invocations: [{{ function: f }}] }}\n"
    );
    let here = files(&[
        ("a.yaml", &scenario),
        (
            "code/app.py",
            "import os\ndef handler(event, context): os._exit(3)\n",
        ),
    ]);
    let runs = here.path().join(".triggerfish/runs");
    let test = || run(here.path(), &["test", "a.yaml"]);
    let shown = |text: &str| -> String {
        let line = text.lines().find(|line| line.starts_with("show "));
        line.and_then(|line| line.split(' ').next_back())
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    };
    let (code, text) = test();
    assert_eq!(code, Some(1), "a crash is no success: {text}");
    assert!(text.contains("error[E207]"), "{text}");
    let first = here.path().join(shown(&text));
    assert_eq!(first.parent(), Some(runs.as_path()), "{text}");
    let other = scenarios::runs::FileRecorder::create(&first).expect("a journal");
    let (_, text) = test();
    let second = shown(&text);
    assert_eq!(
        here.path().join(&second),
        first.with_file_name("a.yaml-2"),
        "{text}"
    );
    let (code, text) = run(here.path(), &["show", &second]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("crash"), "{text}");
    drop(other);
    assert_eq!(here.path().join(shown(&test().1)), first);
}

#[test]
fn an_unknown_source_of_events_is_an_error() {
    let here = files(&[]);
    for (arguments, said) in [
        (&["event", "sqs"][..], "the kinds of sources here are `s3`"),
        (&["event", "s4", "put"], "did you mean `s3`?"),
    ] {
        let (code, text) = run(here.path(), arguments);
        assert!(code == Some(2) && text.contains(said), "{text}");
    }
    let (code, text) = run(here.path(), &["event", "s3"]);
    assert!(code == Some(0) && text.contains("put, copy, delete"), "{text}");
}

#[test]
fn one_scenario_has_one_trace_wherever_it_is_told() {
    let app = "def handler(event, context):\n    print('a\\x1b[2J')\n    return 1\n";
    let scenario = format!(
        "schema: 1\n{FUNCTION}steps:\n  - invoke: {{ function: f }}\nexpect: {{ logs: {{ f: [b] }}, closed: false }}\n"
    );
    let here = files(&[("a.yaml", &scenario), ("code/app.py", app)]);
    let (_, text) = run(here.path(), &["test", "a.yaml"]);
    let (_, after) = text.rsplit_once("trace ").expect("a trace");
    let trace = after.get(..8).expect("8 digits");
    let (_, json) = run(here.path(), &["test", "a.yaml", "--format", "json"]);
    assert!(json.contains(&format!("\"trace\":\"{trace}")), "{trace}\n{json}");
    let (_, shown) = run(here.path(), &["show", "a.yaml"]);
    assert!(shown.contains(&format!("trace {trace}")), "{trace}\n{shown}");
    assert!(!text.contains('\x1b') && text.contains("a\\u{1b}[2J"), "{text}");
    let (_, linted) = run(here.path(), &["lint", "a.yaml"]);
    assert!(linted.contains("1 file checked"), "{linted}");
}

#[test]
fn invoke_tells_of_the_functions_that_there_are() {
    let functions = "  a: { runtime: python3.12, handler: app.handler, code: code }\n  resize: { runtime: python3.12, handler: app.handler, code: code }\n";
    let project = format!("schema: 1\nfunctions:\n{functions}");
    let here = files(&[("triggerfish.yaml", &project), ("code/app.py", "")]);
    let (code, text) = run(here.path(), &["invoke", "resise"]);
    assert_ne!(code, Some(0), "{text}");
    let told = "there is no function `resise` in triggerfish.yaml; did you mean `resize`?\nit has `a`, `resize`; a function that was made by the API is called on the port, while `triggerfish up` runs: `aws lambda invoke --endpoint-url http://127.0.0.1:4566 --function-name resise out.json`";
    assert!(text.contains(told), "{text}");
}
