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
        let hits = self.hits(&invocation.event, Some(invocation.attempt.number));
        let i = *hits.first()?;
        self.fired[i] += 1;
        let fault = &self.faults[i];
        Some((fault.hit(), fault.effect.clone()))
    }

    /// The faults that make an arriving event arrive again, and how much later.
    pub fn duplicates(&mut self, event: &Event) -> Vec<(Hit, Duration)> {
        let mut found = Vec::new();
        for i in self.hits(event, None) {
            if let Effect::Duplicate(after) = self.faults[i].effect {
                self.fired[i] += 1;
                found.push((self.faults[i].hit(), after));
            }
        }
        found
    }

    /// The faults that never hit anything: a scenario that relies on one proves nothing.
    pub fn unused(&self) -> Vec<usize> {
        (0..self.faults.len()).filter(|i| self.fired[*i] == 0).collect()
    }

    /// The faults that hit an arriving event (`None`) or one of its attempts. Each numbers the event first,
    /// whichever of them strikes then: what one fault does must not change what another counts.
    fn hits(&mut self, event: &Event, attempt: Option<u32>) -> Vec<usize> {
        let mut hits = Vec::new();
        for (i, (fault, seen)) in self.faults.iter().zip(&mut self.seen).enumerate() {
            let at_arrival = matches!(fault.effect, Effect::Duplicate(_));
            if at_arrival != attempt.is_none() || !fault.fits(event) {
                continue;
            }
            let next = u32::try_from(seen.len()).unwrap_or(u32::MAX).saturating_add(1);
            let counted = fault
                .nth
                .is_none_or(|nth| *seen.entry(event.name.clone()).or_insert(next) == nth);
            let wanted = |number| {
                fault
                    .attempts
                    .as_ref()
                    .is_none_or(|range| range.contains(&number))
            };
            if counted && attempt.is_none_or(wanted) {
                hits.push(i);
            }
        }
        hits
    }
}

impl Fault {
    /// Whether an event is of the kind that the fault is about, whatever its number.
    fn fits(&self, event: &Event) -> bool {
        self.function.as_ref().is_none_or(|f| *f == event.to)
            && self.source.as_ref().is_none_or(|s| *s == event.origin)
            && self
                .route
                .as_ref()
                .is_none_or(|r| Some(r) == event.route.as_ref())
            && self.event.as_ref().is_none_or(|expected| {
                let actual = serde_json::from_slice(&event.payload).unwrap_or_default();
                matcher::matches(expected, &actual).is_ok()
            })
    }

    fn hit(&self) -> Hit {
        Hit {
            name: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use router::event::{AttemptId, Lane};
    use router::name::Seed;
    use router::time::Timestamp;

    use super::*;

    fn fault(name: &str, nth: u32, effect: Effect) -> Fault {
        Fault {
            name: name.to_owned(),
            function: None,
            source: None,
            route: None,
            event: None,
            nth: Some(nth),
            attempts: None,
            effect,
        }
    }

    fn event(n: u32) -> Event {
        Event {
            name: Name::new(format!("evt:{n}")),
            id: Seed(0).request_id("x"),
            origin: SourceName::new("uploads"),
            route: None,
            subject: String::new(),
            to: FunctionName::new("f"),
            qualifier: None,
            lane: Lane::Queue,
            call: None,
            payload: Payload::from_static(b"{}"),
        }
    }

    fn attempt(event: Event, number: u32) -> Invocation {
        Invocation {
            name: Name::new(format!("inv:f/{}#{number}", event.name.path())),
            attempt: AttemptId { delivery: 1, number },
            event: event.into(),
            version: router::name::Version::Latest,
            accepted: Timestamp::VIRTUAL_START,
        }
    }

    #[test]
    fn each_fault_counts_every_event_whichever_strikes() {
        let struck = |nths: [u32; 2], events: u32| -> Vec<Option<String>> {
            let [first, second] = nths;
            let mut faults = Faults::new(vec![
                fault("a", first, Effect::Throttle),
                fault("b", second, Effect::Throttle),
            ]);
            (1..=events)
                .map(|n| Some(faults.on_attempt(&attempt(event(n), 1))?.0.name))
                .collect()
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(struck([1, 2], 3), [some("a"), some("b"), None]);
        assert_eq!(struck([2, 1], 3), [some("b"), some("a"), None]);
        assert_eq!(struck([1, 1], 2), [some("a"), None], "the first of two strikes");
    }

    #[test]
    fn an_event_keeps_its_number_in_later_attempts() {
        let mut late = fault("a", 1, Effect::Throttle);
        late.attempts = Some(2..=2);
        let mut faults = Faults::new(vec![late, fault("b", 2, Effect::Throttle)]);
        let mut names = |n, number| Some(faults.on_attempt(&attempt(event(n), number))?.0.name);
        assert_eq!(names(1, 1), None);
        assert_eq!(names(2, 1), Some("b".to_owned()));
        assert_eq!(names(1, 2), Some("a".to_owned()));
        assert_eq!(faults.unused(), Vec::<usize>::new());
    }

    #[test]
    fn duplicates_count_arrivals_apart_from_attempts() {
        let mut faults = Faults::new(vec![
            fault("a", 2, Effect::Duplicate(Duration::ZERO)),
            fault("b", 2, Effect::Throttle),
        ]);
        let mut copies = |n| faults.duplicates(&event(n)).len();
        assert_eq!([copies(1), copies(2), copies(3)], [0, 1, 0]);
        assert!(faults.on_attempt(&attempt(event(1), 1)).is_none());
        assert!(faults.on_attempt(&attempt(event(2), 1)).is_some());
    }
}
