//! The settings of a mapping: members, defaults, ranges (spec/event-source-mapping §1.1).
//!
//! Owns what CreateEventSourceMapping and UpdateEventSourceMapping say, and the checks that need nothing but the request.
//! A member that does not belong to the kind of source is refused, and so is one that exists at AWS and means nothing
//! here. Deliberately absent: function, state and tags ([`super::record`]), and whether anything named exists.

use router::pattern::Pattern;
use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::Kind;
use super::start::Start;
use crate::front::lambda::model::Input;
use crate::front::lambda::registry::{invalid, not_offered, number, structure, text};

/// How a source is read and its batches are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Records of a batch, at most; 1 to 10000.
    pub batch_size: u32,
    /// Seconds that a batch is gathered, 0 to 300.
    pub window_seconds: u32,
    /// Patterns of which a record has to match one; none for every record.
    pub filters: Vec<String>,
    /// Whether functions report which records of a batch have failed.
    pub reports_failures: bool,
    /// What belongs to the kind of source.
    pub reading: Reading,
}

/// What belongs to a kind of source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reading {
    /// A queue.
    Queue {
        /// `ScalingConfig.MaximumConcurrency`: batches at the same time, 2 to 1000.
        concurrency: Option<u32>,
    },
    /// A stream.
    Stream(Stream),
}

/// How a stream is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Where reading starts.
    pub start: Start,
    /// Lanes of a shard, 1 to 10.
    pub parallelization: u32,
    /// Retries of a batch, 0 to 10000; `None` for as long as its records are there.
    pub retries: Option<u32>,
    /// Seconds after which a record is too old, 60 to 604800; `None` for never.
    pub record_age_seconds: Option<u32>,
    /// Whether a batch that fails is split.
    pub bisects: bool,
    /// Seconds of a tumbling window, 1 to 900; 0 for none.
    pub tumbling_seconds: u32,
    /// Where batches are told of that are given up.
    pub on_failure: Option<String>,
}

/// Filters that a mapping may have.
const FILTERS: usize = 5;
/// The longest batch that needs no window, or that is of a FIFO queue.
const SMALL_BATCH: u32 = 10;
/// Members for streams.
const STREAMS_ONLY: &[&str] = &[
    "DestinationConfig",
    "ParallelizationFactor",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
];
/// Members that are refused whatever they say: of kinds of sources that are not here, or with nothing to set here.
const UNOFFERED: &[&str] = &[
    "Topics",
    "Queues",
    "SelfManagedEventSource",
    "SourceAccessConfigurations",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "ProvisionedPollerConfig",
    "LoggingConfig",
];

impl Settings {
    /// The settings of a new mapping of a source.
    ///
    /// # Errors
    /// As [`Settings::take`]; or no starting position for a stream, or one that it does not have.
    pub fn new(kind: Kind, source: &str, input: &Input) -> Result<Self, ApiError> {
        let positions = ["StartingPosition", "StartingPositionTimestamp"];
        let position = positions.into_iter().find(|member| input.contains_key(*member));
        let reading = match kind.is_stream() {
            false if let Some(member) = position => {
                return Err(invalid(format!("{member} is not valid for SQS event sources.")));
            }
            false => Reading::Queue { concurrency: None },
            true => Reading::Stream(Stream {
                start: Start::read(kind, source, input)?,
                parallelization: 1,
                retries: None,
                record_age_seconds: None,
                bisects: false,
                tumbling_seconds: 0,
                on_failure: None,
            }),
        };
        let mut settings = Settings {
            batch_size: kind.batch_size(),
            window_seconds: 0,
            filters: Vec::new(),
            reports_failures: false,
            reading,
        };
        settings.take(kind, input)?;
        Ok(settings)
    }

    /// Takes in what an input says; what it does not say stays.
    ///
    /// # Errors
    /// A value that AWS would refuse, or that is not offered here.
    pub fn take(&mut self, kind: Kind, input: &Input) -> Result<(), ApiError> {
        check_unoffered(input)?;
        if let Some(size) = whole(input, "BatchSize") {
            self.batch_size = size;
        }
        if let Some(seconds) = whole(input, "MaximumBatchingWindowInSeconds") {
            self.window_seconds = seconds;
        }
        if let Some(types) = input.get("FunctionResponseTypes").and_then(Value::as_array) {
            self.reports_failures = types.iter().any(|item| item == "ReportBatchItemFailures");
        }
        match &mut self.reading {
            Reading::Queue { concurrency } => take_queue(concurrency, input)?,
            Reading::Stream(stream) => stream.take(input)?,
        }
        if let Some(criteria) = structure(input, "FilterCriteria") {
            self.filters = filters(criteria)?;
        }
        self.check_batch(kind)
    }

