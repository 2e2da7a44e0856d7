//! Reads a feed: committed changes, in order, each once.
//!
//! A [`Reader`] is a read-only connection; its transactions last for one batch, because a long one keeps a WAL from being
//! checkpointed. A [`Tail`] is how far one feed was read. What has to be remembered across restarts is its [`Cursor`]: reading
//! begins again at the oldest row that is still needed, and what was told already is not told again.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::change::{Change, Seq};
use super::error::{FeedError, Trouble};
use super::layout::{Layout, VERSION};
use super::open;
use super::replay::{Replay, Row};
use super::rows::{Era, decode, select};
use super::sql::ERAS;
use super::state::{self, Feed, last_row};
use crate::dynamodb::cell::Cell;

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The last row of the feed that need not be read again.
    pub row: i64,
    /// What was told or decided to be nothing, up to here.
    pub told: Seq,
}

/// Bounds of one batch. At least one row is read, whatever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Rows of the feed.
    pub rows: usize,
    /// Bytes of their values.
    pub bytes: usize,
}

/// Some changes of one table.
#[derive(Debug)]
pub struct Batch {
    /// The changes, in order. May be empty though more is there.
    pub changes: Vec<Change>,
    /// Remember this together with what becomes of them.
    pub cursor: Cursor,
    /// The bounds were met before the end.
    pub more: bool,
}

/// How far one feed was read.
pub struct Tail {
    feed: Feed,
    read: i64,
    told: Seq,
    replay: Option<(i64, Replay)>,
}

impl Tail {
    /// The feed.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Where to go on.
    pub fn cursor(&self) -> Cursor {
        let oldest = self.replay.as_ref().and_then(|(_, replay)| replay.oldest());
        Cursor {
            row: oldest.map_or(self.read, |oldest| oldest - 1),
            told: self.told,
        }
    }
}

/// A read-only connection to the user's database.
pub struct Reader {
    database: Connection,
    path: PathBuf,
    file: (u64, u64),
    version: Option<i64>,
}

impl Reader {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// A database that is missing, locked, damaged, not ours to read, or on a network file system.
    pub fn open(path: &Path) -> Result<Self, FeedError> {
        let database = open::to_read(path)?;
        let path = open::locate(path)?;
        let file = identity(&path)?;
        Ok(Reader {
            database,
            path,
            file,
            version: None,
        })
    }

    /// The connection, for looking at the schema.
    pub fn database(&self) -> &Connection {
        &self.database
    }

    /// Whether another connection committed anything since the last call; true at the first. Costs microseconds.
    ///
    /// # Errors
    /// Another file took the database's place; what SQLite says.
    pub fn more(&mut self) -> Result<bool, FeedError> {
        if identity(&self.path)? != self.file {
            return Err(replaced(&self.path));
        }
        let version = self
            .database
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(|e| self.failed(&e))?;
        Ok(self.version.replace(version) != Some(version))
    }

    /// Begins to read `feed` at `cursor`; the default cursor is its beginning.
    ///
    /// # Errors
    /// The feed is gone, or ends before the cursor.
    pub fn tail(&self, feed: &Feed, cursor: Cursor) -> Result<Tail, FeedError> {
        let found = state::feeds(&self.database)?;
        let Some(feed) = found.into_iter().find(|other| other.id == feed.id) else {
            return Err(self.gone(feed));
        };
        if cursor.row > last_row(&self.database, feed.id).map_err(|e| self.failed(&e))? {
            return Err(replaced(&self.path));
        }
        Ok(Tail {
            feed,
            read: cursor.row,
            told: cursor.told,
            replay: None,
        })
    }

