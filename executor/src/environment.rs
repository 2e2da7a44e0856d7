//! One execution environment as a state machine: what was heard goes in, orders come out.
//!
//! Owns the life of the process behind an environment and of the one attempt it may carry. Default-deny: what
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

use bytes::Bytes;
use router::name::RequestId;

use crate::sandbox::Excess;

/// The attempt an environment carries, as far as the machine cares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// The request id; what the runtime must answer with.
    pub id: RequestId,
    /// How the attempt is to end.
    pub ending: Ending,
}

/// How an attempt is to end whatever the handler does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As the handler says.
    Honest,
    /// Killed before it sees the event.
    CrashBefore,
    /// Killed after it ran.
    CrashAfter,
    /// Killed after it ran, and told as a timeout.
    TimeoutAfter,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// With an exit status.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// SIGKILL, the way our own kills look to a caller.
pub const KILLED: Exit = Exit::Signal(9);

/// What the runtime posted for its invocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The result.
    Response(Bytes),
    /// An error document, with the type its header named.
    Error { kind: String, body: Bytes },
    /// A result above the limit.
    TooLarge,
    /// The connection broke in the middle of the body.
    Truncated,
    /// A response mode nobody knows.
    BadMode,
}

/// What reaches the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The pool gives it an attempt.
    Dispatch(Ticket),
    /// The runtime asks for the next event.
    Next,
    /// The connection of the waiting `next` went away.
    NextDropped,
    /// The runtime answers an invocation.
    Answer { id: String, answer: Answer },
    /// The runtime reports that it cannot start.
    InitError { kind: String, body: Bytes },
    /// The process is gone and reaped.
    Exited(Exit),
    /// The program could not be started.
    Unstartable { entrypoint: bool, why: String },
    /// The alarm rang.
    Rang,
    /// Its processes use more than they may.
    Exceeded(Excess),
    /// Nobody needs this environment any more.
    Retire,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conclusion {
    /// The runtime answered.
    Answered(Answer),
    /// The runtime reported that it cannot start.
    InitError { kind: String, body: Bytes },
    /// The process ended without an answer.
    Exited(Exit),
    /// The time ran out.
    TimedOut,
    /// It used more than it may, and was killed.
    Exceeded(Excess),
    /// The program could not be started; `entrypoint` if the program itself is at fault.
    Unstartable { entrypoint: bool, why: String },
    /// The executor was stopped.
    Stopped,
}

/// Which limit the alarm stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// The first `next` must come by then.
    Init,
    /// The function's timeout.
    Task,
    /// None.
    Off,
}

/// What the actor is to do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Start the process.
    Spawn,
    /// Set the one alarm.
    Alarm(Alarm),
    /// Answer the runtime's `next` with the event.
    Hand,
    /// Let the runtime's `next` wait.
    Park,
    /// Stop all processes until the next event.
    Freeze,
    /// Let them run, once what was handed out is on its way.
    Thaw,
    /// The post was taken.
    Accept,
    /// The post names another request.
    WrongId,
    /// The call does not fit the state; the names are those of the official emulator.
    WrongState { from: &'static str, to: &'static str },
    /// Kill the process group; `Exited` will be heard.
    Kill,
    /// The attempt ended.
    Conclude(Conclusion),
    /// The environment can take an attempt.
    Ready,
    /// The attempt was dispatched to an environment that cannot take it.
    Deny,
}

/// Where an environment stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// No process.
    Gone,
    /// The process runs its init.
    Starting { ticket: Ticket, suppressed: bool },
    /// Waiting in `next`, frozen.
    Idle,
    /// The event was handed out.
    Busy { ticket: Ticket },
    /// Answered, or adrift without a poll: the following `next` is due.
    Finishing {
        held: Option<Conclusion>,
        waiting: Option<Ticket>,
    },
    /// Killed; its end is due.
    Stopping { then: Then },
}

/// What follows the end of a killed process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Then {
    /// Nothing.
    Rest,
    /// The attempt's end is told.
    Conclude(Conclusion),
    /// The process starts again for the same attempt.
    Restart(Ticket),
}

