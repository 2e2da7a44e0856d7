//! The platform's records as JSON: `{"time", "type", "record"}` (spec/lambda §6, spec/runtime-api §12).
//!
//! Owns their fields, in AWS's words and order, and the level of each. Pure: JSON logs write them, whoever
//! delivers telemetry may. Deliberately absent: when anything happened, and who gets to read it.

use std::time::Duration;

use router::name::Version;
use router::time::Timestamp;
use serde::Serialize;

use crate::logging::SystemLevel;

/// What the platform tells.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Record<'a> {
    /// `platform.initReport`: an init ended; only what did not succeed is told at `WARN`.
    InitReport {
        /// `on-demand` or `provisioned-concurrency`.
        initialization_type: &'a str,
        /// `init`, or `invoke` for a suppressed one.
        phase: &'a str,
        /// How it ended.
        status: Status,
        /// How long it took.
        metrics: Lasted,
    },
    /// `platform.start`: an event is handed out.
    Start {
        /// The request id.
        request_id: &'a str,
        /// The function's version.
        version: Version,
    },
    /// `platform.runtimeDone`: the runtime has answered, or will not.
    RuntimeDone {
        /// The request id.
        request_id: &'a str,
        /// How it ended.
        status: Status,
        /// `Runtime.ExitError` and its like.
        #[serde(skip_serializing_if = "Option::is_none")]
        error_type: Option<&'a str>,
        /// How long it took.
        metrics: Lasted,
    },
    /// `platform.report`: the invocation is over.
    Report {
        /// The request id.
        request_id: &'a str,
        /// What it used.
        metrics: Used,
        /// How it ended.
        status: Status,
        /// `Runtime.ExitError` and its like.
        #[serde(skip_serializing_if = "Option::is_none")]
        error_type: Option<&'a str>,
    },
}

/// How something ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Well.
    Success,
    /// With an error.
    Error,
    /// Not in time.
    Timeout,
}

/// A duration alone.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lasted {
    /// Milliseconds, to the microsecond.
    pub duration_ms: f64,
}

/// The figures of an invocation.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// Milliseconds, to the microsecond.
    pub duration_ms: f64,
    /// Whole milliseconds.
    pub billed_duration_ms: u64,
    /// The function's memory.
    #[serde(rename = "memorySizeMB")]
    pub memory_size_mb: u32,
    /// The most that was used of it.
    #[serde(rename = "maxMemoryUsedMB")]
    pub max_memory_used_mb: u64,
    /// Of a cold start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_duration_ms: Option<f64>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    record: &'a Record<'a>,
}

impl Record<'_> {
    /// `platform.start` and its like.
    pub fn kind(&self) -> &'static str {
        match self {
            Record::InitReport { .. } => "platform.initReport",
            Record::Start { .. } => "platform.start",
            Record::RuntimeDone { .. } => "platform.runtimeDone",
            Record::Report { .. } => "platform.report",
        }
    }

    /// The level it is written at (AWS's "system log level event mapping").
    pub fn level(&self) -> SystemLevel {
        match self {
            Record::Start { .. } => SystemLevel::Info,
            Record::InitReport { status, .. } | Record::RuntimeDone { status, .. } => match status {
                Status::Success => SystemLevel::Debug,
                Status::Error | Status::Timeout => SystemLevel::Warn,
            },
            Record::Report { status, .. } => match status {
                Status::Success => SystemLevel::Info,
                Status::Error | Status::Timeout => SystemLevel::Warn,
            },
        }
    }

    /// The whole object, without an end of line.
    pub fn json(&self, time: Timestamp) -> String {
        let line = Line {
            time: time.iso_millis(),
            kind: self.kind(),
            record: self,
        };
        // Numbers, texts and names that are texts: nothing that JSON cannot carry.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Milliseconds, to the microsecond.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_are_those_of_aws() {
        let start = Record::Start {
            request_id: "abc",
            version: Version::Latest,
        };
        assert_eq!(
            start.json(Timestamp::VIRTUAL_START),
            r#"{"time":"2026-01-01T00:00:00.000Z","type":"platform.start","record":{"requestId":"abc","version":"$LATEST"}}"#
        );
        let metrics = Used {
            duration_ms: millis(Duration::from_nanos(3_010_400)),
            billed_duration_ms: 4,
            memory_size_mb: 128,
            max_memory_used_mb: 36,
            init_duration_ms: Some(110.1),
        };
        let report = Record::Report {
            request_id: "abc",
            metrics,
            status: Status::Error,
            error_type: Some("Runtime.ExitError"),
        };
        assert_eq!(
            report.json(Timestamp::VIRTUAL_START + Duration::from_millis(1)),
            r#"{"time":"2026-01-01T00:00:00.001Z","type":"platform.report","record":{"requestId":"abc","metrics":{"durationMs":3.01,"billedDurationMs":4,"memorySizeMB":128,"maxMemoryUsedMB":36,"initDurationMs":110.1},"status":"error","errorType":"Runtime.ExitError"}}"#
        );
    }

    #[test]
    fn failures_are_told_at_every_level() {
        let done = |status| Record::RuntimeDone {
            request_id: "abc",
            status,
            error_type: None,
            metrics: Lasted { duration_ms: 1.0 },
        };
        assert_eq!(done(Status::Success).level(), SystemLevel::Debug);
        assert_eq!(done(Status::Timeout).level(), SystemLevel::Warn);
    }
}
