//! A model check: whatever statements run, a copy kept from the changes alone is the table.

use std::collections::BTreeMap;

use rusqlite::Connection;
use sources::dynamodb::cell::Cell;
use sources::dynamodb::feed::change::{Change, Seq, What};
use sources::dynamodb::feed::read::{Cursor, Limit};

use crate::database::{Database, Watched, spell, tell};

/// The tables, each with columns k, u, w and v, and a key that is k.
const TABLES: &[&str] = &[
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE, w, v)",
    "CREATE TABLE t(k INT NOT NULL PRIMARY KEY, u UNIQUE, w, v, UNIQUE(w, v)) WITHOUT ROWID",
    "CREATE TABLE t(k TEXT NOT NULL PRIMARY KEY, u INTEGER UNIQUE, w UNIQUE, v)",
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u, w, v, g AS (u) UNIQUE, s AS (w||v) STORED)",
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u, w, v); CREATE UNIQUE INDEX i ON t(u) WHERE w > 1",
    "CREATE TABLE t(k NOT NULL PRIMARY KEY, u COLLATE NOCASE UNIQUE, w, v) WITHOUT ROWID",
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE, w NOT NULL DEFAULT 2 UNIQUE, v)",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }

    fn key(&mut self) -> &'static str {
        self.one(&["1", "2", "3", "4", "-1", "1", "2"])
    }

    fn value(&mut self) -> &'static str {
        self.one(&[
            "1",
            "2",
            "3",
            "NULL",
            "'a'",
            "'A'",
            "x'00'",
            "1.5",
            "'b'||char(0)||'c'",
        ])
    }

    fn row(&mut self) -> String {
        let key = if self.below(6) == 0 { "NULL" } else { self.key() };
        format!("({key},{},{},{})", self.value(), self.value(), self.value())
    }

    fn statement(&mut self) -> String {
        let (key, value, row) = (self.key(), self.value(), self.row());
        let column = self.one(&["k", "u", "w", "v"]);
        let or = self.one(&["", " OR REPLACE", " OR IGNORE", " OR FAIL", " OR REPLACE"]);
        let into = "INTO t(k,u,w,v) VALUES";
        match self.below(15) {
            0..=3 => format!("INSERT{or} {into}{row}"),
            4 => format!("INSERT{or} {into}{row},{},{}", self.row(), self.row()),
            5 | 6 => format!("REPLACE {into}{row}"),
            7 => format!("INSERT {into}{row} ON CONFLICT DO NOTHING"),
            8 => format!(
                "INSERT {into}{row} ON CONFLICT(k) DO UPDATE SET {column}=excluded.{column}, v={value}"
            ),
            9 | 10 => format!("UPDATE{or} t SET {column}={value} WHERE k={key}"),
            11 => format!("UPDATE{or} t SET k={key}, u={value}"),
            12 => format!("UPDATE{or} t SET v=v"),
            13 => format!("DELETE FROM t WHERE k={key}"),
            _ => self
                .one(&[
                    "DELETE FROM t WHERE u=1",
                    "DELETE FROM t",
                    "UPDATE OR REPLACE t SET k=k+1",
                ])
                .into(),
        }
    }

    /// Statements of one transaction; failures are part of it.
    fn transaction(&mut self, writer: &Connection) -> Vec<String> {
        let mut ran = Vec::new();
        let explicit = self.below(2) == 0;
        if explicit {
            writer.execute_batch("BEGIN").unwrap();
        }
        for _ in 0..=self.below(5) {
            let saved = explicit && self.below(4) == 0;
            if saved {
                let _ = writer.execute_batch("SAVEPOINT s");
            }
            let statement = self.statement();
            let outcome = writer.execute_batch(&statement).err();
            ran.push(format!(
                "{statement} -- {}",
                outcome.map(|e| e.to_string()).unwrap_or_default()
            ));
            if saved {
                let _ = writer.execute_batch(self.one(&["ROLLBACK TO s", "RELEASE s"]));
            }
        }
        if !writer.is_autocommit() {
            writer
                .execute_batch(if self.below(5) == 0 { "ROLLBACK" } else { "COMMIT" })
                .unwrap();
        }
        ran
    }
}

type Copy = BTreeMap<String, String>;

