//! S3 event notifications from a watched directory (spec/sources/s3).
//!
//! The directory is the bucket, its files are the objects. `notify` only rings: what happened is the
//! difference between the files and the index of what was announced. Owns the mapping from file system
//! to events, the bucket's notification configuration and its sequencers. Deliberately absent: S3's own
//! API, versioning, tagging.
//!
//! ```json
//! {"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1",
//!   "eventTime":"2026-01-01T00:00:00.000Z","eventName":"ObjectCreated:Put", ...,
//!   "s3":{"s3SchemaVersion":"1.0","configurationId":"uploads-resize",
//!     "bucket":{"name":"uploads","ownerIdentity":{...},"arn":"arn:aws:s3:::uploads"},
//!     "object":{"key":"my+cat.jpg","size":9,"eTag":"437b...","sequencer":"18869A71A6EF8000"}}}]}
//! ```

mod config;
mod file;
mod filter;
mod index;
mod key;
mod look;
mod record;
mod sample;
mod start;
mod stimulus;
mod store;
mod tree;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use router::event::Receipt;
use router::time::Timestamp;

pub use config::{Config, EventVersion, OnStart, RenameAs, directory};
pub use filter::Filter;
pub use key::check as check_key;
pub use sample::{SAMPLES, sample};
pub use stimulus::Stimulus;

use crate::source::{Emitter, NextPoll, Site, Source, SourceError, Subscription};
use filter::Rule;
use index::{Announced, Index};
use look::{Change, Dirty};
use record::{Happening, Ids, Kind};
use watch::Watch;

/// Changes announced at a time, so that a bucket's documents are never all in memory at once.
const PORTION: usize = 256;
/// How often the whole bucket is looked at while a part of it cannot be watched.
const BLIND: Duration = Duration::from_secs(1);

/// A watched directory that acts as a bucket.
pub struct S3 {
    config: Config,
    rules: Vec<Rule>,
    site: Site,
    root: PathBuf,
    ignore: key::Ignore,
    quiet: Duration,
    index: Index,
    watch: Watch,
    dirty: BTreeMap<String, Dirty>,
    pending: VecDeque<(String, Change)>,
    rescan: bool,
    /// It runs live. Only a source that is asked by nothing but barriers knows of each hint which write it is of.
    polled: bool,
    /// A part of the bucket is not watched, so only looking tells.
    blind: bool,
    /// When the whole bucket was looked at last, if it is blind.
    looked: Timestamp,
    temporary: u64,
}

impl Source for S3 {
    const KIND: &'static str = "s3";
    type Config = Config;
    type Filter = Filter;
    type Stimulus = Stimulus;

    fn check(config: &Config, subscriptions: &[Subscription<Filter>]) -> Result<(), SourceError> {
        config.check_bucket()?;
        config.quiet()?;
        key::Ignore::new(config.ignore.as_deref())?;
        filter::rules(subscriptions, config.allow_overlap).map(drop)
    }

    fn directory(config: &Config, base: &Path) -> Option<PathBuf> {
        Some(directory(config, base))
    }

    fn open(
        config: Config,
        subscriptions: Vec<Subscription<Filter>>,
        site: Site,
    ) -> Result<Self, SourceError> {
        Self::check(&config, &subscriptions)?;
        let root = start::open_root(&directory(&config, &site.base))?;
        let state = site
            .state
            .as_ref()
            .map(|state| state.join(format!("{}.sqlite", config.bucket)));
        if let Some(parent) = state.as_ref().and_then(|file| file.parent()) {
            std::fs::create_dir_all(parent)
                .map_err(|e| SourceError::new(format!("failed to make {}: {e}", parent.display())))?;
        }
        let mut watch = Watch::new(&root, site.scratch.join("cookies"), site.bell.clone())?;
        if let Some(parent) = root.parent() {
            watch.add(parent)?;
        }
        let mut s3 = S3 {
            rules: filter::rules(&subscriptions, config.allow_overlap)?,
            ignore: key::Ignore::new(config.ignore.as_deref())?,
            quiet: config.quiet()?,
            index: Index::open(state.as_deref())?,
            watch,
            dirty: BTreeMap::new(),
            pending: VecDeque::new(),
            rescan: false,
            polled: false,
            blind: false,
            looked: Timestamp::from_nanos(0),
            temporary: 0,
            root,
            config,
            site,
        };
        s3.start()?;
        // What is taken as known must be known to the next run, even if this one is killed before it has looked.
        s3.index.save()?;
        Ok(s3)
    }

