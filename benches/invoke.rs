//! Latency of a warm synchronous invoke through `triggerfish up`, against a bare relay in the same run.
//!
//! The relay is the floor: it hands a caller's body to the same handler process (same bootstrap) waiting in `next`,
//! and the response back, with no fabric, journal or checks. Both are called over one keep-alive connection, in turn
//! (A B A B …), so that a noisy machine hits both alike. Then the same function and one that is not frozen between its
//! calls are called in turn, which shows what freezing costs. Run it with `cargo bench --bench invoke`.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Up, micros, percentile};

const CALLS: usize = 2000;
const WARM_UP: usize = 200;
const BODY: &str = r#"{"n":1,"text":"a small event, as most are"}"#;

/// What the Runtime API hands out with every event; the handler's client reads it in both.
const EVENT_HEADERS: &str = "lambda-runtime-aws-request-id: 8476a536-e9f4-41e8-a5ff-2c6f0a3c2a11\r\n\
    lambda-runtime-deadline-ms: 9999999999999\r\n\
    lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\
    lambda-runtime-trace-id: Root=1-65d4a5f1-8476a536e9f441e8a5ff2c6f;Parent=000000010a3c2a11;Sampled=1\r\n";

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
        let mut relay = Relay::start(&program, &file, root.path());
        let mut up = Caller::start(runtime, root.path());
        for _ in 0..WARM_UP {
            relay.call();
            up.call("f");
            up.call("awake");
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            a.push(time(|| relay.call()));
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

fn time(call: impl FnOnce()) -> Duration {
    let began = Instant::now();
    call();
    began.elapsed()
}

/// The interpreter itself: a version manager's shim would be measured otherwise.
fn python() -> String {
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("python3");
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}

/// A caller's connection, a handler's connection, and nothing between them but HTTP.
struct Relay {
    caller: TcpStream,
    child: Child,
}

impl Relay {
    fn start(program: &str, bootstrap: &Path, code: &Path) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let child = Command::new(program)
            .arg(bootstrap)
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("LAMBDA_TASK_ROOT", code)
            .env("_HANDLER", "app.handler")
            .current_dir(code)
            .stdin(Stdio::null())
            .spawn()
            .expect("the handler starts");
        let (handler, _) = listener.accept().expect("the handler connects");
        let caller = TcpStream::connect(&address).expect("a connection");
        let (served, _) = listener.accept().expect("the caller connects");
        for stream in [&handler, &caller, &served] {
            stream.set_nodelay(true).expect("no delay");
        }
        std::thread::spawn(move || relay(served, handler));
        Relay { caller, child }
    }

    fn call(&mut self) {
        post(&mut self.caller, "/invoke");
        read(&mut self.caller);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn relay(mut caller: TcpStream, mut handler: TcpStream) {
    read(&mut handler);
    loop {
        let Some(body) = try_read(&mut caller) else { return };
        respond(&mut handler, EVENT_HEADERS, &body);
        let answer = read(&mut handler);
        respond(&mut handler, "", b"{\"status\":\"OK\"}\n");
        respond(&mut caller, "", &answer);
        read(&mut handler);
    }
}

fn respond(stream: &mut TcpStream, headers: &str, body: &[u8]) {
    let mut text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    text.extend_from_slice(body);
    stream.write_all(&text).expect("written");
}

fn post(stream: &mut TcpStream, path: &str) {
    let text = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(text.as_bytes()).expect("written");
}

fn read(stream: &mut TcpStream) -> Vec<u8> {
    try_read(stream).expect("a message")
}

/// One HTTP message's body; messages never overlap here.
fn try_read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let n = stream.read(&mut part).ok().filter(|n| *n > 0)?;
        all.extend_from_slice(&part[..n]);
        let Some(end) = all.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let whole = end + 4 + length.unwrap_or(0);
        if all.len() >= whole {
            return Some(all.split_off(end + 4));
        }
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
        let stream = TcpStream::connect(&up.address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Caller { stream, _up: up }
    }

    fn call(&mut self, function: &str) {
        post(
            &mut self.stream,
            &format!("/2015-03-31/functions/{function}/invocations"),
        );
        let body = read(&mut self.stream);
        assert!(body.starts_with(b"{\"n\""), "{}", String::from_utf8_lossy(&body));
    }
}
