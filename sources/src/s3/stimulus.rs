//! What a step or an API call does to a bucket, and what it announces at once.
//!
//! Owns the writing: beside the key and then renamed, so that the watcher hears of a rename, which says nothing new of
//! a file that the index knows. A hint of a write is another's, but for that of a removal. Deliberately absent: when a step is taken.

use std::io::Write as _;

use router::time::Timestamp;

use super::index::Entry;
use super::record::Kind;
use super::{S3, file, key};
use crate::source::{Emitter, SourceError};

/// What a step or an API call does to a bucket.
#[derive(Clone, Debug)]
pub enum Stimulus {
    /// Writes an object.
    Put {
        /// Its key.
        key: String,
        /// Its bytes.
        body: bytes::Bytes,
    },
    /// Removes an object; a missing one is no error and no event, as in S3.
    Delete {
        /// Its key.
        key: String,
    },
}

impl S3 {
    pub(super) fn put(
        &mut self,
        key: &str,
        body: &[u8],
        now: Timestamp,
        out: &mut Emitter,
    ) -> Result<(), SourceError> {
        key::check(key)?;
        self.make_parents(key)?;
        let target = self.root.join(key);
        if target.is_dir() {
            return Err(SourceError::new(format!("key `{key}` is a directory here")).at("key"));
        }
        let failed =
            |e: std::io::Error| SourceError::new(format!("failed to write {}: {e}", target.display()));
        self.temporary += 1;
        let temporary = self
            .root
            .join(format!("{}{}", key::OWN_TEMPORARY, self.temporary));
        let written = std::fs::File::create(&temporary)
            .and_then(|mut file| file.write_all(body))
            .and_then(|()| std::fs::rename(&temporary, &target));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&temporary);
            return Err(failed(error));
        }
        let stamp = file::stamp(&std::fs::symlink_metadata(&target).map_err(failed)?);
        if self.ignore.hides(key) {
            return Ok(());
        }
        let md5 = file::md5_of(body);
        self.index.insert(
            key.to_owned(),
            Entry {
                stamp,
                md5: Some(md5.clone()),
            },
        );
        self.emit(Kind::Put, key, Some((stamp.size, md5)), now, out);
        Ok(())
    }

    /// Makes the directories of a key; each must be one of the bucket's own, not a link out of it.
    fn make_parents(&mut self, key: &str) -> Result<(), SourceError> {
        let mut path = self.root.clone();
        let Some((parents, _)) = key.rsplit_once('/') else {
            return Ok(());
        };
        for segment in parents.split('/') {
            path.push(segment);
            match std::fs::symlink_metadata(&path) {
                Ok(m) if m.is_dir() => continue,
                Ok(_) => {
                    let what = format!(
                        "key `{key}` goes through {}, which is no directory",
                        path.display()
                    );
                    return Err(SourceError::new(what).at("key"));
                }
                Err(_) => {}
            }
            std::fs::create_dir(&path)
                .map_err(|e| SourceError::new(format!("failed to make {}: {e}", path.display())))?;
            if let Err(error) = self.watch.add(&path) {
                self.cannot_watch(&error);
            }
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &str, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
        key::check(key)?;
        let there = matches!(file::place(&self.root, key), file::Place::File(_));
        if there {
            std::fs::remove_file(self.root.join(key))
                .map_err(|e| SourceError::new(format!("failed to delete `{key}`: {e}")))?;
            self.hush(key, now);
        }
        if (there && !self.ignore.hides(key)) || self.index.get(key).is_some() {
            self.index.remove(key);
            self.emit(Kind::Delete, key, None, now, out);
        }
        Ok(())
    }

    /// What the watcher has to say about our own removal has been said: the object that is put there next is not
    /// announced twice for it.
    fn hush(&mut self, key: &str, now: Timestamp) {
        self.watch.sync();
        self.take_notes(now + self.quiet);
        if let Some(dirty) = self.dirty.get_mut(key) {
            dirty.hint.written = false;
        }
    }
}
