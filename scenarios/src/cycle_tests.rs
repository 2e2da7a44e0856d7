use super::*;
use router::destination::follow_up;
use router::event::{Event, Lane, Payload};
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
        qualifier: None,
        lane: "queue".to_owned(),
        body: Body::string(""),
    }
}

/// The record of event `n` for another function, as the router sends it.
fn record(n: u32, hop: u32, from: &str, to: &str) -> Entry {
    let from = Event {
        name: Name::new(if hop == 1 {
            format!("evt:{n}")
        } else {
            format!("evt:{n}/to-{from}")
        }),
        id: Seed(0).request_id("x"),
        origin: SourceName::new("uploads"),
        route: None,
        subject: String::new(),
        to: FunctionName::new(from),
        qualifier: None,
        lane: Lane::Queue,
        call: None,
        payload: Payload::new(),
    };
    let event = follow_up(Seed(0), &from, hop, FunctionName::new(to), Payload::new());
    Entry::Evt {
        name: event.name,
        id: event.id,
        origin: event.origin,
        route: None,
        subject: event.subject,
        to: event.to,
        qualifier: None,
        lane: "queue".to_owned(),
        body: Body::string(""),
    }
}

fn ended(event: &Entry) -> Entry {
    let Entry::Evt { name, .. } = event else {
        panic!("an event")
    };
    Entry::Done {
        event: name.clone(),
        how: "success".to_owned(),
        executions: 1,
        to: "nowhere".to_owned(),
        why: None,
    }
}

fn done(n: u32) -> Entry {
    Entry::Done {
        event: Name::new(format!("evt:{n}")),
        how: "success".to_owned(),
        executions: 1,
        to: "nowhere".to_owned(),
        why: None,
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// Plays entries; gives the questions.
fn asked(entries: impl Iterator<Item = (Timestamp, Entry)>) -> Vec<Suspicion> {
    let mut watch = CycleWatch::default();
    let asked = entries
        .filter_map(|(t, entry)| watch.suspect(t, &entry))
        .collect();
    watch.forget(at(u64::MAX / 2_000_000));
    assert!(watch.chains.is_empty(), "what has ended is forgotten");
    asked
}

fn questions(entries: impl Iterator<Item = (Timestamp, Entry)>) -> usize {
    asked(entries).len()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
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
    let ended = std::iter::once((at(9999), done(499)));
    assert_eq!(
        asked(during.chain(ended)),
        [Suspicion::Fed(words(&["uploads", "resize"]))]
    );
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

#[test]
fn a_cycle_through_a_destination_is_named_however_slow_its_functions() {
    // resize takes 100 ms and hands on to publish, which writes the next upload before it ends.
    let turns = (0..500_u32).flat_map(|n| {
        let t = u64::from(n) * 200;
        let sent = record(n, 1, "resize", "publish");
        let before = n
            .checked_sub(1)
            .map(|n| (at(t + 1), ended(&record(n, 1, "resize", "publish"))));
        let own = [(at(t + 100), done(n)), (at(t + 100), sent)];
        std::iter::once((at(t), event(n))).chain(before).chain(own)
    });
    let last = std::iter::once((at(100_000), ended(&record(499, 1, "resize", "publish"))));
    let expected = Suspicion::Fed(words(&["uploads", "resize", "publish"]));
    assert_eq!(asked(turns.chain(last)), [expected]);
}

#[test]
fn destinations_in_a_circle_are_named_when_they_are_cut() {
    let chain = (1..=MAX_HOPS).flat_map(|hop| {
        let (from, to) = if hop % 2 == 1 {
            ("resize", "again")
        } else {
            ("again", "resize")
        };
        let record = record(0, hop, from, to);
        let end = ended(&record);
        [
            (at(u64::from(hop) * 50), record),
            (at(u64::from(hop) * 50 + 50), end),
        ]
    });
    let first = [(at(0), event(0)), (at(50), done(0))];
    let expected = Suspicion::Circle(words(&["resize", "again", "resize"]));
    assert_eq!(asked(first.into_iter().chain(chain)), [expected]);
}

#[test]
fn the_path_of_a_run_names_destinations() {
    let line = |entry| Line {
        n: 0,
        t: at(0),
        entry,
    };
    let step = Entry::Step {
        name: Name::new("step:0"),
        what: String::new(),
    };
    let lines = |entries: Vec<Entry>| entries.into_iter().map(line).collect::<Vec<_>>();
    let circle = vec![
        step,
        record(0, 1, "a", "b"),
        record(0, 2, "b", "a"),
        record(0, 3, "a", "b"),
    ];
    assert_eq!(path(&lines(circle)).as_deref(), Some("b → a → b"));
    let mixed = vec![event(0), record(0, 1, "resize", "b"), event(1)];
    assert_eq!(
        path(&lines(mixed)).as_deref(),
        Some("resize → b → uploads → resize")
    );
}