    fn poll(&mut self, now: Timestamp, out: &mut Emitter) -> Result<NextPoll, SourceError> {
        self.polled = true;
        self.take_notes(now + self.quiet);
        if self.pending.is_empty() {
            self.rescan |= self.blind && now >= self.looked + BLIND;
            if self.rescan || !self.blind {
                self.looked = now;
            }
            self.look(now, Some(now));
        }
        self.announce(PORTION, now, out);
        if !self.pending.is_empty() || self.rescan {
            return Ok(NextPoll::At(now));
        }
        let next = self.dirty.values().map(|dirty| dirty.due);
        let next = next.chain(self.blind.then(|| self.looked + BLIND)).min();
        Ok(next.map_or(NextPoll::WhenRung, NextPoll::At))
    }

    fn stimulate(&mut self, what: Stimulus, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
        match what {
            Stimulus::Put { key, body } => self.put(&key, &body, now, out),
            Stimulus::Delete { key } => self.delete(&key, now, out),
        }
    }

    fn barrier(&mut self, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
        self.watch.sync();
        self.take_notes(now);
        self.announce(usize::MAX, now, out);
        self.rescan |= self.blind;
        self.look(now, None);
        self.announce(usize::MAX, now, out);
        Ok(())
    }

    fn settle(&mut self, over: &[Receipt]) -> Result<(), SourceError> {
        over.iter().for_each(|receipt| self.index.settle(receipt.0));
        self.index.save()
    }
}

impl S3 {
    /// The parent tells when the root comes and goes.
    fn watch_parent(&mut self) {
        let Some(parent) = self.root.parent().map(Path::to_owned) else {
            return;
        };
        if let Err(error) = self.watch.add(&parent) {
            self.cannot_watch(&error);
        }
    }

    /// From here on, the whole bucket is looked at every so often.
    fn cannot_watch(&mut self, error: &SourceError) {
        let help = error.help.as_deref().unwrap_or_default();
        tracing::warn!(%error, help, "looking at the whole bucket every second instead");
        self.blind = true;
    }

    fn take_notes(&mut self, due: Timestamp) {
        let notes = self.watch.take();
        self.rescan |= notes.rescan;
        for (path, hint) in notes.hints {
            let Ok(relative) = path.strip_prefix(&self.root) else {
                continue;
            };
            let Some(key) = relative.to_str() else {
                tracing::warn!(file = %path.display(), "file name is not UTF-8, so it has no key");
                continue;
            };
            if key::is_ours(key) {
                continue;
            }
            let dirty = self
                .dirty
                .entry(key.to_owned())
                .or_insert_with(|| Dirty::new(due));
            dirty.hint.merge(hint);
            dirty.due = due;
        }
    }

