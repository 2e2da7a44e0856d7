//! Notices that a live handler seems to feed its own source, and says so once.
//!
//! A reader of the journal. Nobody tells who wrote a file, but a cycle has a mark: event after event of a source
//! arrives while its function handles the one before, or just after, and never two at a time. So many in a row are
//! hardly anything else; still it is a question, not an error (spec/sources/s3 §5: "detect and warn, do not block").
//! A scenario needs no such guess: it has `limits: { events: … }`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use router::journal::{Entry, Line, Recorder};
use router::name::{FunctionName, Name, SourceName};
use router::time::Timestamp;

/// Events in a row before the question is asked.
const IN_A_ROW: u32 = 200;
/// An event this soon after the end of the one before may still be its work.
const JUST_AFTER: Duration = Duration::from_millis(20);

type Hop = (SourceName, FunctionName);

/// Watches the hops from a source to a function.
#[derive(Debug, Default)]
pub struct CycleWatch {
    hops: BTreeMap<Hop, Row>,
    open: BTreeMap<Name, Hop>,
    asked: BTreeSet<Hop>,
}

#[derive(Debug, Default)]
struct Row {
    open: u32,
    ended: Option<Timestamp>,
    length: u32,
}

impl CycleWatch {
    /// Takes an entry in; answers the hop that has just become suspicious.
    fn suspect(&mut self, t: Timestamp, entry: &Entry) -> Option<Hop> {
        match entry {
            Entry::Evt {
                name,
                origin,
                to,
                route: Some(_),
                ..
            } => {
                let hop = (origin.clone(), to.clone());
                self.open.insert(name.clone(), hop.clone());
                let row = self.hops.entry(hop.clone()).or_default();
                let just_after = row.ended.is_some_and(|ended| t.since(ended) <= JUST_AFTER);
                let alone = row.open == 1 || (row.open == 0 && just_after);
                row.length = if alone { row.length + 1 } else { 0 };
                row.open += 1;
                (row.length >= IN_A_ROW && self.asked.insert(hop.clone())).then_some(hop)
            }
            Entry::Done { event, .. } => {
                let row = self.open.remove(event).and_then(|hop| self.hops.get_mut(&hop))?;
                row.open = row.open.saturating_sub(1);
                row.ended = Some(t);
                None
            }
            _ => None,
        }
    }
}

impl Recorder for CycleWatch {
    fn record(&mut self, line: &Line, _json: &[u8]) {
        if let Some((source, function)) = self.suspect(line.t, &line.entry) {
            tracing::warn!(
                "does {function} write to {source}, its own trigger? {IN_A_ROW} events in a row came while it handled \
                 the one before: cycle {source} → {function} → {source}; write to another bucket or prefix"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use router::journal::Body;
    use router::name::{RouteName, Seed};

    fn event(n: u32) -> Entry {
        Entry::Evt {
            name: Name::new(format!("evt:{n}")),
            id: Seed(0).request_id("x"),
            origin: SourceName::new("uploads"),
            route: Some(RouteName::new("r")),
            subject: String::new(),
            to: FunctionName::new("resize"),
            lane: "queue".to_owned(),
            body: Body::string(""),
        }
    }

    fn done(n: u32) -> Entry {
        Entry::Done {
            event: Name::new(format!("evt:{n}")),
            how: "success".to_owned(),
            executions: 1,
            to: "nowhere".to_owned(),
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Plays entries; counts the questions.
    fn questions(entries: impl Iterator<Item = (Timestamp, Entry)>) -> usize {
        let mut watch = CycleWatch::default();
        entries
            .filter(|(t, entry)| watch.suspect(*t, entry).is_some())
            .count()
    }

    #[test]
    fn a_handler_that_feeds_itself_is_asked_about_once() {
        // Each event arrives while the one before runs, or just after its end.
        let during = (0..500_u32).flat_map(|n| {
            let ended = n
                .checked_sub(1)
                .map(|before| (at(u64::from(n) * 10 + 1), done(before)));
            std::iter::once((at(u64::from(n) * 10), event(n))).chain(ended)
        });
        assert_eq!(questions(during), 1);
        let after = (0..500_u32).flat_map(|n| {
            [
                (at(u64::from(n) * 10), event(n)),
                (at(u64::from(n) * 10 + 5), done(n)),
            ]
        });
        assert_eq!(questions(after), 1);
    }

    #[test]
    fn uploads_in_bulk_or_at_leisure_are_no_cycle() {
        let bulk = (0..500)
            .map(|n| (at(1), event(n)))
            .chain((0..500).map(|n| (at(2), done(n))));
        assert_eq!(questions(bulk), 0);
        let leisure = (0..500_u32).flat_map(|n| {
            [
                (at(u64::from(n) * 1000), event(n)),
                (at(u64::from(n) * 1000 + 5), done(n)),
            ]
        });
        assert_eq!(questions(leisure), 0);
    }
}
