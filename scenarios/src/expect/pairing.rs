//! Which event each expected invocation speaks of.
//!
//! Owns the pairing alone. In order, each expectation speaks of the next event of its function, and one with `times` of
//! the next ones in a row. In any order, the expectations of a function share its events so that as many as possible
//! hold, by a real matching: taking the first that fits may leave nothing for the next. Deliberately absent: what is
//! wrong with a pair.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::invocations::judge_one;
use super::model::{Expect, Invocation};
use super::seen::{Seen, SeenEvent};
use crate::matcher::{self, unordered::Matching};
use crate::node::{Node, Value};

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

    /// The events of a function that nobody speaks of.
    fn free<'s>(&'s self, seen: &'s Seen<'_>, expected: &'s Invocation) -> impl Iterator<Item = usize> + 's {
        events_for(expected, seen).filter(|e| !self.is_taken(*e))
    }

    /// How many events that nobody speaks of have the document that is expected.
    pub fn left_for(&self, expected: &Invocation, seen: &Seen<'_>) -> usize {
        self.free(seen, expected)
            .filter(|e| fits(expected, &seen.events[*e]))
            .count()
    }

    /// Names the event that was there instead.
    fn miss(&mut self, i: usize, event: Option<usize>) {
        if let Some(event) = event {
            self.taken[event] = Some(i);
            self.instead[i] = Some(event);
        }
    }

    /// An expectation takes every free event that fits and meets a condition.
    fn take(&mut self, i: usize, expected: &Invocation, seen: &Seen<'_>, holds: Condition<'_>) {
        let left: Vec<usize> = self.free(seen, expected).collect();
        let fitting = left
            .into_iter()
            .filter(|e| fits(expected, &seen.events[*e]) && holds(expected, &seen.events[*e]));
        fitting.for_each(|e| self.taken[e] = Some(i));
    }
}

/// What must hold between an expectation and an event besides its document.
type Condition<'a> = &'a dyn Fn(&Invocation, &SeenEvent<'_>) -> bool;

/// The events of the function that an expectation speaks of.
fn events_for<'s>(expected: &'s Invocation, seen: &'s Seen<'_>) -> impl Iterator<Item = usize> + 's {
    (0..seen.events.len()).filter(|e| seen.events[*e].function == expected.function.value)
}

/// That everything holds that an expectation says.
fn whole(expect: &Expect, expected: &Invocation, event: &SeenEvent<'_>) -> bool {
    let mut wrong = Vec::new();
    judge_one(expect, expected, event, &mut wrong);
    wrong.is_empty()
}

/// Each expectation takes the next event of its function; one with `times` the next ones in a row, as many as leave the
/// others what they need. Preferred is what holds whole and leaves no event, then what tells best what is wrong.
pub(super) fn in_order(expect: &Expect, seen: &Seen<'_>) -> Pairing {
    let mut pairing = Pairing::new(expect, seen);
    let mut by_function: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, expected) in expect.invocations.iter().enumerate() {
        by_function.entry(&expected.function.value).or_default().push(i);
    }
    for lines in by_function.into_values() {
        let counts = lines.iter().any(|i| expect.invocations[*i].times.is_some());
        let meant = |e: &usize| {
            lines
                .iter()
                .any(|i| fits(&expect.invocations[*i], &seen.events[*e]))
        };
        // What is counted is counted past the events that nobody means.
        let events: Vec<usize> = events_for(&expect.invocations[lines[0]], seen)
            .filter(|e| !counts || meant(e))
            .collect();
        let find = |holds: Condition<'_>| {
            let sequence = Sequence {
                expect,
                seen,
                lines: &lines,
                events: &events,
                holds,
            };
            sequence
                .find()
                .map(|numbers| (numbers.iter().sum::<usize>(), numbers))
        };
        let strict = find(&|expected, event| whole(expect, expected, event));
        let found = match strict {
            Some((all, numbers)) if all == events.len() => Some(numbers),
            // What is left must not be what an expectation would have to judge.
            strict => match (strict, find(&|_, _| true)) {
                (Some((n, numbers)), Some((more, _))) if n == more => Some(numbers),
                (_, lenient) => lenient.map(|(_, numbers)| numbers),
            },
        };
        match found {
            Some(numbers) => {
                let mut at = 0;
                for (i, n) in lines.iter().zip(numbers) {
                    for e in &events[at..at + n] {
                        pairing.taken[*e] = Some(*i);
                    }
                    at += n;
                }
            }
            None => one_by_one(&mut pairing, expect, seen, &lines, &events),
        }
        count_rest(&mut pairing, expect, seen, &lines);
    }
    pairing
}

