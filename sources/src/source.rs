//! The seam between a source and everything else.
//!
//! A source knows its own subscriptions, because on AWS the bucket, the topic and the log group own
//! them: filters are applied here, and what a subscriber sees may name the subscription (S3's
//! `configurationId`). The router then only maps a route to a function.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router::event::{Event, Lane, Observation, Payload, Receipt, Refusal};
use router::name::{FunctionName, Name, RouteName, Seed, SourceName};
use router::time::Timestamp;
use serde::de::DeserializeOwned;

/// A kind of event source.
pub trait Source: Sized + Send {
    /// The word that `kind:` takes in a file.
    const KIND: &'static str;
    /// The source's keys in a file.
    type Config: DeserializeOwned + schemars::JsonSchema;
    /// The keys a route from this source may have beside `from` and `to`.
    type Filter: DeserializeOwned + schemars::JsonSchema;
    /// What a step, an API call or the terminal may do to it.
    type Stimulus;

    /// Checks everything that can be checked without touching the world: names, ranges, overlaps.
    fn check(config: &Self::Config, subscriptions: &[Subscription<Self::Filter>]) -> Result<(), SourceError>;

    /// The directory that acts as the source, if one does; no two sources may share it.
    fn directory(config: &Self::Config, base: &Path) -> Option<PathBuf> {
        let _ = (config, base);
        None
    }

    /// Opens the source. Nothing is emitted before the first `poll` or `barrier`.
    fn open(
        config: Self::Config,
        subscriptions: Vec<Subscription<Self::Filter>>,
        site: Site,
    ) -> Result<Self, SourceError>;

    /// Looks at the world, emits what happened, and says when to look again.
    fn poll(&mut self, now: Timestamp, out: &mut Emitter) -> Result<NextPoll, SourceError>;

    /// Does something to the source and emits what follows from it.
    fn stimulate(
        &mut self,
        what: Self::Stimulus,
        now: Timestamp,
        out: &mut Emitter,
    ) -> Result<(), SourceError>;

    /// Emits everything that happened before this call, in an order that does not depend on threads.
    fn barrier(&mut self, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError>;

    /// Everything that came of these observations has ended. Remembers that across restarts, with what was emitted up
    /// to here; what is not over is emitted again by the next run.
    fn settle(&mut self, over: &[Receipt]) -> Result<(), SourceError>;
}

/// A route from a source, as the source sees it.
#[derive(Clone, Debug)]
pub struct Subscription<F> {
    /// The route's name.
    pub route: RouteName,
    /// The function at its end.
    pub to: FunctionName,
    /// The route's own keys.
    pub filter: F,
}

/// Where a source lives.
#[derive(Clone, Debug)]
pub struct Site {
    /// The source's name.
    pub name: SourceName,
    /// Relative paths in the configuration are relative to this.
    pub base: PathBuf,
    /// Where the source keeps state across restarts; `None` keeps it in memory only.
    pub state: Option<PathBuf>,
    /// A directory outside of anything watched that the source may write scratch files to.
    pub scratch: PathBuf,
    /// What ids are derived from.
    pub seed: Seed,
    /// AWS region of events.
    pub region: String,
    /// AWS account of events.
    pub account: String,
    /// Rings when `poll` should be called; a source clones it into its watcher.
    pub bell: Bell,
}

/// Rings a source's host: "look again". Any number of rings before the next look count as one.
#[derive(Clone, Debug)]
pub struct Bell(crossbeam_channel::Sender<()>);

impl Bell {
    /// A bell and the ear that hears it.
    pub fn new() -> (Bell, crossbeam_channel::Receiver<()>) {
        let (send, receive) = crossbeam_channel::bounded(1);
        (Bell(send), receive)
    }

    /// Rings; never blocks.
    pub fn ring(&self) {
        let _ = self.0.try_send(());
    }
}

/// When a source wants to be polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPoll {
    /// At this time at the latest, or when rung.
    At(Timestamp),
    /// When its bell rings.
    WhenRung,
}

