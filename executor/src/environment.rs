//! One execution environment as a state machine: what was heard goes in, orders come out.
//!
//! Owns the life of the processes behind an environment and of the one attempt it may carry. Default-deny: what
//! a state does not expect is refused or ignored, never a panic. Deliberately absent: time (an alarm is an
//! order, its ringing is heard), sockets, processes, bodies' meaning. The [`actor`](crate::actor) carries out.
//!
//! ```text
//!            Dispatch              next                    response/error
//!   Gone ───────────────► Starting ─────► Busy ◄─────────┐ ──────────────► Finishing
//!    ▲                    │  exit or       │  │ Dispatch │                   │ next
//!    │                    │  alarm: once   │  └───────── Idle ◄──────────────┘
//!    │ exited             ▼  more          ▼ alarm, injury
//!    └──────────────── Stopping ◄──────────┘
//! ```
//!
//! The first start of an environment has its own time limit and happens once more, as part of the invocation,
//! if the process exits or the limit passes (spec/lambda §3.1). Every later start is a suppressed init: its
//! time counts as the invocation's (§3.2).
//!
//! A provisioned environment is prepared before there is an attempt: `Gone ─Prepare─► Preparing ─next─► Idle`
//! (spec/lambda §3.4). It is not started again when it breaks but lost, and whoever wanted it prepares another.
//!
//! Where there are extensions (spec/runtime-api §11), "next" in the diagram is said by all together: the runtime's
//! poll waits until every extension has asked too. The runtime is started when the external ones have registered.
//! How an environment ends is in [`ending`].

mod ending;
#[cfg(test)]
mod tests;
mod words;

use router::name::RequestId;

use crate::extension::Extensions;

pub use words::{Alarm, Answer, Conclusion, Ending, Exit, Heard, KILLED, Order, Reason, Ticket};

pub use ending::EXTERNAL_BUDGET;
use ending::{Leaving, Then, distort};

/// Where an environment stands.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// No process.
    Gone,
    /// The processes run their init.
    Starting { ticket: Ticket, suppressed: bool },
    /// The processes run their init for nobody yet.
    Preparing,
    /// Waiting in `next`, frozen.
    Idle,
    /// The event was handed out.
    Busy { ticket: Ticket },
    /// It can take an attempt, but its poll went away: it runs, and a new `next` is due.
    Adrift,
    /// Answered: the following `next` is due.
    Finishing {
        held: Option<Conclusion>,
        waiting: Option<Ticket>,
    },
    /// Told to end, or killed; its end is due.
    Stopping { then: Then, leaving: Leaving },
}

/// An execution environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Environment {
    state: State,
    extensions: Extensions,
    /// The runtime's process exists.
    running: bool,
    /// The runtime's poll waits.
    polling: bool,
    /// Tell an end only when nothing runs any more (virtual pace).
    hold: bool,
    /// It is one of those that are kept ready.
    provisioned: bool,
    /// The first start was tried; every further one counts as the invocation's.
    started: bool,
    /// The request id that was handed out last.
    last: Option<RequestId>,
}

impl Environment {
    /// An environment without a process.
    pub fn new(hold: bool) -> Self {
        Environment {
            state: State::Gone,
            extensions: Extensions::default(),
            running: false,
            polling: false,
            hold,
            provisioned: false,
            started: false,
            last: None,
        }
    }

    /// Whether no process exists.
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether it is one of those that are kept ready.
    pub fn is_provisioned(&self) -> bool {
        self.provisioned
    }

