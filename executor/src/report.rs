//! The platform's own log lines: START, END and REPORT in AWS's exact layout, or their JSON (spec/lambda §6).
//!
//! Owns the text around what the handler wrote, which passes through. Deliberately absent: the JSON's fields
//! ([`platform_log`](crate::platform_log)), and INIT_START, which AWS does not show in the tail either.

use std::time::Duration;

use bytes::Bytes;
use router::name::Version;
use router::time::Timestamp;

use crate::logging::{Logging, SystemLevel};
use crate::logs::last_4k;
use crate::platform_log::{self, Lasted, Record, Used};

/// The figures of one invocation.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The request id.
    pub id: &'a str,
    /// The version that ran.
    pub version: Version,
    /// How it is written.
    pub logging: Logging,
    /// When the invocation began.
    pub began: Timestamp,
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
        let (before, after) = match self.logging {
            Logging::Text => {
                let (id, version) = (self.id, self.version);
                let start = format!("START RequestId: {id} Version: {version}\n");
                (start, format!("END RequestId: {id}\n{}", self.line()))
            }
            Logging::Json { system, .. } => self.json(system),
        };
        Bytes::from(last_4k([before.as_bytes(), output, after.as_bytes()].concat()))
    }

    fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.id,
            millis(self.duration),
            self.billed(),
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

    /// The records before and after what the handler wrote; without those below the level.
    fn json(&self, system: SystemLevel) -> (String, String) {
        let (status, error_type) = match &self.status {
            None => (platform_log::Status::Success, None),
            Some(Status::Timeout) => (platform_log::Status::Timeout, None),
            Some(Status::Error(kind)) => (platform_log::Status::Error, Some(kind.as_str())),
        };
        let request_id = self.id;
        let start = Record::Start {
            request_id,
            version: self.version,
        };
        let duration_ms = platform_log::millis(self.duration);
        let done = Record::RuntimeDone {
            request_id,
            status,
            error_type,
            metrics: Lasted { duration_ms },
        };
        let metrics = Used {
            duration_ms,
            billed_duration_ms: self.billed(),
            memory_size_mb: self.memory,
            max_memory_used_mb: self.used,
            init_duration_ms: self.init.map(platform_log::millis),
        };
        let report = Record::Report {
            request_id,
            metrics,
            status,
            error_type,
        };
        let ended = self.began + self.duration;
        let line = |record: Record<'_>, time| match record.level() >= system {
            true => record.json(time) + "\n",
            false => String::new(),
        };
        (line(start, self.began), line(done, ended) + &line(report, ended))
    }

    /// Whole milliseconds, the cold init with them (spec/lambda §6).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a duration in milliseconds fits, and is not negative"
    )]
    fn billed(&self) -> u64 {
        millis(self.duration.saturating_add(self.init.unwrap_or_default())).ceil() as u64
    }
}

/// The line of a first init that ran out of time (spec/lambda §3.1).
pub fn init_timed_out(
    logging: Logging,
    initialization_type: &str,
    limit: Duration,
    now: Timestamp,
) -> String {
    match logging {
        Logging::Text => format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: timeout\n",
            millis(limit)
        ),
        Logging::Json { .. } => {
            let record = Record::InitReport {
                initialization_type,
                phase: "init",
                status: platform_log::Status::Timeout,
                metrics: Lasted {
                    duration_ms: platform_log::millis(limit),
                },
            };
            record.json(now) + "\n"
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(logging: Logging, init: Option<u64>, status: Option<Status>) -> String {
        let report = Report {
            id: "abc",
            version: Version::Latest,
            logging,
            began: Timestamp::VIRTUAL_START,
            duration: Duration::from_micros(3010),
            init: init.map(Duration::from_micros),
            memory: 128,
            used: 36,
            status,
        };
        String::from_utf8_lossy(&report.text(b"hello\n")).into_owned()
    }

    fn kinds(system: SystemLevel, status: Option<Status>) -> Vec<String> {
        let application = Default::default();
        let text = report(Logging::Json { application, system }, None, status);
        let kind = |line: &str| line.split('"').nth(7).unwrap_or(line).to_owned();
        text.lines().map(kind).collect()
    }

    #[test]
    fn the_layout_is_that_of_aws() {
        assert_eq!(
            report(Logging::Text, None, None),
            "START RequestId: abc Version: $LATEST\nhello\nEND RequestId: abc\nREPORT RequestId: abc\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n"
        );
        assert!(report(Logging::Text, Some(110_100), None).ends_with(
            "\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n"
        ));
    }

    #[test]
    fn a_slow_init_has_its_own_line() {
        assert_eq!(
            init_timed_out(
                Logging::Text,
                "on-demand",
                Duration::from_secs(10),
                Timestamp::VIRTUAL_START
            ),
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"
        );
    }

    #[test]
    fn failures_append_their_status() {
        let text = |status| report(Logging::Text, None, Some(status));
        assert!(text(Status::Timeout).ends_with("36 MB\tStatus: timeout\t\n"));
        let error = Status::Error("Runtime.ExitError".into());
        assert!(text(error).ends_with("36 MB\tStatus: error\tError Type: Runtime.ExitError\t\n"));
    }

    #[test]
    fn json_has_the_records_of_its_level() {
        let (start, done, end) = ("platform.start", "platform.runtimeDone", "platform.report");
        assert_eq!(kinds(SystemLevel::Debug, None), [start, "hello", done, end]);
        assert_eq!(kinds(SystemLevel::Info, None), [start, "hello", end]);
        assert_eq!(kinds(SystemLevel::Warn, None), ["hello"]);
        assert_eq!(
            kinds(SystemLevel::Warn, Some(Status::Timeout)),
            ["hello", done, end]
        );
    }
}
