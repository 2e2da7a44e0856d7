//! What the router keeps of an event until it has ended.
//!
//! Owns the states of one event. Deliberately absent: what leads from one to another; that is the router's.

use std::sync::Arc;

use crate::capacity::Place;
use crate::event::{Event, Failure, Payload};
use crate::name::Version;
use crate::observed::Origin;
use crate::time::Timestamp;

/// An event that has not ended.
#[derive(Debug)]
pub(super) struct Delivery {
    pub event: Arc<Event>,
    /// Where it came from; what destinations make of it inherits it.
    pub from: Cause,
    pub accepted: Timestamp,
    pub attempts: u32,
    pub executions: u32,
    pub refusals: u32,
    /// The version of the last attempt.
    pub version: Option<Version>,
    pub last: Option<Last>,
    pub state: State,
}

/// How the last execution ended; where there was none, the last attempt.
#[derive(Clone, Debug)]
pub(super) struct Last {
    /// The version that ran.
    pub version: Version,
    pub result: Result<Payload, Failure>,
}

/// What led to an event.
#[derive(Clone, Debug, Default)]
pub(super) struct Cause {
    /// Destinations, one after the other.
    pub hops: u32,
    /// The observation at the beginning; `None` for a call.
    pub origin: Option<Origin>,
}

/// Where an event stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// May start; waits for a slot on this machine.
    Due,
    /// An attempt runs; its number is `attempts`.
    Running(Place),
    /// The same, but its function was deleted meanwhile: it ends with this attempt.
    Deserted(Place),
    /// Waits for its next attempt.
    Waiting { until: Timestamp },
}

impl Delivery {
    /// An event that has just come.
    pub fn new(event: Arc<Event>, from: Cause, accepted: Timestamp) -> Self {
        Delivery {
            event,
            from,
            accepted,
            attempts: 0,
            executions: 0,
            refusals: 0,
            version: None,
            last: None,
            state: State::Due,
        }
    }

    /// The bytes of the last answer.
    pub fn last_bytes(&self) -> usize {
        match self.last.as_ref().map(|last| &last.result) {
            Some(Ok(payload)) => payload.len(),
            Some(Err(Failure::Function(error))) => error.payload.len(),
            _ => 0,
        }
    }

    /// Counts how an attempt of this version ended.
    pub fn note(&mut self, version: Version, result: &Result<Payload, Failure>) {
        let ran = matches!(result, Ok(_) | Err(Failure::Function(_)));
        if ran {
            self.executions += 1;
            self.refusals = 0;
        } else {
            self.refusals += 1;
        }
        if ran || self.executions == 0 {
            let result = result.clone();
            self.last = Some(Last { version, result });
        }
    }

    /// How it ended for the journal, where its caller was told.
    pub fn told(result: &Result<Payload, Failure>) -> &'static str {
        match result {
            Ok(_) => "success",
            Err(_) => "failed",
        }
    }
}
