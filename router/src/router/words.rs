//! What goes into the router and what comes out of it.
//!
//! Owns the words of both directions. Deliberately absent: what follows from which.

use std::sync::Arc;

use crate::event::{AttemptId, Event, Invocation, Observation, Outcome, Payload, Receipt, ReplyId};
use crate::name::{FunctionName, Name, SinkName, SourceName, Version};
use crate::settings::Function;
use crate::time::Timestamp;

/// What goes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A source saw something.
    Observed(Observation),
    /// Somebody calls a function directly.
    Invoked(Event),
    /// An attempt ended.
    Finished {
        /// Which attempt; one that does not run any more is ignored.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
        /// Where it ran; `None` if it never ran.
        ran: Option<Ran>,
    },
    /// A function was made, changed or deleted. It holds for every attempt from here on; what runs goes on.
    Configured {
        /// Which function.
        function: FunctionName,
        /// All of its settings; `None` if it was deleted: what is open for it ends, what runs is not retried.
        settings: Option<Box<Function>>,
        /// What was done, for people: `version 3 was published`.
        what: String,
    },
    /// The run is about to end: from here on no attempt starts. What runs may still end, and what was let in is
    /// still accepted.
    Close,
    /// The run ends: whatever is open ends as `stopped`. A source is not told that it is over, so that it may tell of
    /// it again in its next run.
    Stop,
}

impl Input {
    /// The bytes of its payloads, which are what an input weighs.
    pub fn bytes(&self) -> usize {
        match self {
            Input::Observed(observation) => observation.events.iter().map(|e| e.payload.len()).sum(),
            Input::Invoked(event) => event.payload.len(),
            Input::Finished { .. } | Input::Configured { .. } | Input::Close | Input::Stop => 0,
        }
    }
}

/// Where an attempt ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The environment, `env:<function>/<n>`.
    pub environment: Name,
    /// Whether it was made for this attempt.
    pub cold: bool,
}

/// What comes out.
#[derive(Clone, Debug)]
pub enum Action {
    /// A source's observation was taken in; for the journal.
    Seen(Observation),
    /// An event was accepted; for the journal.
    Accepted(Arc<Event>),
    /// Run an attempt.
    Invoke(Invocation),
    /// An attempt ended; for the journal.
    Ended {
        /// The attempt.
        name: Name,
        /// The event.
        event: Name,
        /// The function.
        function: FunctionName,
        /// How.
        outcome: Outcome,
        /// Where.
        ran: Option<Ran>,
    },
    /// The event waits; for the journal, the router itself keeps the time.
    Wait {
        /// The event.
        event: Name,
        /// Until when.
        due: Timestamp,
        /// Why.
        why: String,
    },
    /// Tell the caller.
    Reply {
        /// Which caller.
        to: ReplyId,
        /// What.
        outcome: Outcome,
        /// The version that ran; `None` if none was chosen.
        version: Option<Version>,
    },
    /// Put a record into a sink.
    Send {
        /// Which sink.
        sink: SinkName,
        /// The event it is about.
        event: Name,
        /// The record.
        record: Payload,
    },
    /// The event ended; for the journal.
    Done {
        /// The event.
        event: Name,
        /// `success` or why not.
        how: &'static str,
        /// Times the function ran.
        executions: u32,
        /// Where its record went.
        to: String,
        /// Why it never ran, if it could not.
        why: Option<String>,
    },
    /// Everything that came of an observation has ended: its events, and those that destinations made of them.
    Settle {
        /// The source.
        source: SourceName,
        /// Its mark.
        receipt: Receipt,
    },
    /// A function was made, changed or deleted; for the journal.
    Configured {
        /// Which function.
        function: FunctionName,
        /// What was done.
        what: String,
    },
    /// An outcome came too late and changed nothing; for the journal.
    Ignored(AttemptId),
}
