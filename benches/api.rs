//! Figures of the Lambda API as clients see it: functions are made through it and called through it, with no project.
//!
//! - `boto3`: what a synchronous invoke by boto3 takes beyond the same call to a server that answers the same bytes at
//!   once, and beyond the handler's own time (which is nothing: it returns its event).
//! - `clients`: eight callers at once against eight bare relays, for a compiled handler and for Python.
//! - `events`: how many asynchronous invokes are accepted in a second, and what becomes of those that wait.
//! - `create`: from CreateFunction of a 10 MB zip to the first answer, beyond what the interpreter takes to start.
//!
//! Floor and figure are taken in turn. The compiled handler is this program itself, which is one where it finds a
//! Runtime API. Run it with `cargo bench --bench api`, or `-- boto3 create` for some of it.

mod common;

use std::io::{Cursor, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::http::{connect, request, try_read, try_read_whole};
use common::relay::Relay;
use common::{Up, micros, percentile, python};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const BODY: &[u8] = br#"{"n":1,"text":"a small event, as most are"}"#;
const EVENT: &str = "x-amz-invocation-type: Event\r\n";
const ECHO: &[u8] = b"def handler(event, context):\n    return event\n";
const BOOTSTRAP: &str = include_str!("../executor/bootstrap/python.py");
/// Calls by boto3, to each endpoint.
const CALLS: usize = 1500;
/// Callers at once.
const CLIENTS: usize = 8;
/// Rounds whose median is told, each with its floor beside it.
const ROUNDS: usize = 5;
/// How long a round of many calls is.
const ROUND: Duration = Duration::from_secs(2);

fn main() {
    if let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        return handle(&address);
    }
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let figures: [(&str, fn()); 4] = [
        ("boto3", boto3),
        ("clients", clients),
        ("events", events),
        ("create", create),
    ];
    for (name, measure) in figures {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            println!("\n{name}");
            measure();
        }
    }
}

/// A handler that returns its event, by the Runtime API.
fn handle(address: &str) {
    let mut runtime = connect(address);
    loop {
        request(
            &mut runtime,
            "GET",
            "/2018-06-01/runtime/invocation/next",
            "",
            b"",
        );
        let Some((head, event)) = try_read_whole(&mut runtime) else {
            return;
        };
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id:"))
            .expect("a request id");
        let path = format!("/2018-06-01/runtime/invocation/{}/response", id.trim());
        request(&mut runtime, "POST", &path, "", &event);
        if try_read(&mut runtime).is_none() {
            return;
        }
    }
}

/// A running fabric without a project, and how many of its events it has told the end of.
struct Service {
    up: Up,
    ended: Arc<AtomicUsize>,
    _here: tempfile::TempDir,
}

impl Service {
    fn start() -> Service {
        let here = tempfile::tempdir().expect("a directory");
        let mut up = Up::start(here.path());
        let ended = Arc::new(AtomicUsize::new(0));
        let (lines, count) = (up.lines(), Arc::clone(&ended));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                count.fetch_add(told(&line), Ordering::Relaxed);
            }
        });
        Service {
            up,
            ended,
            _here: here,
        }
    }

    fn call(&self, method: &str, path: &str, body: &[u8]) -> (String, Vec<u8>) {
        let mut stream = connect(&self.up.address);
        request(&mut stream, method, path, "", body);
        let (head, body) = try_read_whole(&mut stream).expect("an answer");
        (String::from_utf8_lossy(&head).into_owned(), body)
    }

    /// Makes a function, and reads it once, as whoever waits for it does.
    fn create(&self, request: &[u8], name: &str) {
        let (head, body) = self.call("POST", "/2015-03-31/functions", request);
        assert!(head.contains(" 201 "), "{head}{}", String::from_utf8_lossy(&body));
        self.call("GET", &format!("/2015-03-31/functions/{name}/configuration"), b"");
    }

    fn invoke(&self, name: &str) -> (String, Vec<u8>) {
        let (head, body) = self.call("POST", &invocations(name), BODY);
        assert!(head.contains(" 200 "), "{head}{}", String::from_utf8_lossy(&body));
        (head, body)
    }

    fn mib(&self, key: &str) -> f64 {
        self.up.memory(key) as f64 / 1024.0
    }
}

