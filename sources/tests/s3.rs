//! A watched directory, with real files and the real watcher. Nothing sleeps: a test either asks for a
//! barrier or waits for the bell.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::Receiver;
use router::event::{Observation, Receipt};
use router::name::{FunctionName, RouteName, Seed, SourceName};
use router::time::Timestamp;
use serde_json::{Value, json};
use sources::host::{Host, Parts};
use sources::s3::{Filter, S3, Stimulus};
use sources::source::{Bell, Emitter, NextPoll, Site, Source, SourceError, Subscription};

struct Bucket {
    s3: Option<S3>,
    out: Emitter,
    ear: Receiver<()>,
    root: PathBuf,
    base: tempfile::TempDir,
}

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap())
}

fn open(base: &Path, state: bool, extra: &Value) -> (Result<S3, SourceError>, Receiver<()>) {
    let mut config = json!({"bucket": "uploads"});
    config
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    let (bell, ear) = Bell::new();
    let site = Site {
        name: SourceName::new("uploads"),
        base: base.into(),
        state: state.then(|| base.join("state")),
        scratch: base.join("scratch"),
        seed: Seed(7),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        bell,
    };
    let filter: Filter =
        serde_json::from_value(json!({"events": ["ObjectCreated:*", "ObjectRemoved:*"]})).unwrap();
    let all = Subscription {
        route: RouteName::new("all"),
        to: FunctionName::new("f"),
        filter,
    };
    (
        S3::open(serde_json::from_value(config).unwrap(), vec![all], site),
        ear,
    )
}

impl Bucket {
    fn new() -> Self {
        Bucket::with(false, json!({}), |_| {})
    }

    fn with(state: bool, extra: Value, before: impl FnOnce(&Path)) -> Self {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("uploads");
        fs::create_dir(&root).unwrap();
        before(&root);
        let (s3, ear) = open(base.path(), state, &extra);
        let out = Emitter::new(SourceName::new("uploads"), Seed(7), "test");
        Bucket {
            s3: Some(s3.unwrap()),
            out,
            ear,
            root,
            base,
        }
    }

    /// What a barrier reports, as `Put key`, `Copy key`, `Delete key`.
    fn seen(&mut self) -> Vec<String> {
        let s3 = self.s3.as_mut().unwrap();
        s3.barrier(clock(), &mut self.out).unwrap();
        let seen = self.out.take();
        let over: Vec<Receipt> = seen.iter().map(|seen| seen.receipt).collect();
        s3.settle(&over).unwrap();
        seen.iter().map(short).collect()
    }

    /// What a barrier reports, of which only the first `over` are over when the source is next heard of.
    fn seen_and_over(&mut self, over: usize) -> Vec<String> {
        let s3 = self.s3.as_mut().unwrap();
        s3.barrier(clock(), &mut self.out).unwrap();
        s3.settle(&[]).unwrap();
        let seen = self.out.take();
        let receipts: Vec<Receipt> = seen.iter().take(over).map(|seen| seen.receipt).collect();
        s3.settle(&receipts).unwrap();
        seen.iter().map(short).collect()
    }

    /// Polls as a host does until `count` things were seen.
    fn wait_for(&mut self, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        let end = Instant::now() + Duration::from_secs(60);
        while seen.len() < count && Instant::now() < end {
            let s3 = self.s3.as_mut().unwrap();
            let next = s3.poll(clock(), &mut self.out).unwrap();
            seen.extend(self.out.take().iter().map(short));
            let wait = match next {
                NextPoll::At(due) => due.since(clock()),
                NextPoll::WhenRung => Duration::from_secs(10),
            };
            if seen.len() < count {
                let _ = self.ear.recv_timeout(wait);
            }
        }
        seen
    }

    fn stop(&mut self) {
        self.s3 = None;
    }

    fn restart(&mut self, extra: Value) {
        self.stop();
        let (s3, ear) = open(self.base.path(), true, &extra);
        self.s3 = Some(s3.unwrap());
        self.ear = ear;
    }

    fn write(&self, key: &str, text: &str) {
        fs::write(self.root.join(key), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.root.join(from), self.root.join(to)).unwrap();
    }

    fn shell(&self, script: &str) {
        let status = std::process::Command::new("sh")
            .args(["-ec", script])
            .current_dir(&self.root)
            .status();
        assert!(status.unwrap().success(), "{script}");
    }
}

fn short(seen: &Observation) -> String {
    format!("{} {}", seen.kind.split_once(':').unwrap().1, seen.subject)
}

