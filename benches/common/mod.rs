//! What the benchmarks share: a running `triggerfish up`, and figures from many samples.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod http;
pub mod relay;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A `triggerfish up` that is ready; ended when dropped.
pub struct Up {
    /// Its process.
    pub child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// From the start of the process to the line that says it is ready.
    pub took: Duration,
    lines: Option<std::io::Lines<BufReader<ChildStdout>>>,
}

impl Up {
    /// Starts it in a directory, on a port of the system's choice.
    pub fn start(here: &Path) -> Up {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
            .args(["up", "--listen", "127.0.0.1:0"])
            .current_dir(here)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let ready = lines.next().expect("a line").expect("text");
        let took = began.elapsed();
        let address = ready
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .expect("an address")
            .to_owned();
        Up {
            child,
            address,
            took,
            lines: Some(lines),
        }
    }

    /// What it goes on to print; may be taken once.
    pub fn lines(&mut self) -> std::io::Lines<BufReader<ChildStdout>> {
        self.lines.take().expect("taken once")
    }

    /// A figure of `/proc/PID/status` in KiB: `VmRSS`, `VmHWM`.
    pub fn memory(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

/// The value below which `percent` of the samples lie.
pub fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples[(samples.len() * percent / 100).min(samples.len() - 1)]
}

/// Microseconds, for a table.
pub fn micros(duration: Duration) -> String {
    format!("{} µs", duration.as_micros())
}

/// How long a call takes.
pub fn time(call: impl FnOnce()) -> Duration {
    let began = Instant::now();
    call();
    began.elapsed()
}

/// The interpreter itself: a version manager's shim would be measured otherwise.
pub fn python() -> String {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("python3");
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}
