//! The loop without a world: what it does at its end, when it is full, and what it tells sources when.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use router::arrivals::Arrivals;
use router::event::{AttemptId, Event, Invocation, Lane, Observation, Outcome, Payload, Receipt, ReplyId};
use router::fabric::{Clock, Fabric, Hands, Heard, Inbox, Turn, WaitFor, Wake};
use router::journal::{Entry, Journal, Line, Recorder};
use router::name::{FunctionName, Name, Seed, SourceName, Version};
use router::router::{Input, Router};
use router::settings::{Function, Settings};
use router::time::Timestamp;

/// Time moves with every look at it; when there is nothing to take, the run ends.
#[derive(Default)]
struct Ticking(Cell<u64>);

impl Clock<AttemptId> for Ticking {
    /// No two readings are alike, as on a system's clock.
    fn now(&self) -> Timestamp {
        self.0.set(self.0.get() + 1);
        Timestamp::VIRTUAL_START + Duration::from_nanos(self.0.get())
    }

    fn wait(&mut self, inbox: &Inbox<AttemptId>, what: WaitFor, rest: &mut dyn FnMut()) -> Wake<AttemptId> {
        inbox.take(what.accepting).unwrap_or_else(|| {
            rest();
            Wake::Stop
        })
    }
}

/// What was done, in order: entries that reached the recorder, and what hands were told.
type Story = Rc<RefCell<Vec<String>>>;

/// News says which attempt succeeded.
struct Told {
    story: Story,
    heard: VecDeque<Heard>,
    over: Vec<Receipt>,
}

impl Hands for Told {
    type News = AttemptId;

    fn invoke(&mut self, _now: Timestamp, invocation: Invocation) {
        self.story
            .borrow_mut()
            .push(format!("runs {}", invocation.event.name));
    }

    fn reply(&mut self, to: ReplyId, outcome: Outcome, _version: Option<Version>) {
        let how = outcome.result.is_ok();
        self.story.borrow_mut().push(format!("tells {} {how}", to.0));
    }

    fn settle(&mut self, _source: SourceName, receipt: Receipt) {
        self.over.push(receipt);
    }

    fn rest(&mut self) {
        for Receipt(number) in self.over.drain(..) {
            self.story.borrow_mut().push(format!("settles {number}"));
        }
    }

    fn hear(&mut self, now: Timestamp, attempt: AttemptId) {
        let outcome = Outcome {
            result: Ok(Payload::new()),
            duration: Duration::ZERO,
            log: Payload::new(),
        };
        let input = Input::Finished {
            attempt,
            outcome,
            ran: None,
        };
        self.heard.push_back(Heard::Input(now, input));
    }

    fn poll_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    fn busy(&self) -> bool {
        true
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}
}

/// Keeps `evt` and `done` entries; a recorder may live on another thread.
struct Pen(Arc<Mutex<Vec<String>>>);

impl Recorder for Pen {
    fn record(&mut self, line: &Line, _json: &[u8]) {
        let text = match &line.entry {
            Entry::Evt { name, .. } => format!("accepts {name}"),
            Entry::Done { event, how, .. } => format!("ends {event} {how}"),
            _ => return,
        };
        if let Ok(mut lines) = self.0.lock() {
            lines.push(text);
        }
    }
}

struct World {
    fabric: Fabric<Ticking, Told>,
    arrivals: Arrivals,
    news: Sender<AttemptId>,
    story: Story,
    journal: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(slots: u32) -> World {
        let settings = Settings {
            functions: BTreeMap::from([(FunctionName::new("f"), Function::default())]),
            concurrency: 1000,
            slots: Some(slots),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        };
        let arrivals = Arrivals::new(100, 1000);
        let (news, hear) = unbounded();
        let inbox = Inbox {
            arrivals: arrivals.clone(),
            news: hear,
        };
        let (story, journal) = (Story::default(), Arc::default());
        let hands = Told {
            story: Rc::clone(&story),
            heard: VecDeque::new(),
            over: Vec::new(),
        };
        let recorder = Box::new(Pen(Arc::clone(&journal)));
        let router = Router::new(settings, Seed(0));
        let fabric = Fabric::new(
            Ticking::default(),
            router,
            hands,
            Journal::new(vec![recorder]),
            inbox,
        );
        World {
            fabric,
            arrivals,
            news,
            story,
            journal,
        }
    }

    fn send(&self, input: Input) -> bool {
        self.arrivals.try_send(input).is_ok()
    }

