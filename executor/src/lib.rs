//! Runs the user's handlers as local processes over the Lambda Runtime API.
//!
//! [`Executor`] takes an invocation from the fabric's thread, picks an execution environment for it (or
//! starts one), hands the event to the process behind it and says what came back. It never retries and
//! never decides what to run: that is the router's work.
//!
//! ```text
//!   Executor ── pool (pure) ──Job──► actor ── environment (pure) ── process, pipe, Runtime API
//!      ▲                               │
//!      └────────── hear(News) ◄────────┘   through the crossbeam channel the fabric listens to
//! ```
//!
//! Actors are tasks of the [`Reactor`], which the fabric's thread drives while it waits.
//!
//! Deliberately absent: the router's rules, journals, HTTP towards callers.

mod actor;
mod audience;
mod body;
mod check;
mod credentials;
mod crew;
mod denial;
mod environment;
mod executor;
mod extension;
mod extension_call;
mod function;
mod functions;
mod handout;
mod interpreter;
mod logging;
mod logs;
mod opt;
mod output;
mod payload;
mod platform_log;
mod pool;
mod process;
mod reactor;
mod report;
mod runtime_api;
mod runtime_call;
mod sandbox;
mod scripted;
mod site;
mod starts;
mod telemetry;
mod terminate;
mod unfinished;
mod verdict;

pub use audience::{Audience, Began, Part, audience};
pub use check::{StartError, check};
pub use credentials::Credentials;
pub use executor::{Executor, Heard, Options};
pub use function::{BadRuntime, FunctionSpec, Injury, Pace, Runtime};
pub use functions::{Code, Functions, Provisioned};
pub use interpreter::{InterpreterError, interpreter};
pub use logging::{ApplicationLevel, Logging, SystemLevel};
pub use reactor::{Doorbell, Reactor};
pub use sandbox::{children, clean_up, shortcomings};
pub use scripted::{Script, Scripted};
pub use site::News;
