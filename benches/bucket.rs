//! A bucket through `triggerfish up`: how soon a closed file reaches its handler, and ten thousand files at once.
//!
//! Latency runs from just before the file's `close` to the first line of a warm Python handler, both on
//! `CLOCK_MONOTONIC`. Its floor is a bare inotify reader in this process: the same close in another directory, to the
//! reader's own clock, in turn (A B A B …), so that a noisy machine hits both alike. Then 10,000 files are written as
//! fast as the disk takes them, flat and into 100 fresh nested folders; the journal must show each delivered exactly
//! once. Run it with `cargo bench --bench bucket`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

const CLOSES: usize = 500;
const WARM_UP: usize = 50;
const FILES: usize = 10_000;
const SLOTS: &str = "2";
/// Generous: a line that does not come within it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

const CLOCK: &str =
    "import time\n\ndef handler(event, context):\n    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)\n";
const CHEAP: &str = "def handler(event, context):\n    return 1\n";
const PROJECT: &str = "schema: 1\nfunctions:\n  f: { runtime: python3.12, handler: app.handler, code: code }\n\
                       sources:\n  uploads: { kind: s3, bucket: uploads }\nroutes:\n  - { from: uploads, to: f }\n";

fn main() {
    latency();
    println!(
        "\n{FILES} files as fast as the disk takes them, --slots {SLOTS}, Python handler that returns 1"
    );
    println!(
        "{:<24} {:>9} {:>9} {:>9} {:>11} {:>10}",
        "", "written", "seen", "handled", "files/s", "peak RSS"
    );
    burst("flat", |n| format!("{n}.txt"));
    burst("100 nested folders", |n| {
        format!("{}/{}/{n}.txt", n / 1000, n / 100)
    });
}

fn latency() {
    let up = Up::start(CLOCK);
    let quiet = tempfile::tempdir().expect("a directory");
    let floor = Floor::start(quiet.path());
    let (mut bare, mut handled) = (Vec::new(), Vec::new());
    for n in 0..WARM_UP + CLOSES {
        let closed = close(&quiet.path().join(n.to_string()));
        let rung = floor.0.recv_timeout(PATIENCE).expect("inotify tells");
        let (down, entered) = (close(&up.root.join(n.to_string())), up.next_response());
        if n >= WARM_UP {
            bare.push(rung.saturating_sub(closed));
            handled.push(entered.parse::<u64>().expect("a clock").saturating_sub(down));
        }
    }
    bare.sort_unstable();
    handled.sort_unstable();
    println!("from close to handler entered, {CLOSES} files in turn, handler warm, journal on");
    println!("{:<24} {:>9} {:>9} {:>9}", "", "p50", "p99", "max");
    for (name, all) in [("bare inotify", &bare), ("triggerfish up", &handled)] {
        let at = |n: usize| format!("{} µs", all[n] / 1000);
        println!(
            "{name:<24} {:>9} {:>9} {:>9}",
            at(CLOSES / 2),
            at(CLOSES * 99 / 100),
            at(CLOSES - 1)
        );
    }
}

/// Writes a file and says when its close began.
fn close(path: &Path) -> u64 {
    let mut file = File::create(path).expect("created");
    file.write_all(b"a small object").expect("written");
    let now = monotonic();
    drop(file);
    now
}

fn burst(name: &str, key: fn(usize) -> String) {
    let up = Up::start(CHEAP);
    let began = Instant::now();
    let root = up.root.clone();
    let writer = std::thread::spawn(move || {
        for n in 0..FILES {
            let path = root.join(key(n));
            if n % 100 == 0 {
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            }
            std::fs::write(path, n.to_string()).expect("written");
        }
        began.elapsed()
    });
    for _ in 0..FILES {
        up.next_response();
    }
    let handled = began.elapsed();
    let written = writer.join().expect("the writer ends");
    let peak = up.peak();
    let (run, seen) = up.stop();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for subject in &run {
        *counts.entry(subject).or_default() += 1;
    }
    for n in 0..FILES {
        let count = counts.remove(key(n).as_str()).unwrap_or(0);
        assert_eq!(count, 1, "{name}: {} was delivered {count} times", key(n));
    }
    assert!(counts.is_empty(), "{name}: delivered as well: {counts:?}");
    println!(
        "{name:<24} {:>7.2} s {:>7.2} s {:>7.2} s {:>11.0} {:>7} MB",
        written.as_secs_f64(),
        seen.as_secs_f64(),
        handled.as_secs_f64(),
        FILES as f64 / handled.as_secs_f64(),
        peak / 1024
    );
}

