//! How an environment ends: what breaks it, what becomes of its attempt, and who is told (spec/lambda §3.1, §3.2).
//!
//! ```text
//!   no extension registered:  kill
//!   internal ones only:       SIGTERM to the runtime ── 500 ms ──────────────────────────────► kill
//!   external ones:            SIGTERM to the runtime ── 300 ms ─► SHUTDOWN ── 2000 ms in all ─► kill
//! ```
//!
//! Each step is left early when those it waits for have ended. A reset after a timeout or a crash goes the same way,
//! and the attempt's end is told when it is over. Deliberately absent: extensions that did not subscribe to
//! SHUTDOWN are not waited for.

use std::time::Duration;

use bytes::Bytes;

use super::{Alarm, Conclusion, Ending, Environment, Exit, KILLED, Order, Reason, State, Ticket, name};
use crate::extension::{Audience, Phase, Seat};
use crate::sandbox::Excess;

/// The runtime's share where external extensions wait for theirs.
const RUNTIME_SHARE: Duration = Duration::from_millis(300);
/// The budget with internal extensions only.
const INTERNAL_BUDGET: Duration = Duration::from_millis(500);
/// The budget with external extensions.
pub const EXTERNAL_BUDGET: Duration = Duration::from_millis(2000);

/// What follows the end of the last process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Then {
    /// The environment can take an attempt.
    Rest,
    /// Nothing: that it can take an attempt is known.
    Vanish,
    /// The attempt's end is told.
    Conclude(Conclusion),
    /// The processes start again for the same attempt.
    Restart(Ticket),
}

/// How far an environment that ends has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// The runtime may finish.
    Runtime(Reason),
    /// The extensions may finish.
    Extensions,
    /// All are killed.
    Killed,
}

impl Environment {
    /// Begins the end, and tells those that listen.
    pub(super) fn stop(&mut self, then: Then, reason: Reason) -> (State, Vec<Order>) {
        let budget = match self.extensions.audience() {
            Audience::Nobody => return kill(then),
            _ if !self.running => return self.tell_extensions(then, reason),
            Audience::Internal => INTERNAL_BUDGET,
            Audience::External => RUNTIME_SHARE,
        };
        let leaving = Leaving::Runtime(reason);
        let orders = vec![Order::Alarm(Alarm::Farewell(budget)), Order::Terminate];
        (State::Stopping { then, leaving }, orders)
    }

    /// As [`Self::stop`], but the runtime is not asked: it is killed.
    pub(super) fn injure(&mut self, then: Then) -> (State, Vec<Order>) {
        let reason = match then {
            Then::Conclude(Conclusion::TimedOut) => Reason::Timeout,
            _ => Reason::Failure,
        };
        let (state, mut orders) = self.stop(then, reason);
        for order in orders.iter_mut().filter(|order| **order == Order::Terminate) {
            *order = Order::KillRuntime;
        }
        (state, orders)
    }

    fn tell_extensions(&mut self, then: Then, reason: Reason) -> (State, Vec<Order>) {
        let mourners = self.extensions.mourners();
        if mourners.is_empty() {
            return kill(then);
        }
        let orders = vec![
            Order::Alarm(Alarm::Farewell(EXTERNAL_BUDGET)),
            Order::Shutdown(mourners, reason),
        ];
        let leaving = Leaving::Extensions;
        (State::Stopping { then, leaving }, orders)
    }

    /// What a break of the environment, which ends the attempt as `end` says, leads to.
    fn broken(&mut self, state: State, end: Conclusion, again: bool) -> (State, Vec<Order>) {
        match aftermath(state, end, again) {
            Ok(then) => self.stop(then, Reason::Failure),
            Err(state) => (state, vec![]),
        }
    }

