//! What a conclusion means for the caller and for the REPORT line (spec/lambda §3.2).

use std::time::Duration;

use bytes::Bytes;
use router::event::{ErrorKind, Failure, FunctionError};

use crate::environment::{Answer, Conclusion, KILLED};
use crate::payload;
use crate::report::Status;
use crate::sandbox::Excess;

/// What the caller gets, and what REPORT says of a failure.
pub fn result(
    id: &str,
    timeout: Duration,
    conclusion: Conclusion,
) -> (Result<Bytes, Failure>, Option<Status>) {
    let fail = |kind: ErrorKind, word: &str, payload: Bytes| {
        let status = Status::Error(word.to_owned());
        (
            Err(Failure::Function(FunctionError { kind, payload })),
            Some(status),
        )
    };
    let platform = |word: &str, why: &str| fail(ErrorKind::Error, word, payload::platform(word, id, why));
    match conclusion {
        Conclusion::Answered(Answer::Response(body) | Answer::Streamed { first: body, .. }) => {
            (Ok(body), None)
        }
        Conclusion::Answered(Answer::Error { kind, body }) | Conclusion::InitError { kind, body } => {
            fail(ErrorKind::Error, &kind, body)
        }
        Conclusion::Answered(Answer::TooLarge { limit }) => fail(
            ErrorKind::Error,
            "Function.ResponseSizeTooLarge",
            payload::too_large(limit),
        ),
        Conclusion::Answered(Answer::Truncated) => {
            platform("Runtime.TruncatedResponse", "Runtime sent a truncated response")
        }
        Conclusion::Answered(Answer::BadMode) => platform(
            "Runtime.InvalidResponseModeHeader",
            "Invalid function response mode",
        ),
        Conclusion::Exited(exit) => fail(ErrorKind::Crash, "Runtime.ExitError", payload::exited(id, exit)),
        Conclusion::Exceeded(Excess::Memory) => {
            let payload = payload::exited(id, KILLED);
            fail(ErrorKind::Crash, "Runtime.OutOfMemory", payload)
        }
        Conclusion::Exceeded(Excess::Processes) => {
            fail(ErrorKind::Crash, "Runtime.ExitError", payload::exited(id, KILLED))
        }
        Conclusion::Extension { kind, why } => {
            fail(ErrorKind::Crash, kind, payload::platform(kind, id, &why))
        }
        Conclusion::TimedOut => {
            let payload = payload::timed_out(id, timeout);
            let error = FunctionError {
                kind: ErrorKind::Timeout,
                payload,
            };
            (Err(Failure::Function(error)), Some(Status::Timeout))
        }
        Conclusion::Unstartable {
            entrypoint: true,
            why,
        } => {
            let word = "Runtime.InvalidEntrypoint";
            fail(ErrorKind::Crash, word, payload::platform(word, id, &why))
        }
        Conclusion::Unstartable {
            entrypoint: false,
            why,
        } => (Err(Failure::System(why)), None),
        Conclusion::Stopped => (Err(Failure::System("the executor was stopped".to_owned())), None),
    }
}