/// Applies a change; what it contradicts is an error.
fn apply(copy: &mut Copy, last: &mut Seq, change: &Change) -> Result<(), String> {
    let key = change.key().into_iter().map(spell).collect::<String>();
    let row = |cells: &[Cell]| {
        let attributes = change.layout.attributes().map(|(at, _)| spell(&cells[at]));
        attributes.collect::<Vec<_>>().join(" ")
    };
    let (was, now) = match &change.what {
        What::Insert { new } => (None, Some(row(new))),
        What::Remove { old } => (Some(row(old)), None),
        What::Modify { old, new } => (Some(row(old)), Some(row(new))),
    };
    let found = match &now {
        Some(row) => copy.insert(key, row.clone()),
        None => copy.remove(&key),
    };
    let in_order = change.seq > std::mem::replace(last, change.seq);
    match in_order && found == was && was != now {
        true => Ok(()),
        false => Err(format!("{} {:?} contradicts {found:?}", tell(change), change.seq)),
    }
}

fn table(writer: &Connection) -> Copy {
    let mut statement = writer.prepare_cached("SELECT * FROM t").unwrap();
    let width = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut table = Copy::new();
    while let Some(row) = rows.next().unwrap() {
        let cells: Vec<_> = (0..width)
            .map(|at| spell(&row.get_ref(at).unwrap().into()))
            .collect();
        table.insert(cells[0].clone(), cells.join(" "));
    }
    table
}

#[test]
fn a_copy_kept_from_changes_is_the_table() {
    let runs = std::env::var("MODEL_RUNS").map_or(150, |runs| runs.parse().unwrap());
    for (kind, sql) in TABLES.iter().enumerate() {
        for recursive in [false, true] {
            let (database, mut live) = Database::watched(sql);
            database.run(&format!("PRAGMA recursive_triggers={}", u8::from(recursive)));
            let mut random = Random(0x9e37_79b9_7f4a_7c15 + kind as u64 * 2 + u64::from(recursive));
            let (mut copy, mut last, mut all) = (Copy::new(), Seq::default(), Vec::new());
            for run in 0..runs {
                let ran = random.transaction(&database.writer);
                let changes = live.read();
                let applied: Result<(), String> = changes
                    .iter()
                    .try_for_each(|change| apply(&mut copy, &mut last, change));
                let about = || {
                    let told: Vec<_> = changes.iter().map(tell).collect();
                    format!(
                        "run {run} of {sql}, recursive {recursive}:\n{}\ntold {told:#?}",
                        ran.join("\n")
                    )
                };
                assert_eq!(applied, Ok(()), "{}", about());
                assert_eq!(copy, table(&database.writer), "{}", about());
                all.extend(changes);
            }
            let feed = live.tail.feed().clone();
            reread(&Watched::new(&database, &feed), &all, &mut random);
        }
    }
}

/// Read again from the beginning, in small batches and with restarts in between, it is the same story.
fn reread(watched: &Watched, all: &[Change], random: &mut Random) {
    let feed = watched.tail.feed();
    let mut tail = watched.reader.tail(feed, Cursor::default()).unwrap();
    let (mut told, mut restarted) = (Vec::new(), 0);
    loop {
        let limit = Limit {
            rows: 1 + random.below(7) as usize,
            bytes: 1 + random.below(2_000) as usize,
        };
        let batch = watched.reader.read(&mut tail, limit).unwrap();
        told.extend(batch.changes);
        if !batch.more {
            break;
        }
        // A restart reads again what is pending, so it comes only where the last one was left behind.
        if random.below(3) == 0 && batch.cursor.row > restarted {
            restarted = batch.cursor.row;
            tail = watched.reader.tail(feed, batch.cursor).unwrap();
        }
    }
    let spelled = |changes: &[Change]| changes.iter().map(|c| (c.seq, tell(c))).collect::<Vec<_>>();
    let (told, all) = (spelled(&told), spelled(all));
    let differs = told.iter().zip(&all).position(|(a, b)| a != b);
    if let Some(at) = differs {
        let from = at.saturating_sub(3);
        let rows = watched.reader.database();
        let mut rows = rows
            .prepare("SELECT * FROM _triggerfish_feed_1 WHERE seq BETWEEN ?1 - 40 AND ?1 + 3")
            .unwrap();
        let width = rows.column_count();
        let seq = (told[at].0.0.min(all[at].0.0) / 128) as i64;
        let mut rows = rows.query([seq]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<String> = (0..width)
                .map(|at| spell(&row.get_ref(at).unwrap().into()))
                .collect();
            println!("{}", cells.join(" "));
        }
        panic!(
            "told again {:#?}, first {:#?}",
            &told[from..at + 3],
            &all[from..at + 3]
        );
    }
    assert_eq!(told.len(), all.len());
}