    /// The rules of batches and windows together (spec/event-source-mapping §1.1).
    fn check_batch(&self, kind: Kind) -> Result<(), ApiError> {
        match kind {
            Kind::Queue { fifo: true } if self.window_seconds > 0 => {
                Err(invalid("Batching window is not supported for FIFO queues"))
            }
            Kind::Queue { fifo: true } if self.batch_size > SMALL_BATCH => Err(invalid(format!(
                "BatchSize {} is too large: a batch of a FIFO queue has {SMALL_BATCH} messages at most",
                self.batch_size
            ))),
            Kind::Queue { fifo: false } if self.batch_size > SMALL_BATCH && self.window_seconds == 0 => {
                Err(invalid(
                    "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Stream {
    fn take(&mut self, input: &Input) -> Result<(), ApiError> {
        if input.contains_key("ScalingConfig") {
            return Err(unsupported("ScalingConfig"));
        }
        if let Some(lanes) = whole(input, "ParallelizationFactor") {
            self.parallelization = lanes;
        }
        if let Some(seconds) = whole(input, "TumblingWindowInSeconds") {
            self.tumbling_seconds = seconds;
        }
        if let Some(bisects) = input.get("BisectBatchOnFunctionError").and_then(Value::as_bool) {
            self.bisects = bisects;
        }
        if let Some(retries) = number(input, "MaximumRetryAttempts") {
            self.retries = u32::try_from(retries).ok();
        }
        if let Some(seconds) = number(input, "MaximumRecordAgeInSeconds") {
            self.record_age_seconds = match seconds {
                -1 => None,
                60.. => u32::try_from(seconds).ok(),
                _ => {
                    return Err(invalid(format!(
                        "MaximumRecordAgeInSeconds {seconds} is too small: it is -1 (records do not get too old), or from 60 to 604800"
                    )));
                }
            };
        }
        if let Some(destinations) = structure(input, "DestinationConfig") {
            let target = |member: &str| {
                let target = structure(destinations, member).and_then(|inner| text(inner, "Destination"));
                target.filter(|target| !target.is_empty()).map(str::to_owned)
            };
            if target("OnSuccess").is_some() {
                return Err(unsupported("DestinationConfig"));
            }
            self.on_failure = target("OnFailure");
        }
        Ok(())
    }
}

fn take_queue(concurrency: &mut Option<u32>, input: &Input) -> Result<(), ApiError> {
    if let Some(member) = STREAMS_ONLY.iter().find(|member| input.contains_key(**member)) {
        return Err(unsupported(member));
    }
    if let Some(scaling) = structure(input, "ScalingConfig") {
        *concurrency = whole(scaling, "MaximumConcurrency");
    }
    Ok(())
}

/// The patterns of a filter criteria.
fn filters(criteria: &Input) -> Result<Vec<String>, ApiError> {
    let given = criteria.get("Filters").and_then(Value::as_array);
    let given = given.map(Vec::as_slice).unwrap_or_default();
    if given.len() > FILTERS {
        return Err(invalid(format!(
            "FilterCriteria has {} filters: a mapping has {FILTERS} at most; join some by more alternatives in one pattern",
            given.len()
        )));
    }
    let patterns = given.iter().map(|item| {
        let pattern = item.get("Pattern").and_then(Value::as_str).unwrap_or_default();
        Pattern::parse(pattern).map_err(|why| {
            // AWS does not say why; this does.
            tracing::warn!(%why, pattern, "a filter pattern was refused");
            invalid("Invalid filter pattern definition.")
        })?;
        Ok(pattern.to_owned())
    });
    patterns.collect()
}

fn check_unoffered(input: &Input) -> Result<(), ApiError> {
    if text(input, "KMSKeyArn").is_some_and(|key| !key.is_empty()) {
        return Err(not_offered("KMSKeyArn"));
    }
    let metrics = structure(input, "MetricsConfig").and_then(|config| config.get("Metrics"));
    if metrics
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        return Err(not_offered("MetricsConfig"));
    }
    match UNOFFERED.iter().find(|member| input.contains_key(**member)) {
        Some(member) => Err(not_offered(member)),
        None => Ok(()),
    }
}

/// A member that does not belong to the kind of source (spec/errors §6).
fn unsupported(member: &str) -> ApiError {
    invalid(format!(
        "Unsupported {member} parameter for given event source mapping type."
    ))
}

/// A number whose range the model has checked.
fn whole(input: &Input, member: &str) -> Option<u32> {
    number(input, member).and_then(|number| u32::try_from(number).ok())
}
