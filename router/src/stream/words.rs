//! What goes into a mapping and what comes out of it.
//!
//! Owns the words of both directions. Deliberately absent: what follows from which.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkpoint::ShardCheckpoint;
use super::sequence::{Sequence, ShardId};
use super::settings::{Settings, Start};
use crate::event::{Outcome, Payload};
use crate::name::{Name, RequestId, Version};
use crate::settings::Destination;
use crate::time::Timestamp;

/// What a mapping is called in causal names: its UUID, or its route's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MappingId(Arc<str>);

impl MappingId {
    /// Takes the text as it is.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        MappingId(text.into())
    }
}

impl fmt::Display for MappingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MappingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One invocation of a batch, and the fence against late results: no two of a mapping are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BatchId(pub u64);

/// One request for records, and the fence against late answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FetchId(pub u64);

/// One record of a stream.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its sequence number.
    pub sequence: Sequence,
    /// A hash of its partition key: records of one key are handled in their order.
    pub key: u64,
    /// When it arrived in the stream.
    pub at: Timestamp,
    /// One element of `Records`, JSON text; empty if it is refused.
    pub body: Payload,
    /// Why no filter of the mapping takes it, as one phrase; `None` if one does. It is skipped then and not told of to
    /// the destination (spec/event-source-mapping §2).
    pub refused: Option<String>,
}

/// What there is in a shard beyond an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// More records.
    More,
    /// Nothing yet: [`Input::Rung`] tells of the next ones.
    Nothing,
    /// Nothing, for ever: the shard is closed.
    Closed,
}

/// Where an answer begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Position {
    /// Nothing of the shard was read yet.
    Start(Start),
    /// With this record; with the first one behind it if it left the stream.
    At(Sequence),
    /// With the first record behind this one.
    After(Sequence),
}

/// What goes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// There is such a shard. It is read when its parents, as far as they were told of, have been read to their end
    /// and all of that is done (spec/event-source-mapping §4.1).
    Shard {
        /// Which.
        shard: ShardId,
        /// The shards it was split or merged from.
        parents: Vec<ShardId>,
    },
    /// There may be new records.
    Rung {
        /// In which shard.
        shard: ShardId,
    },
    /// The answer to [`Action::Fetch`].
    Fetched {
        /// Which request; an answer to any but the last is ignored.
        fetch: FetchId,
        /// Of which shard.
        shard: ShardId,
        /// The records in their order, those that the filter refuses too.
        records: Vec<Record>,
        /// How far the shard was read with this answer: the last record's number, or that of the newest record if the
        /// reading starts behind it; [`Sequence::zero`] if the shard never had a record.
        reached: Sequence,
        /// What there is beyond it.
        rest: Rest,
    },
    /// Records left the stream because it keeps none that long.
    Trimmed {
        /// Of which shard.
        shard: ShardId,
        /// The oldest one that is still there.
        before: Sequence,
    },
    /// An invocation ended.
    Finished {
        /// Which; one that does not run any more is ignored.
        batch: BatchId,
        /// How.
        outcome: Outcome,
        /// The version that ran; `None` if none was chosen.
        version: Option<Version>,
    },
    /// Somebody enables or disables the mapping. Disabled, what runs still ends, and nothing is lost.
    Enabled(bool),
    /// All settings, changed ones among them. They hold for every decision from here on; where reading started does
    /// not change any more.
    Configured(Box<Settings>),
    /// The mapping is deleted: what runs still ends, and whatever comes of it is not retried.
    Deleted,
    /// The run is about to end: nothing starts any more. The last checkpoints tell the next run where to go on.
    Close,
}

/// What comes out.
#[derive(Clone, Debug)]
pub enum Action {
    /// Answer with the records from here on, in their order and with none left out, as soon as the stream can be read. A
    /// shard has one request at a time.
    Fetch {
        /// Identity and fence.
        fetch: FetchId,
        /// Of which shard.
        shard: ShardId,
        /// From where on.
        from: Position,
        /// Records at most, from 1.
        most: u32,
        /// Bytes of bodies at which to stop; one record may go beyond it.
        bytes: usize,
    },
    /// Invoke the function with a batch.
    Invoke(Invoke),
    /// Keep this until the next one of its shard, and hand it in when the mapping is made anew.
    Checkpoint {
        /// Of which shard.
        shard: ShardId,
        /// How far it is.
        checkpoint: ShardCheckpoint,
    },
    /// Send a record of a batch that was given up.
    Send {
        /// Where to.
        to: Destination,
        /// Of which shard it tells.
        shard: ShardId,
        /// The request it tells of.
        request: RequestId,
        /// The record.
        record: Payload,
    },
    /// Records will not be handled; for the journal.
    Dropped {
        /// Of which shard.
        shard: ShardId,
        /// The first one.
        first: Sequence,
        /// The last one.
        last: Sequence,
        /// How many.
        records: u32,
        /// Why.
        why: Dropped,
    },
    /// A batch waits; for the journal, the mapping itself keeps the time.
    Wait {
        /// The invocation that failed.
        batch: BatchId,
        /// Until when.
        due: Timestamp,
        /// Why.
        why: String,
    },
    /// `LastProcessingResult` has changed.
    Result(&'static str),
    /// What was asked for by [`Input::Enabled`], [`Input::Configured`] or [`Input::Deleted`] has come true. States that
    /// lead there (`Creating`, `Updating`, ..) are the word of who asks.
    Settled {
        /// The state.
        state: State,
        /// `StateTransitionReason`, if it was the mapping's own decision.
        problem: Option<&'static str>,
    },
    /// An outcome came too late and changed nothing; for the journal.
    Ignored(BatchId),
}

/// An invocation of a batch, or the last one of a window, which has no records.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// Identity and fence.
    pub batch: BatchId,
    /// Causal name, `inv:<function>/<mapping>/<shard>/<first sequence>+<records>#<try>`.
    pub name: Name,
    /// The request id: every invocation has its own.
    pub request: RequestId,
    /// The shard.
    pub shard: ShardId,
    /// The lane, from 0 to below the factor.
    pub lane: u32,
    /// The first record; that which came last in the window if there is none.
    pub first: Sequence,
    /// How many records.
    pub records: u32,
    /// 1 for the first attempt; refusals do not count.
    pub attempt: u32,
    /// The event.
    pub payload: Payload,
}

/// Why records are not handled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// The filter refuses them, for this reason.
    Filtered(String),
    /// Every attempt has failed.
    RetryAttemptsExhausted,
    /// They are too old, or left the stream.
    RecordAgeExceeded,
}

/// Where a mapping has come to rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It reads and invokes.
    Enabled,
    /// Nothing of it runs.
    Disabled,
    /// It was deleted and nothing of it runs.
    Gone,
}
