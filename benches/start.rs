//! From the start of `triggerfish up` to the line that says it is ready, without a handler's process, and what it then
//! holds in memory. The floor is the same binary printing its version. Run it with `cargo bench --bench start`.

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{Up, micros, percentile};

const STARTS: usize = 40;

/// Node, because it is hardly ever behind a version manager's shim, which would have to be asked first.
const PROJECT: &str = "
schema: 1
functions:
  f: { runtime: nodejs20.x, handler: app.handler, code: . }
sources:
  uploads: { kind: s3, bucket: uploads }
routes:
  - { from: uploads, to: f }
";

fn main() {
    let root = tempfile::tempdir().expect("a directory");
    let empty = root.path().join("empty");
    std::fs::create_dir(&empty).expect("a directory");
    let project = root.path().join("project");
    std::fs::create_dir_all(project.join("uploads")).expect("a directory");
    std::fs::write(project.join("app.js"), "exports.handler = async () => {};\n").expect("written");
    std::fs::write(project.join("triggerfish.yaml"), PROJECT).expect("written");
    println!("start, {STARTS} each in turn");
    println!("{:<28} {:>10} {:>10} {:>12}", "what", "p50", "p99", "idle memory");
    let (mut floor, mut nothing, mut full) = (Vec::new(), Vec::new(), Vec::new());
    let (mut nothing_kib, mut full_kib) = (0, 0);
    for _ in 0..STARTS {
        floor.push(version());
        let up = Up::start(&empty);
        nothing.push(up.took);
        nothing_kib = up.memory("VmRSS").max(nothing_kib);
        drop(up);
        let up = Up::start(&project);
        full.push(up.took);
        full_kib = up.memory("VmRSS").max(full_kib);
    }
    for (what, samples, kib) in [
        ("floor: --version", &mut floor, 0),
        ("up, no project", &mut nothing, nothing_kib),
        ("up, a bucket and a function", &mut full, full_kib),
    ] {
        let (p50, p99) = (percentile(samples, 50), percentile(samples, 99));
        let memory = format!("{:.1} MiB", kib as f64 / 1024.0);
        println!("{what:<28} {:>10} {:>10} {memory:>12}", micros(p50), micros(p99));
    }
}

fn version() -> Duration {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .arg("--version")
        .output()
        .expect("the binary runs");
    assert!(output.status.success());
    began.elapsed()
}