fn none() -> Vec<String> {
    Vec::new()
}

/// The table of spec/sources/s3 §7, one row after the other in one bucket.
#[test]
fn every_row_of_the_table() {
    let mut b = Bucket::new();
    for (script, wanted) in [
        ("echo 1 > f", vec!["Put f"]),
        ("echo 2 >> f", vec!["Put f"]),
        ("echo 3 > f", vec!["Put f"]),
        (": > f", vec!["Put f"]),
        ("echo same > f", vec!["Put f"]),
        ("echo same > f", vec!["Put f"]),
        ("touch f", vec![]),
        ("chmod 600 f", vec![]),
        ("touch new", vec!["Put new"]),
        ("mv new newer", vec!["Delete new", "Copy newer"]),
        ("mv newer f", vec!["Delete newer", "Copy f"]),
        ("echo out > ../out; mv ../out in", vec!["Put in"]),
        ("mv in ../out", vec!["Delete in"]),
        ("rm f", vec!["Delete f"]),
        ("mkdir empty", vec![]),
        (
            "mkdir d; echo 1 > d/f; mkdir -p d/e/e; echo 2 > d/e/e/g",
            vec!["Put d/e/e/g", "Put d/f"],
        ),
        ("echo 3 > d/e/e/h", vec!["Put d/e/e/h"]),
        (
            "mv d/e d/x",
            vec!["Delete d/e/e/g", "Copy d/x/e/g", "Delete d/e/e/h", "Copy d/x/e/h"],
        ),
        ("echo 4 > d/x/e/i", vec!["Put d/x/e/i"]),
        (
            "rm -r d",
            vec!["Delete d/f", "Delete d/x/e/g", "Delete d/x/e/h", "Delete d/x/e/i"],
        ),
        ("echo 1 > a", vec!["Put a"]),
        ("ln a b", vec!["Put b"]),
        ("echo 2 >> b", vec!["Put b"]),
        ("rm b", vec!["Delete b"]),
        ("ln -s a link; ln -s / root; ln -s ../uploads loop", vec![]),
        ("echo 3 >> link", vec!["Put a"]),
        ("mkfifo pipe", vec![]),
        ("exec 3> gone; rm gone; echo x >&3; exec 3>&-", vec![]),
        ("sed -i s/1/9/ a", vec!["Put a"]),
        ("echo x > .save.tmp; mv .save.tmp a", vec!["Put a"]),
        ("mv a a~; echo y > a; rm a~", vec!["Put a"]),
        ("mv a a.part", vec!["Delete a"]),
        ("mv a.part a", vec!["Put a"]),
        ("echo x > t.tmp; rm t.tmp", vec![]),
        ("echo x > t; rm t", vec![]),
        ("mv a b; mv b a", vec![]),
        ("echo b > b", vec!["Put b"]),
        ("mv a t; mv b a; mv t b", vec!["Put a", "Put b"]),
        ("rm a; mkdir a; echo 1 > a/a", vec!["Delete a", "Put a/a"]),
        ("rm -r a; echo 1 > a", vec!["Put a", "Delete a/a"]),
    ] {
        b.shell(script);
        assert_eq!(b.seen(), wanted, "{script}");
        assert_eq!(b.seen(), none(), "after {script}");
    }
}

#[test]
fn a_file_is_silent_until_its_last_writer_closes_it() {
    let mut b = Bucket::new();
    let mut one = fs::File::create(b.root.join("f")).unwrap();
    let two = fs::File::options().append(true).open(b.root.join("f")).unwrap();
    one.write_all(b"half").unwrap();
    assert_eq!(b.seen(), none());
    drop(one);
    assert_eq!(b.seen(), none());
    drop(two);
    assert_eq!(b.seen(), ["Put f"]);
}

#[test]
fn the_record_describes_the_bytes() {
    let mut b = Bucket::new();
    fs::create_dir(b.root.join("red flowers")).unwrap();
    b.write("red flowers/a+b.jpg", "123456789");
    b.s3.as_mut().unwrap().barrier(clock(), &mut b.out).unwrap();
    let seen = b.out.take();
    let record: Value = serde_json::from_slice(&seen[0].events[0].payload).unwrap();
    let object = &record["Records"][0]["s3"]["object"];
    assert_eq!(object["key"], "red+flowers/a%2Bb.jpg");
    assert_eq!(object["size"], 9);
    assert_eq!(object["eTag"], "25f9e794323b453885f5181f1b624d0b");
    assert_eq!(object["sequencer"].as_str().unwrap().len(), 16);
}

