//! A stream and a function around a mapping: answers what it asks for, and holds it to its rules at every step.
//!
//! Rules, whatever happens: at most one batch in flight per lane; no record is invoked or ended after it has ended;
//! records of one key end in their order; an outcome that comes twice changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use router::event::{ErrorKind, Failure, FunctionError, Outcome, Payload, ThrottleReason};
use router::name::{FunctionName, Seed, SinkName, Version};
use router::settings::Destination;
use router::stream::{
    Action, BatchId, Checkpoint, Dropped, FetchId, Input, Invoke, Kind, Mapping, MappingId, OnFailure,
    Position, Record, Rest, Sequence, Settings, ShardId, Start, State,
};
use router::time::Timestamp;

/// When every test starts.
pub const T0: Timestamp = Timestamp::VIRTUAL_START;
/// How long an invocation takes.
const TOOK: Duration = Duration::from_millis(10);

/// A record of the stream.
#[derive(Clone)]
pub struct Given {
    /// Its shard.
    pub shard: &'static str,
    /// Its sequence number.
    pub sequence: u64,
    /// Its key's hash.
    pub key: u64,
    /// When it arrived, in seconds from the start.
    pub at: u64,
    /// Whether the filter refuses it.
    pub refused: bool,
}

/// A record of shard `s`.
pub fn given(sequence: u64, key: u64) -> Given {
    Given {
        shard: "s",
        sequence,
        key,
        at: 0,
        refused: false,
    }
}

/// How a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Handled,
    Filtered,
    Exhausted,
    Expired,
}

/// What the function does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    Succeeds,
    Fails,
    IsThrottled,
    IsMissing,
    /// Answers with an identifier that is not in the batch.
    Mumbles,
    /// Names the record of this index.
    Names(usize),
    /// Answers with this.
    Says(&'static str),
}

/// An invocation that runs.
pub struct Running {
    pub invoke: Invoke,
    pub records: Vec<(String, u64)>,
}

pub struct World {
    pub now: Timestamp,
    pub mapping: Mapping,
    pub stream: Vec<Given>,
    pub running: Vec<Running>,
    pub ended: BTreeMap<(String, u64), Ended>,
    /// May be handled again, because the checkpoint that says so was lost.
    pub forgotten: BTreeSet<(String, u64)>,
    /// How often a function error met each record.
    pub failed: BTreeMap<(String, u64), u32>,
    pub checkpoint: Checkpoint,
    /// Records of each invocation in their order, with the number of the attempt.
    pub invoked: Vec<(Vec<u64>, u32)>,
    pub events: Vec<serde_json::Value>,
    pub sent: Vec<serde_json::Value>,
    pub results: Vec<&'static str>,
    pub settled: Vec<(State, Option<&'static str>)>,
    pub waits: Vec<Duration>,
    pub ignored: Vec<BatchId>,
    /// Shards that have no more than they have.
    pub closed: BTreeSet<&'static str>,
    /// The first position that was asked for in each shard, and every one.
    pub asked: Vec<(String, Position)>,
    /// The most records that a request asked for.
    pub most: u32,
    /// The most records of an answer.
    pub page: usize,
    /// Requests wait for [`World::answer`].
    pub defers: bool,
    pub pending: Vec<(FetchId, ShardId, Position, usize)>,
    /// The shards that are told of when the mapping is made anew.
    shards: Vec<(ShardId, Vec<ShardId>)>,
}

/// Settings of a stream with everything off, batches of up to 4, and a sink.
pub fn settings() -> Settings {
    Settings {
        function: FunctionName::new("f"),
        qualifier: None,
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:f".into(),
        batch_size: 4,
        window: Duration::ZERO,
        factor: 1,
        retries: None,
        max_age: None,
        bisect: false,
        tumbling: None,
        reports_failures: false,
        on_failure: Some(OnFailure {
            to: Destination::Sink(SinkName::new("bad")),
            whole_event: false,
        }),
        start: Start::TrimHorizon,
        kind: Kind::Kinesis,
        stream_arn: "arn:aws:kinesis:us-east-1:123456789012:stream/t".into(),
    }
}

/// A number as seconds.
pub fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

impl World {
    /// A mapping on a stream of which it has been told all shards.
    pub fn new(settings: Settings, stream: &[Given]) -> Self {
        let mut world = World::bare(settings, stream);
        let shards: BTreeSet<&str> = stream.iter().map(|given| given.shard).collect();
        for shard in shards {
            world.open(shard, &[]);
        }
        world
    }

