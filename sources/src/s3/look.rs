//! Looking: from dirty paths to what happened, by comparing the files with the index.
//!
//! | place now | in the index | what happened |
//! | --- | --- | --- |
//! | nothing | yes | removed |
//! | file, nobody writes it | no | put, or copy where a known file moved here unchanged |
//! | file, nobody writes it | other bytes | put |
//! | file, nobody writes it | same bytes | put if it was written or replaced, nothing if only touched |
//! | file that someone writes | any | nothing yet: its close rings again |
//! | directory | any | its files, one by one |
//!
//! Everything found in one look is announced in the order of keys, so that threads and directory listings
//! decide nothing. A file that moved is one change at its new key.

use std::collections::BTreeMap;
use std::time::Duration;

use router::time::Timestamp;

use super::file::{self, Content, Place};
use super::index::{Entry, Stamp};
use super::record::Kind;
use super::watch::Hint;
use super::{RenameAs, S3, tree};
use crate::source::{Emitter, SourceError};

/// When a file that is still written is looked at again, should its close go unnoticed.
const SAFETY_NET: Duration = Duration::from_secs(1);
/// How long a name may be missing before it counts as removed: the other half of a rename, or an editor's
/// new file, follows within this time (spec/sources/s3 §7 rule 6).
const GRACE: Duration = Duration::from_millis(10);

/// A path that may have changed.
#[derive(Clone, Debug)]
pub struct Dirty {
    /// What the watcher said.
    pub hint: Hint,
    /// When it has been left alone for long enough.
    pub due: Timestamp,
    /// The file as it was at the last look, if someone was writing it then.
    pub written: Option<Stamp>,
    /// It was missing at the last look, and got its grace.
    pub missing: bool,
}

impl Dirty {
    /// A path to look at from `due` on.
    pub fn new(due: Timestamp) -> Self {
        Dirty {
            hint: Hint::default(),
            due,
            written: None,
            missing: false,
        }
    }
}