#[test]
fn stimuli_emit_once_and_cannot_leave_the_bucket() {
    let mut b = Bucket::new();
    let mut act = |what| {
        let s3 = b.s3.as_mut().unwrap();
        let done = s3.stimulate(what, clock(), &mut b.out);
        (done.is_ok(), b.out.take().iter().map(short).collect::<Vec<_>>())
    };
    let put = |key: &str| Stimulus::Put {
        key: key.into(),
        body: "x".into(),
    };
    let delete = |key: &str| Stimulus::Delete { key: key.into() };
    assert_eq!(act(put("a/b/c.txt")), (true, vec!["Put a/b/c.txt".into()]));
    assert_eq!(act(put("a/b/c.txt")), (true, vec!["Put a/b/c.txt".into()]));
    assert_eq!(act(delete("none")), (true, none()));
    assert_eq!(act(put("gone")), (true, vec!["Put gone".into()]));
    assert_eq!(act(delete("gone")), (true, vec!["Delete gone".into()]));
    assert_eq!(act(put("back")), (true, vec!["Put back".into()]));
    assert_eq!(act(delete("back")), (true, vec!["Delete back".into()]));
    assert_eq!(act(put("back")), (true, vec!["Put back".into()]));
    for bad in [
        "",
        "/etc/x",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "a\0b",
        "a/b",
        "a/b/c.txt/d",
    ] {
        assert_eq!(act(put(bad)), (false, none()), "{bad:?}");
    }
    std::os::unix::fs::symlink(b.base.path(), b.root.join("out")).unwrap();
    let escape = Stimulus::Put {
        key: "out/x".into(),
        body: "x".into(),
    };
    assert!(
        b.s3.as_mut()
            .unwrap()
            .stimulate(escape, clock(), &mut b.out)
            .is_err()
    );
    assert!(!b.base.path().join("x").exists());
    assert_eq!(b.seen(), none());
    b.write("a/b/d", "written beside");
    assert_eq!(b.seen(), ["Put a/b/d"]);
}

#[test]
fn what_changed_while_nobody_watched_is_found() {
    let mut b = Bucket::with(true, json!({}), |root| {
        fs::write(root.join("before"), "x").unwrap()
    });
    assert_eq!(b.seen(), none());
    b.write("kept", "x");
    b.write("lost", "x");
    assert_eq!(b.seen(), ["Put kept", "Put lost"]);
    b.stop();
    fs::remove_file(b.root.join("lost")).unwrap();
    fs::remove_file(b.root.join("before")).unwrap();
    b.shell("mkdir d; echo 1 > d/missed; echo more >> kept");
    b.restart(json!({}));
    assert_eq!(
        b.seen(),
        ["Delete before", "Put d/missed", "Put kept", "Delete lost"]
    );
    b.restart(json!({}));
    assert_eq!(b.seen(), none());
    b.restart(json!({"on_start": "all"}));
    assert_eq!(b.seen(), ["Put d/missed", "Put kept"]);
    b.stop();
    b.write("kept", "other");
    b.restart(json!({"on_start": "ignore"}));
    assert_eq!(b.seen(), none());
}

#[test]
fn what_was_not_over_is_announced_again_even_if_the_file_is_gone() {
    let mut b = Bucket::with(true, json!({}), |_| {});
    for key in ["a", "b", "c"] {
        b.write(key, "x");
    }
    assert_eq!(b.seen_and_over(1), ["Put a", "Put b", "Put c"]);
    b.stop();
    fs::remove_file(b.root.join("b")).unwrap();
    b.restart(json!({}));
    assert_eq!(b.seen_and_over(0), ["Put b", "Put c", "Delete b"]);
    b.restart(json!({}));
    assert_eq!(b.seen(), ["Put b", "Put c", "Delete b"]);
    b.restart(json!({}));
    assert_eq!(b.seen(), none());
}

#[test]
fn what_was_not_saved_at_all_is_found_again() {
    let mut b = Bucket::with(true, json!({}), |root| fs::write(root.join("old"), "x").unwrap());
    b.write("a", "x");
    let s3 = b.s3.as_mut().unwrap();
    s3.barrier(clock(), &mut b.out).unwrap();
    assert_eq!(b.out.take().iter().map(short).collect::<Vec<_>>(), ["Put a"]);
    b.restart(json!({}));
    assert_eq!(b.seen(), ["Put a"]);
}

