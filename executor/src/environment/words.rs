//! The words between an environment's state machine and its actor.
//!
//! Owns what can be heard, ordered and concluded. Deliberately absent: when.

use std::time::Duration;

use bytes::Bytes;
use router::name::RequestId;

use crate::extension::{Denial, Events, Phase, Seat};
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
    /// The result that was passed on as it came: its first bytes, and how many there were.
    Streamed { first: Bytes, total: usize },
    /// An error document, with the type its header named.
    Error { kind: String, body: Bytes },
    /// A result above the limit, in bytes.
    TooLarge { limit: usize },
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
    /// It is to get ready before there is an attempt.
    Prepare,
    /// The external extensions with these names were started; usually there are none.
    Launched(Vec<String>),
    /// An external extension could not be started.
    Unlaunched { why: String },
    /// An extension registers; `identifier` is what it will be known by.
    Register {
        name: String,
        events: Events,
        identifier: String,
    },
    /// An extension asks for the next event.
    ExtensionNext { identifier: String },
    /// An extension gives up.
    ExtensionError {
        identifier: String,
        phase: Phase,
        kind: String,
    },
    /// The process of an external extension is gone and reaped.
    ExtensionEnded { seat: Seat, exit: Exit },
    /// The runtime asks for the next event.
    Next,
    /// The connection of the waiting `next` went away.
    NextDropped,
    /// The runtime answers an invocation.
    Answer { id: String, answer: Answer },
    /// The runtime reports that it cannot start.
    InitError { kind: String, body: Bytes },
    /// The runtime's process is gone and reaped, and extensions still run.
    RuntimeEnded(Exit),
    /// The last process is gone and reaped.
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
    /// An extension could not be started, gave up or ended: an error type of the platform, and why.
    Extension { kind: &'static str, why: String },
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
    /// So long after the farewell began, somebody is killed.
    Farewell(Duration),
    /// None.
    Off,
}

/// What the actor is to do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Start the external extensions, if there are any; `Launched` will be heard.
    Launch,
    /// Start the runtime.
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
    /// Tell the extension its seat, and the identifier it gave.
    Seat(Seat),
    /// Let the extension's `next` wait.
    Wait(Seat),
    /// The extension's call is refused.
    Refuse(Denial),
    /// Tell these of the event that is handed out.
    Invoke(Vec<Seat>),
    /// Ask the runtime to end, frozen or not.
    Terminate,
    /// Kill the runtime, and nobody else.
    KillRuntime,
    /// Tell these that the environment ends, and why.
    Shutdown(Vec<Seat>, Reason),
    /// The attempt ended.
    Conclude(Conclusion),
    /// The environment can take an attempt.
    Ready,
    /// The attempt was dispatched to an environment that cannot take it.
    Deny,
    /// A provisioned environment has lost its processes, or could not be made ready: another is to take its place.
    Lost,
}

/// Why an environment ends; what its extensions are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Nobody needs it any more.
    Spindown,
    /// The time of an invocation, or of the init, ran out.
    Timeout,
    /// The runtime or an extension ended or gave up.
    Failure,
}

impl Reason {
    /// The word in the SHUTDOWN event.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Spindown => "spindown",
            Reason::Timeout => "timeout",
            Reason::Failure => "failure",
        }
    }
}
