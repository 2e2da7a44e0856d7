//! Campaigns of seeds: the whole fabric in virtual time over scripted outcomes, thousands of events without a process.
//!
//! Everything random is a hash of the seed and a name, so a failing seed is a test. What must hold: every accepted
//! event ends exactly once; no attempt starts past an event's age; a function runs at most `1 + retries` times for it
//! and never more often at once than it may; the ledger balances; the same seed gives the same trace.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use executor::{Heard as Ran, Reactor, Scripted};
use router::arrivals::Arrivals;
use router::event::{
    ErrorKind, Event, Failure, FunctionError, Invocation, Lane, Outcome, Payload, Receipt, ReplyId,
};
use router::fabric::{Fabric, Hands, Heard, Inbox, Turn};
use router::journal::{Entry, Journal, Ledger, Line};
use router::name::{FunctionName, Name, Seed, SinkName, SourceName, Version};
use router::retry::RetryPolicy;
use router::router::{Input, Ran as Where, Router};
use router::settings::{Asynchronous, Destination, Function, Settings, VersionSettings};
use router::time::Timestamp;
use scenarios::clock::VirtualClock;
use scenarios::runs::MemoryRecorder;
use scenarios::stop::Stop;

const SEEDS: u64 = 100;
const EVENTS: u64 = 40;
/// Events arrive within this time.
const WINDOW: u64 = 600_000;

/// Hands that know every outcome at once.
struct ScriptedHands {
    scripted: Scripted,
    heard: VecDeque<Heard>,
    replies: usize,
}

impl Hands for ScriptedHands {
    type News = ();

    fn invoke(&mut self, now: Timestamp, invocation: Invocation) {
        let Ran::Finished {
            attempt,
            outcome,
            environment,
            cold,
            ..
        } = self.scripted.invoke(now, invocation, None)
        else {
            return;
        };
        let ran = environment.map(|environment| Where { environment, cold });
        let at = now + outcome.duration;
        self.heard.push_back(Heard::Input(
            at,
            Input::Finished {
                attempt,
                outcome,
                ran,
            },
        ));
    }

    fn reply(&mut self, _to: ReplyId, _outcome: Outcome, _version: Option<Version>) {
        self.replies += 1;
    }

    fn settle(&mut self, _source: SourceName, _receipt: Receipt) {}

    fn hear(&mut self, _now: Timestamp, (): ()) {}

    fn poll_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    fn busy(&self) -> bool {
        false
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}
}

/// A number below `below` that depends on the seed and the name only.
fn pick(seed: Seed, name: &str, below: u64) -> u64 {
    let bytes = seed.bytes(name);
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ]) % below
}

fn outcome(seed: Seed, invocation: &Invocation) -> Outcome {
    let name = invocation.name.as_str();
    let failed = |kind| {
        Failure::Function(FunctionError {
            kind,
            payload: Payload::from_static(b"{}"),
        })
    };
    let result = match pick(seed, name, 10) {
        0..=4 => Ok(Payload::from_static(b"null")),
        5..=6 => Err(failed(ErrorKind::Error)),
        7 => Err(failed(ErrorKind::Timeout)),
        8 => Err(failed(ErrorKind::Crash)),
        _ => Err(Failure::System("no process".to_owned())),
    };
    let duration = Duration::from_millis(1 + pick(seed, &format!("took:{name}"), 20_000));
    Outcome {
        result,
        duration,
        log: Payload::new(),
    }
}

fn settings(seed: Seed) -> Settings {
    let function = |n: u64, on_failure| {
        let of = |what: &str, below| pick(seed, &format!("{what}:{n}"), below);
        let asynchronous = Asynchronous {
            retry: RetryPolicy {
                retries: u32::try_from(of("retries", 3)).unwrap_or(0),
                max_age: Duration::from_secs(60 + of("age", 300)),
                ..RetryPolicy::default()
            },
            on_success: (of("on success", 2) == 0).then(|| Destination::Sink(SinkName::new("good"))),
            on_failure: Some(on_failure),
        };
        let latest = VersionSettings {
            dead_letter: (of("letters", 2) == 0).then(|| SinkName::new("letters")),
            provisioned: 0,
        };
        let function = Function {
            reserved: (of("is reserved", 2) == 0).then(|| u32::try_from(of("reserved", 3)).unwrap_or(0)),
            ..Function::unversioned(latest, asynchronous)
        };
        (FunctionName::new(format!("f{n}")), function)
    };
    let next = |n: u64| Destination::function(FunctionName::new(format!("f{n}")));
    Settings {
        // A failure of the first goes to the second, of that to the third, and then to a sink.
        functions: [
            function(0, next(1)),
            function(1, next(2)),
            function(2, Destination::Sink(SinkName::new("bad"))),
        ]
        .into(),
        concurrency: 1000,
        slots: (pick(seed, "is slotted", 2) == 0)
            .then(|| 1 + u32::try_from(pick(seed, "slots", 4)).unwrap_or(0)),
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
    }
}

struct Played {
    lines: Vec<Line>,
    ledger: Ledger,
    trace: String,
    replies: usize,
}

