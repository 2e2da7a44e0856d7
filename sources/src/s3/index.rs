//! The index: which objects the bucket holds, as far as was announced, and which announcements are not over.
//!
//! Presence means announced: only a key in here can be removed. The maps in memory are what decisions are
//! made from; a [`Store`] holds a copy that [`Index::save`] brings up to date in one transaction, after what was
//! emitted was handed to the fabric. An announcement is owed until everything that came of it has ended: the next run
//! makes it again. So a crash, whenever it comes, repeats events and loses none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use router::time::Timestamp;

use super::record::Kind;
use super::store::Store;
use crate::source::SourceError;

/// What tells whether a file changed, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since the epoch.
    pub mtime: i64,
    /// Inode number.
    pub inode: u64,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file as it was when last looked at.
    pub stamp: Stamp,
    /// MD5 in hex; `None` for a file that was there before we were and was never read.
    pub md5: Option<String>,
}

/// What was said of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The key.
    pub key: String,
    /// What happened to it.
    pub kind: Kind,
    /// Bytes and MD5 in hex; `None` for a removal.
    pub content: Option<(u64, String)>,
}

/// The objects of one bucket.
pub struct Index {
    entries: BTreeMap<String, Entry>,
    by_inode: BTreeMap<u64, BTreeSet<String>>,
    last: u64,
    fresh: bool,
    store: Option<Store>,
    unsaved: BTreeSet<String>,
    /// What is not over, by its sequencer.
    owed: BTreeMap<u64, Announced>,
    unsaved_owed: BTreeSet<u64>,
}

impl Index {
    /// The index kept at `file`, or an empty one that lives in memory only.
    pub fn open(file: Option<&Path>) -> Result<Self, SourceError> {
        let mut index = Index {
            entries: BTreeMap::new(),
            by_inode: BTreeMap::new(),
            last: 0,
            fresh: true,
            store: None,
            unsaved: BTreeSet::new(),
            owed: BTreeMap::new(),
            unsaved_owed: BTreeSet::new(),
        };
        if let Some(file) = file {
            let failed = |e: rusqlite::Error| {
                SourceError::new(format!(
                    "failed to open the bucket's index {}: {e}",
                    file.display()
                ))
                .help("end any other triggerfish that uses it; a damaged index can be deleted")
            };
            let (store, kept) = Store::open(file).map_err(failed)?;
            for (key, entry) in kept.objects {
                index.insert(key, entry);
            }
            index.unsaved.clear();
            index.owed = kept.owed;
            index.fresh = kept.last.is_none();
            index.last = kept.last.unwrap_or_default();
            index.store = Some(store);
        }
        Ok(index)
    }

    /// Whether there was no index before: nothing can have been missed.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The object at `key`.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The keys below the directory `path`; all of them if it is the root, which is empty.
    pub fn below(&self, path: &str) -> Vec<String> {
        if path.is_empty() {
            return self.entries.keys().cloned().collect();
        }
        let prefix = format!("{path}/");
        let from = self.entries.range(prefix.clone()..);
        from.map(|(key, _)| key)
            .take_while(|key| key.starts_with(&prefix))
            .cloned()
            .collect()
    }

    /// The keys whose file had this inode number.
    pub fn at_inode(&self, inode: u64) -> impl Iterator<Item = &String> {
        self.by_inode.get(&inode).into_iter().flatten()
    }

    /// Adds or replaces an object.
    pub fn insert(&mut self, key: String, entry: Entry) {
        self.forget_inode(&key);
        self.by_inode
            .entry(entry.stamp.inode)
            .or_default()
            .insert(key.clone());
        self.mark(&key);
        self.entries.insert(key, entry);
    }

    /// Removes an object, if it is there.
    pub fn remove(&mut self, key: &str) {
        self.forget_inode(key);
        if self.entries.remove(key).is_some() {
            self.mark(key);
        }
    }

    fn mark(&mut self, key: &str) {
        self.unsaved.insert(key.to_owned());
    }

