//! The router: a pure state machine that owns every accepted event until it has ended.
//!
//! ```text
//!   Observed / Invoked ──► Due ──► Running ──► settled (Done, records sent, caller told)
//!                           ▲         │
//!                           └ Waiting ◄┘  function error, throttle, system error
//! ```
//!
//! Grammar: any number of [`Router::handle`] and [`Router::handle_timeout`]; after each, call
//! [`Router::poll_action`] until it is empty, then ask [`Router::next_deadline`]. Decisions come out as
//! [`Action`]s in the order in which they were made; nothing is done here. Rules: an event ends, ends once,
//! never starts an attempt past its age, and a late outcome changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capacity::Capacity;
use crate::destination::{self, End, MAX_HOPS};
use crate::event::{
    AttemptId, Event, Failure, Invocation, Lane, Observation, Outcome, Payload, Receipt, ReplyId,
};
use crate::name::{FunctionName, Name, Seed, SinkName, SourceName};
use crate::observed::{Observed, Origin};
use crate::retry::{Condition, History, RetryPolicy, Verdict};
use crate::settings::{Destination, Function, Settings};
use crate::time::Timestamp;

/// What goes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A source saw something.
    Observed(Observation),
    /// Somebody calls a function directly.
    Invoked(Event),
    /// An attempt ended.
    Finished {
        /// Which attempt; one that does not run any more is ignored.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
        /// Where it ran; `None` if it never ran.
        ran: Option<Ran>,
    },
    /// The run is about to end: from here on no attempt starts. What runs may still end, and what was let in is
    /// still accepted.
    Close,
    /// The run ends: whatever is open ends as `stopped`. A source is not told that it is over, so that it may tell of
    /// it again in its next run.
    Stop,
}

impl Input {
    /// The bytes of its payloads, which are what an input weighs.
    pub fn bytes(&self) -> usize {
        match self {
            Input::Observed(observation) => observation.events.iter().map(|e| e.payload.len()).sum(),
            Input::Invoked(event) => event.payload.len(),
            Input::Finished { .. } | Input::Close | Input::Stop => 0,
        }
    }
}

/// Where an attempt ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The environment, `env:<function>/<n>`.
    pub environment: Name,
    /// Whether it was made for this attempt.
    pub cold: bool,
}

/// What comes out.
#[derive(Clone, Debug)]
pub enum Action {
    /// A source's observation was taken in; for the journal.
    Seen(Observation),
    /// An event was accepted; for the journal.
    Accepted(Arc<Event>),
    /// Run an attempt.
    Invoke(Invocation),
    /// An attempt ended; for the journal.
    Ended {
        /// The attempt.
        name: Name,
        /// The event.
        event: Name,
        /// The function.
        function: FunctionName,
        /// How.
        outcome: Outcome,
        /// Where.
        ran: Option<Ran>,
    },
    /// The event waits; for the journal, the router itself keeps the time.
    Wait {
        /// The event.
        event: Name,
        /// Until when.
        due: Timestamp,
        /// Why.
        why: String,
    },
    /// Tell the caller.
    Reply {
        /// Which caller.
        to: ReplyId,
        /// What.
        outcome: Outcome,
    },
    /// Put a record into a sink.
    Send {
        /// Which sink.
        sink: SinkName,
        /// The event it is about.
        event: Name,
        /// The record.
        record: Payload,
    },
    /// The event ended; for the journal.
    Done {
        /// The event.
        event: Name,
        /// `success` or why not.
        how: &'static str,
        /// Times the function ran.
        executions: u32,
        /// Where its record went.
        to: String,
    },
    /// Everything that came of an observation has ended: its events, and those that destinations made of them.
    Settle {
        /// The source.
        source: SourceName,
        /// Its mark.
        receipt: Receipt,
    },
    /// An outcome came too late and changed nothing; for the journal.
    Ignored(AttemptId),
}

#[derive(Debug)]
struct Delivery {
    event: Arc<Event>,
    /// Where it came from; what destinations make of it inherits it.
    from: Cause,
    accepted: Timestamp,
    attempts: u32,
    executions: u32,
    refusals: u32,
    last: Option<Result<Payload, Failure>>,
    state: State,
}

/// What led to an event.
#[derive(Clone, Debug, Default)]
struct Cause {
    /// Destinations, one after the other.
    hops: u32,
    /// The observation at the beginning; `None` for a call.
    origin: Option<Origin>,
}

