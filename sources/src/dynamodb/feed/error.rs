//! Why a feed cannot be installed or read: where, what, how to fix.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::source::SourceError;

/// What kind of trouble it is, for whoever decides whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The database or the table is not there, or is something else.
    Missing,
    /// Another process holds the database for longer than we wait; trying again may help.
    Locked,
    /// The file or its directory cannot be written or read.
    Denied,
    /// The file is damaged or is no database.
    Corrupt,
    /// The table, an index of it, or the file system cannot be watched.
    Unsupported,
    /// The feed is not installed, or no longer what the table is.
    Stale,
    /// The database is not the one that was read before: an older copy took its place.
    Replaced,
    /// Anything else that SQLite says.
    Other,
}

/// What went wrong with a feed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct FeedError {
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// Where and what, as a lowercase sentence.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

impl FeedError {
    /// An error with its advice.
    pub fn new(trouble: Trouble, what: impl Into<String>, help: impl Into<String>) -> Self {
        let (what, help) = (what.into(), help.into());
        FeedError { trouble, what, help }
    }

    /// What SQLite said while we tried to do `what` in the database at `path`.
    pub fn sqlite(error: &rusqlite::Error, path: &Path, what: &str) -> Self {
        let code = error.sqlite_error_code();
        let (trouble, help) = match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                Trouble::Locked,
                "another process holds a transaction open; end it, or commit sooner (WAL mode lets readers pass: PRAGMA journal_mode=wal)",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
                Trouble::Denied,
                "give this user the right to write the file and its directory; SQLite keeps its journal beside the file",
            ),
            Some(ErrorCode::CannotOpen) => (
                Trouble::Denied,
                "check that the file is there and that its directory can be written; SQLite keeps its journal beside the file",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                Trouble::Corrupt,
                "check the path; restore a copy, or save what can be read with sqlite3's .recover",
            ),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => (
                Trouble::Other,
                "make room on the disk and check that it is healthy",
            ),
            Some(ErrorCode::FileLockingProtocolFailed) => (
                Trouble::Unsupported,
                "move the database to a local disk: its locks do not work here",
            ),
            _ => (
                Trouble::Other,
                "if the schema changed meanwhile, trying again may be enough",
            ),
        };
        FeedError::new(
            trouble,
            format!("failed to {what} in {}: {error}", path.display()),
            help,
        )
    }

    /// The same, as a source says it.
    pub fn into_source_error(self) -> SourceError {
        SourceError::new(self.what).help(self.help)
    }
}
