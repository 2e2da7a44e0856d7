//! Rings when somebody may have committed.
//!
//! Watches the database's *directory*, because the files beside it (`-wal`, `-journal`) come and go, and rings whenever one
//! of them is written. Whoever is rung asks [`Reader::more`](super::read::Reader::more). Where the system notifies nobody, or
//! forgets to, a poll remains.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventHandler, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::error::FeedError;
use super::open;
use crate::source::Bell;

/// How often to look though nobody rang.
const SAFETY: Duration = Duration::from_secs(1);
/// How often to look where nobody ever rings: as often as Lambda polls a stream (spec/sources/dynamodb-streams §7).
const POLL: Duration = Duration::from_millis(250);

/// Rings a [`Bell`] when a database's files are written.
pub struct Wake {
    watcher: Option<RecommendedWatcher>,
}

impl Wake {
    /// Watches the database at `path`. Without notification it only says to look more often.
    ///
    /// # Errors
    /// There is no database at `path`.
    pub fn new(path: &Path, bell: Bell) -> Result<Self, FeedError> {
        let path = open::locate(path)?;
        let name = path.file_name().unwrap_or_default().to_owned();
        let ear = Ear { name, bell };
        let directory = path.parent().unwrap_or(Path::new("/"));
        let watch = || {
            let mut watcher = notify::recommended_watcher(ear)?;
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok::<_, notify::Error>(watcher)
        };
        let watcher = watch()
            .inspect_err(|e| {
                tracing::warn!(database = %path.display(), "cannot be notified of changes, so it is polled: {e}");
            })
            .ok();
        Ok(Wake { watcher })
    }

    /// How long to wait for the bell before looking anyway.
    pub fn patience(&self) -> Duration {
        match self.watcher {
            Some(_) => SAFETY,
            None => POLL,
        }
    }
}

/// Hears the watcher.
struct Ear {
    name: OsString,
    bell: Bell,
}

impl EventHandler for Ear {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let ring = match &event {
            // Something may have been missed.
            Err(_) => true,
            Ok(event) if event.need_rescan() => true,
            Ok(event) => {
                is_write(event.kind)
                    && event
                        .paths
                        .iter()
                        .filter_map(|path| path.file_name())
                        .any(|name| is_of(name, &self.name))
            }
        };
        if ring {
            self.bell.ring();
        }
    }
}

/// Reading rings nobody, or our own look would be the next one's cause.
fn is_write(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Whether a file is the database, its WAL or its journal; `-shm` is written by readers, too.
fn is_of(file: &OsStr, database: &OsStr) -> bool {
    let rest = file.as_encoded_bytes().strip_prefix(database.as_encoded_bytes());
    matches!(rest, Some(b"" | b"-wal" | b"-journal"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn a_commit_rings_and_a_read_does_not() {
        for mode in ["wal", "delete"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.db");
            let writer = rusqlite::Connection::open(&path).unwrap();
            writer.pragma_update(None, "journal_mode", mode).unwrap();
            writer.execute_batch("CREATE TABLE t(a)").unwrap();
            let (bell, ear) = Bell::new();
            let wake = Wake::new(&path, bell).unwrap();
            assert_eq!(wake.patience(), SAFETY);
            writer.execute_batch("INSERT INTO t VALUES(1)").unwrap();
            ear.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        assert!(is_of(OsStr::new("a.db-wal"), OsStr::new("a.db")));
        assert!(!is_of(OsStr::new("a.db-shm"), OsStr::new("a.db")));
        assert!(!is_of(OsStr::new("a.db2"), OsStr::new("a.db")));
        assert!(!is_write(EventKind::Access(AccessKind::Open(AccessMode::Any))));
    }
}