impl Delivery {
    fn last_bytes(&self) -> usize {
        match &self.last {
            Some(Ok(payload)) => payload.len(),
            Some(Err(Failure::Function(error))) => error.payload.len(),
            _ => 0,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// May start; waits for a slot on this machine.
    Due,
    /// An attempt runs; its number is `attempts`.
    Running,
    /// Waits for its next attempt.
    Waiting { until: Timestamp },
}

/// The state machine.
pub struct Router {
    settings: Settings,
    seed: Seed,
    capacity: Capacity,
    deliveries: BTreeMap<u64, Delivery>,
    next: u64,
    timers: BTreeSet<(Timestamp, u64)>,
    /// May start when this machine has a slot; nobody waits for them.
    due: VecDeque<u64>,
    /// The same, but a caller waits: they go first.
    called: VecDeque<u64>,
    running: u32,
    /// Bytes that the open events hold.
    held: usize,
    /// No attempt starts any more.
    closing: bool,
    /// Which observations are not over.
    observed: Observed,
    /// Records on their way to functions.
    follow_ups: VecDeque<(Event, Cause)>,
    actions: VecDeque<Action>,
}

impl Router {
    /// A router without events.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        Router {
            capacity: Capacity::new(&settings),
            settings,
            seed,
            deliveries: BTreeMap::new(),
            next: 0,
            timers: BTreeSet::new(),
            due: VecDeque::new(),
            called: VecDeque::new(),
            running: 0,
            held: 0,
            closing: false,
            observed: Observed::default(),
            follow_ups: VecDeque::new(),
            actions: VecDeque::new(),
        }
    }

    /// What the router was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Events accepted and not ended.
    pub fn open(&self) -> usize {
        self.deliveries.len()
    }