/// An execution environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Environment {
    state: State,
    /// Tell an end only when nothing runs any more (virtual pace).
    hold: bool,
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
            hold,
            started: false,
            last: None,
        }
    }

    /// Whether no process exists.
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether nothing of it runs.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Gone | State::Idle)
    }

    /// Takes what was heard and says what to do.
    pub fn on(&mut self, heard: Heard) -> Vec<Order> {
        let state = std::mem::replace(&mut self.state, State::Gone);
        let (state, orders) = match heard {
            Heard::Dispatch(ticket) => self.dispatch(state, ticket),
            Heard::Next => self.next(state),
            Heard::NextDropped => dropped(state),
            Heard::Answer { id, answer } => self.answer(state, &id, answer),
            Heard::InitError { kind, body } => init_error(state, kind, body),
            Heard::Exited(exit) => self.exited(state, exit),
            Heard::Unstartable { entrypoint, why } => unstartable(state, entrypoint, why),
            Heard::Rang => rang(state),
            Heard::Exceeded(excess) => exceeded(state, excess),
            Heard::Retire => retire(state),
        };
        self.state = state;
        orders
    }

    fn dispatch(&mut self, state: State, ticket: Ticket) -> (State, Vec<Order>) {
        let before = ticket.ending == Ending::CrashBefore;
        match state {
            State::Gone if before => (
                State::Gone,
                vec![Order::Conclude(Conclusion::Exited(KILLED)), Order::Ready],
            ),
            State::Gone => self.start(ticket),
            State::Idle
            | State::Finishing {
                held: None,
                waiting: None,
            } if before => stop(Then::Conclude(Conclusion::Exited(KILLED))),
            State::Idle => {
                let (state, mut orders) = self.hand(ticket);
                orders.insert(0, Order::Alarm(Alarm::Task));
                (state, orders)
            }
            State::Finishing {
                held: None,
                waiting: None,
            } => (
                State::Finishing {
                    held: None,
                    waiting: Some(ticket),
                },
                vec![Order::Alarm(Alarm::Task)],
            ),
            State::Stopping { then: Then::Rest } if before => (
                State::Stopping {
                    then: Then::Conclude(Conclusion::Exited(KILLED)),
                },
                vec![],
            ),
            State::Stopping { then: Then::Rest } => (
                State::Stopping {
                    then: Then::Restart(ticket),
                },
                vec![],
            ),
            other => (other, vec![Order::Deny]),
        }
    }

    fn start(&mut self, ticket: Ticket) -> (State, Vec<Order>) {
        let suppressed = std::mem::replace(&mut self.started, true);
        let alarm = if suppressed { Alarm::Task } else { Alarm::Init };
        (
            State::Starting { ticket, suppressed },
            vec![Order::Alarm(alarm), Order::Spawn],
        )
    }

    fn hand(&mut self, ticket: Ticket) -> (State, Vec<Order>) {
        self.last = Some(ticket.id.clone());
        (State::Busy { ticket }, vec![Order::Thaw, Order::Hand])
    }

    fn next(&mut self, state: State) -> (State, Vec<Order>) {
        match state {
            State::Starting { ticket, suppressed } => {
                let (state, mut orders) = self.hand(ticket);
                if !suppressed {
                    orders.insert(0, Order::Alarm(Alarm::Task));
                }
                (state, orders)
            }
            // Asking twice without an answer gives the same event again (spec/runtime-api §2).
            State::Busy { ticket } => (State::Busy { ticket }, vec![Order::Hand]),
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
            State::Idle => (State::Idle, vec![Order::Park]),
            other => {
                let from = name(&other);
                (other, vec![Order::WrongState { from, to: "Ready" }])
            }
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
        if ticket.ending != Ending::Honest {
            let then = Then::Conclude(distort(ticket.ending, Conclusion::Answered(answer)));
            return (State::Stopping { then }, vec![Order::Accept, Order::Kill]);
        }
        let conclusion = Conclusion::Answered(answer);
        if self.hold {
            return (
                State::Finishing {
                    held: Some(conclusion),
                    waiting: None,
                },
                vec![Order::Accept],
            );
        }
        let orders = vec![Order::Accept, Order::Conclude(conclusion)];
        (
            State::Finishing {
                held: None,
                waiting: None,
            },
            orders,
        )
    }

    fn exited(&mut self, state: State, exit: Exit) -> (State, Vec<Order>) {
        let off = Order::Alarm(Alarm::Off);
        match state {
            State::Starting {
                ticket,
                suppressed: false,
            } => self.start(ticket),
            State::Starting {
                ticket,
                suppressed: true,
            }
            | State::Busy { ticket } => {
                let conclusion = distort(ticket.ending, Conclusion::Exited(exit));
                (State::Gone, vec![off, Order::Conclude(conclusion), Order::Ready])
            }
            State::Finishing {
                waiting: Some(ticket),
                ..
            } => self.start(ticket),
            State::Finishing { held, waiting: None } => {
                let mut orders = vec![off];
                orders.extend(held.map(Order::Conclude));
                orders.push(Order::Ready);
                (State::Gone, orders)
            }
            State::Stopping {
                then: Then::Restart(ticket),
            } => self.start(ticket),
            State::Stopping {
                then: Then::Conclude(conclusion),
            } => (State::Gone, vec![off, Order::Conclude(conclusion), Order::Ready]),
            State::Stopping { then: Then::Rest } => (State::Gone, vec![off, Order::Ready]),
            State::Idle | State::Gone => (State::Gone, vec![off]),
        }
    }
}

