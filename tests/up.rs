//! `triggerfish up` from outside: a file copied into a directory reaches the handler, and Ctrl-C leaves nothing.

mod common;

use std::io::{BufRead, Read};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{interrupt, triggerfish};

/// Generous: a line that does not come within it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Up {
    child: Child,
    lines: Receiver<String>,
}

impl Up {
    fn start(here: &Path) -> Up {
        let (child, out, _) = common::up(triggerfish(here, &["up", "--listen", "127.0.0.1:0"]));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .all(|line| send.send(line).is_ok())
        });
        Up { child, lines }
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
        interrupt(&self.child);
        let last = self.until(" events: ");
        assert!(self.child.wait().expect("it ends").success());
        last
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