/// How many events a line of the terminal tells the end of; the handlers here print nothing.
fn told(line: &str) -> usize {
    match line.strip_prefix("… ").and_then(|rest| rest.split_once(" line")) {
        Some((left_out, _)) => left_out.parse().unwrap_or(0),
        None => usize::from(line.contains("  ok ")),
    }
}

fn invocations(name: &str) -> String {
    format!("/2015-03-31/functions/{name}/invocations")
}

fn creation(name: &str, runtime: &str, zip: &[u8]) -> Vec<u8> {
    let zip = STANDARD.encode(zip);
    format!(
        r#"{{"FunctionName":"{name}","Runtime":"{runtime}","Role":"arn:aws:iam::123456789012:role/r","Handler":"app.handler","Timeout":30,"Code":{{"ZipFile":"{zip}"}}}}"#
    )
    .into_bytes()
}

fn zip<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    for (name, bytes) in files {
        zip.start_file(name, options).expect("an entry");
        zip.write_all(bytes).expect("room");
    }
    zip.finish().expect("an end").into_inner()
}

fn compiled() -> Vec<u8> {
    let program = std::fs::read(own()).expect("this program");
    creation(
        "f",
        "provided.al2023",
        &zip([("bootstrap".to_owned(), &program[..])]),
    )
}

fn interpreted() -> Vec<u8> {
    creation("f", "python3.12", &zip([("app.py".to_owned(), ECHO)]))
}

fn own() -> PathBuf {
    std::env::current_exe().expect("a path")
}

/// Code for a relay's handler: the one in Python, beside its bootstrap.
fn code() -> tempfile::TempDir {
    let code = tempfile::tempdir().expect("a directory");
    std::fs::write(code.path().join("app.py"), ECHO).expect("written");
    std::fs::write(code.path().join("bootstrap.py"), BOOTSTRAP).expect("written");
    code
}

fn boto3() {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/venv/bin/python");
    let client = std::env::var_os("BOTO3_PYTHON").map_or(venv, PathBuf::from);
    if !client.exists() {
        println!(
            "skipped: no boto3; tests/run installs it, or set BOTO3_PYTHON to an interpreter that has it"
        );
        return;
    }
    println!(
        "{:<8} {:>10} {:>10} {:>10} {:>16} {:>16} {:>18}",
        "handler",
        "floor p50",
        "relay p50",
        "up p50",
        "up - floor, p50",
        "up - floor, p90",
        "up - relay, p50"
    );
    let code = code();
    let bootstrap = code.path().join("bootstrap.py");
    for (name, creation, program, arguments) in [
        ("compiled", compiled(), own().display().to_string(), vec![]),
        ("python", interpreted(), python(), vec![bootstrap.as_path()]),
    ] {
        let service = Service::start();
        service.create(&creation, "f");
        let (head, body) = service.invoke("f");
        let floor = canned([head.as_bytes(), &body[..]].concat());
        let mut relay = Relay::start(&program, &arguments, code.path());
        relay.let_go();
        let endpoints =
            [&floor, &relay.address, &service.up.address].map(|address| format!("http://{address}"));
        let output = Command::new(&client)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/api.py"))
            .arg(CALLS.to_string())
            .args(endpoints)
            .output()
            .expect("the client runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let column = |at: usize| -> Vec<Duration> {
            let cells = text
                .lines()
                .filter_map(|line| line.split(' ').nth(at)?.parse().ok());
            cells.map(Duration::from_nanos).collect()
        };
        let [mut floor, mut relay, mut ours] = [column(0), column(1), column(2)];
        let [f50, r50, u50] = [&mut floor, &mut relay, &mut ours].map(|samples| percentile(samples, 50));
        let above = percentile(&mut ours, 90).saturating_sub(percentile(&mut floor, 90));
        println!(
            "{name:<8} {:>10} {:>10} {:>10} {:>16} {:>16} {:>18}",
            micros(f50),
            micros(r50),
            micros(u50),
            micros(u50.saturating_sub(f50)),
            micros(above),
            micros(u50.saturating_sub(r50)),
        );
    }
}

