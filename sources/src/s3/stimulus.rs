//! Uploading and deleting by order: a step, an API call, the terminal.
//!
//! The file appears whole, by a rename, and the index knows it before the watcher speaks, so that the
//! watcher's hints find nothing new.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use router::time::Timestamp;

use super::file::{self, Place};
use super::index::Entry;
use super::record::Kind;
use super::{S3, key};
use crate::source::{Emitter, SourceError};

impl S3 {
    pub(super) fn put(
        &mut self,
        key: &str,
        body: &[u8],
        now: Timestamp,
        out: &mut Emitter,
    ) -> Result<(), SourceError> {
        key::check(key)?;
        let failed = |e: std::io::Error| SourceError::new(format!("failed to put `{key}`: {e}")).at("key");
        let target = self.path(key);
        self.make_parents(key)?;
        if file::place(&self.root, key) == Place::Directory {
            return Err(SourceError::new(format!("key `{key}` is a directory here"))
                .at("key")
                .help("S3 can hold both `a` and `a/b`, a file system cannot"));
        }
        let parent = target.parent().unwrap_or(&self.root).to_owned();
        let temporary = self.temporary(&parent);
        let write = || {
            let mut file = std::fs::File::create(&temporary)?;
            file.write_all(body)?;
            drop(file);
            std::fs::rename(&temporary, &target)
        };
        if let Err(error) = write() {
            let _ = std::fs::remove_file(&temporary);
            return Err(failed(error));
        }
        let stamp = file::stamp(&std::fs::symlink_metadata(&target).map_err(failed)?);
        if self.ignore.hides(key) {
            tracing::warn!(key, "the name is on the list of ignored names, so there is no event");
            return Ok(());
        }
        self.pending.remove(key);
        let entry = Entry { stamp, md5: Some(file::md5_of(body)) };
        self.announce(key, entry, None, now, out);
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &str, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
        key::check(key)?;
        if let Place::File(_) = file::place(&self.root, key) {
            std::fs::remove_file(self.path(key))
                .map_err(|e| SourceError::new(format!("failed to delete `{key}`: {e}")).at("key"))?;
        }
        self.pending.remove(key);
        if self.index.get(key).is_some() {
            self.index.remove(key);
            self.emit(Kind::Delete, key, None, now, out);
        }
        Ok(())
    }

    /// Makes the folders above `key`; a link among them would lead out of the bucket.
    fn make_parents(&self, key: &str) -> Result<(), SourceError> {
        let mut path = self.root.clone();
        let Some((folders, _)) = key.rsplit_once('/') else { return Ok(()) };
        for folder in folders.split('/') {
            path.push(folder);
            match std::fs::symlink_metadata(&path) {
                Ok(m) if m.is_dir() => {}
                Ok(_) => {
                    return Err(SourceError::new(format!("key `{key}` needs {} to be a directory", path.display()))
                        .at("key")
                        .help("a file or a link stands there; links are never followed"));
                }
                Err(_) => std::fs::create_dir(&path).map_err(|e| {
                    SourceError::new(format!("failed to make the folder {}: {e}", path.display())).at("key")
                })?,
            }
        }
        Ok(())
    }

    /// A temporary name on the file system of `parent`: in the scratch directory if that is possible.
    fn temporary(&mut self, parent: &Path) -> PathBuf {
        self.uploads += 1;
        let name = format!("{}{}-{}", key::OWN_TEMPORARY, std::process::id(), self.uploads);
        let device = |path: &Path| std::fs::metadata(path).map(|m| m.dev()).ok();
        let scratch = &self.site.scratch;
        if device(scratch).is_some() && device(scratch) == device(parent) {
            scratch.join(name)
        } else {
            parent.join(name)
        }
    }
}
