//! The start of a bucket: what its files mean that nobody has announced, and what an earlier run still owes.
//!
//! Owns what `on_start` decides. Nothing is emitted here: what is found waits for the first look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use router::time::Timestamp;

use super::index::Entry;
use super::look::{Change, Dirty};
use super::{OnStart, S3, file, tree};
use crate::source::SourceError;

impl S3 {
    /// Watches the tree, and decides what its files mean that nobody has announced.
    pub(super) fn start(&mut self) -> Result<(), SourceError> {
        let mut found = Vec::new();
        tree::walk(&self.root, &mut self.watch, |key| found.push(key))?;
        let silent = match self.config.on_start {
            OnStart::Reconcile => self.index.is_fresh(),
            OnStart::Ignore => true,
            OnStart::All => false,
        };
        let owed = self.index.owed();
        if !silent {
            let all = self.config.on_start == OnStart::All;
            let there: BTreeSet<&String> = found.iter().filter(|_| all).collect();
            for (receipt, announced) in owed {
                // Every file is announced anyway.
                if there.contains(&announced.key) {
                    self.index.settle(receipt);
                } else {
                    self.pending
                        .push_back((announced.key.clone(), Change::Again(receipt, announced)));
                }
            }
            if all {
                found.iter().for_each(|key| self.index.remove(key));
            }
            self.rescan = true;
            self.site.bell.ring();
            return Ok(());
        }
        owed.into_iter()
            .for_each(|(receipt, _)| self.index.settle(receipt));
        for key in self.index.below("") {
            self.index.remove(&key);
        }
        for key in found.into_iter().filter(|key| !self.ignore.hides(key)) {
            if file::is_written(&self.root.join(&key)) {
                // Half uploaded while nobody watched: an object when it is closed.
                let mut dirty = Dirty::new(Timestamp::from_nanos(0));
                dirty.hint.changed = true;
                self.dirty.insert(key, dirty);
                self.site.bell.ring();
            } else if let file::Place::File(stamp) = file::place(&self.root, &key) {
                self.index.insert(key, Entry { stamp, md5: None });
            }
        }
        Ok(())
    }
}

/// The directory without the links on its way, which must be there and readable.
pub(super) fn open_root(directory: &Path) -> Result<PathBuf, SourceError> {
    // `./` twice is our doing: the project's directory, and what its file says.
    let directory: PathBuf = directory.components().collect();
    let shown = directory.display();
    let metadata = match std::fs::metadata(&directory) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(
                SourceError::new(format!("bucket directory {shown} does not exist"))
                    .at("directory")
                    .help(format!("mkdir -p {}", quoted(&directory))),
            );
        }
        Err(e) => {
            return Err(
                SourceError::new(format!("failed to read bucket directory {shown}: {e}")).at("directory"),
            );
        }
    };
    if !metadata.is_dir() {
        return Err(SourceError::new(format!("bucket directory {shown} is a file"))
            .at("directory")
            .help("name the directory that holds the objects"));
    }
    let readable = std::fs::read_dir(&directory).and_then(|_| std::fs::canonicalize(&directory));
    readable.map_err(|e| {
        SourceError::new(format!("failed to read bucket directory {shown}: {e}"))
            .at("directory")
            .help(format!("chmod u+rx {}", quoted(&directory)))
    })
}

/// A path as a shell takes it for one word that is no option.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let text = match text.starts_with('-') {
        true => format!("./{text}"),
        false => text,
    };
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_can_be_pasted_into_a_shell() {
        let help = |path: &str| open_root(Path::new(path)).err().and_then(|error| error.help);
        assert_eq!(help("././buck et"), Some("mkdir -p './buck et'".to_owned()));
        assert_eq!(help("./it's"), Some(r"mkdir -p './it'\''s'".to_owned()));
        assert_eq!(help("-no/such"), Some("mkdir -p ./-no/such".to_owned()));
        assert_eq!(help("/no/such.d"), Some("mkdir -p /no/such.d".to_owned()));
    }
}
