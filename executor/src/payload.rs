//! The error documents the platform makes itself, byte for byte (spec/lambda §3.2 and §5.2).
//!
//! Owns the texts. Deliberately absent: documents that runtimes post; those pass verbatim.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::environment::Exit;

/// The document of an invocation that ran out of time.
pub fn timed_out(id: &str, timeout: Duration) -> Bytes {
    let seconds = timeout.as_secs_f64();
    document(
        "Sandbox.Timedout",
        &format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds"),
    )
}

/// The document of an invocation whose process ended.
pub fn exited(id: &str, exit: Exit) -> Bytes {
    let why = match exit {
        Exit::Code(0) => "Runtime exited without providing a reason".to_owned(),
        _ => format!("Runtime exited with error: {exit}"),
    };
    document("Runtime.ExitError", &format!("RequestId: {id} Error: {why}"))
}

/// As Go prints the end of a process.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(n) => write!(f, "exit status {n}"),
            Exit::Signal(n) => write!(f, "signal: {}", signal_name(*n)),
        }
    }
}

/// A response above the limit; the one document with the message first (spec/lambda §5.2).
pub fn too_large(limit: usize) -> Bytes {
    Bytes::from(format!(
        "{{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size ({limit} bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}}"
    ))
}

/// A platform document with a free reason.
pub fn platform(kind: &str, id: &str, why: &str) -> Bytes {
    document(kind, &format!("RequestId: {id} Error: {why}"))
}

fn document(kind: &str, message: &str) -> Bytes {
    let (kind, message) = (Value::from(kind), Value::from(message));
    Bytes::from(format!("{{\"errorType\":{kind},\"errorMessage\":{message}}}"))
}

/// Signal names as Go prints them, which is what AWS shows.
fn signal_name(n: i32) -> String {
    match n {
        1 => "hangup".to_owned(),
        2 => "interrupt".to_owned(),
        3 => "quit".to_owned(),
        4 => "illegal instruction".to_owned(),
        6 => "aborted".to_owned(),
        7 => "bus error".to_owned(),
        8 => "floating point exception".to_owned(),
        9 => "killed".to_owned(),
        11 => "segmentation fault".to_owned(),
        13 => "broken pipe".to_owned(),
        14 => "alarm clock".to_owned(),
        15 => "terminated".to_owned(),
        _ => format!("signal {n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_exact() {
        let timeout = timed_out("abc", Duration::from_secs(3));
        assert_eq!(
            timeout,
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: abc Error: Task timed out after 3.00 seconds"}"#
        );
        assert_eq!(
            exited("abc", Exit::Code(0)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: abc Error: Runtime exited without providing a reason"}"#
        );
        assert_eq!(
            exited("abc", Exit::Code(127)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: abc Error: Runtime exited with error: exit status 127"}"#
        );
        assert_eq!(
            too_large(6_291_556),
            r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#
        );
        assert_eq!(
            exited("abc", Exit::Signal(9)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: abc Error: Runtime exited with error: signal: killed"}"#
        );
    }
}
