//! Writers in other processes, and a reader that ends and begins again in between.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::Duration;

use sources::dynamodb::feed::change::{Change, Seq, What};
use sources::dynamodb::feed::read::{Cursor, Limit, Reader};
use sources::dynamodb::feed::state::Feed;
use sources::dynamodb::feed::wake::Wake;
use sources::source::Bell;

use crate::database::{Database, spell};

type Copy = BTreeMap<String, String>;

fn writer(database: &Database, name: u32, turns: u32) -> Child {
    let script = format!("{}/tests/feed/writer.py", env!("CARGO_MANIFEST_DIR"));
    Command::new("python3")
        .arg(script)
        .arg(&database.path)
        .args([name.to_string(), turns.to_string()])
        .spawn()
        .unwrap()
}

fn apply(copy: &mut Copy, change: &Change) {
    let spelled = |row: &[sources::dynamodb::cell::Cell]| row.iter().map(spell).collect::<Vec<_>>().join(" ");
    let key = spell(&change.row()[0]);
    match &change.what {
        What::Insert { new } => assert_eq!(copy.insert(key, spelled(new)), None),
        What::Modify { old, new } => assert_eq!(copy.insert(key, spelled(new)), Some(spelled(old))),
        What::Remove { old } => assert_eq!(copy.remove(&key), Some(spelled(old))),
    }
}

fn runs_with(mode: &str) {
    let mut database = Database::new("CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE, v)");
    database.writer.pragma_update(None, "journal_mode", mode).unwrap();
    let feed = database.install().feeds.remove(0);
    let (bell, ear) = Bell::new();
    let wake = Wake::new(&database.path, bell).unwrap();
    let mut writers = vec![writer(&database, 1, 200), writer(&database, 2, 200)];
    let (mut copy, mut cursor, mut last) = (Copy::new(), Cursor::default(), Seq::default());
    let mut lives = 0;
    loop {
        let over = writers
            .iter_mut()
            .all(|writer| writer.try_wait().unwrap().is_some());
        let end = one_life(&database, &feed, &mut cursor, &mut last, &mut copy);
        lives += 1;
        if over && end {
            break;
        }
        if end {
            let _ = ear.recv_timeout(wake.patience().min(Duration::from_millis(100)));
        }
    }
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let mut rows = Copy::new();
    let mut statement = database.writer.prepare("SELECT k, u, v FROM t").unwrap();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let cells: Vec<_> = (0..3).map(|at| spell(&row.get_ref(at).unwrap().into())).collect();
        rows.insert(cells[0].clone(), cells.join(" "));
    }
    assert_eq!(copy, rows);
    assert!(lives > 3, "{lives}");
}

/// Reads a few batches, more rows than can be pending, and forgets everything but the cursor. Says whether the end was reached.
fn one_life(database: &Database, feed: &Feed, cursor: &mut Cursor, last: &mut Seq, copy: &mut Copy) -> bool {
    let reader = Reader::open(&database.path).unwrap();
    let mut tail = reader.tail(feed, *cursor).unwrap();
    for _ in 0..3 {
        let limit = Limit {
            rows: 1_000,
            bytes: 1_000_000,
        };
        let batch = reader.read(&mut tail, limit).unwrap();
        for change in &batch.changes {
            assert!(change.seq > *last);
            *last = change.seq;
            apply(copy, change);
        }
        *cursor = batch.cursor;
        if !batch.more {
            return true;
        }
    }
    false
}

#[test]
fn nothing_is_lost_or_doubled_across_processes_and_restarts() {
    runs_with("wal");
    runs_with("delete");
}
