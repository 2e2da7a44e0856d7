//! The fabric: one loop that owns all state. It waits, hands inputs to the router, writes the journal and
//! lets hands do what was decided.
//!
//! ```text
//!   wait (Clock) ─► hear (Hands) ─► handle (Router) ─► journal ─► perform (Hands) ─► wait …
//! ```
//!
//! Virtual time plugs in at [`Clock::wait`] and nowhere else. Inputs that lie in the future (in virtual
//! time a completion is one) are ordered by (due time, rank, arrival). Deliberately absent: threads and
//! sockets; what happens elsewhere reaches the [`Inbox`].

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, TryRecvError};

use crate::arrivals::Arrivals;
use crate::event::{Failure, Invocation, Lane, Outcome, Receipt, ReplyId};
use crate::journal::{Body, Entry, Journal};
use crate::name::{SourceName, Version};
use crate::router::{Action, Input, Router};
use crate::time::Timestamp;

/// Where everything that happens elsewhere arrives.
pub struct Inbox<N> {
    /// Bounded: sources and callers wait when the fabric is full.
    pub arrivals: Arrivals,
    /// Unbounded, because attempts bound it: news of the executor.
    pub news: Receiver<N>,
}

impl<N> Inbox<N> {
    /// What has arrived, if anything has: news first, because it makes room. An executor that is gone ends the run.
    pub fn take(&self, accepting: bool) -> Option<Wake<N>> {
        match self.news.try_recv() {
            Ok(news) => return Some(Wake::News(news)),
            Err(TryRecvError::Disconnected) => return Some(Wake::Stop),
            Err(TryRecvError::Empty) => {}
        }
        if !accepting {
            return None;
        }
        self.arrivals.take().map(Wake::Arrival)
    }
}

impl<N> Drop for Inbox<N> {
    /// Whoever waits for room learns that there is none.
    fn drop(&mut self) {
        self.arrivals.close();
    }
}

/// What ended a wait.
#[derive(Debug)]
pub enum Wake<N> {
    /// An arrival.
    Arrival(Input),
    /// News of the executor.
    News(N),
    /// The deadline is now.
    Deadline,
    /// The run was asked to end.
    Stop,
}

/// What there is to wait for.
#[derive(Clone, Copy, Debug)]
pub struct WaitFor {
    /// Nothing needs doing before this time.
    pub deadline: Option<Timestamp>,
    /// Something real is under way (a handler runs): virtual time must not move.
    pub busy: bool,
    /// Whether arrivals may be taken; if not, they stay in their bounded queue.
    pub accepting: bool,
}

/// Time, and the art of waiting in it.
pub trait Clock<N> {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Waits for whichever comes first. `rest` is called before the clock does nothing for a while, and now and
    /// then if that never comes: it is the time for what nobody waits for.
    fn wait(&mut self, inbox: &Inbox<N>, what: WaitFor, rest: &mut dyn FnMut()) -> Wake<N>;
}

/// Who carries decisions out.
pub trait Hands {
    /// What they are told by their workers.
    type News;
    /// Starts an attempt; never blocks.
    fn invoke(&mut self, now: Timestamp, invocation: Invocation);
    /// Tells a caller, with the version that was chosen, if one was.
    fn reply(&mut self, to: ReplyId, outcome: Outcome, version: Option<Version>);
    /// Tells a source that everything that came of an observation has ended.
    fn settle(&mut self, source: SourceName, receipt: Receipt);
    /// The journal has been written: what was settled up to here may be told.
    fn rest(&mut self) {}
    /// Understands news; what follows is asked for with [`Hands::poll_heard`].
    fn hear(&mut self, now: Timestamp, news: Self::News);
    /// The next thing heard, in order.
    fn poll_heard(&mut self) -> Option<Heard>;
    /// Whether something real is under way that virtual time must wait for.
    fn busy(&self) -> bool;
    /// When [`Hands::handle_timeout`] has something to do.
    fn next_deadline(&self) -> Option<Timestamp>;
    /// Does what is due.
    fn handle_timeout(&mut self, now: Timestamp);
}

/// What hands make of news.
#[derive(Debug)]
pub enum Heard {
    /// Something to write down.
    Entry(Entry),
    /// Something for the router at a time that is not past.
    Input(Timestamp, Input),
}

/// What a turn of the loop did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something happened.
    Worked,
    /// Nothing can happen before this time (`None`: ever), unless the world acts.
    Quiet(Option<Timestamp>),
    /// The run was asked to end.
    Stopped,
}

/// The loop and all that it owns.
pub struct Fabric<C, H: Hands> {
    clock: C,
    router: Router,
    /// Who carries decisions out.
    pub hands: H,
    /// What is written down.
    pub journal: Journal,
    inbox: Inbox<H::News>,
    later: BTreeMap<(Timestamp, u8, u64), Input>,
    serial: u64,
    held_limit: usize,
}