fn stop(then: Then) -> (State, Vec<Order>) {
    (
        State::Stopping { then },
        vec![Order::Alarm(Alarm::Off), Order::Kill],
    )
}

fn dropped(state: State) -> (State, Vec<Order>) {
    match state {
        State::Idle => (
            State::Finishing {
                held: None,
                waiting: None,
            },
            vec![Order::Thaw],
        ),
        other => (other, vec![]),
    }
}

fn init_error(state: State, kind: String, body: Bytes) -> (State, Vec<Order>) {
    match state {
        State::Starting { ticket, .. } => {
            let conclusion = distort(ticket.ending, Conclusion::InitError { kind, body });
            let then = Then::Conclude(conclusion);
            (
                State::Stopping { then },
                vec![Order::Alarm(Alarm::Off), Order::Accept, Order::Kill],
            )
        }
        other => {
            let from = name(&other);
            (
                other,
                vec![Order::WrongState {
                    from,
                    to: "InitError",
                }],
            )
        }
    }
}

fn unstartable(state: State, entrypoint: bool, why: String) -> (State, Vec<Order>) {
    match state {
        State::Starting { .. } => {
            let conclusion = Conclusion::Unstartable { entrypoint, why };
            (
                State::Gone,
                vec![
                    Order::Alarm(Alarm::Off),
                    Order::Conclude(conclusion),
                    Order::Ready,
                ],
            )
        }
        other => (other, vec![]),
    }
}

fn rang(state: State) -> (State, Vec<Order>) {
    match state {
        State::Starting {
            ticket,
            suppressed: false,
        } => stop(Then::Restart(ticket)),
        State::Starting {
            ticket,
            suppressed: true,
        }
        | State::Busy { ticket }
        | State::Finishing {
            held: None,
            waiting: Some(ticket),
        } => stop(Then::Conclude(distort(ticket.ending, Conclusion::TimedOut))),
        // The caller has its answer; only the environment is lost (spec/runtime-api §5).
        State::Finishing {
            held: Some(conclusion),
            ..
        } => stop(Then::Conclude(conclusion)),
        State::Finishing {
            held: None,
            waiting: None,
        } => stop(Then::Rest),
        other => (other, vec![]),
    }
}

/// Whoever passes a limit is killed; only an attempt that runs ends by it (spec/lambda §3.2).
fn exceeded(state: State, excess: Excess) -> (State, Vec<Order>) {
    let end = Conclusion::Exceeded(excess);
    match state {
        State::Starting { ticket, .. } | State::Busy { ticket } => {
            stop(Then::Conclude(distort(ticket.ending, end)))
        }
        State::Finishing { held: Some(_), .. } => stop(Then::Conclude(end)),
        State::Finishing {
            held: None,
            waiting: Some(ticket),
        } => stop(Then::Restart(ticket)),
        State::Finishing { .. } | State::Idle => stop(Then::Rest),
        other => (other, vec![]),
    }
}

fn retire(state: State) -> (State, Vec<Order>) {
    match state {
        State::Starting { .. } | State::Busy { .. } | State::Finishing { waiting: Some(_), .. } => {
            stop(Then::Conclude(Conclusion::Stopped))
        }
        State::Finishing {
            held: Some(conclusion),
            ..
        } => stop(Then::Conclude(conclusion)),
        State::Finishing { held: None, .. } | State::Idle => stop(Then::Rest),
        State::Stopping {
            then: Then::Restart(_),
        } => (
            State::Stopping {
                then: Then::Conclude(Conclusion::Stopped),
            },
            vec![],
        ),
        other => (other, vec![]),
    }
}

/// What an injury makes of the true end.
fn distort(ending: Ending, conclusion: Conclusion) -> Conclusion {
    match ending {
        Ending::Honest => conclusion,
        Ending::CrashBefore | Ending::CrashAfter => Conclusion::Exited(KILLED),
        Ending::TimeoutAfter => Conclusion::TimedOut,
    }
}