/// A count is of all such events, and speaks of all of them: too many are told, and so is one that is not as each of them
/// must be, wherever they stand.
fn count_rest(pairing: &mut Pairing, expect: &Expect, seen: &Seen<'_>, lines: &[usize]) {
    let counts = |i: &&usize| expect.invocations[**i].times.is_some();
    for &i in lines.iter().filter(counts) {
        let expected = &expect.invocations[i];
        let n = pairing.events_of(i).count() + pairing.left_for(expected, seen);
        if expected.times.as_ref().is_some_and(|times| !is(times, n)) {
            pairing.take(i, expected, seen, &|_, _| true);
        }
    }
    let left: Vec<usize> = pairing.free(seen, &expect.invocations[lines[0]]).collect();
    for e in left {
        let event = &seen.events[e];
        let mut fitting = lines
            .iter()
            .filter(counts)
            .filter(|i| fits(&expect.invocations[**i], event));
        if !fitting
            .clone()
            .any(|i| whole(expect, &expect.invocations[*i], event))
        {
            pairing.taken[e] = fitting.next().copied();
        }
    }
}

/// Where the expectations do not hold in order: each takes what comes next, or says what was there instead.
fn one_by_one(pairing: &mut Pairing, expect: &Expect, seen: &Seen<'_>, lines: &[usize], events: &[usize]) {
    let mut at = 0;
    for &i in lines {
        let expected = &expect.invocations[i];
        let next = &events[at..];
        let fitting = next
            .iter()
            .take_while(|e| fits(expected, &seen.events[**e]))
            .take(Range::of(expected, seen).most)
            .count();
        for e in &next[..fitting] {
            pairing.taken[*e] = Some(i);
        }
        at += fitting;
        if expected.times.is_none() && fitting == 0 {
            pairing.miss(i, next.first().copied());
            at += next.len().min(1);
        }
    }
}

/// A search for how many of a function's events, in order, each of its expectations speaks of.
struct Sequence<'a> {
    expect: &'a Expect,
    seen: &'a Seen<'a>,
    lines: &'a [usize],
    events: &'a [usize],
    holds: Condition<'a>,
}

impl Sequence<'_> {
    /// The numbers of events; as few as possible are left at the end.
    fn find(&self) -> Option<Vec<usize>> {
        // For each expectation where it may start, and how many events from there on hold.
        let mut ways: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut starts = vec![0];
        for line in 0..self.lines.len() {
            let way = self.rows(line, &starts);
            starts = self.ends(line, &way);
            ways.push(way);
        }
        let mut end = starts.pop()?;
        let mut numbers = vec![0; self.lines.len()];
        for (line, way) in ways.iter().enumerate().rev() {
            let allowed = self.allowed(line);
            let reaches = |(start, row): &&(usize, usize)| {
                let n = end.checked_sub(*start);
                n.is_some_and(|n| {
                    n <= *row && allowed.iter().any(|(least, most)| (*least..=*most).contains(&n))
                })
            };
            let (start, _) = way.iter().rev().find(reaches)?;
            numbers[line] = end - start;
            end = *start;
        }
        Some(numbers)
    }

    /// How many events in a row an expectation may take from each place on.
    fn rows(&self, line: usize, starts: &[usize]) -> Vec<(usize, usize)> {
        let expected = &self.expect.invocations[self.lines[line]];
        let last = self.allowed(line).last().map_or(0, |(_, last)| *last);
        let holds = |at: usize| {
            let event = self.events.get(at).map(|e| &self.seen.events[*e]);
            event.is_some_and(|event| fits(expected, event) && (self.holds)(expected, event))
        };
        let mut end = 0;
        let row = |start: &usize| {
            end = end.max(*start);
            while end < start.saturating_add(last) && holds(end) {
                end += 1;
            }
            (*start, end - start)
        };
        starts.iter().map(row).collect()
    }

    /// Where the events of an expectation may end, in order.
    fn ends(&self, line: usize, way: &[(usize, usize)]) -> Vec<usize> {
        let allowed = self.allowed(line);
        let mut changes: BTreeMap<usize, i64> = BTreeMap::new();
        for (start, row) in way {
            for (least, most) in allowed.iter().filter(|(least, _)| least <= row) {
                *changes.entry(start + least).or_default() += 1;
                *changes.entry(start + most.min(row) + 1).or_default() -= 1;
            }
        }
        let mut ends = Vec::new();
        let (mut from, mut open) = (0, 0);
        for (at, change) in changes {
            if open > 0 {
                ends.extend(from..at);
            }
            (from, open) = (at, open + change);
        }
        ends
    }

    fn allowed(&self, line: usize) -> Vec<(usize, usize)> {
        allowed(&self.expect.invocations[self.lines[line]], self.events.len())
    }
}

