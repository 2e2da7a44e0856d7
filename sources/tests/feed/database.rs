//! A database in a directory of its own, a writer, and a reader of its feeds.

use std::path::PathBuf;

use router::time::Timestamp;
use rusqlite::Connection;
use sources::dynamodb::cell::Cell;
use sources::dynamodb::feed::change::{Change, What};
use sources::dynamodb::feed::install::{self, Installed};
use sources::dynamodb::feed::read::{Cursor, Limit, Reader, Tail};
use sources::dynamodb::feed::state::{Feed, Table};

/// Bounds that no test meets.
pub const WIDE: Limit = Limit {
    rows: 1_000_000,
    bytes: 1 << 30,
};

pub struct Database {
    pub writer: Connection,
    pub path: PathBuf,
    pub dir: tempfile::TempDir,
}

impl Database {
    /// A database in WAL mode, made by `sql`.
    pub fn new(sql: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "wal").unwrap();
        writer.pragma_update(None, "synchronous", "off").unwrap();
        writer.execute_batch(sql).unwrap();
        Database { writer, path, dir }
    }

    /// One that watches `t` already.
    pub fn watched(sql: &str) -> (Self, Watched) {
        let mut database = Database::new(sql);
        let feed = database.install().feeds.remove(0);
        let watched = Watched::new(&database, &feed);
        (database, watched)
    }

    pub fn install(&mut self) -> Installed {
        install::install(&mut self.writer, &[Table::named("t")], Timestamp::VIRTUAL_START).unwrap()
    }

    pub fn run(&self, sql: &str) {
        self.writer.execute_batch(sql).unwrap();
    }
}

pub struct Watched {
    pub reader: Reader,
    pub tail: Tail,
}

impl Watched {
    pub fn new(database: &Database, feed: &Feed) -> Self {
        let reader = Reader::open(&database.path).unwrap();
        let tail = reader.tail(feed, Cursor::default()).unwrap();
        Watched { reader, tail }
    }

    pub fn read(&mut self) -> Vec<Change> {
        let batch = self.reader.read(&mut self.tail, WIDE).unwrap();
        assert!(!batch.more);
        batch.changes
    }

    pub fn told(&mut self) -> Vec<String> {
        self.read().iter().map(tell).collect()
    }
}

/// `+ new`, `- old`, `~ old > new`; `!` in front of what time to live deleted.
pub fn tell(change: &Change) -> String {
    let row = |cells: &Vec<Cell>| {
        let attributes = change.layout.attributes().map(|(at, _)| spell(&cells[at]));
        attributes.collect::<Vec<_>>().join(" ")
    };
    let told = match &change.what {
        What::Insert { new } => format!("+ {}", row(new)),
        What::Remove { old } => format!("- {}", row(old)),
        What::Modify { old, new } => format!("~ {} > {}", row(old), row(new)),
    };
    if change.ttl { format!("!{told}") } else { told }
}

pub fn spell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".into(),
        Cell::Integer(i) => i.to_string(),
        Cell::Real(r) => format!("{r:?}"),
        Cell::Text(text) => String::from_utf8_lossy(text).replace('\0', "\\0"),
        Cell::Blob(bytes) => format!("x{bytes:02x?}"),
    }
}
