//! `triggerfish up` from outside: a file copied into a directory reaches the handler, and Ctrl-C leaves nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Generous: a line that does not come within it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Up {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

impl Up {
    fn start(here: &Path) -> Up {
        let mut child = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
            .args(["up", "--listen", "127.0.0.1:0"])
            .current_dir(here)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .all(|line| send.send(line).is_ok())
        });
        let mut up = Up {
            child,
            lines,
            address: String::new(),
        };
        let ready = up.until("ready on http://127.0.0.1:");
        let address = ready.split("ready on ").nth(1);
        let address = address.and_then(|rest| rest.split_whitespace().next());
        up.address = address.unwrap_or_default().to_owned();
        up
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

    fn interrupt(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .expect("kill")
                .success()
        );
        let last = self.until(" events: ");
        assert!(self.child.wait().expect("it ends").success());
        last
    }
}

fn project(handler: &str) -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a directory");
    let made = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .args(["init", "demo"])
        .current_dir(here.path())
        .output();
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

/// A reader that stops reading must not stop the fabric, nor the end.
#[test]
fn output_that_nobody_reads_stops_nothing() {
    // The first call fills the pipe, the others the queue before it.
    let here = project(
        "first = True\ndef handler(event, context):\n    global first\n    for n in range(200 if first else 1):\n        \
         print('x' * 1000)\n    first = False\n    return 'said'\n",
    );
    let mut up = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .args(["up", "--listen", "127.0.0.1:0"])
        .current_dir(here.path().join("demo"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut out = BufReader::new(up.stdout.take().expect("stdout"));
    let mut ready = String::new();
    out.read_line(&mut ready).expect("a line");
    let address = ready
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("an address");
    let mut caller = TcpStream::connect(address).expect("a connection");
    let request = "POST /2015-03-31/functions/describe/invocations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    for _ in 0..600 {
        caller.write_all(request.as_bytes()).expect("written");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"said\"") {
            let mut part = [0; 4096];
            let n = caller.read(&mut part).expect("an answer");
            assert!(n > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..n]);
        }
    }
    let pid = up.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill")
            .success()
    );
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
        let address = up.address.trim_start_matches("http://");
        let mut caller = TcpStream::connect(address).expect("a connection");
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
    let shown = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .args(["show", "up"])
        .current_dir(&demo)
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
        let output = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
            .args(["up", "--listen", listen])
            .current_dir(&demo)
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