/// The expectations share the events so that everything holds that they say: each first what it needs, then what else it
/// may have. What is left goes where it tells best what is wrong.
pub(super) fn in_any_order(expect: &Expect, seen: &Seen<'_>) -> Pairing {
    let mut pairing = Pairing::new(expect, seen);
    let whole = |expected: &Invocation, event: &SeenEvent<'_>| whole(expect, expected, event);
    let any = |_: &Invocation, _: &SeenEvent<'_>| true;
    let lines = &expect.invocations;
    let ranges: Vec<Range> = lines.iter().map(|expected| Range::of(expected, seen)).collect();
    let mut fitting = candidates(&pairing, expect, seen, &whole);
    let mut matching = Matching::new(lines.len(), seen.events.len());
    let least: Vec<usize> = ranges.iter().map(|range| range.least).collect();
    matching.fill(&fitting, &least);
    pairing.adopt(&matching);

    // Where something is wrong anyway, a document that fits tells best what.
    let open: Vec<usize> = (0..lines.len()).map(|i| least[i] - matching.count(i)).collect();
    if open.iter().any(|n| *n > 0) {
        let mut wrong = Matching::new(lines.len(), seen.events.len());
        wrong.fill(&candidates(&pairing, expect, seen, &any), &open);
        pairing.adopt(&wrong);
        for events in &mut fitting {
            events.retain(|e| wrong.owner(*e).is_none());
        }
    }

    for more in [|range: &Range| range.most, |range: &Range| range.last] {
        matching.fill(&fitting, &ranges.iter().map(more).collect::<Vec<_>>());
        pairing.adopt(&matching);
    }
    for holds in [&whole as Condition<'_>, &any] {
        for (i, expected) in lines.iter().enumerate() {
            if expected.times.is_some() {
                pairing.take(i, expected, seen, holds);
            }
        }
    }
    for (i, expected) in lines.iter().enumerate() {
        if expected.times.is_none() && pairing.events_of(i).next().is_none() {
            let first = pairing.free(seen, expected).next();
            pairing.miss(i, first);
        }
    }
    pairing
}

/// For each expectation the free events that fit and meet a condition.
fn candidates(pairing: &Pairing, expect: &Expect, seen: &Seen<'_>, holds: Condition<'_>) -> Vec<Vec<usize>> {
    let of = |expected: &Invocation| {
        let event = |e: &usize| &seen.events[*e];
        pairing
            .free(seen, expected)
            .filter(|e| fits(expected, event(e)) && holds(expected, event(e)))
            .collect()
    };
    expect.invocations.iter().map(of).collect()
}

impl Pairing {
    /// Takes over what a matching says.
    fn adopt(&mut self, matching: &Matching) {
        for (e, taken) in self.taken.iter_mut().enumerate() {
            *taken = matching.owner(e).or(*taken);
        }
    }
}

/// How many events an expectation may have.
struct Range {
    /// At least; 0 if no number would do.
    least: usize,
    /// At most, with every number from `least` on.
    most: usize,
    /// At most.
    last: usize,
}

impl Range {
    fn of(expected: &Invocation, seen: &Seen<'_>) -> Self {
        let allowed = allowed(expected, seen.events.len());
        let (least, most) = allowed.first().copied().unwrap_or_default();
        let last = allowed.last().map_or(0, |(_, last)| *last);
        Range { least, most, last }
    }
}

/// The numbers of events that an expectation may have, up to `all`: from and to, in order.
fn allowed(expected: &Invocation, all: usize) -> Vec<(usize, usize)> {
    let Some(times) = &expected.times else {
        return vec![(1, 1)];
    };
    if let Value::Number(number) = &times.value {
        let exactly = number.as_u64().and_then(|n| usize::try_from(n).ok());
        return exactly
            .filter(|n| *n <= all)
            .map(|n| (n, n))
            .into_iter()
            .collect();
    }
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for n in (0..=all).filter(|n| is(times, *n)) {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == n => *to = n,
            _ => ranges.push((n, n)),
        }
    }
    ranges
}

/// Whether a number is one that `times` allows.
pub(super) fn is(times: &Node, n: usize) -> bool {
    matcher::matches(times, &Json::from(n)).is_ok()
}

/// Whether the document is the one that is expected.
fn fits(expected: &Invocation, event: &SeenEvent<'_>) -> bool {
    let event = |node| matcher::matches(node, &event.body).is_ok();
    expected.event.as_ref().is_none_or(event)
}