    /// Whoever passes a limit is killed at once; only an attempt that runs ends by it (spec/lambda §3.2).
    pub(super) fn exceeded(&mut self, state: State, excess: Excess) -> (State, Vec<Order>) {
        let end = Conclusion::Exceeded(excess);
        let then = match state {
            State::Finishing { held: Some(_), .. } => Ok(Then::Conclude(end)),
            // Who was asked to end is not waited for.
            State::Stopping { then, .. } => Ok(then),
            other => aftermath(other, end, false),
        };
        match then {
            Ok(then) => kill(then),
            Err(state) => (state, vec![]),
        }
    }

    pub(super) fn unlaunched(&mut self, state: State, why: String) -> (State, Vec<Order>) {
        let kind = "Extension.LaunchError";
        self.broken(state, Conclusion::Extension { kind, why }, false)
    }

    pub(super) fn unstartable(&mut self, state: State, entrypoint: bool, why: String) -> (State, Vec<Order>) {
        self.running = false;
        let end = Conclusion::Unstartable { entrypoint, why };
        match state {
            State::Starting { .. } if self.extensions.is_empty() => finish_with(end),
            State::Preparing if self.extensions.is_empty() => (State::Gone, vec![Order::Alarm(Alarm::Off)]),
            other => self.broken(other, end, false),
        }
    }

    /// An extension says that it cannot go on, and is to exit.
    pub(super) fn given_up(&mut self, state: State, phase: Phase, why: String) -> (State, Vec<Order>) {
        let kind = match phase {
            Phase::Init => "Extension.InitError",
            Phase::Exit => "Extension.ExitError",
        };
        self.broken(state, Conclusion::Extension { kind, why }, false)
    }

    pub(super) fn extension_ended(&mut self, state: State, seat: Seat, exit: Exit) -> (State, Vec<Order>) {
        self.extensions.ended(seat);
        match state {
            State::Stopping {
                then,
                leaving: Leaving::Extensions,
            } if self.extensions.mourners().is_empty() => kill(then),
            other => {
                let kind = "Extension.Crash";
                let why = exit.to_string();
                self.broken(other, Conclusion::Extension { kind, why }, true)
            }
        }
    }

    pub(super) fn init_error(&mut self, state: State, kind: String, body: Bytes) -> (State, Vec<Order>) {
        let then = match state {
            State::Starting { ticket, .. } => {
                Then::Conclude(distort(ticket.ending, Conclusion::InitError { kind, body }))
            }
            State::Preparing => Then::Vanish,
            other => {
                let (from, to) = (name(&other), "InitError");
                return (other, vec![Order::WrongState { from, to }]);
            }
        };
        let (state, mut orders) = self.stop(then, Reason::Failure);
        orders.insert(0, Order::Accept);
        (state, orders)
    }

    /// The runtime is gone; the extensions are told, and their end is waited for.
    pub(super) fn runtime_ended(&mut self, state: State, exit: Exit) -> (State, Vec<Order>) {
        (self.running, self.polling) = (false, false);
        self.extensions.runtime_ended();
        match state {
            State::Stopping {
                then,
                leaving: Leaving::Runtime(reason),
            } => self.tell_extensions(then, reason),
            other => self.broken(other, Conclusion::Exited(exit), true),
        }
    }

    /// Nothing runs any more.
    pub(super) fn exited(&mut self, state: State, exit: Exit) -> (State, Vec<Order>) {
        (self.running, self.polling) = (false, false);
        let then = match state {
            State::Stopping { then, .. } => then,
            other => match aftermath(other, Conclusion::Exited(exit), true) {
                Ok(then) => then,
                Err(state) => return (state, vec![Order::Alarm(Alarm::Off)]),
            },
        };
        match then {
            Then::Restart(ticket) => self.start(ticket),
            Then::Conclude(conclusion) => finish_with(conclusion),
            Then::Rest => (State::Gone, vec![Order::Alarm(Alarm::Off), Order::Ready]),
            Then::Vanish => (State::Gone, vec![Order::Alarm(Alarm::Off)]),
        }
    }

