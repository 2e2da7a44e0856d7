//! Directories of a run that must not outlive it, not even where the process is ended by a second interrupt. Those of
//! a process that was killed are removed by the next.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use tempfile::TempDir;

static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// How the directories are called, and the file in each that says whose process lives.
const PREFIX: &str = "triggerfish-";
const LOCK: &str = "lock";
/// Where they are unless TMPDIR says otherwise: handlers empty `/tmp`, and may have one of their own.
const PLACE: &str = "/var/tmp";

/// A directory of its own below the system's temporary one; removed when dropped.
#[derive(Debug)]
pub struct Scratch(
    TempDir,
    #[expect(dead_code, reason = "held, because it is locked")] File,
);

impl Scratch {
    /// Makes one.
    ///
    /// # Errors
    /// The system's temporary directory takes none; the error says which it is and what to do.
    pub fn new() -> std::io::Result<Scratch> {
        let place = place();
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| remove_stale(&place));
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place);
        let made = made.and_then(|directory| {
            // It gets its name when it is locked, so that nobody finds it free.
            let young = directory.path().join("young");
            let lock = File::create(&young)?;
            lock.lock()?;
            std::fs::rename(young, directory.path().join(LOCK))?;
            Ok(Scratch(directory, lock))
        });
        let scratch = made.map_err(|error| {
            let text = format!(
                "failed to make a directory in {}: {error}; set TMPDIR to another place",
                place.display()
            );
            std::io::Error::new(error.kind(), text)
        })?;
        ALL.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(scratch.path().to_owned());
        Ok(scratch)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    /// Removed under the lock, so that [`remove_all`] does not end the process in the middle of it.
    fn drop(&mut self) {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        remove(self.0.path());
        all.remove(self.0.path());
    }
}

/// Removes every directory that is left; for a process that ends in the middle of its work.
pub fn remove_all() {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().for_each(|directory| remove(directory));
}

fn place() -> PathBuf {
    let usual = Path::new(PLACE);
    match std::env::var_os("TMPDIR") {
        None if usual.is_dir() => usual.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// Removes what processes have left that were killed: their lock is free.
fn remove_stale(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let lock = File::open(entry.path().join(LOCK)).ok().filter(|_| ours);
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            remove(&entry.path());
        }
    }
}

/// Somebody may still make or remove files in it, so one round may not do.
fn remove(directory: &Path) {
    for _ in 0..10 {
        if std::fs::remove_dir_all(directory).is_ok() || !directory.exists() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_lives_is_not() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, lock: bool| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            lock.then(|| File::create(path.join(LOCK)).unwrap())
        };
        let living = make("triggerfish-living", true).unwrap();
        living.lock().unwrap();
        make("triggerfish-dead", true);
        make("triggerfish-young", false);
        make("other", true);
        remove_stale(place.path());
        let left = std::fs::read_dir(place.path()).unwrap().flatten();
        let mut left: Vec<_> = left
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["other", "triggerfish-living", "triggerfish-young"]);
    }
}
