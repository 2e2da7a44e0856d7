//! The stream lane: a pure machine for one event source mapping of a stream.
//!
//! It reads a stream's shards, makes batches, has the function invoked with them and decides what an outcome means
//! (spec/event-source-mapping §2 to §4). It pulls: records are asked for when a lane has room, so a function that is down
//! for a million changes costs no memory.
//!
//! ```text
//!   Shard, Rung ──► Fetch ──► Fetched ──► lanes by key ──► Invoke ──► Finished ──► done: Checkpoint
//!                                            ▲                           │
//!                                            └──── tried again, split ◄──┴──► given up: Dropped, Send
//! ```
//!
//! Grammar: any number of [`Mapping::handle`] and [`Mapping::handle_timeout`]; after each, call [`Mapping::poll_action`]
//! until it is empty, then ask [`Mapping::next_deadline`].
//!
//! Rules: records of one key are handled in their order; a lane has one batch at a time and nothing passes a batch that
//! fails; a record is handled, filtered, or given up with a record that tells of it; after a restart from the last checkpoint
//! nothing is lost, nothing that was done is done again, and no batch has more attempts than it may have.
//!
//! Deliberately absent: the filter, which whoever fetches evaluates; concurrency, which is the router's; the states on the
//! way from one state to another, which are the API's.

mod batch;
mod checkpoint;
pub mod failure_record;
mod judge;
mod lane;
pub mod response;
mod sequence;
mod settings;
mod shard;
mod window;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::name::Seed;
use crate::time::Timestamp;

use lane::Due;
use shard::Shard;

pub use checkpoint::{Checkpoint, Failing, ShardCheckpoint};
pub use sequence::{BadSequence, Edge, Sequence, ShardId};
pub use settings::{
    BACKOFF_FIRST, BACKOFF_LONGEST, EVENT_BYTES, Kind, OnFailure, OutOfRange, Settings, Start,
};
pub use window::{STATE_BYTES, Window};
pub use words::{Action, BatchId, Dropped, FetchId, Input, Invoke, MappingId, Position, Record, Rest, State};

/// `LastProcessingResult` before the first batch (spec/event-source-mapping §1.2).
pub const NOTHING_YET: &str = "No records processed";
/// `LastProcessingResult` after a batch that was handled.
pub const OK: &str = "OK";
/// `LastProcessingResult` after a function error, and after a response that names records.
pub const CALL_FAILED: &str = "PROBLEM: Function call failed";
/// `LastProcessingResult` after a throttle. AWS does not document its words (`[U]`).
pub const THROTTLED: &str = "PROBLEM: Function call was throttled";
/// `LastProcessingResult` after an error of our side. AWS does not document its words (`[U]`).
pub const INTERNAL: &str = "PROBLEM: internal Lambda error. Please contact Lambda customer support.";
/// `LastProcessingResult`, and the reason of a mapping that disabled itself because its function is gone.
pub const NO_FUNCTION: &str = "PROBLEM: Function not found";

/// The machine of one mapping.
#[derive(Debug)]
pub struct Mapping {
    id: MappingId,
    seed: Seed,
    settings: Settings,
    /// Where it is to come to rest.
    wanted: State,
    /// Why, if it decided that itself.
    problem: Option<&'static str>,
    /// It is there.
    settled: bool,
    /// Nothing starts any more.
    closing: bool,
    shards: BTreeMap<ShardId, Shard>,
    /// The shard and the lane of each invocation that runs.
    running: BTreeMap<BatchId, (ShardId, usize)>,
    result: &'static str,
    batches: u64,
    fetches: u64,
    actions: VecDeque<Action>,
}

impl Mapping {
    /// A mapping that goes on where a checkpoint ends, or begins where its settings say.
    pub fn new(
        id: MappingId,
        seed: Seed,
        settings: Settings,
        enabled: bool,
        checkpoint: Option<Checkpoint>,
    ) -> Self {
        let resumed = checkpoint.unwrap_or_default().shards.into_iter();
        let resume = |(id, checkpoint)| (id, Shard::resumed(checkpoint, settings.start, settings.lanes()));
        Mapping {
            shards: resumed.map(resume).collect(),
            id,
            seed,
            wanted: if enabled { State::Enabled } else { State::Disabled },
            settings,
            problem: None,
            settled: false,
            closing: false,
            running: BTreeMap::new(),
            result: NOTHING_YET,
            batches: 0,
            fetches: 0,
            actions: VecDeque::new(),
        }
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// `LastProcessingResult`.
    pub fn last_result(&self) -> &'static str {
        self.result
    }

    /// Bytes of the records that it holds.
    pub fn held(&self) -> usize {
        self.shards.values().map(Shard::held).sum()
    }