/// The longest cause that is spelled out in the names of its events, in bytes.
const LONGEST_CAUSE: usize = 100;

/// Collects what a source saw and gives each event its name.
pub struct Emitter {
    source: SourceName,
    seed: Seed,
    cause: String,
    count: u64,
    seen: Vec<Observation>,
}

impl Emitter {
    /// An emitter for `source`, whose events are named `evt:<cause>/<source>/<k>`.
    pub fn new(source: SourceName, seed: Seed, cause: impl Into<String>) -> Self {
        Emitter {
            source,
            seed,
            cause: cause.into(),
            count: 0,
            seen: Vec::new(),
        }
    }

    /// From here on, events come from another cause: a step's id or an invocation's path. A long path, as
    /// grows where a handler feeds its own source, is named by its hash.
    pub fn caused_by(&mut self, cause: &str) {
        self.cause = match cause.len() {
            0..=LONGEST_CAUSE => cause.to_owned(),
            _ => self.seed.request_id(cause).as_str().to_owned(),
        };
        self.count = 0;
    }

    /// Like [`caused_by`](Self::caused_by), but goes on counting if the cause is the same as before.
    pub fn continue_from(&mut self, cause: &str) {
        if self.cause != cause {
            self.caused_by(cause);
        }
    }

    /// Says that something happened. `document` writes the event for one subscription from the ids of
    /// the operation; `taken` are the subscriptions that take it, `refused` the others. The source hears by the
    /// `receipt` when it is over.
    pub fn observe<'a>(
        &mut self,
        receipt: Receipt,
        kind: &str,
        subject: &str,
        taken: impl IntoIterator<Item = (&'a RouteName, &'a FunctionName)>,
        refused: Vec<Refusal>,
        mut document: impl FnMut(&Operation, &RouteName) -> Payload,
    ) {
        self.count += 1;
        let path = format!("{}/{}/{}", self.cause, self.source, self.count);
        let operation = Operation {
            seed: self.seed,
            path: path.clone(),
        };
        let taken: Vec<_> = taken.into_iter().collect();
        let alone = taken.len() == 1;
        let events = taken
            .into_iter()
            .map(|(route, to)| {
                let name = if alone {
                    format!("evt:{path}")
                } else {
                    format!("evt:{path}/{route}")
                };
                Event {
                    id: self.seed.request_id(&name),
                    name: Name::new(name),
                    origin: self.source.clone(),
                    route: Some(route.clone()),
                    subject: subject.to_owned(),
                    to: to.clone(),
                    qualifier: None,
                    lane: Lane::Queue,
                    call: None,
                    payload: document(&operation, route),
                }
            })
            .collect();
        let source = self.source.clone();
        self.seen.push(Observation {
            source,
            receipt,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            events,
            refused,
        });
    }

    /// Takes what was emitted since the last call.
    pub fn take(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.seen)
    }
}

/// One operation on a source; ids that AWS draws at random are derived from it.
pub struct Operation {
    seed: Seed,
    path: String,
}

impl Operation {
    /// 32 bytes for the id called `what`, the same in every run with this seed.
    pub fn bytes(&self, what: &str) -> [u8; 32] {
        self.seed.bytes(&format!("{what}:{}", self.path))
    }
}

/// Why a source cannot be configured, opened or read: where, what, how to fix.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SourceError {
    /// Index into the subscriptions, if one of them is at fault.
    pub subscription: Option<usize>,
    /// The key at fault, if one is.
    pub key: Option<&'static str>,
    /// What is wrong, as a lowercase sentence.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl SourceError {
    /// An error about the source as a whole.
    pub fn new(what: impl Into<String>) -> Self {
        SourceError {
            subscription: None,
            key: None,
            what: what.into(),
            help: None,
        }
    }

    /// With the key at fault.
    pub fn at(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// With the subscription at fault.
    pub fn of(mut self, subscription: usize) -> Self {
        self.subscription = Some(subscription);
        self
    }

    /// With advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A length of time in a file: `100ms`, `10s`, `3m`, `1h`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let seconds: f64 = number.parse().ok()?;
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds * factor).ok()
}
