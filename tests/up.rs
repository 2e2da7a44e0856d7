//! `triggerfish up` from outside: a file copied into a directory reaches the handler, and Ctrl-C leaves nothing.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{interrupt, triggerfish};
use serde_json::Value;

/// Generous: a line that does not come within it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Up {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

impl Up {
    fn start(here: &Path) -> Up {
        Up::start_with(here, &[])
    }

    fn start_with(here: &Path, arguments: &[&str]) -> Up {
        let arguments = [&["up", "--listen", "127.0.0.1:0"], arguments].concat();
        let (child, out, address) = common::up(triggerfish(here, &arguments));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .all(|line| send.send(line).is_ok())
        });
        Up {
            child,
            lines,
            address,
        }
    }

    /// Reads up to the line that contains `text`, and gives all of them.
    fn until(&self, text: &str) -> String {
        let mut all = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    all.push_str(&line);
                    all.push('\n');
                    if line.contains(text) {
                        return all;
                    }
                }
                Err(_) => panic!("`{text}` did not come after:\n{all}"),
            }
        }
    }

    /// Ends it as a power cut does.
    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ends");
    }

    fn interrupt(mut self) -> String {
        interrupt(&self.child);
        let last = self.until(" dropped, ");
        assert!(self.child.wait().expect("it ends").success());
        last
    }
}

impl Drop for Up {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn project(handler: &str) -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a directory");
    let made = triggerfish(here.path(), &["init", "demo"]).output();
    assert!(made.expect("the binary runs").status.success());
    if !handler.is_empty() {
        std::fs::write(here.path().join("demo/describe/app.py"), handler).expect("written");
    }
    here
}