    /// Whether nothing of it runs.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Gone | State::Idle)
    }

    /// Whether its end is due.
    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
    }

    /// Whether the event with this id is handed out and not answered.
    pub fn runs(&self, id: &str) -> bool {
        matches!(&self.state, State::Busy { ticket } if ticket.id.as_str() == id)
    }

    /// Who listens beside the runtime.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What the extensions still have to do, where nobody else is waited for.
    pub fn missing(&self) -> Vec<String> {
        match self.running && !self.polling {
            true => Vec::new(),
            false => self.extensions.missing(),
        }
    }

    /// Takes what was heard and says what to do.
    pub fn on(&mut self, heard: Heard) -> Vec<Order> {
        let state = std::mem::replace(&mut self.state, State::Gone);
        let existed = state != State::Gone;
        let (state, mut orders) = match heard {
            Heard::Dispatch(ticket) => self.dispatch(state, ticket),
            Heard::Prepare => self.prepare(state),
            Heard::Launched(names) => self.launched(state, names),
            Heard::Unlaunched { why } => self.unlaunched(state, why),
            Heard::Register {
                name,
                events,
                identifier,
            } => match self.extensions.register(name, events, identifier) {
                Ok(seat) => {
                    let (state, mut orders) = self.registered(state);
                    orders.insert(0, Order::Seat(seat));
                    (state, orders)
                }
                Err(denial) => (state, vec![Order::Refuse(denial)]),
            },
            Heard::ExtensionNext { identifier } => match self.extensions.next(&identifier) {
                Ok(seat) => {
                    let (state, mut orders) = self.all_ask(state);
                    orders.insert(0, Order::Wait(seat));
                    (state, orders)
                }
                Err(denial) => (state, vec![Order::Refuse(denial)]),
            },
            Heard::ExtensionError {
                identifier,
                phase,
                kind,
            } => match self.extensions.fail(&identifier, phase) {
                Ok(_) => {
                    let (state, mut orders) = self.given_up(state, phase, kind);
                    orders.insert(0, Order::Accept);
                    (state, orders)
                }
                Err(denial) => (state, vec![Order::Refuse(denial)]),
            },
            Heard::ExtensionEnded { seat, exit } => self.extension_ended(state, seat, exit),
            Heard::Next => self.asks(state),
            Heard::NextDropped => self.dropped(state),
            Heard::Answer { id, answer } => self.answer(state, &id, answer),
            Heard::InitError { kind, body } => self.init_error(state, kind, body),
            Heard::RuntimeEnded(exit) => self.runtime_ended(state, exit),
            Heard::Exited(exit) => self.exited(state, exit),
            Heard::Unstartable { entrypoint, why } => self.unstartable(state, entrypoint, why),
            Heard::Rang => self.rang(state),
            Heard::Exceeded(excess) => self.exceeded(state, excess),
            Heard::Retire => self.retire(state),
        };
        if existed && state == State::Gone && std::mem::take(&mut self.provisioned) {
            orders.push(Order::Lost);
        }
        self.state = state;
        orders
    }

    fn dispatch(&mut self, state: State, ticket: Ticket) -> (State, Vec<Order>) {
        let before = ticket.ending == Ending::CrashBefore;
        let crash = Then::Conclude(Conclusion::Exited(KILLED));
        match state {
            State::Gone if before => (
                State::Gone,
                vec![Order::Conclude(Conclusion::Exited(KILLED)), Order::Ready],
            ),
            State::Gone => self.start(ticket),
            State::Idle
            | State::Adrift
            | State::Finishing {
                held: None,
                waiting: None,
            } if before => self.injure(crash),
            State::Idle => {
                let (state, mut orders) = self.hand(ticket);
                orders.insert(0, Order::Alarm(Alarm::Task));
                (state, orders)
            }
            State::Adrift
            | State::Finishing {
                held: None,
                waiting: None,
            } => (
                State::Finishing {
                    held: None,
                    waiting: Some(ticket),
                },
                vec![Order::Alarm(Alarm::Task)],
            ),
            State::Stopping {
                then: Then::Rest | Then::Vanish,
                leaving,
            } => {
                let then = if before { crash } else { Then::Restart(ticket) };
                (State::Stopping { then, leaving }, vec![])
            }
            other => (other, vec![Order::Deny]),
        }
    }

    fn prepare(&mut self, state: State) -> (State, Vec<Order>) {
        if state != State::Gone {
            return (state, vec![]);
        }
        (self.provisioned, self.started) = (true, true);
        self.begin_life();
        (State::Preparing, vec![Order::Alarm(Alarm::Init), Order::Launch])
    }

    fn begin_life(&mut self) {
        self.extensions = Extensions::default();
        (self.running, self.polling) = (false, false);
    }

    fn start(&mut self, ticket: Ticket) -> (State, Vec<Order>) {
        let suppressed = std::mem::replace(&mut self.started, true);
        self.begin_life();
        let alarm = if suppressed { Alarm::Task } else { Alarm::Init };
        (
            State::Starting { ticket, suppressed },
            vec![Order::Alarm(alarm), Order::Launch],
        )
    }

    fn launched(&mut self, state: State, names: Vec<String>) -> (State, Vec<Order>) {
        self.extensions = Extensions::started(names);
        self.registered(state)
    }

    /// The runtime starts when every external extension has registered (spec/runtime-api §11).
    fn registered(&mut self, state: State) -> (State, Vec<Order>) {
        let starting = matches!(state, State::Starting { .. } | State::Preparing);
        if !starting || self.running || !self.extensions.all_registered() {
            return (state, vec![]);
        }
        self.running = true;
        self.extensions.admit_threads();
        (state, vec![Order::Spawn])
    }

    fn hand(&mut self, ticket: Ticket) -> (State, Vec<Order>) {
        self.last = Some(ticket.id.clone());
        self.polling = false;
        self.extensions.close();
        let mut orders = vec![Order::Thaw, Order::Hand];
        let told = self.extensions.invoke();
        if !told.is_empty() {
            orders.push(Order::Invoke(told));
        }
        (State::Busy { ticket }, orders)
    }

    /// The runtime asks for an event.
    fn asks(&mut self, state: State) -> (State, Vec<Order>) {
        match state {
            // Asking twice without an answer gives the same event again (spec/runtime-api §2).
            State::Busy { ticket } => (State::Busy { ticket }, vec![Order::Hand]),
            State::Gone | State::Stopping { .. } => {
                let from = name(&state);
                (state, vec![Order::WrongState { from, to: "Ready" }])
            }
            state => {
                self.polling = true;
                if !self.extensions.all_ready() {
                    return (state, vec![Order::Park]);
                }
                self.next(state)
            }
        }
    }

    /// An extension asks for an event: it may have been the last that was waited for.
    fn all_ask(&mut self, state: State) -> (State, Vec<Order>) {
        let due = matches!(
            state,
            State::Starting { .. } | State::Preparing | State::Finishing { .. } | State::Adrift
        );
        if due && self.polling && self.extensions.all_ready() {
            return self.next(state);
        }
        (state, vec![])
    }

    /// The runtime and all extensions have asked.
    fn next(&mut self, state: State) -> (State, Vec<Order>) {
        match state {
            State::Starting { ticket, suppressed } => {
                let (state, mut orders) = self.hand(ticket);
                if !suppressed {
                    orders.insert(0, Order::Alarm(Alarm::Task));
                }
                (state, orders)
            }
            State::Finishing {
                held,
                waiting: Some(ticket),
            } => {
                let (state, mut orders) = self.hand(ticket);
                orders.extend(held.map(Order::Conclude));
                (state, orders)
            }
            State::Finishing { held, waiting: None } => {
                let mut orders = vec![Order::Alarm(Alarm::Off), Order::Park, Order::Freeze];
                orders.extend(held.map(Order::Conclude));
                orders.push(Order::Ready);
                (State::Idle, orders)
            }
            State::Preparing => {
                let orders = vec![Order::Alarm(Alarm::Off), Order::Park, Order::Freeze, Order::Ready];
                (State::Idle, orders)
            }
            // That it can take an attempt is known.
            State::Adrift => (State::Idle, vec![Order::Park, Order::Freeze]),
            other => (other, vec![Order::Park]),
        }
    }

    fn answer(&mut self, state: State, id: &str, answer: Answer) -> (State, Vec<Order>) {
        if self.last.as_ref().is_none_or(|last| last.as_str() != id) {
            return (state, vec![Order::WrongId]);
        }
        let to = match answer {
            Answer::Error { .. } => "InvocationErrorResponse",
            _ => "InvocationResponse",
        };
        let State::Busy { ticket } = state else {
            let from = name(&state);
            return (state, vec![Order::WrongState { from, to }]);
        };
        let conclusion = Conclusion::Answered(answer);
        if ticket.ending != Ending::Honest {
            let then = Then::Conclude(distort(ticket.ending, conclusion));
            let (state, mut orders) = self.injure(then);
            orders.insert(0, Order::Accept);
            return (state, orders);
        }
        let (held, concluded) = match self.hold {
            true => (Some(conclusion), None),
            false => (None, Some(conclusion)),
        };
        let mut orders = vec![Order::Accept];
        orders.extend(concluded.map(Order::Conclude));
        let waiting = None;
        (State::Finishing { held, waiting }, orders)
    }

    /// The connection of the waiting poll is gone: it is not in `next` any more, and may have to run for another.
    fn dropped(&mut self, state: State) -> (State, Vec<Order>) {
        self.polling = false;
        match state {
            State::Idle => (State::Adrift, vec![Order::Thaw]),
            other => (other, vec![]),
        }
    }
}

/// The state's name in the official emulator's messages.
fn name(state: &State) -> &'static str {
    match state {
        State::Gone | State::Starting { .. } | State::Preparing => "Started",
        State::Idle | State::Adrift => "Ready",
        State::Busy { .. } => "Running",
        State::Finishing { .. } => "RuntimeResponseSentState",
        State::Stopping { .. } => "Stopping",
    }
}
