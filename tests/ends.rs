//! How the binary ends: by interrupts, with its output gone, with callers waiting. Nothing is left behind.

use std::fs::File;
mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{interrupt, triggerfish};

const SLOW: &str =
    "import sys, time\ndef handler(event, context):\n    print('entered', flush=True)\n    time.sleep(600)\n";
const PROJECT: &str = "schema: 1\nname: slow\nfunctions:\n  slow: { runtime: python3.12, handler: app.handler, code: ., timeout: 900s }\n";

/// A project whose handler does not end, and an empty directory for temporary files.
fn slow() -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(here.path().join(name), text).expect("written");
    write("app.py", SLOW);
    write("triggerfish.yaml", PROJECT);
    write(
        "slow.yaml",
        &format!("{PROJECT}timeout: 900s\nsteps:\n  - invoke: {{ function: slow }}\n"),
    );
    std::fs::create_dir(here.path().join("tmp")).expect("made");
    here
}

fn command(here: &Path, arguments: &[&str]) -> Command {
    let mut command = triggerfish(here, arguments);
    command.env("TMPDIR", here.join("tmp"));
    command
}

/// The pids of processes that run in the project's directory.
fn handlers(here: &Path) -> usize {
    let here = here.canonicalize().expect("a path");
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter(|p| std::fs::read_link(p.path().join("cwd")).is_ok_and(|cwd| cwd == here))
        .count()
}

/// Starts a command and waits until its handler runs, which is when our own directories are in use.
fn started(here: &Path, arguments: &[&str]) -> Child {
    let child = command(here, arguments)
        .env("TRIGGERFISH_LOG", "executor=debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let found = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("process started"));
    assert!(found, "the handler starts");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory)
        .expect("a directory")
        .next()
        .is_none()
}

#[test]
fn an_interrupt_ends_a_call_and_a_scenario_with_130_and_leaves_nothing() {
    for arguments in [&["invoke", "slow"][..], &["test", "slow.yaml"]] {
        let here = slow();
        let mut child = started(here.path(), arguments);
        interrupt(&child);
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{arguments:?}");
        assert!(is_empty(&here.path().join("tmp")), "{arguments:?}");
        assert_eq!(handlers(here.path()), 0, "{arguments:?}");
    }
}

/// Whichever of the two ends it: the process is not there to clean up later.
#[test]
fn a_second_interrupt_ends_at_once_and_cleans_up() {
    let here = slow();
    let mut child = started(here.path(), &["invoke", "slow"]);
    interrupt(&child);
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(is_empty(&here.path().join("tmp")));
    assert_eq!(handlers(here.path()), 0);
}

#[test]
fn a_caller_that_waits_is_told_when_the_fabric_stops() {
    let here = slow();
    let (mut up, out, address) = common::up(command(here.path(), &["up", "--listen", "127.0.0.1:0"]));
    let mut lines = out.lines().map_while(Result::ok);
    let (mut caller, call) = common::caller(&address, "slow");
    call(&mut caller);
    assert!(lines.any(|line| line.contains("| entered")), "the handler runs");
    interrupt(&up);
    let mut answer = String::new();
    caller.read_to_string(&mut answer).expect("an answer and the end");
    assert!(
        answer.starts_with("HTTP/1.1 500 ") && answer.contains("the fabric stopped"),
        "{answer}"
    );
    let last = lines.last().expect("a last line");
    assert!(
        last.starts_with("1 events: 0 done, 1 dead, 0 dropped, 0 open"),
        "{last}"
    );
    assert!(up.wait().expect("it ends").success());
    assert_eq!(handlers(here.path()), 0);
}

#[test]
fn output_that_goes_nowhere_is_no_panic() {
    let here = slow();
    let run = |out: Stdio| -> Output {
        let child = command(here.path(), &["event", "s3", "put"])
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn();
        child
            .expect("the binary starts")
            .wait_with_output()
            .expect("it ends")
    };
    let full = run(File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full")
        .into());
    let text = String::from_utf8_lossy(&full.stderr).into_owned();
    assert_eq!(full.status.code(), Some(2), "{text}");
    assert!(
        text.contains("failed to write the results: No space left"),
        "{text}"
    );
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = run(writer.into());
    assert_eq!((closed.status.code(), closed.stderr.len()), (Some(0), 0));
}
