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

mod changing;
mod delivery;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capacity::Capacity;
use crate::destination::{self, End, MAX_HOPS};
use crate::event::{AttemptId, Event, Failure, Invocation, Lane, Observation, Outcome, Payload, ReplyId};
use crate::name::{FunctionName, Name, Seed, SinkName, Version};
use crate::observed::{Observed, Origin};
use crate::retry::{Condition, History, RetryPolicy, Verdict};
use crate::settings::{Asynchronous, Destination, Settings};
use crate::time::Timestamp;

use changing::DELETED;
use delivery::{Cause, Delivery, State};

pub use words::{Action, Input, Ran};

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
            Input::Configured {
                function,
                settings,
                what,
            } => self.configured(function, settings, what),
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
            Lane::Stream(_) => Some(Failure::System("the stream lane is not built yet".to_owned())),
            Lane::Queue | Lane::Reply(_) => {
                let found = self.resolve(&event, event.name.as_str());
                found.is_none().then(|| Failure::Missing(self.asked_arn(&event)))
            }
        };
        let delivery = Delivery::new(event, from, now);
        if let Some(why) = refused {
            return self.refuse(delivery, why, "failed");
        }
        if self.is_hopeless(&delivery) {
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
        let Some(mut delivery) = self.deliveries.remove(&id) else {
            return;
        };
        if self.is_hopeless(&delivery) {
            return self.give_up(now, delivery, Condition::ZeroReservedConcurrency);
        }
        let number = delivery.attempts + 1;
        let event = Arc::clone(&delivery.event);
        let name = attempt_name(&event, number);
        let Some(version) = self.resolve(&event, name.as_str()) else {
            let why = Failure::Missing(self.asked_arn(&event));
            return self.refuse(delivery, why, DELETED);
        };
        delivery.attempts = number;
        delivery.version = Some(version);
        match self.capacity.take(&event.to, version) {
            Ok(place) => {
                delivery.state = State::Running(place);
                self.running += 1;
                self.actions.push_back(Action::Invoke(Invocation {
                    attempt: AttemptId { delivery: id, number },
                    name,
                    accepted: delivery.accepted,
                    event,
                    version,
                }));
                self.deliveries.insert(id, delivery);
            }
            Err(reason) => {
                let outcome = Outcome::failed(Failure::Throttled(reason));
                self.actions.push_back(Action::Ended {
                    name,
                    event: event.name.clone(),
                    function: event.to.clone(),
                    outcome: outcome.clone(),
                    ran: None,
                });
                self.judge(now, id, delivery, outcome);
            }
        }
    }

    /// Takes out an event that grew too old while it waited for a slot; retries look ahead and never do.
    fn take_expired(&mut self, now: Timestamp, id: u64) -> Option<Delivery> {
        let delivery = self.deliveries.get(&id).filter(|d| d.event.lane == Lane::Queue)?;
        let max_age = self.asynchronous(&delivery.event).retry.max_age;
        if now.since(delivery.accepted) <= max_age {
            return None;
        }
        self.deliveries.remove(&id)
    }

    fn finished(&mut self, now: Timestamp, attempt: AttemptId, outcome: Outcome, ran: Option<Ran>) {
        let id = attempt.delivery;
        let Some(mut delivery) = self.deliveries.remove(&id) else {
            return self.actions.push_back(Action::Ignored(attempt));
        };
        let (place, deserted) = match std::mem::replace(&mut delivery.state, State::Due) {
            State::Running(place) if delivery.attempts == attempt.number => (place, false),
            State::Deserted(place) if delivery.attempts == attempt.number => (place, true),
            other => {
                delivery.state = other;
                self.deliveries.insert(id, delivery);
                return self.actions.push_back(Action::Ignored(attempt));
            }
        };
        self.capacity.give_back(place);
        self.running -= 1;
        let event = Arc::clone(&delivery.event);
        self.actions.push_back(Action::Ended {
            name: attempt_name(&event, attempt.number),
            event: event.name.clone(),
            function: event.to.clone(),
            outcome: outcome.clone(),
            ran,
        });
        match deserted {
            true => self.desert(delivery, outcome),
            false => self.judge(now, id, delivery, outcome),
        }
    }

    /// Counts how an attempt ended.
    fn note(&mut self, delivery: &mut Delivery, outcome: &Outcome) {
        self.held -= delivery.last_bytes();
        delivery.note(delivery.version.unwrap_or_default(), &outcome.result);
        self.held += delivery.last_bytes();
    }

    /// Decides what an outcome means for its delivery, which is put back if it goes on.
    fn judge(&mut self, now: Timestamp, id: u64, mut delivery: Delivery, outcome: Outcome) {
        self.note(&mut delivery, &outcome);
        if let Lane::Reply(to) = delivery.event.lane {
            return self.answer(&delivery, to, outcome);
        }
        let failure = match outcome.result {
            Ok(_) => return self.succeed(now, delivery),
            Err(failure) => failure,
        };
        let policy = &self.asynchronous(&delivery.event).retry;
        let history = History {
            accepted: delivery.accepted,
            executions: delivery.executions,
            refusals: delivery.refusals,
        };
        match policy.after(history, &failure, now) {
            Verdict::RetryAt(due) => {
                let why = waiting_because(policy, history, &failure);
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

    /// Tells the caller, which ends the event.
    fn answer(&mut self, delivery: &Delivery, to: ReplyId, outcome: Outcome) {
        let how = Delivery::told(&outcome.result);
        let version = delivery.version;
        self.actions.push_back(Action::Reply { to, outcome, version });
        self.done(delivery, how, "caller".to_owned());
    }

    fn succeed(&mut self, now: Timestamp, delivery: Delivery) {
        let destination = self.asynchronous(&delivery.event).on_success.clone();
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
        let destination = self.asynchronous(&delivery.event).on_failure.clone();
        let dead_letter = self.dead_letter(&delivery);
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

    fn ends_loop(&self, delivery: &Delivery, to: &FunctionName) -> bool {
        let allowed = self
            .settings
            .functions
            .get(to)
            .is_some_and(|function| function.allows_loops);
        delivery.from.hops >= MAX_HOPS && !allowed
    }

    /// Sends a record: into a sink, or as a new asynchronous event of another function. A chain of too many
    /// functions is a loop and ends, as Lambda ends it (spec/lambda §11); `false` then.
    fn send(&mut self, delivery: &Delivery, to: Destination, record: Payload) -> bool {
        match to {
            Destination::Sink(sink) => {
                let event = delivery.event.name.clone();
                self.actions.push_back(Action::Send { sink, event, record });
            }
            Destination::Function { name, .. } if self.ends_loop(delivery, &name) => return false,
            Destination::Function { name, qualifier } => {
                let from = Cause {
                    hops: delivery.from.hops + 1,
                    origin: delivery.from.origin.clone(),
                };
                let event = Event {
                    qualifier,
                    ..destination::follow_up(self.seed, &delivery.event, from.hops, name, record)
                };
                // The event that sent it ends first; its observation is not over for that.
                if let Some(origin) = &from.origin {
                    self.observed.hold(origin);
                }
                self.follow_ups.push_back((event, from));
            }
        }
        true
    }

    /// Ends an event without an attempt, in these words for its caller.
    fn refuse(&mut self, delivery: Delivery, why: Failure, how: &'static str) {
        let mut to = "nowhere".to_owned();
        if let Lane::Reply(reply) = delivery.event.lane {
            self.actions.push_back(Action::Reply {
                to: reply,
                outcome: Outcome::failed(why.clone()),
                version: None,
            });
            to = "caller".to_owned();
        }
        let words = match why {
            Failure::Missing(arn) => format!("there is no {arn}"),
            Failure::System(words) => words,
            Failure::Function(_) | Failure::Throttled(_) => String::new(),
        };
        self.done_because(&delivery, how, to, Some(words));
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
                self.actions.push_back(Action::Reply {
                    to: reply,
                    outcome: Outcome::system("the fabric stopped"),
                    version: None,
                });
            }
            self.done(&delivery, "stopped", to.to_owned());
        }
    }

    fn done(&mut self, delivery: &Delivery, how: &'static str, to: String) {
        self.done_because(delivery, how, to, None);
    }

    fn done_because(&mut self, delivery: &Delivery, how: &'static str, to: String, why: Option<String>) {
        let event = delivery.event.name.clone();
        self.actions.push_back(Action::Done {
            event,
            how,
            executions: delivery.executions,
            to,
            why,
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
            last: delivery.last.as_ref().map(|last| (last.version, &last.result)),
            at,
            arn: self.settings.arn(&delivery.event.to),
        }
    }

    /// The version that an attempt runs: `name` decides where an alias has a choice. `None` if there is none (any more).
    fn resolve(&self, event: &Event, name: &str) -> Option<Version> {
        let function = self.settings.functions.get(&event.to)?;
        function.resolve(event.qualifier(), self.seed.chance(name))
    }

    /// Whether its function lets nothing run, which ends an asynchronous event at once (spec/lambda §9.1).
    fn is_hopeless(&self, delivery: &Delivery) -> bool {
        let function = self.settings.functions.get(&delivery.event.to);
        let reserved = function.and_then(|function| function.reserved);
        delivery.event.lane == Lane::Queue && reserved == Some(0)
    }

    fn asynchronous(&self, event: &Event) -> &Asynchronous {
        let function = self.settings.functions.get(&event.to);
        function.map_or(Asynchronous::default_settings(), |f| {
            f.asynchronous(event.qualifier())
        })
    }

    /// The dead-letter target of the version that was to run.
    fn dead_letter(&self, delivery: &Delivery) -> Option<SinkName> {
        let function = self.settings.functions.get(&delivery.event.to)?;
        let version = delivery.version;
        let version = version.or_else(|| self.resolve(&delivery.event, delivery.event.name.as_str()))?;
        function.versions.get(&version)?.dead_letter.clone()
    }

    /// What was asked for, as an ARN that always has a qualifier.
    fn asked_arn(&self, event: &Event) -> String {
        format!("{}:{}", self.settings.arn(&event.to), event.qualifier())
    }
}

fn attempt_name(event: &Event, number: u32) -> Name {
    Name::new(format!("inv:{}/{}#{number}", event.to, event.name.path()))
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
        Failure::Missing(arn) => format!("not found {}×: {arn}", history.refusals),
    }
}