#[test]
fn on_start_decides_about_what_was_not_over() {
    for (on_start, wanted) in [("ignore", vec![]), ("all", vec!["Delete gone", "Put kept"])] {
        let mut b = Bucket::with(true, json!({}), |_| {});
        b.write("kept", "x");
        b.write("gone", "x");
        assert_eq!(b.seen_and_over(2), ["Put gone", "Put kept"]);
        b.write("kept", "y");
        fs::remove_file(b.root.join("gone")).unwrap();
        assert_eq!(b.seen_and_over(0), ["Delete gone", "Put kept"]);
        b.restart(json!({ "on_start": on_start }));
        assert_eq!(b.seen(), wanted, "{on_start}");
        b.restart(json!({}));
        assert_eq!(b.seen(), none(), "{on_start}");
    }
}

/// Where the kernel's clock ticks every few milliseconds, size, time and inode can be those of the write before. Here
/// the time is set, so that they are on every kernel.
#[test]
fn the_same_bytes_written_again_within_a_tick_are_a_put_each_time() {
    let mut b = Bucket::new();
    let write = |root: &Path, at: SystemTime| {
        let mut file = fs::File::create(root.join("f")).unwrap();
        file.write_all(b"same").unwrap();
        file.set_modified(at).unwrap();
    };
    for round in 0..3 {
        write(&b.root, SystemTime::UNIX_EPOCH);
        assert_eq!(b.seen(), ["Put f"], "round {round}");
        assert_eq!(b.seen(), none(), "after round {round}");
    }
    for round in 0..3 {
        let s3 = b.s3.as_mut().unwrap();
        let put = Stimulus::Put {
            key: "f".into(),
            body: "same".into(),
        };
        s3.stimulate(put, clock(), &mut b.out).unwrap();
        assert_eq!(b.out.take().iter().map(short).collect::<Vec<_>>(), ["Put f"]);
        write(
            &b.root,
            fs::metadata(b.root.join("f")).unwrap().modified().unwrap(),
        );
        assert_eq!(b.seen(), ["Put f"], "after the put of round {round}");
        assert_eq!(b.seen(), none(), "after round {round}");
    }
}

#[test]
fn a_bucket_removed_and_made_again_goes_on() {
    let mut b = Bucket::new();
    b.write("a", "1");
    assert_eq!(b.seen(), ["Put a"]);
    b.shell("rm -r ../uploads");
    assert_eq!(b.seen(), ["Delete a"]);
    b.shell_at_base("mkdir -p uploads/d; echo 1 > uploads/d/b");
    assert_eq!(b.seen(), ["Put d/b"]);
    b.write("d/c", "1");
    b.write("e", "1");
    assert_eq!(b.seen(), ["Put d/c", "Put e"]);
    b.shell_at_base("mv uploads old; mkdir uploads; echo 2 > uploads/e");
    assert_eq!(b.seen(), ["Delete d/b", "Delete d/c", "Put e"]);
}

impl Bucket {
    fn shell_at_base(&self, script: &str) {
        let status = std::process::Command::new("sh")
            .args(["-ec", script])
            .current_dir(self.base.path())
            .status();
        assert!(status.unwrap().success(), "{script}");
    }
}

#[test]
fn settings_change_what_is_emitted() {
    let mut b = Bucket::with(
        false,
        json!({"rename_as": "put", "emit_identical": false, "ignore": []}),
        |_| {},
    );
    b.write("a.tmp", "1");
    assert_eq!(b.seen(), ["Put a.tmp"]);
    b.write("a.tmp", "1");
    assert_eq!(b.seen(), none());
    b.rename("a.tmp", "a");
    assert_eq!(b.seen(), ["Delete a.tmp", "Put a"]);
    let mut b = Bucket::with(false, json!({"emit_identical": true}), |_| {});
    b.write("a", "1");
    assert_eq!(b.seen(), ["Put a"]);
    b.shell("touch -d 2020-01-01 a");
    assert_eq!(b.seen(), ["Put a"]);
}

#[test]
fn a_directory_that_cannot_be_opened_is_an_error_with_advice() {
    let base = tempfile::tempdir().unwrap();
    let error = open(base.path(), false, &json!({})).0.err().unwrap();
    assert!(error.what.ends_with("uploads does not exist"), "{}", error.what);
    assert!(error.help.unwrap().starts_with("mkdir "));
    fs::write(base.path().join("uploads"), "").unwrap();
    let error = open(base.path(), false, &json!({})).0.err().unwrap();
    assert!(error.what.ends_with("is a file"), "{}", error.what);
}