#[test]
fn a_file_reaches_the_handler_and_ctrl_c_ends_cleanly() {
    let here = project("");
    let demo = here.path().join("demo");
    let up = Up::start(&demo);
    std::fs::write(demo.join("uploads/photo 1.jpg"), "12345").expect("written");
    let seen = up.until(r#"{"key":"photo 1.jpg","size":5}"#);
    assert!(seen.contains("ObjectCreated:Put photo 1.jpg"), "{seen}");
    assert!(seen.contains("| photo 1.jpg has 5 bytes"), "{seen}");
    std::fs::remove_file(demo.join("uploads/photo 1.jpg")).expect("removed");
    up.until("| photo 1.jpg is gone");
    assert!(
        up.interrupt()
            .contains("2 events: 2 done, 0 dead, 0 dropped, 0 open")
    );
    // What happens while it is down is not missed.
    std::fs::write(demo.join("uploads/late.txt"), "x").expect("written");
    let up = Up::start(&demo);
    up.until(r#"{"key":"late.txt","size":1}"#);
    up.interrupt();
}

/// The journals of all runs, as JSON.
fn journals(demo: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for run in std::fs::read_dir(demo.join(".triggerfish/runs"))
        .expect("runs")
        .flatten()
    {
        let text = std::fs::read_to_string(run.path().join("journal.jsonl")).expect("a journal");
        // The last line of a killed run may be torn.
        lines.extend(
            text.lines()
                .map_while(|line| serde_json::from_str::<Value>(line).ok()),
        );
    }
    lines
}

/// The keys whose events ended in success, over all runs.
fn handled(demo: &Path) -> BTreeSet<String> {
    let lines = journals(demo);
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let done: BTreeSet<String> = lines
        .iter()
        .filter(|line| line["k"] == "done" && line["how"] == "success")
        .map(|line| text(line, "event"))
        .collect();
    lines
        .iter()
        .filter(|line| line["k"] == "evt" && done.contains(&text(line, "name")))
        .map(|line| text(line, "subject"))
        .collect()
}

/// Whatever was under way when it died: being written, looked at, queued, handled, or waiting for a retry.
#[test]
fn a_kill_in_the_middle_of_a_burst_loses_no_file() {
    let here = project(
        "import json\ndef handler(event, context):\n    return event['Records'][0]['s3']['object']['key'] + ' is here'\n",
    );
    let demo = here.path().join("demo");
    let mut wanted = BTreeSet::new();
    for round in 0..3 {
        let up = Up::start(&demo);
        let keys: Vec<String> = (0..100).map(|n| format!("{round}-{n}")).collect();
        for key in &keys {
            std::fs::write(demo.join("uploads").join(key), "x").expect("written");
        }
        wanted.extend(keys);
        up.until(" is here");
        up.kill();
    }
    let up = Up::start(&demo);
    let before = handled(&demo);
    let mut left: BTreeSet<String> = wanted.difference(&before).cloned().collect();
    while !left.is_empty() {
        let seen = up.until(" is here");
        left.retain(|key| !seen.contains(&format!("\"{key} is here\"")));
    }
    up.interrupt();
    assert_eq!(handled(&demo), wanted);
    // What ended in good order is not told again.
    let up = Up::start(&demo);
    assert!(up.interrupt().contains("0 events: "));
}

/// A handler that has not ended when the user ends `up` is no reason to forget its event.
#[test]
fn what_was_stopped_comes_again() {
    let here =
        project("import time\ndef handler(event, context):\n    print('waits')\n    time.sleep(600)\n");
    let demo = here.path().join("demo");
    let up = Up::start(&demo);
    std::fs::write(demo.join("uploads/a"), "x").expect("written");
    up.until("| waits");
    let last = up.interrupt();
    assert!(
        last.contains("stopped; its source sends it again") && !last.contains("given up"),
        "{last}"
    );
    assert!(
        last.contains("1 event: 0 done, 0 dead, 0 dropped, 1 open"),
        "{last}"
    );
    std::fs::write(
        demo.join("describe/app.py"),
        "def handler(event, context):\n    return 'at last'\n",
    )
    .expect("written");
    let up = Up::start(&demo);
    up.until("at last");
    assert!(up.interrupt().contains("1 event: 1 done"));
}

/// Nothing of a refused call is in the journal, so the screen tells of it.
#[test]
fn a_refused_call_is_told() {
    let here = project("");
    let demo = here.path().join("demo");
    let up = Up::start(&demo);
    let address = up.address.clone();
    let (mut caller, call) = common::caller(&address, "no-such");
    call(&mut caller);
    up.until("  api  POST /2015-03-31/functions/no-such/invocations  404 ResourceNotFoundException: Function not found: arn:aws:lambda:");
    up.interrupt();
    assert!(
        journals(&demo)
            .iter()
            .all(|line| !line.to_string().contains("no-such"))
    );
}

/// What a source tells a fabric that never runs would be told to nobody.
#[test]
fn a_run_without_a_journal_takes_nothing() {
    let here = project("");
    let demo = here.path().join("demo");
    Up::start(&demo).interrupt();
    std::fs::write(demo.join("uploads/late.txt"), "x").expect("written");
    let (code, text) = failing(&demo, &["--runs", "triggerfish.yaml"]);
    assert!(code == Some(2) && text.contains("triggerfish.yaml"), "{text}");
    let up = Up::start(&demo);
    up.until(r#"{"key":"late.txt","size":1}"#);
    up.interrupt();
}

#[test]
fn two_runs_share_no_state_and_clean_up_nothing_of_each_other() {
    let here = project("");
    let demo = here.path().join("demo");
    let up = Up::start(&demo);
    let (code, text) = failing(&demo, &[]);
    assert!(
        code == Some(2) && text.contains("choose another with --data-dir"),
        "{text}"
    );
    // Enough newer runs for the first one's to be old, and one that nobody writes.
    let runs = demo.join(".triggerfish/runs");
    for name in (0..12)
        .map(|n| format!("up-9999-{n:02}"))
        .chain(["up-0000".to_owned()])
    {
        std::fs::create_dir(runs.join(name)).expect("made");
    }
    Up::start_with(&demo, &["--data-dir", "other"]).interrupt();
    assert!(!runs.join("up-0000").exists());
    let last = up.interrupt();
    let journal = last.rsplit("journal ").next().expect("a journal").trim();
    assert!(demo.join(journal).join("journal.jsonl").exists(), "{last}");
}

/// Runs `up` where it cannot, and gives its exit code and what it says.
fn failing(here: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["up", "--listen", "127.0.0.1:0"], arguments].concat();
    let output = triggerfish(here, &arguments).output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

/// A reader that stops reading must not stop the fabric, nor the end.
#[test]
fn output_that_nobody_reads_stops_nothing() {
    // The first call fills the pipe, the others the queue before it.
    let here = project(
        "first = True\ndef handler(event, context):\n    global first\n    for n in range(200 if first else 1):\n        \
         print('x' * 1000)\n    first = False\n    return 'said'\n",
    );
    let demo = here.path().join("demo");
    let (mut up, _out, address) = common::up(triggerfish(&demo, &["up", "--listen", "127.0.0.1:0"]));
    let (mut caller, call) = common::caller(&address, "describe");
    for _ in 0..600 {
        call(&mut caller);
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"said\"") {
            let mut part = [0; 4096];
            let n = caller.read(&mut part).expect("an answer");
            assert!(n > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..n]);
        }
    }
    interrupt(&up);
    assert!(up.wait().expect("it ends").success());
}

#[test]
fn nothing_a_handler_starts_outlives_us() {
    let marker = format!("6{}", std::process::id());
    let handler = format!(
        "import subprocess\ndef handler(event, context):\n    subprocess.Popen(['sleep', '{marker}'], start_new_session=True)\n    return 'left'\n"
    );
    let here = project(&handler);
    let demo = here.path().join("demo");
    let up = Up::start(&demo);
    std::fs::write(demo.join("uploads/a"), "x").expect("written");
    up.until("\"left\"");
    assert!(running(&marker), "the handler's child runs");
    up.interrupt();
    assert!(!running(&marker), "it does not outlive us");
}

/// What leaks past the response is told, by `up` when it is known and by `show` beside the outcome.
#[test]
fn work_that_goes_on_after_the_response_is_told() {
    let here = project(
        "import subprocess, threading\ndef handler(event, context):\n    threading.Thread(target=threading.Event().wait, daemon=True).start()\n    subprocess.Popen(['sleep', '600'])\n    return 'python'\n",
    );
    let demo = here.path().join("demo");
    let file = demo.join("triggerfish.yaml");
    let project = std::fs::read_to_string(&file).expect("the project");
    let more = "functions:\n  timer: { runtime: nodejs20.x, handler: app.handler, code: timer }\n  tidy: { runtime: provided.al2023, code: tidy }\n";
    std::fs::write(&file, project.replace("functions:\n", more)).expect("written");
    std::fs::create_dir(demo.join("timer")).expect("made");
    let timer = "exports.handler = async () => { setTimeout(() => {}, 600000); return 'node'; };\n";
    std::fs::write(demo.join("timer/app.js"), timer).expect("written");
    // The process that polls is no leftover; the one that an event starts is.
    std::fs::create_dir(demo.join("tidy")).expect("made");
    let shell = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/clients/handlers/shell/bootstrap"
    ))
    .expect("the bootstrap");
    let shell = shell.replace(
        "  case \"$do\" in\n",
        "  [ \"$do\" = leave ] && { sleep 600 >/dev/null 2>&1 & }\n  case \"$do\" in\n",
    );
    let bootstrap = demo.join("tidy/bootstrap");
    std::fs::write(&bootstrap, shell).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&bootstrap, mode).expect("executable");

    let up = Up::start(&demo);
    let call = |function: &str, payload: &str| {
        let mut caller = TcpStream::connect(&up.address).expect("a connection");
        let length = payload.len();
        let request = format!(
            "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{payload}"
        );
        caller.write_all(request.as_bytes()).expect("written");
        let mut answer = String::new();
        caller.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    call("describe", "{}");
    let said = up.until("  1 process was still running");
    assert!(said.contains("  1 thread was still running"), "{said}");
    call("timer", "{}");
    up.until("  1 timer was still running");
    call("tidy", "{\"do\":\"leave\"}");
    let said = up.until("  1 process was still running");
    assert!(said.contains("{\"calls\":1}"), "{said}");
    up.interrupt();
    let shown = triggerfish(&demo, &["show", "up"])
        .output()
        .expect("the binary runs");
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("\"node\"  1 timer was still running"), "{shown}");
}

/// Whether some process sleeps for `marker` seconds.
fn running(marker: &str) -> bool {
    let wanted = format!("sleep\0{marker}\0");
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|p| std::fs::read(p.path().join("cmdline")).ok())
        .any(|line| line == wanted.as_bytes())
}

#[test]
fn only_loopback_and_a_free_port_will_do() {
    let here = project("");
    let demo = here.path().join("demo");
    let up = |listen: &str| {
        let output = triggerfish(&demo, &["up", "--listen", listen])
            .output()
            .expect("the binary runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, text) = up("0.0.0.0:4566");
    assert!(
        code == Some(2) && text.contains("not a loopback address"),
        "{text}"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let (code, text) = up(&taken.local_addr().expect("an address").to_string());
    assert!(
        code == Some(2) && text.contains("choose a port with --listen"),
        "{text}"
    );
    std::fs::remove_dir(demo.join("uploads")).expect("removed");
    let (code, text) = up("127.0.0.1:0");
    assert!(
        code == Some(4) && text.contains("does not exist") && text.contains("mkdir -p"),
        "{text}"
    );
}