/// The state's name in the official emulator's messages.
fn name(state: &State) -> &'static str {
    match state {
        State::Gone | State::Starting { .. } => "Started",
        State::Idle => "Ready",
        State::Busy { .. } => "Running",
        State::Finishing { .. } => "RuntimeResponseSentState",
        State::Stopping { .. } => "Stopping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(ending: Ending) -> Ticket {
        Ticket {
            id: RequestId::new("r"),
            ending,
        }
    }

    fn alphabet() -> Vec<Heard> {
        vec![
            Heard::Dispatch(ticket(Ending::Honest)),
            Heard::Dispatch(ticket(Ending::CrashBefore)),
            Heard::Dispatch(ticket(Ending::CrashAfter)),
            Heard::Next,
            Heard::NextDropped,
            Heard::Answer {
                id: "r".into(),
                answer: Answer::Response(Bytes::new()),
            },
            Heard::Answer {
                id: "x".into(),
                answer: Answer::TooLarge,
            },
            Heard::InitError {
                kind: String::new(),
                body: Bytes::new(),
            },
            Heard::Exited(Exit::Code(1)),
            Heard::Unstartable {
                entrypoint: true,
                why: String::new(),
            },
            Heard::Rang,
            Heard::Exceeded(Excess::Memory),
            Heard::Retire,
        ]
    }

    /// Walks every sequence of six and checks, at each step, that attempts end exactly once.
    fn walk(machine: &Environment, open: i32, depth: u32) {
        for heard in alphabet() {
            let mut machine = machine.clone();
            let arrived = i32::from(matches!(heard, Heard::Dispatch(_)));
            let orders = machine.on(heard.clone());
            let ended = orders
                .iter()
                .filter(|o| matches!(o, Order::Conclude(_) | Order::Deny))
                .count() as i32;
            let open = open + arrived - ended;
            assert!(
                (0..=1).contains(&open),
                "{open} open after {heard:?}: {machine:?}"
            );
            assert_eq!(open == 1, carries(&machine), "after {heard:?}: {machine:?}");
            let answers = matches!(
                heard,
                Heard::Next | Heard::Answer { .. } | Heard::InitError { .. }
            );
            let replies = orders.iter().filter(|o| is_reply(o)).count();
            if answers {
                assert_eq!(replies, 1, "one reply to {heard:?}: {orders:?}");
            }
            if depth > 1 {
                walk(&machine, open, depth - 1);
            }
        }
    }

    fn is_reply(order: &Order) -> bool {
        use Order::{Accept, Hand, Park, WrongId, WrongState};
        matches!(order, Hand | Park | Accept | WrongId | WrongState { .. })
    }

    fn carries(machine: &Environment) -> bool {
        match &machine.state {
            State::Gone | State::Idle => false,
            State::Starting { .. } | State::Busy { .. } => true,
            State::Finishing { held, waiting } => held.is_some() || waiting.is_some(),
            State::Stopping { then } => *then != Then::Rest,
        }
    }

    #[test]
    fn every_path_ends_an_attempt_exactly_once() {
        for hold in [false, true] {
            walk(&Environment::new(hold), 0, 5);
        }
    }

    #[test]
    fn every_state_reaches_gone_when_retired_and_reaped() {
        for first in alphabet() {
            for second in alphabet() {
                for third in alphabet() {
                    let mut machine = Environment::new(true);
                    for heard in [first.clone(), second.clone(), third] {
                        machine.on(heard);
                    }
                    machine.on(Heard::Retire);
                    machine.on(Heard::Exited(KILLED));
                    assert!(machine.is_gone(), "{machine:?}");
                }
            }
        }
    }

    #[test]
    fn a_failed_first_start_happens_once_more_as_part_of_the_invocation() {
        let mut machine = Environment::new(false);
        machine.on(Heard::Dispatch(ticket(Ending::Honest)));
        let again = machine.on(Heard::Exited(Exit::Code(1)));
        assert_eq!(again, [Order::Alarm(Alarm::Task), Order::Spawn]);
        let end = machine.on(Heard::Exited(Exit::Code(1)));
        assert!(end.contains(&Order::Conclude(Conclusion::Exited(Exit::Code(1)))));
    }

    #[test]
    fn a_second_answer_is_refused_by_state_and_a_foreign_one_by_id() {
        let mut machine = Environment::new(false);
        machine.on(Heard::Dispatch(ticket(Ending::Honest)));
        machine.on(Heard::Next);
        let answer = Answer::Response(Bytes::new());
        machine.on(Heard::Answer {
            id: "r".into(),
            answer: answer.clone(),
        });
        let twice = machine.on(Heard::Answer {
            id: "r".into(),
            answer: answer.clone(),
        });
        assert_eq!(
            twice,
            [Order::WrongState {
                from: "RuntimeResponseSentState",
                to: "InvocationResponse"
            }]
        );
        assert_eq!(
            machine.on(Heard::Answer {
                id: "old".into(),
                answer
            }),
            [Order::WrongId]
        );
    }

    #[test]
    fn virtual_pace_tells_the_end_only_with_the_following_next() {
        let mut machine = Environment::new(true);
        machine.on(Heard::Dispatch(ticket(Ending::Honest)));
        machine.on(Heard::Next);
        let answer = Answer::Response(Bytes::new());
        assert_eq!(
            machine.on(Heard::Answer {
                id: "r".into(),
                answer: answer.clone()
            }),
            [Order::Accept]
        );
        let orders = machine.on(Heard::Next);
        assert!(orders.contains(&Order::Conclude(Conclusion::Answered(answer))));
        assert_eq!(orders.last(), Some(&Order::Ready));
    }
}
