//! Directories of a run that must not outlive it, not even where the process is ended by a second interrupt.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A directory of its own below the system's temporary one; removed when dropped.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes one.
    ///
    /// # Errors
    /// The system's temporary directory takes none; the error says which it is and what to do.
    pub fn new() -> std::io::Result<Scratch> {
        let made = tempfile::Builder::new().prefix("triggerfish-").tempdir();
        let directory = made.map_err(|error| {
            let place = std::env::temp_dir();
            let text = format!(
                "failed to make a directory in {}: {error}; set TMPDIR to another place",
                place.display()
            );
            std::io::Error::new(error.kind(), text)
        })?;
        ALL.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(directory.path().to_owned());
        Ok(Scratch(directory))
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

/// Somebody may still make or remove files in it, so one round may not do.
fn remove(directory: &Path) {
    for _ in 0..10 {
        if std::fs::remove_dir_all(directory).is_ok() || !directory.exists() {
            return;
        }
    }
}