/// `triggerfish up` in a project of its own.
struct Up {
    child: Child,
    lines: Receiver<String>,
    root: PathBuf,
    home: tempfile::TempDir,
}

impl Up {
    fn start(code: &str) -> Up {
        let home = tempfile::tempdir().expect("a directory");
        for folder in ["code", "uploads"] {
            std::fs::create_dir(home.path().join(folder)).expect("made");
        }
        std::fs::write(home.path().join("code/app.py"), code).expect("written");
        std::fs::write(home.path().join("triggerfish.yaml"), PROJECT).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
            .args(["up", "--listen", "127.0.0.1:0", "--slots", SLOTS])
            .current_dir(home.path())
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let (send, lines) = channel();
        let mut out = BufReader::new(child.stdout.take().expect("stdout"));
        let mut ready = String::new();
        out.read_line(&mut ready).expect("text");
        assert!(ready.starts_with("ready on "), "{ready}");
        std::thread::spawn(move || {
            let responses = out.lines().map_while(Result::ok).filter(|l| l.contains("  ok "));
            responses.for_each(|line| send.send(line).unwrap_or_default());
        });
        let root = home.path().join("uploads");
        Up {
            child,
            lines,
            root,
            home,
        }
    }

    /// The next response that the terminal shows: the last word of its line.
    fn next_response(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("a response");
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    /// The most memory the process ever had, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("status");
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .expect("VmHWM");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// Stops it and reads its journal: the subject of each invocation that succeeded, and the time from the
    /// first observation to the last.
    fn stop(mut self) -> (Vec<String>, Duration) {
        self.interrupt();
        let runs = std::fs::read_dir(self.home.path().join(".triggerfish/runs")).expect("runs");
        let run = runs.flatten().next().expect("a run").path();
        let journal = BufReader::new(File::open(run.join("journal.jsonl")).expect("a journal"));
        let (mut subjects, mut succeeded, mut times) = (BTreeMap::new(), Vec::new(), Vec::new());
        for line in journal.lines() {
            let entry: Value = serde_json::from_str(&line.expect("text")).expect("an entry");
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            match text("k").as_str() {
                "src" => times.push(entry["t"].as_u64().expect("a time")),
                "evt" => drop(subjects.insert(text("name"), text("subject"))),
                "res" => succeeded.push(subjects[&text("event")].clone()),
                _ => {}
            }
        }
        let seen = times.last().expect("a time") - times[0];
        (succeeded, Duration::from_nanos(seen))
    }

    fn interrupt(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.child.wait();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.interrupt();
    }
}

/// A bare inotify reader that sends its clock at every close.
struct Floor(Receiver<u64>);

impl Floor {
    #[expect(
        unsafe_code,
        reason = "std has no inotify, and the floor must have nothing above it"
    )]
    fn start(directory: &Path) -> Floor {
        let path = std::ffi::CString::new(directory.to_str().expect("text")).expect("no NUL");
        // SAFETY: the path is a C string that outlives the call.
        let fd = unsafe {
            let fd = libc::inotify_init1(0);
            assert!(libc::inotify_add_watch(fd, path.as_ptr(), libc::IN_CLOSE_WRITE) >= 0);
            fd
        };
        let (send, rung) = channel();
        std::thread::spawn(move || listen(fd, &send));
        Floor(rung)
    }
}

#[expect(unsafe_code, reason = "as above")]
fn listen(fd: i32, send: &Sender<u64>) {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the buffer is writable for its whole length.
    while unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {
        if send.send(monotonic()).is_err() {
            return;
        }
    }
}

/// The clock that Python's handler reads too.
#[expect(unsafe_code, reason = "std's Instant keeps its number to itself")]
fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).expect("after the start")
}
