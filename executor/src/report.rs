//! The platform's own log lines: START, END and REPORT in AWS's exact layout (spec/lambda §6).
//!
//! Owns the text. Deliberately absent: what the handler wrote, which passes through, and INIT_START, which
//! AWS does not show in the tail either.

use std::time::Duration;

use bytes::Bytes;

use crate::logs::last_4k;

/// The figures of one invocation.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The request id.
    pub id: &'a str,
    /// How long the invocation took.
    pub duration: Duration,
    /// How long the init took, for a cold start only.
    pub init: Option<Duration>,
    /// Memory size in MB.
    pub memory: u32,
    /// The highest resident memory in MB.
    pub used: u64,
    /// `Status: ..`, if the invocation failed.
    pub status: Option<Status>,
}

/// How a failed invocation is reported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// The time ran out.
    Timeout,
    /// Anything else, with its type.
    Error(String),
}

impl Report<'_> {
    /// The log text around what the handler wrote; its last 4096 bytes.
    pub fn text(&self, output: &[u8]) -> Bytes {
        let id = self.id;
        let mut text = format!("START RequestId: {id} Version: $LATEST\n").into_bytes();
        text.extend_from_slice(output);
        text.extend_from_slice(format!("END RequestId: {id}\n").as_bytes());
        text.extend_from_slice(self.line().as_bytes());
        Bytes::from(last_4k(text))
    }

    fn line(&self) -> String {
        let billed = millis(self.duration + self.init.unwrap_or_default()).ceil();
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.id,
            millis(self.duration),
            self.memory,
            self.used
        );
        if let Some(init) = self.init {
            line.push_str(&format!("Init Duration: {:.2} ms\t", millis(init)));
        }
        match &self.status {
            None => {}
            Some(Status::Timeout) => line.push_str("Status: timeout\t"),
            Some(Status::Error(kind)) => line.push_str(&format!("Status: error\tError Type: {kind}\t")),
        }
        line.push('\n');
        line
    }
}

/// The line of a first init that ran out of time (spec/lambda §3.1).
pub fn init_timed_out(limit: Duration) -> String {
    format!(
        "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: timeout\n",
        millis(limit)
    )
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(init: Option<u64>, status: Option<Status>) -> String {
        let report = Report {
            id: "abc",
            duration: Duration::from_micros(3010),
            init: init.map(Duration::from_micros),
            memory: 128,
            used: 36,
            status,
        };
        String::from_utf8_lossy(&report.text(b"hello\n")).into_owned()
    }

    #[test]
    fn the_layout_is_that_of_aws() {
        assert_eq!(
            report(None, None),
            "START RequestId: abc Version: $LATEST\nhello\nEND RequestId: abc\nREPORT RequestId: abc\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n"
        );
        assert!(report(Some(110_100), None).ends_with(
            "\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n"
        ));
    }

    #[test]
    fn a_slow_init_has_its_own_line() {
        assert_eq!(
            init_timed_out(Duration::from_secs(10)),
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"
        );
    }

    #[test]
    fn failures_append_their_status() {
        assert!(report(None, Some(Status::Timeout)).ends_with("36 MB\tStatus: timeout\t\n"));
        let error = Status::Error("Runtime.ExitError".into());
        assert!(
            report(None, Some(error)).ends_with("36 MB\tStatus: error\tError Type: Runtime.ExitError\t\n")
        );
    }
}