/// A server that answers the same bytes at once, whatever it is asked.
fn canned(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            let _ = caller.set_nodelay(true);
            while try_read(&mut caller).is_some() {
                caller.write_all(&answer).expect("written");
            }
        }
    });
    address
}

fn clients() {
    println!(
        "{:<8} {:>12} {:>12} {:>8} {:>20} {:>20} {:>16}",
        "handler", "8 relays", "up", "ratio", "relays' CPU a call", "up's CPU a call", "of it, up itself"
    );
    let code = code();
    let bootstrap = code.path().join("bootstrap.py");
    for (name, creation, program, arguments) in [
        ("compiled", compiled(), own().display().to_string(), vec![]),
        ("python", interpreted(), python(), vec![bootstrap.as_path()]),
    ] {
        let service = Service::start();
        service.create(&creation, "f");
        let mut relays: Vec<Relay> = (0..CLIENTS)
            .map(|_| Relay::start(&program, &arguments, code.path()))
            .collect();
        relays.iter_mut().for_each(Relay::let_go);
        let relays: Vec<&str> = relays.iter().map(|relay| relay.address.as_str()).collect();
        let ours = [service.up.address.as_str(); CLIENTS];
        let own = || cpu(&[service.up.child.id()]);
        let mut samples = Vec::new();
        for round in 0..=ROUNDS {
            let (relays, relays_cpu) = with_cpu(|| rate(&relays, "", 200));
            let before = own();
            let (up, up_cpu) = with_cpu(|| rate(&ours, "", 200));
            let own = (own() - before).div_f64(up * ROUND.as_secs_f64());
            // The first round starts the environments.
            if round > 0 {
                samples.push((up / relays, relays, up, relays_cpu, up_cpu, own));
            }
        }
        samples.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, relays, up, relays_cpu, up_cpu, own) = samples[samples.len() / 2];
        println!(
            "{name:<8} {relays:>10.0}/s {up:>10.0}/s {ratio:>7.2}× {:>20} {:>20} {:>16}",
            micros(relays_cpu),
            micros(up_cpu),
            micros(own)
        );
    }
}

/// A rate, and the processor time of a call in all that takes part: callers, handlers, and what is between.
fn with_cpu(rate: impl FnOnce() -> f64) -> (f64, Duration) {
    let before = cpu(&family());
    let rate = rate();
    (
        rate,
        (cpu(&family()) - before).div_f64(rate * ROUND.as_secs_f64()),
    )
}

/// The processor time of processes so far.
fn cpu(processes: &[u32]) -> Duration {
    let ticks = |pid: &u32| -> u64 { field(*pid, 11) + field(*pid, 12) };
    Duration::from_millis(10 * processes.iter().map(ticks).sum::<u64>())
}

/// This process and all that descend from it.
fn family() -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let all: Vec<u32> = all
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let mut family = vec![std::process::id()];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(all.iter().filter(|pid| field(**pid, 1) == u64::from(parent)));
        at += 1;
    }
    family
}

/// A number of `/proc/PID/stat`, counted from what follows the name; 0 where there is none.
fn field(pid: u32, at: usize) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields
        .split(' ')
        .nth(at)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0)
}

/// Calls in a second by a caller at each address, for a round.
fn rate(addresses: &[&str], headers: &str, status: u16) -> f64 {
    let until = Instant::now() + ROUND;
    let good = format!("HTTP/1.1 {status} ");
    let calls: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = addresses
            .iter()
            .map(|address| scope.spawn(|| calls(address, headers, &good, until)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("calls"))
            .sum()
    });
    calls as f64 / ROUND.as_secs_f64()
}

