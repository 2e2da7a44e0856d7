//! Settings of an event source mapping of a stream, and the figures that AWS does not let anybody set.
//!
//! Owns the members with their ranges (spec/event-source-mapping §1.1) and the backoff. Deliberately absent: the filter,
//! which whoever fetches evaluates, and what the API calls these members.

use std::sync::Arc;
use std::time::Duration;

use crate::name::FunctionName;
use crate::settings::Destination;
use crate::time::Timestamp;

/// The wait after a batch's first failure; it doubles from there. AWS does not document its own
/// (spec/event-source-mapping §4.2, `[U]`).
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two tries of a batch.
pub const BACKOFF_LONGEST: Duration = Duration::from_secs(60);
/// The largest event that a batch may make: 6 MB, the limit of a synchronous invocation.
pub const EVENT_BYTES: usize = 6 * 1024 * 1024;
/// What an event needs beside its records and the state of its window.
const FRAME_BYTES: usize = 2048;

/// A mapping as the machine reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The function.
    pub function: FunctionName,
    /// The version or alias, if one was named.
    pub qualifier: Option<Arc<str>>,
    /// The function's ARN as the mapping has it, for records.
    pub function_arn: Arc<str>,
    /// `BatchSize`: records of an invocation at most, 1 to 10,000.
    pub batch_size: u32,
    /// `MaximumBatchingWindowInSeconds`: how long a batch is gathered from its first record on, 0 to 300 s.
    pub window: Duration,
    /// `ParallelizationFactor`: lanes of a shard, 1 to 10.
    pub factor: u32,
    /// `MaximumRetryAttempts`, 0 to 10,000; `None` for as long as the records are in the stream.
    pub retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`, 60 to 604,800 s; `None` for no such limit.
    pub max_age: Option<Duration>,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `TumblingWindowInSeconds`, 1 to 900 s; `None` for no windows.
    pub tumbling: Option<Duration>,
    /// `FunctionResponseTypes: [ReportBatchItemFailures]`.
    pub reports_failures: bool,
    /// `DestinationConfig.OnFailure`.
    pub on_failure: Option<OnFailure>,
    /// `StartingPosition`, for shards of which there is no checkpoint.
    pub start: Start,
    /// What the stream is.
    pub kind: Kind,
    /// The ARN of the stream.
    pub stream_arn: Arc<str>,
}

/// Where batches are told of that were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// Where to.
    pub to: Destination,
    /// Whether the record holds the whole event, as S3 destinations get it (spec/event-source-mapping §4.4).
    pub whole_event: bool,
}

/// Where the reading of a shard starts (spec/event-source-mapping §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    TrimHorizon,
    /// After the newest record that is there when the shard is first read.
    Latest,
    /// At the first record that arrived then or later; Kinesis only.
    At(Timestamp),
}

/// What a stream is; it decides the words of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A DynamoDB stream.
    DynamoDb,
    /// A Kinesis data stream.
    Kinesis,
}

/// A member out of its range.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{member} is {found}: use {range}")]
pub struct OutOfRange {
    member: &'static str,
    found: String,
    range: &'static str,
}

impl Settings {
    /// Checks the ranges (spec/event-source-mapping §1.1).
    ///
    /// # Errors
    /// The first member that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
        let within = |member, found: u32, least: u32, most: u32, range| match (least..=most).contains(&found)
        {
            true => Ok(()),
            false => Err(OutOfRange {
                member,
                found: found.to_string(),
                range,
            }),
        };
        within("BatchSize", self.batch_size, 1, 10_000, "1 to 10000")?;
        within(
            "MaximumBatchingWindowInSeconds",
            seconds(self.window),
            0,
            300,
            "0 to 300",
        )?;
        within("ParallelizationFactor", self.factor, 1, 10, "1 to 10")?;
        let retries = self.retries.unwrap_or_default();
        within("MaximumRetryAttempts", retries, 0, 10_000, "-1 to 10000")?;
        let age = self.max_age.map_or(60, seconds);
        within(
            "MaximumRecordAgeInSeconds",
            age,
            60,
            604_800,
            "-1 or 60 to 604800",
        )?;
        let tumbling = self.tumbling.map_or(1, seconds);
        within("TumblingWindowInSeconds", tumbling, 1, 900, "0 to 900")
    }

    /// Bytes of records that an event may have beside a state of this size.
    pub(super) fn room(&self, state: usize) -> usize {
        EVENT_BYTES.saturating_sub(FRAME_BYTES + self.stream_arn.len() + state)
    }

    /// Lanes of a shard.
    pub(super) fn lanes(&self) -> usize {
        self.factor.max(1) as usize
    }

    /// Records of a batch at most.
    pub(super) fn batch(&self) -> usize {
        self.batch_size.max(1) as usize
    }

    /// Records that a lane may hold. All lanes of a shard together hold `factor` batches and one more.
    pub(super) fn lane_records(&self) -> usize {
        self.batch() + self.batch().div_ceil(self.lanes())
    }

    /// Bytes at which a lane takes no further record; all lanes together as above.
    pub(super) fn lane_bytes(&self) -> usize {
        EVENT_BYTES + EVENT_BYTES.div_ceil(self.lanes())
    }
}

/// The wait after the `failures`-th failure in a row, from 1.
pub(super) fn backoff(failures: u32) -> Duration {
    let doublings = failures.max(1) - 1;
    BACKOFF_FIRST
        .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(BACKOFF_LONGEST)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Settings with the defaults of a stream.
    pub fn defaults() -> Settings {
        Settings {
            function: FunctionName::new("f"),
            qualifier: None,
            function_arn: "arn:aws:lambda:us-east-1:123456789012:function:f".into(),
            batch_size: 100,
            window: Duration::ZERO,
            factor: 1,
            retries: None,
            max_age: None,
            bisect: false,
            tumbling: None,
            reports_failures: false,
            on_failure: None,
            start: Start::TrimHorizon,
            kind: Kind::DynamoDb,
            stream_arn: "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
                .into(),
        }
    }

    #[test]
    fn the_wait_doubles_from_one_second_to_a_minute() {
        let waits: Vec<u64> = (1..=8).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX), BACKOFF_LONGEST);
    }

    #[test]
    fn ranges_are_those_of_the_api() {
        assert_eq!(defaults().check(), Ok(()));
        let secs = Duration::from_secs;
        let wrong: [fn(&mut Settings); 10] = [
            |s| s.batch_size = 0,
            |s| s.batch_size = 10_001,
            |s| s.window = Duration::from_secs(301),
            |s| s.factor = 0,
            |s| s.factor = 11,
            |s| s.retries = Some(10_001),
            |s| s.max_age = Some(Duration::from_secs(59)),
            |s| s.max_age = Some(Duration::from_secs(604_801)),
            |s| s.tumbling = Some(Duration::from_secs(901)),
            |s| s.tumbling = Some(Duration::ZERO),
        ];
        for change in wrong {
            let mut settings = defaults();
            change(&mut settings);
            assert!(settings.check().is_err(), "{settings:?}");
        }
        let mut widest = defaults();
        (widest.batch_size, widest.window, widest.factor) = (10_000, secs(300), 10);
        (widest.retries, widest.max_age, widest.tumbling) =
            (Some(10_000), Some(secs(604_800)), Some(secs(900)));
        assert_eq!(widest.check(), Ok(()));
    }

    #[test]
    fn lanes_together_hold_the_batches_of_all_and_one_more() {
        for factor in 1..=10 {
            let mut settings = defaults();
            settings.factor = factor;
            let all = settings.lane_records() * settings.lanes();
            let most = 100 * (factor as usize + 1);
            assert!((most..most + settings.lanes()).contains(&all), "{factor}: {all}");
        }
    }
}