/// Events that may be open before arrivals are left waiting.
pub const OPEN_LIMIT: usize = 50_000;
/// Bytes that open events may hold before arrivals are left waiting: 1 GiB, which one more arrival may exceed.
pub const HELD_LIMIT: usize = 1 << 30;

impl<C: Clock<H::News>, H: Hands> Fabric<C, H> {
    /// A fabric at rest.
    pub fn new(clock: C, router: Router, hands: H, journal: Journal, inbox: Inbox<H::News>) -> Self {
        Fabric {
            clock,
            router,
            hands,
            journal,
            inbox,
            later: BTreeMap::new(),
            serial: 0,
            held_limit: HELD_LIMIT,
        }
    }

    /// With another limit of bytes than [`HELD_LIMIT`].
    pub fn holding(self, held_limit: usize) -> Self {
        Fabric { held_limit, ..self }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Events accepted and not ended.
    pub fn open(&self) -> usize {
        self.router.open()
    }

    /// What the router was told.
    pub fn settings(&self) -> &crate::settings::Settings {
        self.router.settings()
    }

    /// Ends the run: lets nothing more in, accepts what was let in, and ends every event that has not ended. No
    /// attempt starts meanwhile, but what is known to have ended by now has ended.
    pub fn stop(&mut self) {
        self.inbox.arrivals.close();
        let now = self.clock.now();
        self.take(now, Input::Close);
        while let Ok(news) = self.inbox.news.try_recv() {
            self.hands.hear(now, news);
        }
        self.heard();
        // What was just heard is of a later moment than the close.
        let now = self.clock.now();
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let input = entry.remove();
            self.take(now, input);
        }
        while let Some(input) = self.inbox.arrivals.take() {
            self.take(now, input);
        }
        self.take(now, Input::Stop);
    }

    /// Brings the journal to its recorders, and then tells sources what is over.
    pub fn flush(&mut self) {
        self.journal.flush();
        self.hands.rest();
    }

    /// Ends the loop; whoever waits for room in the inbox learns that there is none.
    pub fn into_hands(self) -> H {
        self.hands
    }

    /// Writes an entry at the present time.
    pub fn note(&mut self, entry: Entry) {
        self.journal.write(self.clock.now(), entry);
    }

    /// Puts an input into the queue for `at`.
    pub fn schedule(&mut self, at: Timestamp, input: Input) {
        let rank = match input {
            Input::Finished { .. } => 0,
            Input::Observed(_) | Input::Invoked(_) | Input::Configured { .. } => 1,
            Input::Close | Input::Stop => 3,
        };
        self.serial += 1;
        self.later
            .insert((at.max(self.clock.now()), rank, self.serial), input);
    }

