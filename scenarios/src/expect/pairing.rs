//! Which event each expected invocation speaks of.
//!
//! Owns the pairing alone. In order, each expectation speaks of the next event of its function. In any order, the
//! expectations of a function share its events so that as many as possible hold, by a real matching: taking the first
//! that fits may leave nothing for the next. Deliberately absent: what is wrong with a pair.

use serde_json::Value as Json;

use super::invocations::judge_details;
use super::model::{Expect, Invocation};
use super::seen::{Seen, SeenEvent};
use crate::matcher::{self, unordered};

/// Events and the expectations that speak of them.
pub(super) struct Pairing {
    /// For each event the expectation that took it.
    taken: Vec<Option<usize>>,
    /// For an expectation that found no event, one that may have been meant.
    instead: Vec<Option<usize>>,
}

impl Pairing {
    fn new(expect: &Expect, seen: &Seen<'_>) -> Self {
        Pairing {
            taken: vec![None; seen.events.len()],
            instead: vec![None; expect.invocations.len()],
        }
    }

    /// The events that an expectation took, in their order.
    pub fn events_of(&self, expectation: usize) -> impl Iterator<Item = usize> {
        let taken = self.taken.iter().enumerate();
        taken
            .filter(move |(e, by)| **by == Some(expectation) && self.instead[expectation] != Some(*e))
            .map(|(e, _)| e)
    }

    /// The expectation that speaks of an event and holds for its document.
    pub fn expectation_of(&self, event: usize) -> Option<usize> {
        self.taken[event].filter(|i| self.instead[*i] != Some(event))
    }

    /// The event that was there where another was expected.
    pub fn instead_of(&self, expectation: usize) -> Option<usize> {
        self.instead[expectation]
    }

    /// Whether some expectation speaks of an event.
    pub fn is_taken(&self, event: usize) -> bool {
        self.taken[event].is_some()
    }

    fn free<'s>(&'s self, seen: &'s Seen<'_>, expected: &'s Invocation) -> impl Iterator<Item = usize> + 's {
        let of_function = |e: &usize| seen.events[*e].function == expected.function.value;
        (0..seen.events.len())
            .filter(of_function)
            .filter(|e| !self.is_taken(*e))
    }

    /// An expectation takes every free event that fits, if it counts; else it names one that was there instead.
    fn rest(&mut self, i: usize, expected: &Invocation, seen: &Seen<'_>) {
        let free: Vec<usize> = self.free(seen, expected).collect();
        if expected.times.is_some() {
            let fitting = free.into_iter().filter(|e| fits(expected, &seen.events[*e]));
            fitting.for_each(|e| self.taken[e] = Some(i));
        } else if let Some(first) = free.first() {
            self.taken[*first] = Some(i);
            self.instead[i] = Some(*first);
        }
    }
}

/// Each expectation takes the next event of its function; one with `times` every event that fits.
pub(super) fn in_order(expect: &Expect, seen: &Seen<'_>) -> Pairing {
    let mut pairing = Pairing::new(expect, seen);
    for (i, expected) in expect.invocations.iter().enumerate() {
        let next = pairing.free(seen, expected).next();
        match next.filter(|e| expected.times.is_none() && fits(expected, &seen.events[*e])) {
            Some(next) => pairing.taken[next] = Some(i),
            None => pairing.rest(i, expected, seen),
        }
    }
    pairing
}

/// The expectations share the events: first so that everything holds that they say, then so that at least the documents
/// fit, which tells best what is wrong. One with `times` has as many places as it needs, and takes what is left.
pub(super) fn in_any_order(expect: &Expect, seen: &Seen<'_>) -> Pairing {
    let mut pairing = Pairing::new(expect, seen);
    let places: Vec<usize> = expect
        .invocations
        .iter()
        .enumerate()
        .flat_map(|(i, expected)| std::iter::repeat_n(i, least(expected, seen)))
        .collect();
    let whole = |expected: &Invocation, event: &SeenEvent<'_>| {
        let mut wrong = Vec::new();
        judge_details(expect, expected, event, &mut wrong);
        wrong.is_empty()
    };
    let open = share(&mut pairing, expect, seen, &places, &whole);
    let open = share(&mut pairing, expect, seen, &open, &|_, _| true);
    for (i, expected) in expect.invocations.iter().enumerate() {
        if expected.times.is_some() || open.contains(&i) {
            pairing.rest(i, expected, seen);
        }
    }
    pairing
}

/// Gives each place an event that fits; answers the places that have none.
fn share(
    pairing: &mut Pairing,
    expect: &Expect,
    seen: &Seen<'_>,
    places: &[usize],
    holds: &dyn Fn(&Invocation, &SeenEvent<'_>) -> bool,
) -> Vec<usize> {
    let candidates = |i: &usize| -> Vec<usize> {
        let expected = &expect.invocations[*i];
        let event = |e: &usize| &seen.events[*e];
        pairing
            .free(seen, expected)
            .filter(|e| fits(expected, event(e)) && holds(expected, event(e)))
            .collect()
    };
    let fitting: Vec<Vec<usize>> = places.iter().map(candidates).collect();
    let mut open = Vec::new();
    for (i, event) in places.iter().zip(unordered::assign(&fitting, seen.events.len())) {
        match event {
            Some(event) => pairing.taken[event] = Some(*i),
            None => open.push(*i),
        }
    }
    open
}

/// How many events an expectation needs at least; none if no number of them would do.
fn least(expected: &Invocation, seen: &Seen<'_>) -> usize {
    let Some(times) = &expected.times else { return 1 };
    let enough = |n: &usize| matcher::matches(times, &Json::from(*n)).is_ok();
    (0..=seen.events.len()).find(enough).unwrap_or(0)
}

/// Whether the document is the one that is expected.
fn fits(expected: &Invocation, event: &SeenEvent<'_>) -> bool {
    let event = |node| matcher::matches(node, &event.body).is_ok();
    expected.event.as_ref().is_none_or(event)
}
