//! Opening a user's database, with a diagnosis when that fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{FeedError, Trouble};

/// How long SQLite tries again, with growing pauses, while another process holds the database.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// File systems on which other machines write: their locks and notifications do not reach us.
const NETWORKED: &[&str] = &[
    "afs",
    "ceph",
    "cifs",
    "fuse.sshfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// For reading only. Never creates, never checkpoints.
///
/// # Errors
/// A database that is missing, locked, damaged, not ours to read, or on a network file system.
pub fn to_read(path: &Path) -> Result<Connection, FeedError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// For installing, trimming and sweeping.
///
/// # Errors
/// As [`to_read`], and a database that cannot be written.
pub fn to_write(path: &Path) -> Result<Connection, FeedError> {
    let database = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // SQLite falls back to reading where it may not write, and says so only at the first write.
    match database.is_readonly("main") {
        Ok(false) => Ok(database),
        _ => Err(FeedError::new(
            Trouble::Denied,
            format!("{} is read-only", path.display()),
            "give this user the right to write the file and its directory; the feed's triggers are kept in it",
        )),
    }
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, FeedError> {
    let path = &locate(path)?;
    let failed = |e: rusqlite::Error| FeedError::sqlite(&e, path, "open the database");
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed)?;
    database.busy_timeout(PATIENCE).map_err(failed)?;
    // The first read finds what opening does not: a file that is no database, or that is locked.
    database
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(failed)?;
    Ok(database)
}

/// The file itself, behind any links, because its journal lies beside it.
pub(super) fn locate(path: &Path) -> Result<PathBuf, FeedError> {
    let place = path.display();
    let found = std::fs::canonicalize(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => FeedError::new(
            Trouble::Missing,
            format!("there is no database at {place}"),
            "check the path, or create it with the program that owns it; the feed does not invent one",
        ),
        _ => FeedError::new(
            Trouble::Denied,
            format!("failed to look at {place}: {e}"),
            "give this user the right to read the file and to enter its directories",
        ),
    })?;
    if !found.is_file() {
        let what = format!("{place} is not a file");
        return Err(FeedError::new(
            Trouble::Missing,
            what,
            "name the database file itself",
        ));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    match networked(&found, &mounts) {
        None => Ok(found),
        Some(kind) => Err(FeedError::new(
            Trouble::Unsupported,
            format!(
                "{place} is on a network file system ({kind}), where neither SQLite's locks nor notifications can be relied on"
            ),
            "move the database to a local disk",
        )),
    }
}

/// The kind of network file system that `path` is on, if it is on one, from the text of `/proc/self/mounts`.
fn networked<'a>(path: &Path, mounts: &'a str) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let mut words = line.split(' ');
        let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
        let at = at.replace("\\040", " ");
        path.starts_with(&at).then_some((at.len(), kind))
    };
    // Of mounts at the same place the last one is on top.
    let (_, kind) = mounts
        .lines()
        .filter_map(mount)
        .max_by_key(|(length, _)| *length)?;
    NETWORKED.contains(&kind).then_some(kind)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn what_is_no_database_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let trouble = |path: &Path| {
            let error = to_write(path).err().unwrap();
            assert!(error.what.contains(path.to_str().unwrap()), "{error}");
            assert!(!error.help.is_empty());
            error.trouble
        };
        assert_eq!(trouble(&dir.path().join("none.db")), Trouble::Missing);
        assert_eq!(trouble(dir.path()), Trouble::Missing);
        let text = dir.path().join("text.db");
        std::fs::write(&text, "x".repeat(5000)).unwrap();
        assert_eq!(trouble(&text), Trouble::Corrupt);
    }

    #[test]
    fn a_locked_database_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch("CREATE TABLE t(a); BEGIN EXCLUSIVE; INSERT INTO t VALUES(1)")
            .unwrap();
        let reader = Connection::open(&path).unwrap();
        reader.busy_timeout(Duration::ZERO).unwrap();
        let error = reader.query_row("SELECT 1 FROM t", [], |_| Ok(())).err().unwrap();
        let error = FeedError::sqlite(&error, &path, "read");
        assert_eq!(error.trouble, Trouble::Locked);
        assert!(error.help.contains("another process"), "{error:?}");
    }

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = "/dev/a / ext4 rw 0 0\nsrv:/x /home nfs4 rw 0 0\n/dev/b /home/me\\040too xfs rw 0 0\n";
        let of = |path: &str| networked(Path::new(path), mounts);
        assert_eq!(of("/var/a.db"), None);
        assert_eq!(of("/home/you/a.db"), Some("nfs4"));
        assert_eq!(of("/home/me too/a.db"), None);
        assert_eq!(of("/homely/a.db"), None);
        assert_eq!(networked(Path::new("/a"), ""), None);
    }
}