    /// A mapping that knows no shard yet.
    pub fn bare(settings: Settings, stream: &[Given]) -> Self {
        World {
            now: T0,
            mapping: Mapping::new(MappingId::new("m"), Seed(0), settings, true, None),
            stream: stream.to_vec(),
            running: Vec::new(),
            ended: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            failed: BTreeMap::new(),
            checkpoint: Checkpoint::default(),
            invoked: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            results: Vec::new(),
            settled: Vec::new(),
            waits: Vec::new(),
            ignored: Vec::new(),
            closed: BTreeSet::new(),
            asked: Vec::new(),
            most: 0,
            page: usize::MAX,
            defers: false,
            pending: Vec::new(),
            shards: Vec::new(),
        }
    }

    /// Tells of a shard.
    pub fn open(&mut self, shard: &str, parents: &[&str]) {
        let parents: Vec<ShardId> = parents.iter().map(|parent| ShardId::new(*parent)).collect();
        self.shards.push((ShardId::new(shard), parents.clone()));
        self.give(Input::Shard {
            shard: ShardId::new(shard),
            parents,
        });
    }

    /// Hands an input in and does what comes of it.
    pub fn give(&mut self, input: Input) {
        self.mapping.handle(self.now, input);
        self.drain();
    }

    /// Adds a record and rings.
    pub fn put(&mut self, record: Given) {
        let shard = ShardId::new(record.shard);
        self.stream.push(record);
        self.give(Input::Rung { shard });
    }

    /// Goes to the next deadline; `false` if there is none.
    pub fn wait(&mut self) -> bool {
        let Some(at) = self.mapping.next_deadline() else {
            return false;
        };
        assert!(
            at > self.now || self.mapping.next_deadline().is_none(),
            "a deadline that has passed: {at:?}"
        );
        self.now = at;
        self.mapping.handle_timeout(self.now);
        self.drain();
        true
    }

    /// Ends an invocation that runs, by its index.
    pub fn finish(&mut self, index: usize, does: Does) {
        let Running { invoke, records } = self.running.remove(index);
        self.now = self.now + TOOK;
        let needs_state = self.mapping.settings().tumbling.is_some();
        let handled = match does {
            Does::Succeeds if needs_state => 0,
            Does::Succeeds | Does::Says(_) => records.len(),
            Does::Names(index) if self.mapping.settings().reports_failures => index,
            Does::Names(_) | Does::Mumbles if !self.mapping.settings().reports_failures => records.len(),
            _ => 0,
        };
        for record in records.iter().take(handled) {
            self.end(record, Ended::Handled);
        }
        for record in records.iter().filter(|_| does == Does::Fails) {
            *self.failed.entry(record.clone()).or_default() += 1;
        }
        let input = Input::Finished {
            batch: invoke.batch,
            outcome: outcome(does, &records),
            version: Some(Version::Latest),
        };
        self.give(input.clone());
        let before = (self.invoked.len(), self.ended.len(), self.mapping.next_deadline());
        self.give(input);
        assert_eq!(
            self.ignored.pop(),
            Some(invoke.batch),
            "an outcome that comes twice"
        );
        assert_eq!(
            before,
            (self.invoked.len(), self.ended.len(), self.mapping.next_deadline())
        );
    }

    /// Answers a request with what is there by now.
    pub fn answer(&mut self, index: usize) {
        self.reply(index);
        self.drain();
    }

    /// Ends everything well.
    pub fn succeed(&mut self) {
        for _ in 0..10_000 {
            if !self.running.is_empty() {
                self.finish(0, Does::Succeeds);
            } else if !self.wait() {
                return;
            }
        }
        panic!("it does not come to an end");
    }

    /// Our process ends here and starts again with this checkpoint; nobody hears of what ran.
    pub fn restart(&mut self, settings: Settings, checkpoint: Checkpoint) {
        let json = serde_json::to_string(&checkpoint).expect("JSON");
        let checkpoint: Checkpoint = serde_json::from_str(&json).expect("a checkpoint");
        self.running.clear();
        self.checkpoint = checkpoint.clone();
        self.mapping = Mapping::new(MappingId::new("m"), Seed(0), settings, true, Some(checkpoint));
        for (shard, parents) in self.shards.clone() {
            self.give(Input::Shard { shard, parents });
        }
    }

