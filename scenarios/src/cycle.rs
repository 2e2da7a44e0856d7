//! Names cycles: handlers that feed their own source, and destinations that lead back to where they began.
//!
//! A reader of the journal. Live, nobody tells who wrote a file, but a cycle has a mark: event after event of a source
//! arrives while its function handles the one before, or just after, and never two at a time; functions that a record
//! of the event goes on to count as handling it. So many in a row are hardly anything else; still it is a question, not
//! an error (spec/sources/s3 §5: "detect and warn, do not block"). A chain of destinations is no guess: the router ends
//! it as Lambda does, and here it is named. A scenario asks nothing, it has `limits: { events: … }`, and [`path`] says
//! what led to so many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use router::destination::{MAX_HOPS, first_of_chain, sender};
use router::journal::{Entry, Line, Recorder};
use router::name::{FunctionName, Name, SourceName};
use router::time::Timestamp;

/// Events in a row before the question is asked.
const IN_A_ROW: u32 = 200;
/// An event this soon after the end of the one before may still be its work.
const JUST_AFTER: Duration = Duration::from_millis(20);

type Hop = (SourceName, FunctionName);

/// Watches what follows from each event.
#[derive(Debug, Default)]
pub struct CycleWatch {
    rows: BTreeMap<Hop, Row>,
    /// By the path of their first event: what is open, and what has ended but may be carried on.
    chains: BTreeMap<String, Chain>,
    /// Chains that ended at the time of the last entry: a destination carries them on at the same time or never.
    ended: (Timestamp, Vec<String>),
    asked: BTreeSet<Vec<String>>,
}

/// The events of one source for one function, one after the other.
#[derive(Debug, Default)]
struct Row {
    open: u32,
    ended: Option<Timestamp>,
    length: u32,
    /// The functions that the last event went through.
    through: Vec<FunctionName>,
}

/// An event and those that carry its record on.
#[derive(Debug)]
struct Chain {
    /// Where it began, if a source did.
    hop: Option<Hop>,
    functions: Vec<FunctionName>,
    open: bool,
}

/// What looks like a cycle.
#[derive(Debug, PartialEq, Eq)]
enum Suspicion {
    /// A source, and the functions its events go through.
    Fed(Vec<String>),
    /// Functions whose destinations lead in a circle.
    Circle(Vec<String>),
}

impl CycleWatch {
    /// Takes an entry in; answers what has just become suspicious, once.
    fn suspect(&mut self, t: Timestamp, entry: &Entry) -> Option<Suspicion> {
        let suspicion = match entry {
            Entry::Evt {
                name,
                origin,
                subject,
                to,
                route,
                ..
            } => {
                self.forget(t);
                if sender(origin, subject).is_some() {
                    self.carried_on(name, to)
                } else {
                    let hop = route.as_ref().map(|_| (origin.clone(), to.clone()));
                    self.began(t, name, hop, to)
                }
            }
            Entry::Done { event, .. } => {
                self.done(t, event);
                None
            }
            _ => None,
        }?;
        let (Suspicion::Fed(path) | Suspicion::Circle(path)) = &suspicion;
        self.asked.insert(path.clone()).then_some(suspicion)
    }

    fn began(&mut self, t: Timestamp, name: &Name, hop: Option<Hop>, to: &FunctionName) -> Option<Suspicion> {
        let chain = Chain {
            hop: hop.clone(),
            functions: vec![to.clone()],
            open: true,
        };
        self.chains.insert(name.path().to_owned(), chain);
        let (source, function) = hop?;
        let row = self.rows.entry((source.clone(), function)).or_default();
        let just_after = row.ended.is_some_and(|ended| t.since(ended) <= JUST_AFTER);
        let alone = row.open == 1 || (row.open == 0 && just_after);
        row.length = if alone { row.length + 1 } else { 0 };
        row.open += 1;
        let through = std::mem::replace(&mut row.through, vec![to.clone()]);
        let path = std::iter::once(source.to_string()).chain(through.iter().map(FunctionName::to_string));
        (row.length >= IN_A_ROW).then(|| Suspicion::Fed(path.collect()))
    }