    /// One turn: does what is due, else waits until `until` at the latest.
    pub fn turn(&mut self, until: Option<Timestamp>) -> Turn {
        let now = self.clock.now();
        if self.heard() {
            return Turn::Worked;
        }
        // Ranks at one instant: completions (0) and source changes (1) come before retries (2).
        if self
            .later
            .first_key_value()
            .is_some_and(|((at, ..), _)| *at <= now)
        {
            if let Some((_, input)) = self.later.pop_first() {
                self.take(now, input);
            }
            return Turn::Worked;
        }
        if self.router.next_deadline().is_some_and(|at| at <= now) {
            self.router.handle_timeout(now);
            self.act(now);
            return Turn::Worked;
        }
        if self.hands.next_deadline().is_some_and(|at| at <= now) {
            self.hands.handle_timeout(now);
            return Turn::Worked;
        }
        let busy = self.hands.busy();
        let next = self.next_deadline();
        let beyond = |at: Timestamp| until.is_some_and(|until| at > until);
        if !busy && (next.is_none_or(beyond)) && until.is_some_and(|until| until <= now) {
            return Turn::Quiet(next);
        }
        let deadline = match (next, until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.wait(WaitFor {
            deadline,
            busy,
            accepting: self.router.open() < OPEN_LIMIT && self.router.held() < self.held_limit,
        })
    }

    /// When something is due, if nothing else happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let later = self.later.first_key_value().map(|((at, ..), _)| *at);
        [later, self.router.next_deadline(), self.hands.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn wait(&mut self, what: WaitFor) -> Turn {
        let (journal, hands) = (&mut self.journal, &mut self.hands);
        let mut rest = || {
            journal.flush();
            // Not before: an event that a source forgets must stand in the journal.
            hands.rest();
        };
        match self.clock.wait(&self.inbox, what, &mut rest) {
            Wake::Arrival(input) => self.take(self.clock.now(), input),
            Wake::News(news) => self.hands.hear(self.clock.now(), news),
            Wake::Deadline => {}
            Wake::Stop => return Turn::Stopped,
        }
        Turn::Worked
    }

    /// Takes in what hands have heard; true if there was something.
    fn heard(&mut self) -> bool {
        let now = self.clock.now();
        let mut any = false;
        while let Some(heard) = self.hands.poll_heard() {
            any = true;
            match heard {
                Heard::Entry(entry) => self.journal.write(now, entry),
                Heard::Input(at, input) => self.schedule(at, input),
            }
        }
        any
    }

    /// Hands an input to the router and acts on what follows.
    pub fn take(&mut self, now: Timestamp, input: Input) {
        self.router.handle(now, input);
        self.act(now);
    }

    fn act(&mut self, now: Timestamp) {
        while let Some(action) = self.router.poll_action() {
            if let Some(entry) = entry(&action) {
                self.journal.write(now, entry);
            }
            match action {
                Action::Invoke(invocation) => self.hands.invoke(now, invocation),
                Action::Reply { to, outcome, version } => self.hands.reply(to, outcome, version),
                Action::Settle { source, receipt } => self.hands.settle(source, receipt),
                _ => {}
            }
        }
    }
}

/// How an action stands in the journal.
fn entry(action: &Action) -> Option<Entry> {
    Some(match action {
        Action::Seen(seen) => Entry::Src {
            source: seen.source.clone(),
            kind: seen.kind.clone(),
            subject: seen.subject.clone(),
            events: seen.events.iter().map(|e| e.name.clone()).collect(),
            refused: seen
                .refused
                .iter()
                .map(|r| (r.route.clone(), r.why.clone()))
                .collect(),
        },
        Action::Accepted(event) => Entry::Evt {
            name: event.name.clone(),
            id: event.id.clone(),
            origin: event.origin.clone(),
            route: event.route.clone(),
            subject: event.subject.clone(),
            to: event.to.clone(),
            qualifier: event.qualifier.clone(),
            lane: match event.lane {
                Lane::Reply(_) => "reply",
                Lane::Queue => "queue",
                Lane::Stream(_) => "stream",
            }
            .to_owned(),
            body: Body::of(&event.payload),
        },
        Action::Invoke(invocation) => Entry::Inv {
            name: invocation.name.clone(),
            event: invocation.event.name.clone(),
            function: invocation.event.to.clone(),
            version: (!invocation.version.is_latest()).then_some(invocation.version),
            attempt: invocation.attempt.number,
        },
        Action::Ended {
            name,
            event,
            function,
            outcome,
            ran,
        } => Entry::Res {
            name: name.clone(),
            event: event.clone(),
            function: function.clone(),
            outcome: outcome_word(outcome).to_owned(),
            environment: ran.as_ref().map(|r| r.environment.clone()),
            cold: ran.as_ref().is_some_and(|r| r.cold),
            duration: u64::try_from(outcome.duration.as_nanos()).unwrap_or(u64::MAX),
            body: match &outcome.result {
                Ok(payload) => Body::of(payload),
                Err(Failure::Function(error)) => Body::of(&error.payload),
                Err(Failure::Throttled(reason)) => Body::string(&format!("{reason:?}")),
                Err(Failure::System(message)) => Body::string(message),
                Err(Failure::Missing(arn)) => Body::string(&format!("Function not found: {arn}")),
            },
        },
        Action::Wait { event, due, why } => Entry::Retry {
            event: event.clone(),
            due: *due,
            why: why.clone(),
        },
        Action::Send { sink, event, record } => Entry::Sink {
            sink: sink.clone(),
            event: event.clone(),
            body: Body::of(record),
        },
        Action::Done {
            event,
            how,
            executions,
            to,
            why,
        } => Entry::Done {
            event: event.clone(),
            how: (*how).to_owned(),
            executions: *executions,
            to: to.clone(),
            why: why.clone(),
        },
        Action::Configured { function, what } => Entry::Config {
            function: function.clone(),
            what: what.clone(),
        },
        Action::Ignored(attempt) => Entry::Late {
            delivery: attempt.delivery,
            attempt: attempt.number,
        },
        Action::Reply { .. } | Action::Settle { .. } => return None,
    })
}

/// The word that scenario files use for an outcome.
pub fn outcome_word(outcome: &Outcome) -> &'static str {
    use crate::event::ErrorKind;
    match &outcome.result {
        Ok(_) => "ok",
        Err(Failure::Function(error)) => match error.kind {
            ErrorKind::Error => "error",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Crash => "crash",
        },
        Err(Failure::Throttled(_)) => "throttled",
        Err(Failure::System(_) | Failure::Missing(_)) => "system",
    }
}
