//! Faults: what a scenario wants to go wrong, and where.
//!
//! Owns selection and counting; what an effect does is carried out by `hands`. All counting follows the
//! order of arrival, which is part of the trace.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use router::event::{Event, Failure, FunctionError, Invocation, Payload};
use router::name::{FunctionName, Name, RouteName, SourceName};

use crate::hands::throttle;
use crate::matcher;
use crate::node::Node;

/// One fault of a scenario.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `faults[0]`.
    pub name: String,
    /// Only this function.
    pub function: Option<FunctionName>,
    /// Only events of this source.
    pub source: Option<SourceName>,
    /// Only events by this route.
    pub route: Option<RouteName>,
    /// Only events that match.
    pub event: Option<Node>,
    /// Only the n-th event that fits the rest, from 1.
    pub nth: Option<u32>,
    /// Only these attempts.
    pub attempts: Option<RangeInclusive<u32>>,
    /// What happens.
    pub effect: Effect,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The handler does not run; this error comes back.
    Error(FunctionError),
    /// The handler does not run; HTTP 429.
    Throttle,
    /// The handler runs, its effects stay, then its time is up.
    Timeout,
    /// The handler runs, its effects stay, this error comes back.
    ErrorAfter(FunctionError),
    /// The process dies before it sees the event.
    CrashBefore,
    /// The handler runs, its effects stay, the process dies before its answer.
    CrashAfter,
    /// The event arrives a second time, this much later.
    Duplicate(Duration),
}

impl Effect {
    /// The word of the file.
    pub fn word(&self) -> &'static str {
        match self {
            Effect::Error(_) => "error",
            Effect::Throttle => "throttle",
            Effect::Timeout => "timeout",
            Effect::ErrorAfter(_) => "error_after",
            Effect::CrashBefore => "crash_before",
            Effect::CrashAfter => "crash_after",
            Effect::Duplicate(_) => "duplicate",
        }
    }

    /// What comes back where the handler does not run at all.
    pub fn instead(&self) -> Option<Result<Payload, Failure>> {
        match self {
            Effect::Error(error) => Some(Err(Failure::Function(error.clone()))),
            Effect::Throttle => Some(Err(throttle())),
            _ => None,
        }
    }
}

/// Which fault hit.
#[derive(Clone, Debug)]
pub struct Hit {
    /// `faults[0]`.
    pub name: String,
}

/// All faults of a run, with what they have seen so far.
#[derive(Default)]
pub struct Faults {
    faults: Vec<Fault>,
    /// For each fault with `nth`: the events that fitted, with their number.
    seen: Vec<BTreeMap<Name, u32>>,
    fired: Vec<u32>,
}

impl Faults {
    /// The faults of a scenario.
    pub fn new(faults: Vec<Fault>) -> Self {
        Faults {
            seen: vec![BTreeMap::new(); faults.len()],
            fired: vec![0; faults.len()],
            faults,
        }
    }

    /// The first fault that hits an attempt.
    pub fn on_attempt(&mut self, invocation: &Invocation) -> Option<(Hit, Effect)> {
        (0..self.faults.len()).find_map(|i| {
            let fault = &self.faults[i];
            let in_range = fault
                .attempts
                .as_ref()
                .is_none_or(|r| r.contains(&invocation.attempt.number));
            let at_attempts = !matches!(fault.effect, Effect::Duplicate(_));
            if !at_attempts || !self.fits(i, &invocation.event) || !in_range {
                return None;
            }
            self.fired[i] += 1;
            let fault = &self.faults[i];
            Some((
                Hit {
                    name: fault.name.clone(),
                },
                fault.effect.clone(),
            ))
        })
    }

    /// The faults that make an arriving event arrive again, and how much later.
    pub fn duplicates(&mut self, event: &Event) -> Vec<(Hit, Duration)> {
        let mut hits = Vec::new();
        for i in 0..self.faults.len() {
            if let Effect::Duplicate(after) = self.faults[i].effect
                && self.fits(i, event)
            {
                self.fired[i] += 1;
                hits.push((
                    Hit {
                        name: self.faults[i].name.clone(),
                    },
                    after,
                ));
            }
        }
        hits
    }

    /// The faults that never hit anything: a scenario that relies on one proves nothing.
    pub fn unused(&self) -> Vec<usize> {
        (0..self.faults.len()).filter(|i| self.fired[*i] == 0).collect()
    }

    fn fits(&mut self, i: usize, event: &Event) -> bool {
        let fault = &self.faults[i];
        let fits = fault.function.as_ref().is_none_or(|f| *f == event.to)
            && fault.source.as_ref().is_none_or(|s| *s == event.origin)
            && fault
                .route
                .as_ref()
                .is_none_or(|r| Some(r) == event.route.as_ref())
            && fault.event.as_ref().is_none_or(|expected| {
                let actual = serde_json::from_slice(&event.payload).unwrap_or_default();
                matcher::matches(expected, &actual).is_ok()
            });
        if !fits {
            return false;
        }
        let Some(nth) = fault.nth else { return true };
        let seen = &mut self.seen[i];
        let next = u32::try_from(seen.len()).unwrap_or(u32::MAX).saturating_add(1);
        *seen.entry(event.name.clone()).or_insert(next) == nth
    }
}