    /// Everything has ended, each record once, and nothing is left.
    pub fn assert_over(&mut self) {
        assert_eq!(
            (
                self.running.len(),
                self.mapping.next_deadline(),
                self.mapping.held()
            ),
            (0, None, 0)
        );
        for given in &self.stream {
            let id = (given.shard.to_owned(), given.sequence);
            assert!(self.ended.contains_key(&id), "{id:?} is lost");
        }
    }

    /// How the records of shard `s` ended, in order.
    pub fn ends(&self) -> Vec<Ended> {
        self.ended.values().copied().collect()
    }

    /// The records of each invocation.
    pub fn batches(&self) -> Vec<Vec<u64>> {
        self.invoked.iter().map(|(records, _)| records.clone()).collect()
    }

    fn drain(&mut self) {
        while let Some(action) = self.mapping.poll_action() {
            match action {
                Action::Fetch {
                    fetch,
                    shard,
                    from,
                    most,
                    ..
                } => {
                    assert!(most > 0, "an empty request");
                    self.most = self.most.max(most);
                    self.asked.push((shard.to_string(), from.clone()));
                    self.pending.push((fetch, shard, from, most as usize));
                    if !self.defers {
                        self.reply(0);
                    }
                }
                Action::Invoke(invoke) => self.invoke(invoke),
                Action::Checkpoint { shard, checkpoint } => {
                    self.checkpoint.shards.insert(shard, checkpoint);
                }
                Action::Send { record, .. } => {
                    self.sent
                        .push(serde_json::from_slice(&record).expect("a document"));
                }
                Action::Dropped {
                    shard,
                    first,
                    last,
                    records,
                    why,
                } => self.dropped(&shard, &first, &last, records, &why),
                Action::Wait { due, .. } => self.waits.push(due.since(self.now)),
                Action::Result(result) => self.results.push(result),
                Action::Settled { state, problem } => self.settled.push((state, problem)),
                Action::Ignored(batch) => self.ignored.push(batch),
            }
        }
    }

    fn reply(&mut self, index: usize) {
        let (fetch, shard, from, most) = self.pending.remove(index);
        let (records, reached, rest) = self.read(&shard, &from, most.min(self.page));
        let answer = Input::Fetched {
            fetch,
            shard,
            records,
            reached,
            rest,
        };
        self.mapping.handle(self.now, answer);
    }

    fn read(&self, shard: &ShardId, from: &Position, most: usize) -> (Vec<Record>, Sequence, Rest) {
        let begins = |given: &&Given| match from {
            Position::Start(Start::TrimHorizon) => true,
            Position::Start(Start::Latest) => false,
            Position::Start(Start::At(at)) => T0 + secs(given.at) >= *at,
            Position::At(at) => Sequence::from(given.sequence) >= *at,
            Position::After(at) => Sequence::from(given.sequence) > *at,
        };
        let all = || self.stream.iter().filter(|given| given.shard == shard.as_str());
        let there: Vec<&Given> = all().filter(begins).collect();
        let records: Vec<Record> = there.iter().take(most).map(|given| record(given)).collect();
        let rest = match there.len() > most {
            true => Rest::More,
            false if self.closed.contains(shard.as_str()) => Rest::Closed,
            false => Rest::Nothing,
        };
        let newest = all()
            .next_back()
            .map_or(Sequence::zero(), |given| given.sequence.into());
        let reached = match rest {
            Rest::More => records
                .last()
                .map_or(Sequence::zero(), |record| record.sequence.clone()),
            Rest::Nothing | Rest::Closed => newest,
        };
        (records, reached, rest)
    }

    fn invoke(&mut self, invoke: Invoke) {
        let event: serde_json::Value = serde_json::from_slice(&invoke.payload).expect("an event");
        let of = |record: &serde_json::Value| {
            let shard = record["s"].as_str().unwrap_or_default().to_owned();
            (shard, record["q"].as_u64().unwrap_or_default())
        };
        let records: Vec<(String, u64)> = event["Records"]
            .as_array()
            .expect("records")
            .iter()
            .map(of)
            .collect();
        assert_eq!(records.len(), invoke.records as usize);
        for other in &self.running {
            let lane = (&other.invoke.shard, other.invoke.lane);
            assert_ne!(lane, (&invoke.shard, invoke.lane), "two batches of one lane");
        }
        for record in &records {
            assert_eq!(record.0, invoke.shard.as_str());
            let key = self.key(record);
            let mut flying = self.running.iter().flat_map(|running| &running.records);
            assert!(
                !flying.any(|other| other.0 == record.0 && self.key(other) == key),
                "a key runs twice"
            );
            let again = self.forgotten.contains(record);
            assert!(
                again || !self.ended.contains_key(record),
                "{record:?} is invoked after its end"
            );
        }
        let sequences = records.iter().map(|(_, sequence)| *sequence).collect();
        self.invoked.push((sequences, invoke.attempt));
        self.events.push(event);
        self.running.push(Running { invoke, records });
    }