    /// Bytes that they hold: what arrived, and the last answer of those that wait for another attempt.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes an input in.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Observed(observation) => self.observed(now, observation),
            Input::Invoked(event) => self.accept(now, event, Cause::default()),
            Input::Finished {
                attempt,
                outcome,
                ran,
            } => self.finished(now, attempt, outcome, ran),
            Input::Close => self.closing = true,
            Input::Stop => self.stop(),
        }
        self.start_due(now);
    }

    /// Starts what is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(&(at, id)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            if let Some(delivery) = self.deliveries.get_mut(&id) {
                delivery.state = State::Due;
                self.due.push_back(id);
            }
        }
        self.start_due(now);
    }

    /// The next action, in the order of the decisions.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Router::handle_timeout`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(at, _)| at)
    }

    fn observed(&mut self, now: Timestamp, observation: Observation) {
        self.actions.push_back(Action::Seen(observation.clone()));
        let origin = (observation.source, observation.receipt);
        // Held until all of its events are in, lest the first to end be taken for the last.
        self.observed.hold(&origin);
        for event in observation.events {
            let from = Cause {
                hops: 0,
                origin: Some(origin.clone()),
            };
            self.accept(now, event, from);
        }
        self.release(origin);
    }

    fn release(&mut self, origin: Origin) {
        if self.observed.release(&origin) {
            let (source, receipt) = origin;
            self.actions.push_back(Action::Settle { source, receipt });
        }
    }

    fn accept(&mut self, now: Timestamp, event: Event, from: Cause) {
        let event = Arc::new(event);
        self.held += event.payload.len();
        if let Some(origin) = &from.origin {
            self.observed.hold(origin);
        }
        let id = self.next;
        self.next += 1;
        self.actions.push_back(Action::Accepted(Arc::clone(&event)));
        let refused = match event.lane {
            Lane::Queue | Lane::Reply(_) if self.settings.functions.contains_key(&event.to) => None,
            Lane::Stream(_) => Some("the stream lane is not built yet".to_owned()),
            _ => Some(format!("function {} does not exist", event.to)),
        };
        let delivery = Delivery {
            event,
            from,
            accepted: now,
            attempts: 0,
            executions: 0,
            refusals: 0,
            last: None,
            state: State::Due,
        };
        if let Some(why) = refused {
            return self.refuse(delivery, why);
        }
        let zero = self.function(&delivery.event.to).reserved == Some(0);
        if zero && delivery.event.lane == Lane::Queue {
            return self.give_up(now, delivery, Condition::ZeroReservedConcurrency);
        }
        let queue = match delivery.event.lane {
            Lane::Reply(_) => &mut self.called,
            _ => &mut self.due,
        };
        queue.push_back(id);
        self.deliveries.insert(id, delivery);
    }

    fn start_due(&mut self, now: Timestamp) {
        self.accept_follow_ups(now);
        while !self.closing && self.settings.slots.is_none_or(|slots| self.running < slots) {
            let next = self.called.pop_front().or_else(|| self.due.pop_front());
            let Some(id) = next else { return };
            self.start(now, id);
            self.accept_follow_ups(now);
        }
    }

    /// A record for a function that never runs may end at once and send another; in turn, not one within the other.
    fn accept_follow_ups(&mut self, now: Timestamp) {
        while let Some((event, from)) = self.follow_ups.pop_front() {
            let origin = from.origin.clone();
            self.accept(now, event, from);
            origin.into_iter().for_each(|origin| self.release(origin));
        }
    }

    fn start(&mut self, now: Timestamp, id: u64) {
        if let Some(delivery) = self.take_expired(now, id) {
            return self.give_up(now, delivery, Condition::EventAgeExceeded);
        }
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            return;
        };
        delivery.attempts += 1;
        let invocation = Invocation {
            attempt: AttemptId {
                delivery: id,
                number: delivery.attempts,
            },
            name: Name::new(format!(
                "inv:{}/{}#{}",
                delivery.event.to,
                delivery.event.name.path(),
                delivery.attempts
            )),
            event: delivery.event.clone(),
            accepted: delivery.accepted,
        };
        let admitted = self.capacity.take(&delivery.event.to);
        delivery.state = State::Running;
        match admitted {
            Ok(()) => {
                self.running += 1;
                self.actions.push_back(Action::Invoke(invocation));
            }
            Err(reason) => {
                let result = Err(Failure::Throttled(reason));
                let outcome = Outcome {
                    result,
                    duration: std::time::Duration::ZERO,
                    log: Payload::new(),
                };
                self.actions.push_back(Action::Ended {
                    name: invocation.name,
                    event: delivery.event.name.clone(),
                    function: delivery.event.to.clone(),
                    outcome: outcome.clone(),
                    ran: None,
                });
                self.judge(now, id, outcome);
            }
        }
    }

    /// Takes out an event that grew too old while it waited for a slot; retries look ahead and never do.
    fn take_expired(&mut self, now: Timestamp, id: u64) -> Option<Delivery> {
        let delivery = self.deliveries.get(&id).filter(|d| d.event.lane == Lane::Queue)?;
        let max_age = self.function(&delivery.event.to).retry.max_age;
        if now.since(delivery.accepted) <= max_age {
            return None;
        }
        self.deliveries.remove(&id)
    }

    fn finished(&mut self, now: Timestamp, attempt: AttemptId, outcome: Outcome, ran: Option<Ran>) {
        let current = self.deliveries.get(&attempt.delivery);
        let fits = |d: &&Delivery| d.state == State::Running && d.attempts == attempt.number;
        let Some(delivery) = current.filter(fits) else {
            self.actions.push_back(Action::Ignored(attempt));
            return;
        };
        let (event, function) = (delivery.event.name.clone(), delivery.event.to.clone());
        self.capacity.give_back(&function);
        self.running -= 1;
        let name = Name::new(format!("inv:{function}/{}#{}", event.path(), attempt.number));
        self.actions.push_back(Action::Ended {
            name,
            event,
            function,
            outcome: outcome.clone(),
            ran,
        });
        self.judge(now, attempt.delivery, outcome);
    }

    /// Decides what an outcome means for its delivery, which is taken out and put back if it goes on.
    fn judge(&mut self, now: Timestamp, id: u64, outcome: Outcome) {
        let Some(mut delivery) = self.deliveries.remove(&id) else {
            return;
        };
        self.held -= delivery.last_bytes();
        match &outcome.result {
            Ok(_) | Err(Failure::Function(_)) => {
                delivery.executions += 1;
                delivery.refusals = 0;
                delivery.last = Some(outcome.result.clone());
            }
            Err(_) => {
                delivery.refusals += 1;
                if delivery.executions == 0 {
                    delivery.last = Some(outcome.result.clone());
                }
            }
        }
        self.held += delivery.last_bytes();
        if let Lane::Reply(to) = delivery.event.lane {
            let how = if outcome.result.is_ok() {
                "success"
            } else {
                "failed"
            };
            self.actions.push_back(Action::Reply { to, outcome });
            return self.done(&delivery, how, "caller".to_owned());
        }
        let failure = match outcome.result {
            Ok(_) => return self.succeed(now, delivery),
            Err(failure) => failure,
        };
        let policy = self.function(&delivery.event.to).retry.clone();
        let history = History {
            accepted: delivery.accepted,
            executions: delivery.executions,
            refusals: delivery.refusals,
        };
        match policy.after(history, &failure, now) {
            Verdict::RetryAt(due) => {
                let why = waiting_because(&policy, history, &failure);
                self.actions.push_back(Action::Wait {
                    event: delivery.event.name.clone(),
                    due,
                    why,
                });
                delivery.state = State::Waiting { until: due };
                self.timers.insert((due, id));
                self.deliveries.insert(id, delivery);
            }
            Verdict::GiveUp(condition) => self.give_up(now, delivery, condition),
        }
    }

    fn succeed(&mut self, now: Timestamp, delivery: Delivery) {
        let destination = self.function(&delivery.event.to).on_success.clone();
        let mut to = destination
            .as_ref()
            .map_or_else(|| "nowhere".to_owned(), Destination::to_string);
        if let Some(destination) = destination {
            let record = destination::record(&self.end(now, &delivery, "Success"));
            if !self.send(&delivery, destination, record) {
                to = "nowhere".to_owned();
            }
        }
        self.done(&delivery, "success", to);
    }

    fn give_up(&mut self, now: Timestamp, delivery: Delivery, condition: Condition) {
        let function = self.function(&delivery.event.to);
        let (destination, dead_letter) = (function.on_failure.clone(), function.dead_letter.clone());
        let mut to: Vec<String> = Vec::new();
        if let Some(sink) = dead_letter {
            to.push(sink.to_string());
            let record = destination::dead_letter(&self.end(now, &delivery, condition.as_str()));
            self.send(&delivery, Destination::Sink(sink), record);
        }
        if let Some(destination) = destination {
            let name = destination.to_string();
            let record = destination::record(&self.end(now, &delivery, condition.as_str()));
            if self.send(&delivery, destination, record) {
                to.push(name);
            }
        }
        let to = if to.is_empty() {
            "nowhere".to_owned()
        } else {
            to.join(", ")
        };
        self.done(&delivery, condition.as_str(), to);
    }

    /// Sends a record: into a sink, or as a new asynchronous event of another function. A chain of too many
    /// functions is a loop and ends, as Lambda ends it (spec/lambda §11); `false` then.
    fn send(&mut self, delivery: &Delivery, to: Destination, record: Payload) -> bool {
        match to {
            Destination::Sink(sink) => {
                let event = delivery.event.name.clone();
                self.actions.push_back(Action::Send { sink, event, record });
            }
            Destination::Function(_) if delivery.from.hops >= MAX_HOPS => return false,
            Destination::Function(function) => {
                let from = Cause {
                    hops: delivery.from.hops + 1,
                    origin: delivery.from.origin.clone(),
                };
                let event = destination::follow_up(self.seed, &delivery.event, from.hops, function, record);
                // The event that sent it ends first; its observation is not over for that.
                if let Some(origin) = &from.origin {
                    self.observed.hold(origin);
                }
                self.follow_ups.push_back((event, from));
            }
        }
        true
    }

    fn refuse(&mut self, delivery: Delivery, why: String) {
        let outcome = Outcome::system(&why);
        let mut to = "nowhere".to_owned();
        if let Lane::Reply(reply) = delivery.event.lane {
            self.actions.push_back(Action::Reply { to: reply, outcome });
            to = "caller".to_owned();
        }
        self.done(&delivery, "failed", to);
    }

    fn stop(&mut self) {
        self.closing = true;
        self.timers.clear();
        self.due.clear();
        self.called.clear();
        // What is stopped is not over.
        self.observed = Observed::default();
        for delivery in std::mem::take(&mut self.deliveries).into_values() {
            let mut to = "nowhere";
            if let Lane::Reply(reply) = delivery.event.lane {
                to = "caller";
                let outcome = Outcome::system("the fabric stopped");
                self.actions.push_back(Action::Reply { to: reply, outcome });
            }
            self.done(&delivery, "stopped", to.to_owned());
        }
    }

    fn done(&mut self, delivery: &Delivery, how: &'static str, to: String) {
        let event = delivery.event.name.clone();
        self.actions.push_back(Action::Done {
            event,
            how,
            executions: delivery.executions,
            to,
        });
        self.held -= delivery.event.payload.len() + delivery.last_bytes();
        if let Some(origin) = &delivery.from.origin {
            self.release(origin.clone());
        }
    }

    fn end<'a>(&self, at: Timestamp, delivery: &'a Delivery, condition: &'static str) -> End<'a> {
        End {
            event: &delivery.event,
            condition,
            executions: delivery.executions,
            last: delivery.last.as_ref(),
            at,
            arn: self.settings.arn(&delivery.event.to),
        }
    }

    fn function(&self, name: &FunctionName) -> &Function {
        self.settings
            .functions
            .get(name)
            .expect("an event is accepted only for a function that exists")
    }
}

/// Says in people's words why an event waits.
fn waiting_because(policy: &RetryPolicy, history: History, failure: &Failure) -> String {
    match failure {
        Failure::Function(_) => format!(
            "function error, retry {} of {}",
            history.executions, policy.retries
        ),
        Failure::Throttled(reason) => format!("throttled {}×: {reason:?}", history.refusals),
        Failure::System(message) => format!("system error {}×: {message}", history.refusals),
    }
}