    /// Announces one change to every route that takes it.
    fn emit(
        &mut self,
        kind: Kind,
        key: &str,
        content: Option<(u64, String)>,
        now: Timestamp,
        out: &mut Emitter,
    ) {
        if key.len() > key::MAX_KEY {
            tracing::warn!(key, "key is longer than 1024 bytes, so nothing is sent for it");
            return;
        }
        let sequencer = self.index.sequencer(now);
        let announced = Announced {
            key: key.to_owned(),
            kind,
            content,
        };
        let what = Happening {
            kind,
            bucket: &self.config.bucket,
            region: &self.site.region,
            version: self.config.event_version.as_str(),
            key,
            content: announced
                .content
                .as_ref()
                .map(|(size, md5)| (*size, md5.as_str())),
            sequencer,
            at: now,
        };
        let encoded = key::encode(key);
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for rule in &self.rules {
            match rule.refusal(kind, &encoded) {
                Some(refusal) => refused.push(refusal),
                None => taken.push((&rule.route, &rule.to)),
            }
        }
        // No two announcements of a bucket have the same sequencer, so it is the receipt as well.
        let receipt = Receipt(sequencer);
        out.observe(receipt, kind.name(), key, taken, refused, |operation, route| {
            record::document(&what, &Ids::of(operation), route.as_str())
        });
        self.index.owe(sequencer, announced);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use router::name::{Seed, SourceName};

    use super::*;
    use crate::source::Bell;

    fn open(base: &Path) -> S3 {
        let site = Site {
            name: SourceName::new("uploads"),
            base: base.into(),
            state: None,
            scratch: base.join("scratch"),
            seed: Seed(0),
            region: "us-east-1".into(),
            account: "123456789012".into(),
            bell: Bell::new().0,
        };
        let config: Config = serde_json::from_str(r#"{"bucket":"uploads"}"#).unwrap();
        S3::open(config, Vec::new(), site).unwrap()
    }

    fn shown(out: &mut Emitter) -> Vec<String> {
        let seen = out.take();
        seen.iter().map(|o| format!("{} {}", o.kind, o.subject)).collect()
    }

    /// The system's limit of watches is reached: folders are looked at instead, again and again.
    #[test]
    fn folders_that_cannot_be_watched_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("uploads");
        std::fs::create_dir(&root).unwrap();
        let mut s3 = open(dir.path());
        let mut out = Emitter::new(SourceName::new("uploads"), Seed(0), "test");
        s3.watch.full = true;
        std::fs::create_dir(root.join("d")).unwrap();
        std::fs::write(root.join("d/1"), "1").unwrap();
        std::fs::write(root.join("2"), "2").unwrap();
        s3.watch.sync();
        let at = Timestamp::from_millis;
        assert_eq!(s3.poll(at(5000), &mut out).unwrap(), NextPoll::At(at(5001)));
        assert_eq!(s3.poll(at(5001), &mut out).unwrap(), NextPoll::At(at(6001)));
        assert_eq!(shown(&mut out), ["ObjectCreated:Put 2", "ObjectCreated:Put d/1"]);
        std::fs::write(root.join("d/3"), "3").unwrap();
        s3.watch.sync();
        assert_eq!(s3.poll(at(5100), &mut out).unwrap(), NextPoll::At(at(6001)));
        assert!(out.take().is_empty());
        assert_eq!(s3.poll(at(6001), &mut out).unwrap(), NextPoll::At(at(7001)));
        assert_eq!(shown(&mut out), ["ObjectCreated:Put d/3"]);
        s3.watch.full = false;
        assert_eq!(s3.poll(at(7001), &mut out).unwrap(), NextPoll::WhenRung);
    }

    /// The kernel's queue overflowed: hints are gone, and the bucket itself must tell.
    #[test]
    fn an_overflow_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("uploads");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("old"), "old").unwrap();
        let mut s3 = open(dir.path());
        std::fs::write(root.join("new"), "new").unwrap();
        std::fs::create_dir(root.join("d")).unwrap();
        std::fs::write(root.join("d/deep"), "deep").unwrap();
        std::fs::remove_file(root.join("old")).unwrap();
        s3.watch.sync();
        s3.watch.overflow(Bell::new().0);
        let mut out = Emitter::new(SourceName::new("uploads"), Seed(0), "test");
        s3.barrier(Timestamp::from_millis(1), &mut out).unwrap();
        assert_eq!(
            shown(&mut out),
            [
                "ObjectCreated:Put d/deep",
                "ObjectCreated:Put new",
                "ObjectRemoved:Delete old"
            ]
        );
    }
}