fn calls(address: &str, headers: &str, good: &str, until: Instant) -> usize {
    let mut stream = connect(address);
    let path = invocations("f");
    let mut calls = 0;
    while Instant::now() < until {
        request(&mut stream, "POST", &path, headers, BODY);
        let (head, _) = try_read_whole(&mut stream).expect("an answer");
        assert!(
            head.starts_with(good.as_bytes()),
            "{}",
            String::from_utf8_lossy(&head)
        );
        calls += 1;
    }
    calls
}

fn events() {
    println!(
        "{:<8} {:>12} {:>16} {:>14} {:>12} {:>12} {:>10}",
        "callers", "floor", "accepted", "left waiting", "all done in", "memory", "at most"
    );
    for callers in [1, CLIENTS] {
        let service = Service::start();
        service.create(&compiled(), "f");
        service.invoke("f");
        let floor =
            (0..callers).map(|_| canned(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec()));
        let floor: Vec<String> = floor.collect();
        let floor: Vec<&str> = floor.iter().map(String::as_str).collect();
        let floor = rate(&floor, EVENT, 202);
        let before = service.mib("VmRSS");
        let rate = rate(&vec![service.up.address.as_str(); callers], EVENT, 202);
        let accepted = (rate * ROUND.as_secs_f64()).round() as usize;
        let waiting = accepted.saturating_sub(service.ended.load(Ordering::Relaxed));
        let began = Instant::now();
        // One was a call that was waited for.
        while service.ended.load(Ordering::Relaxed) <= accepted && began.elapsed() < 30 * ROUND {
            std::thread::sleep(Duration::from_millis(20));
        }
        let done = match service.ended.load(Ordering::Relaxed) > accepted {
            true => format!("{:.1} s", began.elapsed().as_secs_f64()),
            false => "never".to_owned(),
        };
        println!(
            "{callers:<8} {floor:>10.0}/s {rate:>14.0}/s {waiting:>14} {done:>12} {:>8.1} MiB {:>6.1} MiB",
            service.mib("VmRSS") - before,
            service.mib("VmHWM")
        );
    }
}

fn create() {
    println!(
        "{:<14} {:>12} {:>12} {:>12} {:>12} {:>12} {:>14}",
        "zip of 10 MB", "start", "created", "read", "answered", "whole", "whole - start"
    );
    let service = Service::start();
    let code = code();
    let bootstrap = code.path().join("bootstrap.py");
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for files in [1, 2000] {
        let mut samples: [Vec<Duration>; 6] = Default::default();
        for round in 0..ROUNDS {
            let name = format!("f-{files}-{round}");
            let bytes = noise.bytes(10_000_000);
            let parts = bytes.chunks(bytes.len() / files).enumerate();
            let parts = parts.map(|(n, part)| (format!("data/{n}.bin"), part));
            let creation = creation(
                &name,
                "python3.12",
                &zip(parts.chain([("app.py".to_owned(), ECHO)])),
            );
            let began = Instant::now();
            Relay::start(&python(), &[&bootstrap], code.path()).call(BODY);
            let start = began.elapsed();
            let began = Instant::now();
            let (head, _) = service.call("POST", "/2015-03-31/functions", &creation);
            let created = began.elapsed();
            assert!(head.contains(" 201 "), "{head}");
            service.call("GET", &format!("/2015-03-31/functions/{name}"), b"");
            let seen = began.elapsed();
            service.invoke(&name);
            let whole = began.elapsed();
            let all = [
                start,
                created,
                seen - created,
                whole - seen,
                whole,
                whole.saturating_sub(start),
            ];
            samples
                .iter_mut()
                .zip(all)
                .for_each(|(samples, one)| samples.push(one));
        }
        let cells = samples
            .map(|mut samples| format!("{:>9.1} ms", percentile(&mut samples, 50).as_secs_f64() * 1e3));
        println!("{:<14} {}", format!("{files} files"), cells.join(" "));
    }
    println!("at most {:.1} MiB", service.mib("VmHWM"));
}

/// Bytes that no archive makes smaller.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()
        });
        words.flatten().take(count).collect()
    }
}