    fn dropped(&mut self, shard: &ShardId, first: &Sequence, last: &Sequence, records: u32, why: &Dropped) {
        let how = match why {
            Dropped::Filtered(_) => Ended::Filtered,
            Dropped::RetryAttemptsExhausted => Ended::Exhausted,
            Dropped::RecordAgeExceeded => Ended::Expired,
        };
        let number = |given: &Given| Sequence::from(given.sequence);
        let lanes = u64::from(self.mapping.settings().factor);
        let of = |given: &&Given| given.shard == shard.as_str() && given.refused == (how == Ended::Filtered);
        let all = || self.stream.iter().filter(of);
        let lane = all()
            .find(|given| number(given) == *first)
            .map(|given| given.key % lanes);
        // What was done in other lanes before is between them.
        let is_over = |given: &Given| {
            let id = (given.shard.to_owned(), given.sequence);
            let how = self.ended.get(&id);
            how.is_some_and(|how| *how != Ended::Filtered) && !self.forgotten.contains(&id)
        };
        let within = |given: &&Given| {
            let lies = (first..=last).contains(&&number(given));
            lies && lane == Some(given.key % lanes) && !is_over(given)
        };
        let gone: Vec<(String, u64)> = all()
            .filter(within)
            .map(|given| (shard.to_string(), given.sequence))
            .collect();
        assert_eq!(gone.len(), records as usize, "{first}..={last}");
        for record in gone {
            // That the filter refuses a record may be told again after a restart.
            if how != Ended::Filtered || self.ended.get(&record) != Some(&how) {
                self.end(&record, how);
            }
        }
    }

    fn end(&mut self, record: &(String, u64), how: Ended) {
        let before = self.ended.insert(record.clone(), how);
        let again = self.forgotten.remove(record);
        assert!(again || before.is_none(), "{record:?} ends twice");
        if how == Ended::Filtered || again {
            return;
        }
        let later = |(other, _): (&(String, u64), &Ended)| other.0 == record.0 && other.1 > record.1;
        let key = self.key(record);
        let mut ended = self.ended.iter().filter(|(_, how)| **how != Ended::Filtered);
        let passed = ended
            .find(|ended| later(*ended) && self.key(ended.0) == key && !self.forgotten.contains(ended.0));
        assert_eq!(passed, None, "{record:?} was passed");
    }

    fn key(&self, record: &(String, u64)) -> u64 {
        let given = self
            .stream
            .iter()
            .find(|given| given.shard == record.0 && given.sequence == record.1);
        given.map_or(0, |given| given.key)
    }
}

fn record(given: &Given) -> Record {
    Record {
        sequence: given.sequence.into(),
        key: given.key,
        at: T0 + secs(given.at),
        body: Payload::from(format!(r#"{{"s":"{}","q":{}}}"#, given.shard, given.sequence)),
        refused: given.refused.then(|| "no filter takes it".to_owned()),
    }
}

fn outcome(does: Does, records: &[(String, u64)]) -> Outcome {
    let says = |text: String| Ok(Payload::from(text));
    let names = |id: String| {
        says(format!(
            r#"{{"batchItemFailures":[{{"itemIdentifier":"{id}"}}]}}"#
        ))
    };
    let result = match does {
        Does::Succeeds => says("null".to_owned()),
        Does::Says(text) => says(text.to_owned()),
        Does::Mumbles => names("999".to_owned()),
        Does::Names(index) => names(records.get(index).map_or(0, |record| record.1).to_string()),
        Does::Fails => Err(Failure::Function(FunctionError {
            kind: ErrorKind::Error,
            payload: Payload::from_static(b"{}"),
        })),
        Does::IsThrottled => Err(Failure::Throttled(
            ThrottleReason::ConcurrentInvocationLimitExceeded,
        )),
        Does::IsMissing => Err(Failure::Missing("arn".to_owned())),
    };
    Outcome {
        result,
        duration: TOOK,
        log: Payload::new(),
    }
}