    /// A place behind everything that is in the feed now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end(&self, feed: &Feed) -> Result<Cursor, FeedError> {
        let row = last_row(&self.database, feed.id).map_err(|e| self.failed(&e))?;
        Ok(Cursor {
            row,
            told: Seq::default(),
        })
    }

    /// Reads on. Locks are waited for, with growing pauses, for [`open::PATIENCE`].
    ///
    /// # Errors
    /// The feed is gone or comes from a later triggerfish; the database is locked for longer, or damaged. The tail is then where
    /// it was.
    pub fn read(&self, tail: &mut Tail, limit: Limit) -> Result<Batch, FeedError> {
        // One snapshot for the eras and the rows; it ends with the transaction.
        let snapshot = self
            .database
            .unchecked_transaction()
            .map_err(|e| self.failed(&e))?;
        let eras = self.eras(&tail.feed)?;
        let read = self.rows(&tail.feed, &eras, tail.read, limit);
        drop(snapshot);
        let (rows, more) = read.map_err(|e| self.failed(&e))?;
        let mut changes = Vec::new();
        for (era, row) in rows {
            tail.read = row.seq;
            tail.at_era(&eras, era, &mut changes).take(row, &mut changes);
        }
        if let Some((_, replay)) = tail.replay.as_mut().filter(|_| !more) {
            replay.end(&mut changes);
        }
        let told = tail.told;
        changes.retain(|change| change.seq > told);
        // Rows that told nothing are decided, too: read again without what came before, they might tell something.
        let undecided = tail.replay.as_ref().and_then(|(_, replay)| replay.undecided());
        tail.told = told.max(Seq::last_of(undecided.map_or(tail.read, |row| row - 1)));
        Ok(Batch {
            changes,
            cursor: tail.cursor(),
            more,
        })
    }

    /// The eras of a feed by their first row, the oldest first.
    fn eras(&self, feed: &Feed) -> Result<Vec<Era>, FeedError> {
        let found: rusqlite::Result<Vec<(i64, String)>> = self
            .database
            .prepare_cached(&format!(
                "SELECT since, layout FROM {ERAS} WHERE feed = ? ORDER BY since"
            ))
            .and_then(|mut eras| {
                eras.query_map([feed.id], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            });
        // Without the table there is no feed, which is no trouble of SQLite's.
        let found = match found {
            Err(rusqlite::Error::SqliteFailure(e, _)) if e.code == rusqlite::ErrorCode::Unknown => Vec::new(),
            other => other.map_err(|e| self.failed(&e))?,
        };
        if found.is_empty() {
            return Err(self.gone(feed));
        }
        let parse = |(since, text): (i64, String)| match serde_json::from_str::<Layout>(&text) {
            Ok(layout) if layout.version <= VERSION => Ok(Era {
                since,
                layout: Arc::new(layout),
            }),
            _ => Err(FeedError::new(
                Trouble::Stale,
                format!(
                    "the feed of `{}` in {} was written by a later triggerfish",
                    feed.table,
                    self.path.display()
                ),
                "use that one, or uninstall the feed with it",
            )),
        };
        found.into_iter().map(parse).collect()
    }

    /// Rows behind `after` with the index of their era, and whether the limit was met.
    fn rows(
        &self,
        feed: &Feed,
        eras: &[Era],
        after: i64,
        limit: Limit,
    ) -> rusqlite::Result<(Vec<(usize, Row)>, bool)> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        for (index, era) in eras.iter().enumerate() {
            let end = eras.get(index + 1).map_or(i64::MAX, |next| next.since);
            if end <= after {
                continue;
            }
            let width = era.layout.columns.len();
            let mut statement = self.database.prepare_cached(&select(feed.id, width))?;
            let mut rows = statement.query([after.max(era.since), end])?;
            while let Some(row) = rows.next()? {
                if !found.is_empty() && (found.len() >= limit.rows || bytes >= limit.bytes) {
                    return Ok((found, true));
                }
                let Some(row) = decode(row, width)? else { continue };
                bytes += row.old.iter().chain(&row.new).map(Cell::weight).sum::<usize>();
                found.push((index, row));
            }
        }
        Ok((found, false))
    }

    fn gone(&self, feed: &Feed) -> FeedError {
        FeedError::new(
            Trouble::Stale,
            format!(
                "the change feed of `{}` is no longer in {}",
                feed.table,
                self.path.display()
            ),
            "install it again; what changed meanwhile was not caught",
        )
    }

    fn failed(&self, error: &rusqlite::Error) -> FeedError {
        FeedError::sqlite(error, &self.path, "read the change feed")
    }
}

impl Tail {
    /// The replay, turned to the layout of `era`.
    fn at_era(&mut self, eras: &[Era], era: usize, out: &mut Vec<Change>) -> &mut Replay {
        let Era { since, layout } = &eras[era];
        let table = &self.feed.table;
        let (at, replay) = self
            .replay
            .get_or_insert_with(|| (*since, Replay::new(table.as_str().into(), Arc::clone(layout))));
        if at != since {
            replay.turn(Arc::clone(layout), out);
            *at = *since;
        }
        replay
    }
}

/// The device and number of the file.
fn identity(path: &Path) -> Result<(u64, u64), FeedError> {
    let found = std::fs::metadata(path).map_err(|e| {
        FeedError::new(
            Trouble::Missing,
            format!("{} is gone: {e}", path.display()),
            "put the database back",
        )
    })?;
    Ok((found.dev(), found.ino()))
}

fn replaced(path: &Path) -> FeedError {
    FeedError::new(
        Trouble::Replaced,
        format!(
            "{} is not the database that was read before: another copy took its place",
            path.display()
        ),
        "forget the old position and begin anew; uninstall and install the feed to give the stream a new label",
    )
}