    fn carried_on(&mut self, name: &Name, to: &FunctionName) -> Option<Suspicion> {
        let chain = self.chains.get_mut(first_of_chain(name))?;
        chain.functions.push(to.clone());
        chain.open = true;
        if let Some(row) = chain.hop.as_ref().and_then(|hop| self.rows.get_mut(hop)) {
            row.open += 1;
            row.through.clone_from(&chain.functions);
        }
        let last = chain.functions.len() > usize::try_from(MAX_HOPS).unwrap_or(usize::MAX);
        last.then(|| Suspicion::Circle(circle(&chain.functions)))
    }

    fn done(&mut self, t: Timestamp, event: &Name) {
        self.forget(t);
        let first = match self.chains.contains_key(event.path()) {
            true => event.path(),
            false => first_of_chain(event),
        };
        let Some(chain) = self.chains.get_mut(first) else {
            return;
        };
        chain.open = false;
        if let Some(row) = chain.hop.as_ref().and_then(|hop| self.rows.get_mut(hop)) {
            row.open = row.open.saturating_sub(1);
            row.ended = Some(t);
        }
        self.ended.1.push(first.to_owned());
    }

    /// Forgets the chains that ended before `t`.
    fn forget(&mut self, t: Timestamp) {
        if self.ended.0 == t {
            return;
        }
        self.ended.0 = t;
        for first in self.ended.1.drain(..) {
            if self.chains.get(&first).is_some_and(|chain| !chain.open) {
                self.chains.remove(&first);
            }
        }
    }
}

/// The part of a chain from a function to where it comes again.
fn circle(functions: &[FunctionName]) -> Vec<String> {
    let Some((last, before)) = functions.split_last() else {
        return Vec::new();
    };
    let from = before.iter().rposition(|function| function == last).unwrap_or(0);
    functions[from..].iter().map(FunctionName::to_string).collect()
}

/// The hops that lead from an event back to one like it, `uploads → f → g`, if a handler or a destination caused the last
/// one; for a run in virtual time, where a name tells its cause.
pub fn path(lines: &[Line]) -> Option<String> {
    let mut hops: Vec<(String, &FunctionName, bool)> = Vec::new();
    for line in lines.iter().rev() {
        let Entry::Evt {
            name,
            origin,
            subject,
            to,
            ..
        } = &line.entry
        else {
            continue;
        };
        let sender = sender(origin, subject);
        if hops.is_empty() && sender.is_none() && by_a_step(lines, name) {
            return None;
        }
        let hop = (sender.unwrap_or(origin.as_str()).to_owned(), to, sender.is_some());
        if hops.contains(&hop) {
            break;
        }
        hops.push(hop);
    }
    let mut path = Vec::new();
    for (from, to, carried) in hops.iter().rev() {
        // A record goes on from the function before it.
        if !carried || path.last() != Some(from) {
            path.push(from.clone());
        }
        path.push(to.to_string());
    }
    (!path.is_empty()).then(|| path.join(" → "))
}

fn by_a_step(lines: &[Line], event: &Name) -> bool {
    lines.iter().any(|line| match &line.entry {
        Entry::Step { name, .. } => {
            let below = event.path().strip_prefix(name.path());
            below.is_some_and(|rest| rest.starts_with('/'))
        }
        _ => false,
    })
}

impl Recorder for CycleWatch {
    fn record(&mut self, line: &Line, _json: &[u8]) {
        match self.suspect(line.t, &line.entry) {
            Some(Suspicion::Fed(path)) => {
                let (cycle, source) = (path.join(" → "), &path[0]);
                let last = path.last().unwrap_or(source);
                tracing::warn!(
                    "does {last} write to {source}, its own trigger? {IN_A_ROW} events in a row came while it handled the \
                     one before: cycle {cycle} → {source}; write to another bucket or prefix"
                );
            }
            Some(Suspicion::Circle(path)) => {
                let cycle = path.join(" → ");
                tracing::warn!(
                    "destinations lead in a circle: {cycle}; a chain ends after {MAX_HOPS} of them, as on AWS: send one \
                     to a sink or another function"
                );
            }
            None => {}
        }
    }
}

#[cfg(test)]
#[path = "cycle_tests.rs"]
mod tests;