impl S3 {
    /// Looks at every path whose quiet time was over at `until` (`None`: at all of them) and announces.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        until: Option<Timestamp>,
        out: &mut Emitter,
    ) -> Result<(), SourceError> {
        let mut candidates = BTreeMap::new();
        if std::mem::take(&mut self.rescan) {
            for key in self.index.below("") {
                candidates.insert(key, Dirty::new(now));
            }
            self.add_tree("", &Dirty::new(now), &mut candidates)?;
        }
        let ready = |dirty: &Dirty| until.is_none_or(|until| dirty.due <= until);
        let keys: Vec<String> = self
            .dirty
            .iter()
            .filter(|(_, dirty)| ready(dirty))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let Some(dirty) = self.dirty.remove(&key) else {
                continue;
            };
            match file::place(&self.root, &key) {
                Place::Directory => {
                    // A directory that appears, moves or is replaced: known keys and found files alike.
                    let found = Dirty {
                        hint: Hint {
                            changed: dirty.hint.changed,
                            ..Hint::default()
                        },
                        ..dirty.clone()
                    };
                    for known in self.index.below(&key) {
                        candidates.entry(known).or_insert_with(|| found.clone());
                    }
                    self.add_tree(&key, &found, &mut candidates)?;
                    if self.index.get(&key).is_some() {
                        candidates.insert(key, dirty);
                    }
                }
                _ => {
                    for known in self.index.below(&key) {
                        candidates.entry(known).or_insert_with(|| Dirty::new(now));
                    }
                    if !key.is_empty() {
                        candidates.insert(key, dirty);
                    }
                }
            }
        }
        candidates.retain(|key, _| !self.ignore.hides(key));
        let grace = if until.is_some() && !self.quiet.is_zero() {
            GRACE
        } else {
            Duration::ZERO
        };
        self.judge_all(candidates, grace, now, out);
        Ok(())
    }

    fn add_tree(
        &mut self,
        from: &str,
        dirty: &Dirty,
        candidates: &mut BTreeMap<String, Dirty>,
    ) -> Result<(), SourceError> {
        tree::walk_from(&self.root, from, &mut self.watch, |key| {
            candidates.entry(key).or_insert_with(|| dirty.clone());
        })
    }

    /// Creations come first in the judging, because one may explain a removal: the file moved.
    fn judge_all(
        &mut self,
        candidates: BTreeMap<String, Dirty>,
        grace: Duration,
        now: Timestamp,
        out: &mut Emitter,
    ) {
        let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        let mut gone = Vec::new();
        for (key, dirty) in candidates {
            match file::place(&self.root, &key) {
                Place::File(stamp) => match self.judge(&key, dirty, stamp, now) {
                    Found::Nothing => {}
                    Found::Gone => gone.push(key),
                    Found::Created(kind, entry, moved_from) => {
                        let list = changes.entry(key.clone()).or_default();
                        if let Some(old) = moved_from {
                            self.index.remove(&old);
                            list.push(Change::Removed(old));
                        }
                        self.index.insert(key, entry.clone());
                        list.push(Change::Created(kind, entry));
                    }
                },
                _ if dirty.missing || grace.is_zero() || self.index.get(&key).is_none() => gone.push(key),
                _ => {
                    let dirty = Dirty {
                        missing: true,
                        due: now + grace,
                        ..dirty
                    };
                    self.dirty.entry(key).or_insert(dirty);
                }
            }
        }
        for key in gone {
            if self.index.get(&key).is_some() {
                self.index.remove(&key);
                changes.entry(key.clone()).or_default().push(Change::Removed(key));
            }
        }
        for (key, list) in changes {
            for change in list {
                match change {
                    Change::Removed(old) => self.emit(Kind::Delete, &old, None, now, out),
                    Change::Created(kind, entry) => {
                        let md5 = entry.md5.unwrap_or_default();
                        self.emit(kind, &key, Some((entry.stamp.size, &md5)), now, out);
                    }
                }
            }
        }
    }

    fn judge(&mut self, key: &str, mut dirty: Dirty, stamp: Stamp, now: Timestamp) -> Found {
        let known = self.index.get(key).cloned();
        let rung = dirty.hint.changed || dirty.hint.closed;
        if known
            .as_ref()
            .is_some_and(|entry| entry.stamp == stamp && (!rung || entry.md5.is_none()))
        {
            return Found::Nothing;
        }
        let trusted = dirty.hint.closed || dirty.written == Some(stamp);
        let (stamp, md5) = match file::read(&self.root.join(key), trusted) {
            Content::Whole(stamp, md5) => (stamp, md5),
            Content::Written => {
                dirty.written = Some(stamp);
                dirty.due = now + SAFETY_NET;
                self.dirty.entry(key.to_owned()).or_insert(dirty);
                return Found::Nothing;
            }
            Content::Unstable => {
                dirty.due = now + self.quiet.max(Duration::from_millis(1));
                self.dirty.entry(key.to_owned()).or_insert(dirty);
                return Found::Nothing;
            }
            Content::Gone => return Found::Gone,
            Content::Unreadable(why) => {
                tracing::warn!(key, %why, "file cannot be read, so nothing is sent for it");
                return Found::Nothing;
            }
        };
        let moved_from = self.moved_from(key, stamp);
        let entry = Entry {
            stamp,
            md5: Some(md5),
        };
        if let Some(known) = known.filter(|known| known.md5 == entry.md5) {
            // The stamp is the kernel's coarse clock: the same stamp is the write that was announced.
            let again = self
                .config
                .emit_identical
                .unwrap_or(rung_by_write(&dirty.hint, known.stamp, stamp));
            if known.stamp == stamp || !again {
                self.index.insert(key.to_owned(), entry);
                return Found::Nothing;
            }
        }
        let kind = match (&moved_from, self.config.rename_as) {
            (Some(_), RenameAs::Copy) => Kind::Copy,
            _ => Kind::Put,
        };
        Found::Created(kind, entry, moved_from)
    }

    /// The key that a file had before it was renamed to `key`: same inode, size and time, and gone there.
    fn moved_from(&self, key: &str, stamp: Stamp) -> Option<String> {
        self.index
            .at_inode(stamp.inode)
            .filter(|old| *old != key && self.index.get(old).is_some_and(|entry| entry.stamp == stamp))
            .find(|old| file::place(&self.root, old) == Place::Nothing)
            .cloned()
    }
}

/// The same bytes again: a write or a replacement is a new put, a bare touch is not.
fn rung_by_write(hint: &Hint, before: Stamp, after: Stamp) -> bool {
    hint.changed || before.inode != after.inode
}

enum Change {
    Removed(String),
    Created(Kind, Entry),
}

enum Found {
    Nothing,
    Gone,
    Created(Kind, Entry, Option<String>),
}
