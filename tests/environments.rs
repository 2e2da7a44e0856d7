//! Execution environments under `triggerfish up`: what a handler can notice of them on the system's clock.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{interrupt, triggerfish};

const HANDLER: &str = r#"
import os, subprocess, sys, threading, time

TICKS = []
ANSWERED = []


def tick():
    while True:
        TICKS.append(time.monotonic())
        time.sleep(0.01)


def ticks(event, context):
    entered = time.monotonic()
    if not TICKS:
        threading.Thread(target=tick, daemon=True).start()
        while len(TICKS) < 3:
            time.sleep(0.001)
    between = [t for t in TICKS if ANSWERED and ANSWERED[-1] < t < entered]
    ANSWERED.append(time.monotonic())
    return len(between)


def sleep(event, context):
    time.sleep(0.5)


def pid(event, context):
    return os.getpid()
"#;

const PROJECT: &str = "schema: 1
functions:
  ticks: { runtime: python3.12, handler: app.ticks, code: . }
  awake: { runtime: python3.12, handler: app.ticks, code: ., freeze: false }
  sleep: { runtime: python3.12, handler: app.sleep, code: . }
  pid: { runtime: python3.12, handler: app.pid, code: . }
limits: { idle: IDLE }
";

/// Generous: a line that does not come within it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

type Lines = Box<dyn Iterator<Item = std::io::Result<String>> + Send>;

struct Up {
    child: Child,
    lines: Receiver<String>,
    caller: BufReader<TcpStream>,
}

impl Up {
    fn start(here: &Path, idle: &str) -> Up {
        std::fs::write(here.join("app.py"), HANDLER).expect("written");
        std::fs::write(here.join("triggerfish.yaml"), PROJECT.replace("IDLE", idle)).expect("written");
        let mut command = triggerfish(here, &["up", "--listen", "127.0.0.1:0"]);
        command
            .env("TRIGGERFISH_LOG", "triggerfish=debug")
            .stderr(Stdio::piped());
        let (mut child, out, address) = common::up(command);
        let (send, lines) = channel();
        let logs = BufReader::new(child.stderr.take().expect("stderr"));
        for lines in [Box::new(out.lines()) as Lines, Box::new(logs.lines())] {
            let send = send.clone();
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(send.send(line))));
        }
        let caller = TcpStream::connect(address).expect("a connection");
        Up {
            child,
            lines,
            caller: BufReader::new(caller),
        }
    }

    fn until(&self, text: &str) {
        while !self.lines.recv_timeout(PATIENCE).expect(text).contains(text) {}
    }

    /// Calls a function, and reads its answer as a number.
    fn call(&mut self, function: &str) -> Option<u64> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{{}}");
        self.caller.get_mut().write_all(head.as_bytes()).expect("written");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.caller.read_line(&mut line).expect("a line");
            if line.trim().is_empty() {
                break;
            }
            let (key, value) = line.split_once(':').unwrap_or((&line, ""));
            if key.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.caller.read_exact(&mut body).expect("a body");
        String::from_utf8_lossy(&body).parse().ok()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        interrupt(&self.child);
        let _ = self.child.wait();
    }
}

#[test]
fn background_threads_stand_still_between_invocations_unless_told_otherwise() {
    let here = tempfile::tempdir().expect("a directory");
    let mut up = Up::start(here.path(), "10m");
    assert_eq!((up.call("ticks"), up.call("awake")), (Some(0), Some(0)));
    up.call("sleep");
    let (frozen, awake) = (up.call("ticks").expect("ticks"), up.call("awake").expect("ticks"));
    // One may fall between the answer and the freeze, one between the thaw and the entry.
    assert!(frozen <= 3, "{frozen} ticks while frozen");
    assert!(awake > 10, "{awake} ticks while not frozen");
}

#[test]
fn an_environment_that_nobody_needs_is_replaced() {
    let here = tempfile::tempdir().expect("a directory");
    let mut up = Up::start(here.path(), "1ms");
    let first = up.call("pid").expect("a pid");
    up.call("sleep");
    assert_ne!(up.call("pid"), Some(first));
    assert!(
        !Path::new("/proc").join(first.to_string()).exists(),
        "the first is gone"
    );
}

#[test]
fn changed_code_runs_from_the_next_invocation_on() {
    let here = tempfile::tempdir().expect("a directory");
    let mut up = Up::start(here.path(), "10m");
    let first = up.call("pid").expect("a pid");
    up.until("code is watched");
    std::fs::write(here.path().join("app.py"), format!("{HANDLER}\n# changed")).expect("written");
    up.until("the code of pid changed");
    assert_ne!(up.call("pid"), Some(first));
}
