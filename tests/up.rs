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
        let up = Up { child, lines };
        up.until("ready on http://127.0.0.1:");
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
