//! How the binary ends: by interrupts, with its output gone, with callers waiting. Nothing is left behind.

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;

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

/// The system has no descriptor left for another connection: those that wait are served when there is one again.
#[test]
fn connections_that_cannot_be_accepted_hold_nobody_up() {
    let here = slow();
    std::fs::write(
        here.path().join("app.py"),
        "def handler(event, context):\n    return 'served'\n",
    )
    .expect("written");
    let mut up = Command::new("sh");
    let up = up
        .args([
            "-c",
            "ulimit -n 64 && exec \"$0\" up --listen 127.0.0.1:0",
            env!("CARGO_BIN_EXE_triggerfish"),
        ])
        .current_dir(here.path())
        .env("TMPDIR", here.path().join("tmp"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut up = up.expect("the binary starts");
    let mut out = BufReader::new(up.stdout.take().expect("stdout"))
        .lines()
        .map_while(Result::ok);
    let address = address_of(&out.next().expect("a line"));
    std::thread::spawn(move || out.for_each(drop));
    let mut log = BufReader::new(up.stderr.take().expect("stderr"))
        .lines()
        .map_while(Result::ok);
    let idle: Vec<TcpStream> = (0..80)
        .map(|_| TcpStream::connect(&address).expect("a connection"))
        .collect();
    assert!(
        log.any(|line| line.contains("failed to accept a connection")),
        "it runs out of descriptors"
    );
    std::thread::spawn(move || log.for_each(drop));
    drop(idle);
    let mut caller = TcpStream::connect(&address).expect("a connection");
    let request = "POST /2015-03-31/functions/slow/invocations HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    caller.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    caller.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("\"served\""), "{answer}");
    interrupt(&up);
    assert!(up.wait().expect("it ends").success());
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
        last.starts_with("1 event: 0 done, 1 dead, 0 dropped, 0 open"),
        "{last}"
    );
    assert!(up.wait().expect("it ends").success());
    assert_eq!(handlers(here.path()), 0);
}

/// Calls without end from several clients, and an end in the middle: whoever was told 202 finds the event in the
/// journal, with its end, and whoever came too late was told so.
#[test]
fn whatever_was_accepted_before_the_stop_stands_in_the_journal() {
    let here = slow();
    let mut up = command(here.path(), &["up", "--listen", "127.0.0.1:0", "--slots", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(up.stdout.take().expect("stdout"))
        .lines()
        .map_while(Result::ok);
    let address = address_of(&lines.next().expect("a line"));
    let (tell, told) = channel();
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (address, tell) = (address.clone(), tell.clone());
            std::thread::spawn(move || {
                let mut caller = BufReader::new(TcpStream::connect(address).expect("a connection"));
                while let Some((status, id)) = call(&mut caller) {
                    if status != 202 {
                        assert_eq!(status, 503);
                        break;
                    }
                    let _ = tell.send(id);
                }
            })
        })
        .collect();
    drop(tell);
    let mut accepted: BTreeSet<String> = told.iter().take(200).collect();
    interrupt(&up);
    accepted.extend(told.iter());
    callers
        .into_iter()
        .for_each(|caller| caller.join().expect("it ends"));
    let last = lines.last().expect("a last line");
    let run = last.rsplit("journal ").next().expect("a journal").trim();
    assert!(up.wait().expect("it ends").success());
    let journal = std::fs::read_to_string(here.path().join(run).join("journal.jsonl")).expect("a journal");
    let entries: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let all = |kind: &str, key: &str| -> Vec<String> {
        let of = entries.iter().filter(|entry| entry["k"] == kind);
        of.filter_map(|entry| Some(entry[key].as_str()?.to_owned()))
            .collect()
    };
    let ids: BTreeSet<String> = all("evt", "id").into_iter().collect();
    let lost: Vec<&String> = accepted.difference(&ids).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), accepted.len());
    let (mut begun, mut ended) = (all("evt", "name"), all("done", "event"));
    begun.sort();
    ended.sort();
    assert_eq!(begun, ended, "each ends once");
}

fn address_of(ready: &str) -> String {
    let address = ready
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    address.expect("an address").to_owned()
}

/// Calls the function asynchronously; the status and the request's id, if there is an answer.
fn call(caller: &mut BufReader<TcpStream>) -> Option<(u16, String)> {
    let request = "POST /2015-03-31/functions/slow/invocations HTTP/1.1\r\nhost: localhost\r\nx-amz-invocation-type: Event\r\ncontent-length: 2\r\n\r\n{}";
    caller.get_mut().write_all(request.as_bytes()).ok()?;
    let (mut status, mut id) = (None, None);
    loop {
        let mut line = String::new();
        if caller.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3)?.parse().ok();
        }
        if let Some(rest) = line.strip_prefix("x-amzn-requestid: ") {
            id = Some(rest.trim().to_owned());
        }
        // The body of a refusal is the last there is.
        if line == "\r\n" {
            return Some((status?, id?));
        }
    }
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
