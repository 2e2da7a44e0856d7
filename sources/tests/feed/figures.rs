//! Figures, on request: `cargo test --release -p triggerfish-sources --test feed figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use sources::dynamodb::feed::wake::Wake;
use sources::source::Bell;

use crate::database::{Database, Watched};

const TABLE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v REAL)";

/// Seconds for `count` transactions of 100 inserts.
fn insert(writer: &Connection, from: i64, count: i64) -> f64 {
    let mut insert = writer.prepare_cached("INSERT INTO t VALUES(?, ?, ?)").unwrap();
    let begun = Instant::now();
    for turn in 0..count {
        writer.execute_batch("BEGIN").unwrap();
        for at in 0..100 {
            let id = from + turn * 100 + at;
            insert
                .execute((id, format!("name {id}"), id as f64 * 0.5))
                .unwrap();
        }
        writer.execute_batch("COMMIT").unwrap();
    }
    begun.elapsed().as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[test]
#[ignore = "a measurement, for a quiet machine and a release build"]
fn insert_with_and_without_a_feed() {
    for synchronous in ["off", "normal", "full"] {
        let (plain, (watched, _reader)) = (Database::new(TABLE), Database::watched(TABLE));
        for database in [&plain, &watched] {
            database
                .writer
                .pragma_update(None, "synchronous", synchronous)
                .unwrap();
        }
        let (mut without, mut with, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for block in 0..60 {
            let (a, b) = (
                insert(&plain.writer, block * 2_000, 20),
                insert(&watched.writer, block * 2_000, 20),
            );
            without.push(a / 2_000.0 * 1e6);
            with.push(b / 2_000.0 * 1e6);
            ratio.push(b / a);
        }
        println!(
            "synchronous={synchronous}: {:.2} -> {:.2} us per insert, median of paired ratios {:.2}",
            median(without),
            median(with),
            median(ratio)
        );
    }
}

#[test]
#[ignore = "a measurement, for a quiet machine and a release build"]
fn from_commit_to_change() {
    for mode in ["wal", "delete"] {
        let mut database = Database::new(TABLE);
        database.writer.pragma_update(None, "journal_mode", mode).unwrap();
        let feed = database.install().feeds.remove(0);
        let mut watched = Watched::new(&database, &feed);
        let writer = Connection::open(&database.path).unwrap();
        writer.pragma_update(None, "synchronous", "normal").unwrap();
        let (bell, ear) = Bell::new();
        let _wake = Wake::new(&database.path, bell).unwrap();
        let (done, committed) = crossbeam_channel::bounded::<Instant>(1);
        let (go, turn) = crossbeam_channel::bounded::<i64>(1);
        let writes = std::thread::spawn(move || {
            for id in turn {
                writer.execute("INSERT INTO t VALUES(?, 'x', 1)", [id]).unwrap();
                done.send(Instant::now()).unwrap();
            }
        });
        let mut all = Vec::new();
        for id in 0..1_000 {
            go.send(id).unwrap();
            let mut found = Vec::new();
            while found.is_empty() {
                let _ = ear.recv_timeout(Duration::from_secs(1));
                if watched.reader.more().unwrap() {
                    found = watched.read();
                }
            }
            let seen = Instant::now();
            all.push(
                seen.saturating_duration_since(committed.recv().unwrap())
                    .as_secs_f64()
                    * 1e6,
            );
        }
        drop(go);
        writes.join().unwrap();
        all.sort_by(f64::total_cmp);
        println!(
            "journal_mode={mode}: commit to change p50 {:.0} us, p99 {:.0} us",
            all[500], all[990]
        );
    }
}
