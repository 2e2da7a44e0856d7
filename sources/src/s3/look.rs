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

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use router::time::Timestamp;

use super::file::{self, Content, Place};
use super::index::{Announced, Entry, Stamp};
use super::record::Kind;
use super::watch::Hint;
use super::{RenameAs, S3, tree};
use crate::source::Emitter;

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
    /// What is hinted at happened after the last look, so it was not announced yet.
    pub new: bool,
}

impl Dirty {
    /// A path to look at from `due` on.
    pub fn new(due: Timestamp) -> Self {
        Dirty {
            hint: Hint::default(),
            due,
            written: None,
            missing: false,
            new: false,
        }
    }
}

impl S3 {
    /// Looks at every path whose quiet time was over at `until` (`None`: at all of them) and notes what is
    /// to be announced.
    pub(super) fn look(&mut self, now: Timestamp, until: Option<Timestamp>) {
        let mut candidates = BTreeMap::new();
        if std::mem::take(&mut self.rescan) {
            for key in self.index.below("") {
                candidates.insert(key, Dirty::new(now));
            }
            self.blind = false;
            self.watch_parent();
            self.add_tree("", &Dirty::new(now), &mut candidates);
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
                    self.add_tree(&key, &found, &mut candidates);
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
        // A barrier's hints are complete: none is of what the barrier before it saw.
        let new = until.is_none() && !self.polled;
        candidates.values_mut().for_each(|dirty| dirty.new = new);
        let grace = if until.is_some() && !self.quiet.is_zero() {
            GRACE
        } else {
            Duration::ZERO
        };
        self.judge_all(candidates, grace, now);
        // Where the bucket itself is gone, with its parent perhaps, nobody may tell when it is back.
        self.blind |= file::place(&self.root, "") != Place::Directory;
    }

    fn add_tree(&mut self, from: &str, dirty: &Dirty, candidates: &mut BTreeMap<String, Dirty>) {
        let walked = tree::walk_from(&self.root, from, &mut self.watch, |key| {
            candidates.entry(key).or_insert_with(|| dirty.clone());
        });
        if let Err(error) = walked {
            self.cannot_watch(&error);
        }
    }

    /// Creations come first in the judging, because one may explain a removal: the file moved.
    fn judge_all(&mut self, candidates: BTreeMap<String, Dirty>, grace: Duration, now: Timestamp) {
        let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        let mut moved = BTreeSet::new();
        let mut gone = Vec::new();
        for (key, dirty) in candidates {
            match file::place(&self.root, &key) {
                Place::Unknown => {}
                Place::File(stamp) => match self.judge(&key, dirty, stamp, now, &moved) {
                    Found::Nothing => {}
                    Found::Gone => gone.push(key),
                    Found::Created(kind, entry, moved_from) => {
                        let list = changes.entry(key.clone()).or_default();
                        if let Some(old) = moved_from {
                            moved.insert(old.clone());
                            list.push(Change::Removed(old));
                        }
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
            if self.index.get(&key).is_some() && !moved.contains(&key) {
                changes.entry(key.clone()).or_default().push(Change::Removed(key));
            }
        }
        for (key, list) in changes {
            let changes = list.into_iter().map(|change| (key.clone(), change));
            self.pending.extend(changes);
        }
    }

    /// Announces at most `limit` of the changes that were found. Only what is announced enters the index.
    pub(super) fn announce(&mut self, limit: usize, now: Timestamp, out: &mut Emitter) {
        for _ in 0..limit {
            let Some((key, change)) = self.pending.pop_front() else {
                return;
            };
            match change {
                Change::Removed(old) => {
                    self.index.remove(&old);
                    self.emit(Kind::Delete, &old, None, now, out);
                }
                Change::Created(kind, entry) => {
                    self.index.insert(key.clone(), entry.clone());
                    let md5 = entry.md5.unwrap_or_default();
                    self.emit(kind, &key, Some((entry.stamp.size, md5)), now, out);
                }
                Change::Again(receipt, announced) => {
                    self.index.settle(receipt);
                    self.emit(announced.kind, &key, announced.content, now, out);
                }
            }
        }
    }

    fn judge(
        &mut self,
        key: &str,
        mut dirty: Dirty,
        stamp: Stamp,
        now: Timestamp,
        moved: &BTreeSet<String>,
    ) -> Found {
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
        let entry = Entry {
            stamp,
            md5: Some(md5),
        };
        let moved_from = self.moved_from(key, &entry, moved);
        if let Some(known) = known.filter(|known| known.md5 == entry.md5) {
            // The stamp is the kernel's coarse clock: unless we know better, the same stamp is the write that was
            // announced.
            let announced = known.stamp == stamp && !(dirty.new && dirty.hint.written);
            let again = self
                .config
                .emit_identical
                .unwrap_or(rung_by_write(&dirty.hint, known.stamp, stamp));
            if announced || !again {
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

    /// The key that a file had before it was renamed to `key`: same inode, size, time and bytes, and gone
    /// there. `moved` are the keys that other files had before.
    fn moved_from(&self, key: &str, now: &Entry, moved: &BTreeSet<String>) -> Option<String> {
        let same = |old: &Entry| old.stamp == now.stamp && (old.md5.is_none() || old.md5 == now.md5);
        self.index
            .at_inode(now.stamp.inode)
            .filter(|old| *old != key && !moved.contains(*old) && self.index.get(old).is_some_and(same))
            .find(|old| file::place(&self.root, old) == Place::Nothing)
            .cloned()
    }
}

/// The same bytes again: a write or a replacement is a new put, a bare touch is not.
fn rung_by_write(hint: &Hint, before: Stamp, after: Stamp) -> bool {
    hint.changed || hint.written || before.inode != after.inode
}

/// What is to be announced of a key.
pub enum Change {
    /// The object is gone; after a rename, the one under the file's earlier key.
    Removed(String),
    /// The object is new, or has new content.
    Created(Kind, Entry),
    /// An earlier run announced this, and it was not over when that run ended.
    Again(u64, Announced),
}

enum Found {
    Nothing,
    Gone,
    Created(Kind, Entry, Option<String>),
}