    /// Takes an input in.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Shard { shard, parents } => self.opened(shard, parents),
            Input::Rung { shard } => self.shard(&shard).ring(),
            Input::Fetched {
                fetch,
                shard,
                records,
                reached,
                rest,
            } => self.fetched(now, fetch, shard, records, reached, rest),
            Input::Trimmed { shard, before } => {
                let trimmed = &mut self.shard(&shard).trimmed;
                *trimmed = trimmed.take().max(Some(before));
            }
            Input::Finished {
                batch,
                outcome,
                version,
            } => self.finished(now, batch, outcome, version),
            Input::Enabled(true) => self.head_for(State::Enabled, None),
            Input::Enabled(false) => self.head_for(State::Disabled, None),
            Input::Configured(settings) => {
                self.settings = *settings;
                self.settled = false;
            }
            Input::Deleted => self.head_for(State::Gone, None),
            Input::Close => self.closing = true,
        }
        self.advance(now);
    }

    /// Starts what is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// The next action, in the order of the decisions.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Mapping::handle_timeout`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let now = Timestamp::default();
        let due = |shard: &Shard, lane| match shard.due(lane, &self.settings, now) {
            Due::At(at) => Some(at),
            _ => None,
        };
        let shards = self.shards.values().filter(|_| self.is_active());
        let lanes = shards.flat_map(|shard| (0..shard.lanes.len()).filter_map(move |lane| due(shard, lane)));
        lanes.min()
    }

    fn is_active(&self) -> bool {
        self.wanted == State::Enabled && !self.closing
    }

    fn head_for(&mut self, state: State, problem: Option<&'static str>) {
        if self.wanted == State::Gone {
            return;
        }
        (self.wanted, self.problem, self.settled) = (state, problem, false);
    }

    /// A shard, which is new if it was never told of.
    fn shard(&mut self, id: &ShardId) -> &mut Shard {
        let new = || Shard::new(Vec::new(), self.settings.start, self.settings.lanes());
        self.shards.entry(id.clone()).or_insert_with(new)
    }

    /// A shard that comes of others begins where these end, whatever the mapping's start.
    fn opened(&mut self, id: ShardId, parents: Vec<ShardId>) {
        let is_child = parents.iter().any(|parent| self.shards.contains_key(parent));
        let start = match is_child {
            true => Start::TrimHorizon,
            false => self.settings.start,
        };
        let lanes = self.settings.lanes();
        let shard = self.shards.entry(id);
        shard.or_insert_with(|| Shard::new(parents, start, lanes)).ring();
    }

    fn fetched(
        &mut self,
        now: Timestamp,
        fetch: FetchId,
        id: ShardId,
        records: Vec<Record>,
        reached: Sequence,
        rest: Rest,
    ) {
        let Some(shard) = self.shards.get_mut(&id) else {
            return;
        };
        let refused = shard.take(&self.settings, now, fetch, records, reached, rest);
        for (sequence, why) in refused.into_iter().flatten() {
            self.actions.push_back(Action::Dropped {
                shard: id.clone(),
                first: sequence.clone(),
                last: sequence,
                records: 1,
                why: Dropped::Filtered(why),
            });
        }
    }

    /// Starts what may start. What is done is told before anything new begins.
    fn advance(&mut self, now: Timestamp) {
        let mut shards = std::mem::take(&mut self.shards);
        let mut invocations = Vec::new();
        for (id, shard) in &mut shards {
            shard.renew(&self.settings);
            for lane in 0..shard.lanes.len() {
                invocations.extend(self.next_of(now, id, shard, lane));
            }
            // Ending its windows may have been all that was left to do.
            shard.renew(&self.settings);
        }
        for (id, shard) in &mut shards {
            if let Some(checkpoint) = shard.checkpoint() {
                let shard = id.clone();
                self.actions.push_back(Action::Checkpoint { shard, checkpoint });
            }
        }
        self.actions.extend(invocations.into_iter().map(Action::Invoke));
        self.fetch(&mut shards);
        self.shards = shards;
        self.settle();
    }

    fn fetch(&mut self, shards: &mut BTreeMap<ShardId, Shard>) {
        if !self.is_active() {
            return;
        }
        let open = shards.iter().filter(|(_, shard)| !shard.is_finished());
        let open: BTreeSet<ShardId> = open.map(|(id, _)| id.clone()).collect();
        for (id, shard) in shards {
            if shard.parents.iter().any(|parent| open.contains(parent)) {
                continue;
            }
            let Some(wanted) = shard.wanted(&self.settings) else {
                continue;
            };
            self.fetches += 1;
            let fetch = FetchId(self.fetches);
            let from = shard.asked(fetch, wanted.from);
            self.actions.push_back(Action::Fetch {
                fetch,
                shard: id.clone(),
                from,
                most: u32::try_from(wanted.most).unwrap_or(u32::MAX),
                bytes: wanted.bytes,
            });
        }
    }

    /// Says that it has come to rest, if it has.
    fn settle(&mut self) {
        let there = match self.wanted {
            State::Enabled => !self
                .shards
                .values()
                .any(|shard| shard.is_draining(&self.settings)),
            State::Disabled | State::Gone => self.running.is_empty(),
        };
        if self.settled || !there {
            return;
        }
        self.settled = true;
        match self.wanted {
            State::Enabled => {}
            State::Disabled => self.shards.values_mut().for_each(Shard::release),
            State::Gone => self.shards.clear(),
        }
        self.actions.push_back(Action::Settled {
            state: self.wanted,
            problem: self.problem,
        });
    }
}
