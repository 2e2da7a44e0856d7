//! The index on disk: a SQLite file for each bucket.
//!
//! Owns the tables. One transaction at a time brings them up to date, and a process that is killed in the middle leaves
//! the one before. Deliberately absent: what the rows decide; that is made from the maps of [`Index`](super::index::Index).

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, params};

use super::index::{Announced, Entry, Stamp};
use super::record::Kind;

/// A bucket's file.
pub struct Store(Connection);

/// What it kept of earlier runs.
pub struct Kept {
    /// The objects.
    pub objects: Vec<(String, Entry)>,
    /// What is not over, by its sequencer.
    pub owed: BTreeMap<u64, Announced>,
    /// The last sequencer; `None` if there was no earlier run.
    pub last: Option<u64>,
}

impl Store {
    /// Opens the file, or makes it.
    pub fn open(file: &Path) -> rusqlite::Result<(Store, Kept)> {
        let store = Connection::open(file)?;
        store.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        store.pragma_update(None, "journal_mode", "WAL")?;
        store.pragma_update(None, "synchronous", "NORMAL")?;
        store.execute_batch(
            "BEGIN;
             CREATE TABLE IF NOT EXISTS object (
               key TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, inode INTEGER NOT NULL, md5 TEXT
             ) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS owed (
               sequencer INTEGER PRIMARY KEY, key TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER, md5 TEXT
             );
             CREATE TABLE IF NOT EXISTS bucket (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
             COMMIT;",
        )?;
        let kept = Kept {
            objects: load_objects(&store)?,
            owed: load_owed(&store)?,
            last: load_last(&store)?,
        };
        Ok((Store(store), kept))
    }

    /// Brings these rows up to date; `None` removes one.
    pub fn save<'a>(
        &mut self,
        objects: impl Iterator<Item = (&'a String, Option<&'a Entry>)>,
        owed: impl Iterator<Item = (u64, Option<&'a Announced>)>,
        last: u64,
    ) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        save_objects(&transaction, objects)?;
        save_owed(&transaction, owed)?;
        transaction.execute(
            "INSERT OR REPLACE INTO bucket VALUES (1, ?1)",
            [last.cast_signed()],
        )?;
        transaction.commit()
    }
}

fn load_objects(store: &Connection) -> rusqlite::Result<Vec<(String, Entry)>> {
    let mut rows = store.prepare("SELECT key, size, mtime, inode, md5 FROM object")?;
    let mut rows = rows.query([])?;
    let mut objects = Vec::new();
    while let Some(row) = rows.next()? {
        let stamp = Stamp {
            size: row.get::<_, i64>(1)?.cast_unsigned(),
            mtime: row.get(2)?,
            inode: row.get::<_, i64>(3)?.cast_unsigned(),
        };
        let md5 = row.get(4)?;
        objects.push((row.get(0)?, Entry { stamp, md5 }));
    }
    Ok(objects)
}

fn load_last(store: &Connection) -> rusqlite::Result<Option<u64>> {
    let mut last = store.prepare("SELECT last FROM bucket")?;
    let mut last = last.query([])?;
    let row = last.next()?;
    row.map(|row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))
        .transpose()
}

fn save_objects<'a>(
    store: &Connection,
    objects: impl Iterator<Item = (&'a String, Option<&'a Entry>)>,
) -> rusqlite::Result<()> {
    let mut put = store.prepare_cached("INSERT OR REPLACE INTO object VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut delete = store.prepare_cached("DELETE FROM object WHERE key = ?1")?;
    for (key, entry) in objects {
        match entry {
            Some(Entry { stamp, md5 }) => put.execute(params![
                key,
                stamp.size.cast_signed(),
                stamp.mtime,
                stamp.inode.cast_signed(),
                md5
            ])?,
            None => delete.execute([key])?,
        };
    }
    Ok(())
}

fn save_owed<'a>(
    store: &Connection,
    owed: impl Iterator<Item = (u64, Option<&'a Announced>)>,
) -> rusqlite::Result<()> {
    let mut put = store.prepare_cached("INSERT OR REPLACE INTO owed VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut delete = store.prepare_cached("DELETE FROM owed WHERE sequencer = ?1")?;
    for (sequencer, announced) in owed {
        match announced {
            Some(Announced { key, kind, content }) => put.execute(params![
                sequencer.cast_signed(),
                key,
                kind.name(),
                content.as_ref().map(|(size, _)| size.cast_signed()),
                content.as_ref().map(|(_, md5)| md5)
            ])?,
            None => delete.execute([sequencer.cast_signed()])?,
        };
    }
    Ok(())
}

/// What is owed; a kind of a newer version is not known here, and left.
fn load_owed(store: &Connection) -> rusqlite::Result<BTreeMap<u64, Announced>> {
    let mut rows = store.prepare("SELECT sequencer, key, kind, size, md5 FROM owed")?;
    let mut rows = rows.query([])?;
    let mut owed = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let size: Option<i64> = row.get(3)?;
        let md5: Option<String> = row.get(4)?;
        let Some(kind) = Kind::named(&row.get::<_, String>(2)?) else {
            continue;
        };
        let announced = Announced {
            key: row.get(1)?,
            kind,
            content: size.map(i64::cast_unsigned).zip(md5),
        };
        owed.insert(row.get::<_, i64>(0)?.cast_unsigned(), announced);
    }
    Ok(owed)
}
