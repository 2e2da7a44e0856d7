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
mod tree;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use router::name::{RouteName, Seed, SourceName};
use router::time::Timestamp;

pub use config::{Config, EventVersion, OnStart, RenameAs, directory};
pub use filter::Filter;
pub use key::check as check_key;

use crate::source::{Emitter, NextPoll, Site, Source, SourceError, Subscription};
use filter::Rule;
use index::{Entry, Index};
use look::{Change, Dirty};
use record::{Happening, Ids, Kind};
use watch::Watch;

/// Changes announced at a time, so that a bucket's documents are never all in memory at once.
const PORTION: usize = 256;
/// How often the whole bucket is looked at while a part of it cannot be watched.
const BLIND: Duration = Duration::from_secs(1);

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
        let root = open_root(&directory(&config, &site.base))?;
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
            blind: false,
            looked: Timestamp::from_nanos(0),
            temporary: 0,
            root,
            config,
            site,
        };
        s3.start()?;
        Ok(s3)
    }

    fn poll(&mut self, now: Timestamp, out: &mut Emitter) -> Result<NextPoll, SourceError> {
        self.take_notes(now + self.quiet);
        if self.pending.is_empty() {
            self.rescan |= self.blind && now >= self.looked + BLIND;
            if self.rescan || !self.blind {
                self.looked = now;
            }
            self.look(now, Some(now));
        }
        self.announce(PORTION, now, out);
        if !self.pending.is_empty() {
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

    fn settle(&mut self) -> Result<(), SourceError> {
        self.index.settle()
    }
}

impl S3 {
    /// Watches the tree, and decides what its files mean that nobody has announced.
    fn start(&mut self) -> Result<(), SourceError> {
        let mut found = Vec::new();
        tree::walk(&self.root, &mut self.watch, |key| found.push(key))?;
        let silent = match self.config.on_start {
            OnStart::Reconcile => self.index.is_fresh(),
            OnStart::Ignore => true,
            OnStart::All => false,
        };
        if !silent {
            if self.config.on_start == OnStart::All {
                found.iter().for_each(|key| self.index.remove(key));
            }
            self.rescan = true;
            self.site.bell.ring();
            return Ok(());
        }
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

    fn put(&mut self, key: &str, body: &[u8], now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
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
        self.emit(Kind::Put, key, Some((stamp.size, &md5)), now, out);
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

    fn delete(&mut self, key: &str, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
        key::check(key)?;
        let there = matches!(file::place(&self.root, key), file::Place::File(_));
        if there {
            std::fs::remove_file(self.root.join(key))
                .map_err(|e| SourceError::new(format!("failed to delete `{key}`: {e}")))?;
        }
        if (there && !self.ignore.hides(key)) || self.index.get(key).is_some() {
            self.index.remove(key);
            self.emit(Kind::Delete, key, None, now, out);
        }
        Ok(())
    }

    /// Announces one change to every route that takes it.
    fn emit(
        &mut self,
        kind: Kind,
        key: &str,
        content: Option<(u64, &str)>,
        now: Timestamp,
        out: &mut Emitter,
    ) {
        if key.len() > key::MAX_KEY {
            tracing::warn!(key, "key is longer than 1024 bytes, so nothing is sent for it");
            return;
        }
        let what = Happening {
            kind,
            bucket: &self.config.bucket,
            region: &self.site.region,
            version: self.config.event_version.as_str(),
            key,
            content,
            sequencer: self.index.sequencer(now),
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
        out.observe(kind.name(), key, taken, refused, |operation, route| {
            record::document(&what, &Ids::of(operation), route.as_str())
        });
    }
}

fn open_root(directory: &Path) -> Result<PathBuf, SourceError> {
    let shown = directory.display();
    let metadata = match std::fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(
                SourceError::new(format!("bucket directory {shown} does not exist"))
                    .at("directory")
                    .help(format!("mkdir -p {shown}")),
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
    let readable = std::fs::read_dir(directory).and_then(|_| std::fs::canonicalize(directory));
    readable.map_err(|e| {
        SourceError::new(format!("failed to read bucket directory {shown}: {e}"))
            .at("directory")
            .help(format!("chmod u+rx {shown}"))
    })
}

/// A sample event in the documented format: `put` or `delete`, with `bucket`, `key`, `size`, `etag`,
/// `region`, `time` and `configuration` as settings.
///
/// # Errors
/// An unknown event or setting, or a value that does not fit.
pub fn sample(kind: &str, settings: &BTreeMap<String, String>) -> Result<serde_json::Value, SourceError> {
    const SETTINGS: &[&str] = &["bucket", "configuration", "etag", "key", "region", "size", "time"];
    let kind = match kind {
        "put" => Kind::Put,
        "copy" => Kind::Copy,
        "delete" => Kind::Delete,
        other => {
            return Err(
                SourceError::new(format!("s3 has no event `{other}`")).help("there are put, copy and delete")
            );
        }
    };
    if let Some(unknown) = settings.keys().find(|name| !SETTINGS.contains(&name.as_str())) {
        let help = format!("settings are {}", SETTINGS.join(", "));
        return Err(SourceError::new(format!("s3 events have no setting `{unknown}`")).help(help));
    }
    let get = |name: &str, default: &'static str| settings.get(name).map_or(default, String::as_str);
    let at = Timestamp::parse_iso(get("time", "2026-01-01T00:00:00.000Z")).ok_or_else(|| {
        SourceError::new("`time` is not an RFC 3339 time").help("write it like 2026-01-01T00:00:00Z")
    })?;
    let size = get("size", "1024")
        .parse()
        .map_err(|_| SourceError::new("`size` is not a number of bytes"))?;
    let key = get("key", "HappyFace.jpg");
    key::check(key)?;
    let what = Happening {
        kind,
        bucket: get("bucket", "example-bucket"),
        region: get("region", "us-east-1"),
        version: "2.1",
        key,
        content: (kind != Kind::Delete).then_some((size, get("etag", "d41d8cd98f00b204e9800998ecf8427e"))),
        sequencer: at.as_nanos(),
        at,
    };
    let mut document = serde_json::Value::Null;
    let (route, to) = (
        RouteName::new(get("configuration", "testConfigRule")),
        router::name::FunctionName::new("f"),
    );
    let mut emitter = Emitter::new(SourceName::new("sample"), Seed(0), "sample");
    emitter.observe(
        kind.name(),
        key,
        [(&route, &to)],
        Vec::new(),
        |operation, route| {
            let bytes = record::document(&what, &Ids::of(operation), route.as_str());
            document = serde_json::from_slice(&bytes).unwrap_or_default();
            bytes
        },
    );
    Ok(document)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use crate::source::Bell;

    #[test]
    fn a_sample_takes_what_is_set_and_refuses_the_rest() {
        let set = BTreeMap::from([("key".to_owned(), "a b.jpg".to_owned())]);
        let put = sample("put", &set).unwrap();
        assert_eq!(put["Records"][0]["s3"]["object"]["key"], "a+b.jpg");
        assert_eq!(
            put["Records"][0]["responseElements"]["x-amz-id-2"]
                .as_str()
                .unwrap()
                .len(),
            76
        );
        assert!(
            sample("delete", &set).unwrap()["Records"][0]["s3"]["object"]
                .get("size")
                .is_none()
        );
        assert!(sample("move", &set).is_err());
        assert!(sample("put", &BTreeMap::from([("kye".to_owned(), String::new())])).is_err());
    }

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