    pub(super) fn rang(&mut self, state: State) -> (State, Vec<Order>) {
        let then = match state {
            State::Preparing => Then::Vanish,
            State::Starting {
                ticket,
                suppressed: false,
            } => Then::Restart(ticket),
            State::Starting {
                ticket,
                suppressed: true,
            }
            | State::Busy { ticket }
            | State::Finishing {
                held: None,
                waiting: Some(ticket),
            } => Then::Conclude(distort(ticket.ending, Conclusion::TimedOut)),
            // The caller has its answer; only the environment is lost (spec/runtime-api §5).
            State::Finishing {
                held: Some(conclusion),
                ..
            } => Then::Conclude(conclusion),
            State::Finishing {
                held: None,
                waiting: None,
            } => Then::Rest,
            // With external extensions its end is heard, and they are told; else it is the end.
            State::Stopping {
                then,
                leaving: Leaving::Runtime(reason),
            } if self.extensions.audience() == Audience::External => {
                let leaving = Leaving::Runtime(reason);
                return (State::Stopping { then, leaving }, vec![Order::KillRuntime]);
            }
            State::Stopping { then, .. } => return kill(then),
            other => return (other, vec![]),
        };
        self.stop(then, Reason::Timeout)
    }

    pub(super) fn retire(&mut self, state: State) -> (State, Vec<Order>) {
        // Nobody wants another in its place.
        self.provisioned = false;
        let then = match state {
            State::Starting { .. } | State::Busy { .. } | State::Finishing { waiting: Some(_), .. } => {
                Then::Conclude(Conclusion::Stopped)
            }
            State::Finishing {
                held: Some(conclusion),
                ..
            } => Then::Conclude(conclusion),
            State::Finishing { held: None, .. } => Then::Rest,
            State::Preparing | State::Idle | State::Adrift => Then::Vanish,
            State::Stopping {
                then: Then::Restart(_),
                leaving,
            } => {
                let then = Then::Conclude(Conclusion::Stopped);
                return (State::Stopping { then, leaving }, vec![]);
            }
            other => return (other, vec![]),
        };
        self.stop(then, Reason::Spindown)
    }
}

/// What follows when the environment breaks under its attempt; or the state that does not mind. `again`: a first
/// start happens once more (spec/lambda §3.1).
fn aftermath(state: State, end: Conclusion, again: bool) -> Result<Then, State> {
    Ok(match state {
        State::Starting {
            ticket,
            suppressed: false,
        } if again => Then::Restart(ticket),
        State::Starting { ticket, .. } | State::Busy { ticket } => {
            Then::Conclude(distort(ticket.ending, end))
        }
        State::Finishing {
            waiting: Some(ticket),
            ..
        } => Then::Restart(ticket),
        State::Finishing {
            held: Some(conclusion),
            ..
        } => Then::Conclude(conclusion),
        State::Finishing { .. } => Then::Rest,
        State::Preparing | State::Idle | State::Adrift => Then::Vanish,
        other => return Err(other),
    })
}

fn kill(then: Then) -> (State, Vec<Order>) {
    let leaving = Leaving::Killed;
    (
        State::Stopping { then, leaving },
        vec![Order::Alarm(Alarm::Off), Order::Kill],
    )
}

fn finish_with(conclusion: Conclusion) -> (State, Vec<Order>) {
    (
        State::Gone,
        vec![
            Order::Alarm(Alarm::Off),
            Order::Conclude(conclusion),
            Order::Ready,
        ],
    )
}

/// What an injury makes of the true end.
pub fn distort(ending: Ending, conclusion: Conclusion) -> Conclusion {
    match ending {
        Ending::Honest => conclusion,
        Ending::CrashBefore | Ending::CrashAfter => Conclusion::Exited(KILLED),
        Ending::TimeoutAfter => Conclusion::TimedOut,
    }
}