fn exactly_once(b: &mut Bucket, what: &str, make: impl FnOnce(PathBuf) + Send + 'static) {
    let root = b.root.clone();
    let start = Instant::now();
    let writer = std::thread::spawn(move || make(root));
    let mut seen = b.wait_for(10_000);
    let took = start.elapsed();
    writer.join().unwrap();
    seen.extend(b.seen());
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), count), (10_000, 10_000), "{what}");
    println!("10,000 files {what}: {took:?}");
}

#[test]
fn ten_thousand_files_in_one_folder_come_exactly_once() {
    exactly_once(&mut Bucket::new(), "flat", |root| {
        for n in 0..10_000 {
            fs::write(root.join(format!("{n}.txt")), n.to_string()).unwrap();
        }
    });
}

#[test]
fn ten_thousand_files_in_fresh_nested_folders_come_exactly_once() {
    exactly_once(&mut Bucket::new(), "in 100 nested folders", |root| {
        for n in 0..10_000 {
            let folder = root.join(format!("{}/{}", n / 1000, n / 100));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{n}.txt")), n.to_string()).unwrap();
        }
    });
}

/// The last event of a hammered file describes its last bytes.
#[test]
fn a_hammered_file_ends_with_its_last_content() {
    let mut b = Bucket::with(true, json!({"quiet": "0"}), |_| {});
    let path = b.root.join("f");
    let writer = std::thread::spawn(move || {
        for n in 0..3000 {
            fs::write(&path, format!("{n}")).unwrap();
        }
    });
    let mut last = Value::Null;
    let mut look = |b: &mut Bucket, at_once: bool| {
        let s3 = b.s3.as_mut().unwrap();
        if at_once {
            s3.barrier(clock(), &mut b.out).unwrap();
        } else {
            s3.poll(clock(), &mut b.out).unwrap();
        }
        for seen in b.out.take() {
            last = serde_json::from_slice(&seen.events[0].payload).unwrap();
        }
    };
    while !writer.is_finished() {
        look(&mut b, false);
    }
    writer.join().unwrap();
    look(&mut b, true);
    assert_eq!(last["Records"][0]["s3"]["object"]["size"], 4);
    assert_eq!(
        last["Records"][0]["s3"]["object"]["eTag"],
        "a36e841c5230a79c2102036d2e259848"
    );
}

#[test]
fn a_host_delivers_soon_after_the_close_and_stops() {
    let mut b = Bucket::new();
    let (send, receive) = crossbeam_channel::bounded(1);
    let parts = Parts {
        source: Box::new(b.s3.take().unwrap()),
        emitter: Emitter::new(SourceName::new("uploads"), Seed(7), "live"),
        rung: b.ear.clone(),
        settled: crossbeam_channel::never(),
        now: clock,
        deliver: Box::new(move |seen| send.send((Instant::now(), short(&seen))).is_ok()),
        failed: Box::new(|error| panic!("{error}")),
    };
    let host = Host::start("uploads", parts).unwrap();
    let mut waits: Vec<Duration> = (0..200)
        .map(|n| {
            b.write(&format!("f{n}"), "x");
            let closed = Instant::now();
            let (delivered, what) = receive.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(what, format!("Put f{n}"));
            delivered.saturating_duration_since(closed)
        })
        .collect();
    waits.sort();
    println!("close to delivery: p50 {:?}, p99 {:?}", waits[100], waits[198]);
    host.stop();
}

/// What is over when the host is told to stop is saved, also if the fabric took nothing more.
#[test]
fn a_host_saves_what_is_over_before_it_ends() {
    let mut b = Bucket::with(true, json!({}), |_| {});
    let (send, receive) = crossbeam_channel::unbounded();
    let (over, settled) = crossbeam_channel::unbounded();
    let parts = Parts {
        source: Box::new(b.s3.take().unwrap()),
        emitter: Emitter::new(SourceName::new("uploads"), Seed(7), "live"),
        rung: b.ear.clone(),
        settled,
        now: clock,
        deliver: Box::new(move |seen| {
            send.send((seen.receipt, short(&seen))).unwrap();
            seen.subject != "last"
        }),
        failed: Box::new(|error| panic!("{error}")),
    };
    let host = Host::start("uploads", parts).unwrap();
    let mut receipts = Vec::new();
    for key in ["first", "second", "last"] {
        b.write(key, "x");
        let (receipt, what) = receive.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(what, format!("Put {key}"));
        receipts.push(receipt);
    }
    over.send(vec![receipts[0]]).unwrap();
    host.stop();
    b.restart(json!({}));
    assert_eq!(b.seen(), ["Put second", "Put last"]);
}