    fn forget_inode(&mut self, key: &str) {
        let Some(old) = self.entries.get(key) else { return };
        let inode = old.stamp.inode;
        if let Some(keys) = self.by_inode.get_mut(&inode) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_inode.remove(&inode);
            }
        }
    }

    /// The next sequencer: the time, but always later than the last one, also across restarts and when
    /// the clock steps back (spec/sources/s3 §4).
    pub fn sequencer(&mut self, now: Timestamp) -> u64 {
        self.last = now.as_nanos().max(self.last.saturating_add(1));
        self.last
    }

    /// What is not over, with its sequencer, in the order in which it was announced.
    pub fn owed(&self) -> Vec<(u64, Announced)> {
        let owed = self.owed.iter();
        owed.map(|(sequencer, announced)| (*sequencer, announced.clone()))
            .collect()
    }

    /// Remembers an announcement until it is [settled](Index::settle).
    pub fn owe(&mut self, sequencer: u64, announced: Announced) {
        if self.store.is_some() {
            self.owed.insert(sequencer, announced);
            self.unsaved_owed.insert(sequencer);
        }
    }

    /// An announcement is over.
    pub fn settle(&mut self, sequencer: u64) {
        // What was never saved need not be deleted.
        if self.owed.remove(&sequencer).is_some() && !self.unsaved_owed.remove(&sequencer) {
            self.unsaved_owed.insert(sequencer);
        }
    }

    /// Saves what changed since the last call.
    pub fn save(&mut self) -> Result<(), SourceError> {
        let Some(store) = &mut self.store else {
            self.unsaved.clear();
            return Ok(());
        };
        if self.unsaved.is_empty() && self.unsaved_owed.is_empty() && !self.fresh {
            return Ok(());
        }
        let objects = self.unsaved.iter().map(|key| (key, self.entries.get(key)));
        let owed = self
            .unsaved_owed
            .iter()
            .map(|sequencer| (*sequencer, self.owed.get(sequencer)));
        store
            .save(objects, owed, self.last)
            .map_err(|e| SourceError::new(format!("failed to save the bucket's index: {e}")))?;
        self.unsaved.clear();
        self.unsaved_owed.clear();
        self.fresh = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn entry(inode: u64) -> Entry {
        Entry {
            stamp: Stamp {
                size: 1,
                mtime: 2,
                inode,
            },
            md5: Some("m".into()),
        }
    }

    #[test]
    fn survives_a_restart_and_sequencers_never_go_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("uploads.sqlite");
        let mut index = Index::open(Some(&file)).unwrap();
        assert!(index.is_fresh());
        index.insert("a".into(), entry(u64::MAX));
        index.insert("b".into(), entry(2));
        index.remove("b");
        let last = index.sequencer(Timestamp::from_nanos(u64::MAX - 9));
        index.save().unwrap();
        index.insert("c".into(), entry(3));
        drop(index);
        let mut index = Index::open(Some(&file)).unwrap();
        assert!(!index.is_fresh());
        assert_eq!(index.below(""), ["a"]);
        assert_eq!(index.get("a"), Some(&entry(u64::MAX)));
        assert!(index.sequencer(Timestamp::from_nanos(5)) > last);
    }

    #[test]
    fn what_is_owed_survives_a_restart_until_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("uploads.sqlite");
        let put = |key: &str| Announced {
            key: key.into(),
            kind: Kind::Put,
            content: Some((1, "m".into())),
        };
        let removed = Announced {
            key: "c".into(),
            kind: Kind::Delete,
            content: None,
        };
        let mut index = Index::open(Some(&file)).unwrap();
        index.owe(1, put("a"));
        index.owe(2, put("b"));
        index.settle(2);
        index.owe(3, removed.clone());
        index.owe(4, put("d"));
        index.save().unwrap();
        index.settle(4);
        index.save().unwrap();
        index.settle(1);
        drop(index);
        let index = Index::open(Some(&file)).unwrap();
        assert_eq!(
            index.owed(),
            [(1, put("a")), (3, removed)],
            "1 was not saved again"
        );
    }

    #[test]
    fn finds_keys_below_a_directory_and_by_inode() {
        let mut index = Index::open(None).unwrap();
        for key in ["a", "a.b", "a/b", "a/c/d", "a0", "b"] {
            index.insert(key.into(), entry(7));
        }
        assert_eq!(index.below("a"), ["a/b", "a/c/d"]);
        assert_eq!(index.below("").len(), 6);
        index.insert("a".into(), entry(8));
        index.remove("b");
        assert_eq!(index.at_inode(8).collect::<Vec<_>>(), ["a"]);
        assert_eq!(index.at_inode(7).count(), 4);
    }

    #[test]
    fn a_damaged_file_is_an_error_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("uploads.sqlite");
        std::fs::write(
            &file,
            "this is not a database, although it is long enough to be taken for one",
        )
        .unwrap();
        assert!(Index::open(Some(&file)).err().unwrap().help.is_some());
    }
}
