//! What arrives and what comes back: events, observations, outcomes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::name::{FunctionName, FunctionVersion, LATEST, Name, RequestId, RouteName, SourceName, Version};
use crate::time::Timestamp;

/// A body kept exactly as received; re-serialising would change numbers and key order.
pub type Payload = Bytes;

/// Which of AWS's three invocation models an event travels by (spec/sources/00-common §1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lane {
    /// `RequestResponse`: a caller waits and nobody retries.
    Reply(ReplyId),
    /// `Event`: accepted at once, then retried on the clock.
    Queue,
    /// Event source mapping: batched, ordered, checkpointed. The machine for it comes with the first
    /// stream source; until then the router settles such an event as refused.
    Stream(Position),
}

/// The caller that waits for a reply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReplyId(pub u64);

/// A place in a stream's shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Which shard of the stream.
    pub shard: u32,
    /// The sequence number within it.
    pub sequence: u64,
}

/// One event for one function.
#[derive(Clone, Debug)]
pub struct Event {
    /// Causal name, `evt:<cause>/<k>`.
    pub name: Name,
    /// Request id of every attempt.
    pub id: RequestId,
    /// The source's name, or `invoke` for a direct call.
    pub origin: SourceName,
    /// The route that carries it; `None` for a direct call or a destination.
    pub route: Option<RouteName>,
    /// What it is about, for people: an object key, a message id.
    pub subject: String,
    /// The function that gets it.
    pub to: FunctionName,
    /// The version or alias, as it was asked for: `$LATEST`, `3`, `prod`.
    pub qualifier: Option<Arc<str>>,
    /// How it travels.
    pub lane: Lane,
    /// What a caller said beside the event; `None` where nobody called.
    pub call: Option<Box<CallDetails>>,
    /// The event document.
    pub payload: Payload,
}

impl Event {
    /// The qualifier that it goes by where one has to be: `$LATEST` if none was asked for.
    pub fn qualifier(&self) -> &str {
        self.qualifier.as_deref().unwrap_or(LATEST)
    }
}

/// What the caller of a function may say beside the event (spec/lambda §5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallDetails {
    /// The decoded client context.
    pub client_context: Option<String>,
    /// Whether the caller wants the log's tail, with the figures of its REPORT line.
    pub log_tail: bool,
    /// The trace header; one is made where none came.
    pub trace: Option<String>,
}

/// What a source calls one of its observations, to be told when it is over; no two of a source are the same. The
/// router only hands it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Receipt(pub u64);

/// What a source saw once, with the events that follow from it: one for each subscription that takes it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The source that saw it.
    pub source: SourceName,
    /// The source's own mark.
    pub receipt: Receipt,
    /// AWS's event type without the service prefix, such as `ObjectCreated:Put`.
    pub kind: String,
    /// What it happened to, for people: the object's key.
    pub subject: String,
    /// One event for each subscription whose filter takes it.
    pub events: Vec<Event>,
    /// Why each other subscription did not take it; answers "why did nothing happen?".
    pub refused: Vec<Refusal>,
}

/// One subscription that did not take an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The route.
    pub route: RouteName,
    /// The reason as one phrase: `key does not end in .jpg`.
    pub why: String,
}

/// Identity of one attempt, and the fence against late results: an outcome whose attempt is not the
/// one that runs changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AttemptId {
    /// Serial number of the delivery, in order of arrival.
    pub delivery: u64,
    /// 1 for the first attempt.
    pub number: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The bytes the handler answered, or why there are none.
    pub result: Result<Payload, Failure>,
    /// How long it took on the fabric's clock.
    pub duration: Duration,
    /// The log tail of the attempt, START to REPORT; empty when the function never ran.
    pub log: Bytes,
}

impl Outcome {
    /// An attempt without an execution.
    pub fn failed(failure: Failure) -> Self {
        Outcome {
            result: Err(failure),
            duration: Duration::ZERO,
            log: Bytes::new(),
        }
    }

    /// An attempt that our side could not make.
    pub fn system(why: &str) -> Self {
        Outcome::failed(Failure::System(why.to_owned()))
    }
}

/// Why an attempt failed, as far as retries care (spec/lambda §9.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The function ran and failed. Counts as an attempt.
    Function(FunctionError),
    /// No capacity; HTTP 429 with this `Reason`. Not an attempt.
    Throttled(ThrottleReason),
    /// Our side failed (5xx), for example an environment could not be started. Not an attempt.
    System(String),
    /// The function, the version or the alias does not exist (404): its ARN. Not an attempt.
    Missing(String),
}

/// A function error: the caller sees HTTP 200, `X-Amz-Function-Error: Unhandled` and the payload verbatim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// The error document, verbatim from the runtime or made by the platform (spec/lambda §3.2).
    pub payload: Payload,
}

impl FunctionError {
    /// The `errorType` of the payload, or empty if it has none.
    pub fn error_type(&self) -> String {
        self.text("errorType")
    }

    /// The `errorMessage` of the payload, or empty if it has none.
    pub fn error_message(&self) -> String {
        self.text("errorMessage")
    }

    fn text(&self, key: &str) -> String {
        let document: serde_json::Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        document
            .get(key)
            .and_then(|v| v.as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

/// The ways a function fails; the words that scenario files use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// The handler raised, or the runtime reported an error.
    Error,
    /// The function's time ran out.
    Timeout,
    /// The process ended without an answer.
    Crash,
}

/// `Reason` of a 429 (spec/lambda §3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum ThrottleReason {
    /// The account's concurrency is used up.
    ConcurrentInvocationLimitExceeded,
    /// The function's reserved concurrency is used up.
    ReservedFunctionConcurrentInvocationLimitExceeded,
}

/// One attempt, as handed to an executor.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Identity and fence.
    pub attempt: AttemptId,
    /// Causal name, `inv:<function>/<event path>#<attempt>`.
    pub name: Name,
    /// The event; its id is the request id.
    pub event: Arc<Event>,
    /// The version that runs it; an alias has chosen it for this attempt.
    pub version: Version,
    /// When the event was accepted.
    pub accepted: Timestamp,
}

impl Invocation {
    /// What an environment that takes it must run.
    pub fn function(&self) -> FunctionVersion {
        FunctionVersion {
            function: self.event.to.clone(),
            version: self.version,
        }
    }
}