fn play(seed: Seed) -> Played {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let hands = ScriptedHands {
        scripted: Scripted::new(Box::new(move |invocation, _| outcome(seed, invocation))),
        heard: VecDeque::new(),
        replies: 0,
    };
    let (_news_in, news) = unbounded();
    let inbox = Inbox {
        arrivals: Arrivals::none(),
        news,
    };
    let watchdog = Instant::now() + Duration::from_secs(600);
    let reactor = Reactor::new().expect("a reactor");
    let clock = VirtualClock::new(Timestamp::VIRTUAL_START, reactor, Stop::never(), watchdog);
    let journal = Journal::new(vec![Box::new(MemoryRecorder::new(Arc::clone(&lines)))]);
    let mut fabric = Fabric::new(clock, Router::new(settings(seed), seed), hands, journal, inbox);
    for n in 0..EVENTS {
        let name = format!("evt:{n}");
        let at = Timestamp::VIRTUAL_START + Duration::from_millis(pick(seed, &format!("at:{n}"), WINDOW));
        let lane = match pick(seed, &format!("lane:{n}"), 4) {
            0 => Lane::Reply(ReplyId(n)),
            _ => Lane::Queue,
        };
        let event = Event {
            id: seed.request_id(&name),
            origin: SourceName::new("simulation"),
            route: None,
            subject: String::new(),
            to: FunctionName::new(format!("f{}", pick(seed, &format!("to:{n}"), 3))),
            qualifier: None,
            lane,
            call: None,
            payload: Payload::from_static(b"{}"),
            name: Name::new(name),
        };
        fabric.schedule(at, Input::Invoked(event));
    }
    while let Some(next) = fabric.next_deadline() {
        while fabric.turn(Some(next)) == Turn::Worked {}
    }
    let (ledger, trace) = (fabric.journal.ledger(), fabric.journal.trace());
    let replies = fabric.hands.replies;
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    Played {
        lines,
        ledger,
        trace,
        replies,
    }
}

/// What the journal says of one event.
#[derive(Default)]
struct Story {
    accepted: Timestamp,
    to: String,
    replied: bool,
    starts: Vec<Timestamp>,
    executions: u32,
    ends: u32,
}

fn check(seed: Seed, played: &Played) {
    let settings = settings(seed);
    let mut stories: BTreeMap<&Name, Story> = BTreeMap::new();
    let mut running: BTreeMap<&FunctionName, u32> = BTreeMap::new();
    for line in &played.lines {
        match &line.entry {
            Entry::Evt { name, to, lane, .. } => {
                let story = stories.entry(name).or_default();
                assert!(story.to.is_empty(), "{seed:?}: {name} was accepted twice");
                (story.accepted, story.to, story.replied) = (line.t, to.to_string(), lane == "reply");
            }
            Entry::Inv { event, function, .. } => {
                stories.entry(event).or_default().starts.push(line.t);
                let now = running.entry(function).or_default();
                *now += 1;
                let most = settings.functions[function].reserved.unwrap_or(1000);
                assert!(
                    *now <= most,
                    "{seed:?}: {now} of {function} at once, {most} reserved"
                );
            }
            Entry::Res {
                event,
                function,
                outcome,
                ..
            } => {
                let ran = !["throttled", "system"].contains(&outcome.as_str());
                stories.entry(event).or_default().executions += u32::from(ran);
                if outcome != "throttled" {
                    *running.entry(function).or_default() -= 1;
                }
            }
            Entry::Done {
                event, executions, ..
            } => {
                let story = stories.entry(event).or_default();
                story.ends += 1;
                assert_eq!(*executions, story.executions, "{seed:?}: {event}");
            }
            _ => {}
        }
    }
    for (name, story) in &stories {
        assert_eq!(story.ends, 1, "{seed:?}: {name} ended {} times", story.ends);
        let retry = &settings.functions[&FunctionName::new(story.to.as_str())]
            .asynchronous("$LATEST")
            .retry;
        let most = if story.replied { 1 } else { 1 + retry.retries };
        assert!(
            story.executions <= most,
            "{seed:?}: {name} ran {} times",
            story.executions
        );
        let oldest = story
            .starts
            .iter()
            .map(|at| at.since(story.accepted))
            .max()
            .unwrap_or_default();
        assert!(
            story.replied || oldest <= retry.max_age,
            "{seed:?}: {name} started after {oldest:?}"
        );
    }
    let Ledger {
        accepted,
        done,
        dead,
        dropped,
        open,
    } = played.ledger;
    assert_eq!(
        (accepted, open),
        (done + dead + dropped, 0),
        "{seed:?}: {:?}",
        played.ledger
    );
    assert_eq!(accepted, stories.len() as u64, "{seed:?}");
    let callers = stories.values().filter(|story| story.replied).count();
    assert_eq!(played.replies, callers, "{seed:?}: every caller is told once");
}

#[test]
fn every_seed_keeps_the_rules_and_its_trace() {
    let mut traces = std::collections::BTreeSet::new();
    for seed in (0..SEEDS).map(Seed) {
        let played = play(seed);
        check(seed, &played);
        assert_eq!(
            play(seed).trace,
            played.trace,
            "{seed:?}: another run, another trace"
        );
        traces.insert(played.trace);
    }
    assert_eq!(traces.len() as u64, SEEDS, "each seed is a history of its own");
}
