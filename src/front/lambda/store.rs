//! Where the control plane's records are kept: a database in the data directory.
//!
//! Owns the file and its form: one row for each record, its JSON. A change is written before its caller is answered; a
//! killed process loses none of it. Deliberately absent: code, which lies in directories of its own
//! ([`crate::front::code`]).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;

use super::registry::Row;

/// The form of the database; another one is refused.
const VERSION: i64 = 1;

/// The records of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function.
    Function,
    /// A layer.
    Layer,
    /// An event source mapping.
    Mapping,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Function => "function",
            Kind::Layer => "layer",
            Kind::Mapping => "mapping",
        }
    }
}

/// The database.
#[derive(Debug)]
pub struct Store {
    database: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the database in a directory, and makes it if there is none.
    ///
    /// # Errors
    /// It cannot be opened, or is of another version.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("lambda.sqlite");
        let failed = || format!("failed to open {}", path.display());
        let database = Connection::open(&path).with_context(failed)?;
        // Making the file is nothing to wait for the disk for: ten times, at every first start.
        for (setting, value) in [("synchronous", "off"), ("journal_mode", "wal")] {
            database
                .pragma_update(None, setting, value)
                .with_context(failed)?;
        }
        let version: i64 = database
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .with_context(failed)?;
        if version != 0 && version != VERSION {
            bail!(
                "{} is of version {version}, this triggerfish knows {VERSION}: use another --data-dir",
                path.display()
            );
        }
        if version == 0 {
            let table = "CREATE TABLE IF NOT EXISTS records (kind TEXT, name TEXT, record TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID";
            database.execute(table, []).with_context(failed)?;
            database
                .pragma_update(None, "user_version", VERSION)
                .with_context(failed)?;
        }
        database
            .pragma_update(None, "synchronous", "normal")
            .with_context(failed)?;
        Ok(Store { database, path })
    }

    /// All records of a kind.
    ///
    /// # Errors
    /// The file cannot be read, or a record is not what this version writes.
    pub fn load<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<T>> {
        let failed = || format!("failed to read {}", self.path.display());
        let mut rows = self
            .database
            .prepare("SELECT name, record FROM records WHERE kind = ?1")
            .with_context(failed)?;
        let rows = rows
            .query_map([kind.word()], |row| Ok((row.get(0)?, row.get(1)?)))
            .with_context(failed)?;
        rows.map(|row| {
            let (name, record): (String, String) = row.with_context(failed)?;
            serde_json::from_str(&record).with_context(|| {
                format!(
                    "{}: the {} {name} cannot be read; use another --data-dir",
                    self.path.display(),
                    kind.word()
                )
            })
        })
        .collect()
    }

    /// Keeps records, or forgets those that are gone: all of them or, if it fails, none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&mut self, rows: &[Row]) -> Result<()> {
        let path = self.path.clone();
        let failed = || format!("failed to write {}", path.display());
        if rows.is_empty() {
            return Ok(());
        }
        let all = self.database.transaction().with_context(failed)?;
        for row in rows {
            let (kind, name) = (row.kind.word(), &row.name);
            let done = match &row.record {
                Some(record) => all.execute(
                    "INSERT OR REPLACE INTO records (kind, name, record) VALUES (?1, ?2, ?3)",
                    params![kind, name, record],
                ),
                None => all.execute(
                    "DELETE FROM records WHERE kind = ?1 AND name = ?2",
                    params![kind, name],
                ),
            };
            done.with_context(failed)?;
        }
        all.commit().with_context(failed)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn records_survive_and_another_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let row = |kind, name: &str, record: Option<&str>| Row {
            kind,
            name: name.to_owned(),
            record: record.map(str::to_owned),
        };
        let rows = [
            row(Kind::Function, "a", Some("1")),
            row(Kind::Function, "b", Some("2")),
            row(Kind::Layer, "a", Some("3")),
        ];
        store.save(&rows).unwrap();
        store.save(&[row(Kind::Function, "a", None)]).unwrap();
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.load::<i32>(Kind::Function).unwrap(), [2]);
        assert_eq!(store.load::<i32>(Kind::Layer).unwrap(), [3]);
        assert!(store.load::<String>(Kind::Layer).is_err());
        store.database.pragma_update(None, "user_version", 9).unwrap();
        assert!(
            Store::open(directory.path())
                .unwrap_err()
                .to_string()
                .contains("version 9")
        );
    }
}