#[test]
fn a_barrier_with_nothing_to_say_is_quick() {
    let mut b = Bucket::new();
    b.seen();
    let mut waits: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            b.s3.as_mut().unwrap().barrier(clock(), &mut b.out).unwrap();
            start.elapsed()
        })
        .collect();
    waits.sort();
    println!("empty barrier: p50 {:?}, p99 {:?}", waits[100], waits[198]);
}

/// A live host must not see an editor's save as a removal and a put.
#[test]
fn an_editors_save_is_one_put_when_polled() {
    let mut b = Bucket::new();
    b.write("f", "1");
    assert_eq!(b.wait_for(1), ["Put f"]);
    b.rename("f", "f~");
    let s3 = b.s3.as_mut().unwrap();
    let mut now = clock();
    for _ in 0..3 {
        let _ = b.ear.recv_timeout(Duration::from_millis(5));
        s3.poll(now, &mut b.out).unwrap();
        now = now + Duration::from_millis(2);
    }
    assert!(b.out.take().is_empty());
    b.write("f", "2");
    fs::remove_file(b.root.join("f~")).unwrap();
    assert_eq!(b.seen(), ["Put f"]);
}

/// The parent of the bucket goes too, and nobody is left to tell when it is back.
#[test]
fn a_bucket_whose_parent_was_removed_goes_on() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("parent/uploads");
    fs::create_dir_all(&root).unwrap();
    let (s3, ear) = open(base.path(), false, &json!({"directory": "parent/uploads"}));
    let out = Emitter::new(SourceName::new("uploads"), Seed(7), "test");
    let mut b = Bucket {
        s3: Some(s3.unwrap()),
        out,
        ear,
        root,
        base,
    };
    b.write("a", "1");
    assert_eq!(b.wait_for(1), ["Put a"]);
    b.shell_at_base("rm -r parent");
    assert_eq!(b.wait_for(1), ["Delete a"]);
    b.shell_at_base("mkdir -p parent/uploads/d; echo 1 > parent/uploads/d/b");
    assert_eq!(b.wait_for(1), ["Put d/b"]);
    b.write("c", "1");
    assert_eq!(b.wait_for(1), ["Put c"]);
    b.shell_at_base("mv parent old");
    assert_eq!(b.wait_for(2), ["Delete c", "Delete d/b"]);
    b.shell_at_base("mv old parent");
    assert_eq!(b.wait_for(2), ["Put c", "Put d/b"]);
}

/// A bucket that holds the project holds our journals too, and each event would change them.
#[test]
fn our_own_state_is_no_object() {
    let mut b = Bucket::new();
    b.shell("mkdir -p .triggerfish/runs/1; echo 1 > .triggerfish/runs/1/journal.jsonl; echo 1 > a");
    assert_eq!(b.seen(), ["Put a"]);
    b.shell("echo 2 >> .triggerfish/runs/1/journal.jsonl; rm -r .triggerfish");
    assert_eq!(b.seen(), none());
}

/// A directory that may not be read has not lost its files.
#[test]
fn an_unreadable_folder_is_no_removal() {
    let mut b = Bucket::new();
    b.shell("mkdir d; echo 1 > d/a");
    assert_eq!(b.seen(), ["Put d/a"]);
    b.shell("chmod 000 d");
    assert_eq!(b.seen(), none());
    b.shell("chmod 755 d; echo 1 > d/b");
    assert_eq!(b.seen(), ["Put d/b"]);
    b.shell("rm -r d");
    assert_eq!(b.seen(), ["Delete d/a", "Delete d/b"]);
}

/// More changes than are announced at a time, found in one look.
#[test]
fn a_full_directory_moved_in_comes_in_portions() {
    let mut b = Bucket::new();
    b.shell("mkdir ../d; for n in $(seq 1000); do echo $n > ../d/$n; done; mv ../d .");
    let s3 = b.s3.as_mut().unwrap();
    let mut seen = 0;
    while seen < 1000 {
        let _ = s3.poll(clock(), &mut b.out).unwrap();
        let portion = b.out.take().len();
        assert!(portion <= 256, "{portion}");
        seen += portion;
    }
    assert_eq!(b.seen(), none());
}