    /// Turns until there is nothing to take.
    fn run(&mut self) {
        while self.fabric.turn(None) != Turn::Stopped {}
    }

    fn written(&self) -> Vec<String> {
        self.journal.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    fn told(&self) -> Vec<String> {
        self.story.borrow_mut().drain(..).collect()
    }
}

fn event(name: &str, lane: Lane, payload: &'static [u8]) -> Event {
    Event {
        id: Seed(0).request_id(name),
        name: Name::new(name.to_owned()),
        origin: SourceName::new("t"),
        route: None,
        subject: String::new(),
        to: FunctionName::new("f"),
        qualifier: None,
        lane,
        call: None,
        payload: Payload::from_static(payload),
    }
}

fn queued(name: &str) -> Input {
    Input::Invoked(event(name, Lane::Queue, b"{}"))
}

fn observed(receipt: u64, name: &str) -> Input {
    Input::Observed(Observation {
        source: SourceName::new("t"),
        receipt: Receipt(receipt),
        kind: String::new(),
        subject: String::new(),
        events: vec![event(name, Lane::Queue, b"{}")],
        refused: Vec::new(),
    })
}

fn first(delivery: u64) -> AttemptId {
    AttemptId { delivery, number: 1 }
}

#[test]
fn what_was_let_in_before_the_stop_stands_in_the_journal_and_never_starts() {
    let mut world = World::new(8);
    assert!(world.send(queued("evt:1")));
    world.run();
    assert!(world.send(queued("evt:2")));
    assert!(world.send(Input::Invoked(event("evt:3", Lane::Reply(ReplyId(3)), b"{}"))));
    assert!(world.send(observed(4, "evt:4")));
    world.fabric.stop();
    assert!(!world.send(queued("evt:5")), "nothing more is let in");
    world.fabric.flush();
    assert_eq!(
        world.written(),
        [
            "accepts evt:1",
            "accepts evt:2",
            "accepts evt:3",
            "accepts evt:4",
            "ends evt:1 stopped",
            "ends evt:2 stopped",
            "ends evt:3 stopped",
            "ends evt:4 stopped",
        ]
    );
    assert_eq!(world.told(), ["runs evt:1", "tells 3 false"], "and 4 is not over");
    assert_eq!(world.fabric.open(), 0);
}

#[test]
fn what_has_ended_by_the_stop_has_ended() {
    let mut world = World::new(1);
    assert!(world.send(observed(1, "evt:1")) && world.send(observed(2, "evt:2")));
    world.run();
    assert!(world.news.send(first(0)).is_ok());
    world.fabric.stop();
    world.fabric.flush();
    let ends: Vec<_> = world
        .written()
        .into_iter()
        .filter(|line| line.starts_with("ends"))
        .collect();
    assert_eq!(ends, ["ends evt:1 success", "ends evt:2 stopped"]);
    assert_eq!(
        world.told(),
        ["runs evt:1", "settles 1"],
        "its place starts nothing"
    );
}

#[test]
fn a_source_hears_that_something_is_over_when_the_journal_has_it() {
    let mut world = World::new(8);
    assert!(world.send(observed(1, "evt:1")));
    world.run();
    assert!(world.news.send(first(0)).is_ok());
    assert_eq!(world.fabric.turn(None), Turn::Worked);
    assert_eq!(world.fabric.turn(None), Turn::Worked);
    assert_eq!(world.fabric.turn(None), Turn::Worked);
    assert_eq!(world.told(), ["runs evt:1"]);
    assert_eq!(world.written(), ["accepts evt:1"]);
    world.run();
    assert_eq!(world.told(), ["settles 1"]);
    assert_eq!(world.written(), ["accepts evt:1", "ends evt:1 success"]);
}

#[test]
fn arrivals_wait_while_open_events_hold_too_many_bytes() {
    let mut world = World::new(8);
    world.fabric = world.fabric.holding(10);
    let large = |name| Input::Invoked(event(name, Lane::Queue, b"\"1234567\""));
    assert!(
        ["evt:1", "evt:2", "evt:3"]
            .into_iter()
            .all(|name| world.send(large(name)))
    );
    world.run();
    assert_eq!(
        world.told(),
        ["runs evt:1", "runs evt:2"],
        "the third would be too much"
    );
    assert!(world.news.send(first(0)).is_ok());
    world.run();
    assert_eq!(world.told(), ["runs evt:3"]);
}
