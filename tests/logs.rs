//! What handlers write, as the journal has it: every line whole, of its own attempt, whatever its bytes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const HANDLER: &str = r#"
import os, subprocess, sys

CHILD = "import os\nfor n in range(500): os.write(1 + n % 2, b'child %d\\n' % n)"


def interleaved():
    child = subprocess.Popen([sys.executable, "-S", "-c", CHILD])
    for n in range(500):
        os.write(1 + n % 2, b"parent %d\n" % n)
    child.wait()


def odd():
    os.write(1, b"\xff\xfe caf\xc3\xa9 \xc3\n\n\x00nul \x1b[31m\ncr\rlf\r\n")


def long():
    os.write(2, b"x" * 600_000 + b"\nafter\n")


def torn():
    os.write(1, b"no end")


def plain():
    print("plain")


def dies():
    os.write(1, b"last words")
    os.kill(os.getpid(), 9)


def handler(event, context):
    globals()[event["do"]]()
"#;

/// Runs the handler once for each of `deeds`, in virtual time; the lines of each.
fn lines(here: &Path, deeds: &[&str]) -> Vec<Vec<String>> {
    std::fs::create_dir(here.join("code")).expect("made");
    std::fs::write(here.join("code/app.py"), HANDLER).expect("written");
    let mut scenario = "schema: 1\nname: logs\nfunctions:\n  f: { runtime: python3.12, handler: app.handler, code: code, memory: 512 }\nsteps:\n".to_owned();
    for deed in deeds {
        scenario.push_str(&format!(
            "  - invoke: {{ function: f, payload: {{ do: {deed} }} }}\n"
        ));
    }
    scenario.push_str("expect: { closed: false }\n");
    std::fs::write(here.join("case.yaml"), scenario).expect("written");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
            .args(arguments)
            .current_dir(here)
            .output()
            .expect("the binary runs");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{text}");
        text
    };
    run(&["test", "case.yaml", "--runs", "runs"]);
    let journal = run(&["show", "runs/case.yaml", "--format", "json"]);
    let entries: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).expect("an entry"))
        .collect();
    let of = |number: usize| {
        let name = format!("inv:f/invoke-{number}/1#1");
        let own = entries
            .iter()
            .filter(|e| e["k"] == "log" && e["name"] == name.as_str());
        own.map(|e| e["line"].as_str().expect("a line").to_owned())
            .collect()
    };
    let lines: Vec<Vec<String>> = (1..=deeds.len()).map(of).collect();
    let all = entries.iter().filter(|e| e["k"] == "log").count();
    assert_eq!(
        all,
        lines.iter().map(Vec::len).sum::<usize>(),
        "each has its attempt"
    );
    lines
}

#[test]
fn lines_stay_whole_and_with_their_attempt() {
    let here = tempfile::tempdir().expect("a directory");
    let deeds = [
        "interleaved",
        "odd",
        "plain",
        "long",
        "torn",
        "plain",
        "dies",
        "plain",
    ];
    let lines = lines(here.path(), &deeds);

    // Two writers and two streams: the order of each is kept, and no line is torn.
    for writer in ["parent", "child"] {
        let own: Vec<_> = lines[0].iter().filter(|line| line.starts_with(writer)).collect();
        let wanted: Vec<String> = (0..500).map(|n| format!("{writer} {n}")).collect();
        assert!(own.into_iter().eq(&wanted), "{writer}: {:?}", lines[0]);
    }
    assert_eq!(lines[0].len(), 1000);

    // Bytes that are no text are replaced, line ends of both kinds end lines, the rest is kept.
    let odd = ["\u{fffd}\u{fffd} café \u{fffd}", "", "\0nul \u{1b}[31m", "cr\rlf"];
    assert_eq!(lines[1], odd);

    // A long line is split at 256 KB, as on AWS.
    let lengths: Vec<usize> = lines[3].iter().map(String::len).collect();
    assert_eq!(lengths, [262_144, 262_144, 600_000 - 2 * 262_144, 5]);

    // A line without an end does not run into the next invocation's.
    assert_eq!(lines[4], ["no end"]);
    assert_eq!(lines[6], ["last words"]);
    for n in [2, 5, 7] {
        assert_eq!(lines[n], ["plain"]);
    }
}
