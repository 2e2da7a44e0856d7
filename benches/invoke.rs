//! Latency of a warm synchronous invoke through `triggerfish up`, against a bare relay in the same run.
//!
//! The relay is the floor: it hands a caller's body to the same handler process (same bootstrap) waiting in `next`,
//! and the response back, with no fabric, journal or checks. Both are called over one keep-alive connection, in turn
//! (A B A B …), so that a noisy machine hits both alike. Then the same function and one that is not frozen between its
//! calls are called in turn, which shows what freezing costs. Run it with `cargo bench --bench invoke`.

mod common;

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use common::http::{connect, read, request};
use common::relay::Relay;
use common::{Up, micros, percentile, python, time};

const CALLS: usize = 2000;
const WARM_UP: usize = 200;
const BODY: &[u8] = br#"{"n":1,"text":"a small event, as most are"}"#;

fn main() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(
        root.path().join("app.py"),
        "def handler(event, context):\n    return event\n",
    )
    .expect("written");
    std::fs::write(
        root.path().join("app.js"),
        "exports.handler = async (event) => event;\n",
    )
    .expect("written");
    println!("warm synchronous invoke, {CALLS} calls each in turn, journal on");
    println!(
        "{:<8} {:>12} {:>12} {:>8} {:>12} {:>12} {:>18}",
        "handler", "relay p50", "up p50", "ratio", "relay p99", "up p99", "freeze adds, p50"
    );
    for (name, runtime, program, bootstrap) in [
        (
            "python",
            "python3.12",
            python(),
            include_str!("../executor/bootstrap/python.py"),
        ),
        (
            "node",
            "nodejs20.x",
            "node".to_owned(),
            include_str!("../executor/bootstrap/node.cjs"),
        ),
    ] {
        let file = root.path().join(if name == "node" {
            "bootstrap.cjs"
        } else {
            "bootstrap.py"
        });
        std::fs::write(&file, bootstrap).expect("written");
        let mut relay = Relay::start(&program, &[&file], root.path());
        let mut up = Caller::start(runtime, root.path());
        for _ in 0..WARM_UP {
            relay.call(BODY);
            up.call("f");
            up.call("awake");
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            a.push(time(|| drop(relay.call(BODY))));
            b.push(time(|| up.call("f")));
        }
        let (mut frozen, mut awake) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            frozen.push(time(|| up.call("f")));
            awake.push(time(|| up.call("awake")));
        }
        let micros_of = |samples: &mut Vec<Duration>| percentile(samples, 50).as_micros() as i64;
        let freeze = micros_of(&mut frozen) - micros_of(&mut awake);
        let (floor, ours) = (percentile(&mut a, 50), percentile(&mut b, 50));
        println!(
            "{name:<8} {:>12} {:>12} {:>7.2}× {:>12} {:>12} {:>15} µs",
            micros(floor),
            micros(ours),
            ours.as_secs_f64() / floor.as_secs_f64(),
            micros(percentile(&mut a, 99)),
            micros(percentile(&mut b, 99)),
            freeze
        );
    }
}

/// A caller's connection to a running fabric.
struct Caller {
    stream: TcpStream,
    _up: Up,
}

impl Caller {
    fn start(runtime: &str, code: &Path) -> Caller {
        let project = format!(
            "schema: 1\nfunctions:\n  f: {{ runtime: {runtime}, handler: app.handler, code: . }}\n  awake: {{ runtime: {runtime}, handler: app.handler, code: ., freeze: false }}\n"
        );
        std::fs::write(code.join("triggerfish.yaml"), project).expect("written");
        let mut up = Up::start(code);
        // The terminal's lines must not fill the pipe.
        let lines = up.lines();
        std::thread::spawn(move || lines.for_each(drop));
        let stream = connect(&up.address);
        Caller { stream, _up: up }
    }

    fn call(&mut self, function: &str) {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        request(&mut self.stream, "POST", &path, "", BODY);
        let body = read(&mut self.stream);
        assert!(body.starts_with(b"{\"n\""), "{}", String::from_utf8_lossy(&body));
    }
}
