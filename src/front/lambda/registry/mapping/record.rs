//! The record of an event source mapping and its states (spec/event-source-mapping §1.2).
//!
//! ```text
//! Creating ─► Enabled ◄─► Disabled      by way of Enabling and Disabling
//!    └──────────►┴── Updating ──┘
//!                └── Deleting ─► gone
//! ```
//!
//! Owns the data and the passing of states. Deliberately absent: operations ([`super`]), and the polling of the source.

use std::collections::BTreeMap;

use router::name::FunctionName;
use router::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::settings::{Reading, Settings, Stream};
use super::start::Start;
use crate::front::lambda::registry::Place;
use crate::front::lambda::registry::configuration::{arn, epoch};
use crate::front::lambda::registry::record::TRANSITION;

/// An event source mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// Its id.
    pub uuid: String,
    /// The ARN of its source.
    pub source: String,
    /// The function's bare name.
    pub function: FunctionName,
    /// The function's qualifier, as far as its ARN shows it.
    pub qualifier: Option<String>,
    /// How the source is read.
    pub settings: Settings,
    /// How far along it is.
    pub state: State,
    /// When a user last changed it.
    pub modified: Timestamp,
    /// `LastProcessingResult`, which streams show: `OK`, or `PROBLEM: ` and what it was.
    pub result: String,
    /// `PROBLEM: ` and what made Lambda disable it; `None` where its state is a user's doing.
    pub problem: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// `State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The source is polled.
    Enabled,
    /// It is not.
    Disabled,
    /// On the way to one of these.
    Changing {
        /// What is being done.
        change: Change,
        /// Whether it ends enabled.
        enabled: bool,
        /// Until when, at the latest.
        until: Timestamp,
    },
    /// On the way to be forgotten.
    Deleting {
        /// Until when, at the latest.
        until: Timestamp,
    },
}

/// What is being done to a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It is made.
    Creating,
    /// It was disabled.
    Enabling,
    /// It was enabled.
    Disabling,
    /// Its settings become others.
    Updating,
}

impl State {
    /// The state of something that is being done from `now`.
    pub fn changing(change: Change, enabled: bool, now: Timestamp) -> Self {
        State::Changing {
            change,
            enabled,
            until: now + TRANSITION,
        }
    }

    /// AWS's word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Enabled => "Enabled",
            State::Disabled => "Disabled",
            State::Deleting { .. } => "Deleting",
            State::Changing { change, .. } => match change {
                Change::Creating => "Creating",
                Change::Enabling => "Enabling",
                Change::Disabling => "Disabling",
                Change::Updating => "Updating",
            },
        }
    }
}

/// What time makes of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing.
    Same,
    /// Another state.
    Changed,
    /// It is gone.
    Gone,
}

impl Mapping {
    /// Whether its source is polled: while it is enabled, and while a mapping that was enabled is updated.
    #[cfg_attr(not(test), expect(dead_code, reason = "no source that is polled is here yet"))]
    pub fn polls(&self) -> bool {
        matches!(
            self.state,
            State::Enabled
                | State::Changing {
                    change: Change::Updating,
                    enabled: true,
                    ..
                }
        )
    }

    /// Lets happen what was to happen by `now`.
    pub fn settle(&mut self, now: Timestamp) -> Settled {
        match self.state {
            State::Changing { enabled, until, .. } if until <= now => {
                self.state = if enabled { State::Enabled } else { State::Disabled };
                Settled::Changed
            }
            State::Deleting { until } if until <= now => Settled::Gone,
            _ => Settled::Same,
        }
    }

    /// When [`Mapping::settle`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Changing { until, .. } | State::Deleting { until } => Some(until),
            State::Enabled | State::Disabled => None,
        }
    }

    /// Its own ARN.
    pub fn arn(&self, place: &Place) -> String {
        format!(
            "arn:aws:lambda:{}:{}:event-source-mapping:{}",
            place.region, place.account, self.uuid
        )
    }

    /// The ARN of its function, with the qualifier as it was given.
    pub fn function_arn(&self, place: &Place) -> String {
        arn(place, &self.function, self.qualifier.as_deref())
    }

    /// The mapping as every operation shows it.
    pub fn show(&self, place: &Place) -> Value {
        let settings = &self.settings;
        let mut all = Map::new();
        let mut put = |key: &str, value: Value| drop(all.insert(key.to_owned(), value));
        put("UUID", json!(self.uuid));
        put("EventSourceMappingArn", json!(self.arn(place)));
        put("EventSourceArn", json!(self.source));
        put("FunctionArn", json!(self.function_arn(place)));
        put("BatchSize", json!(settings.batch_size));
        put("MaximumBatchingWindowInSeconds", json!(settings.window_seconds));
        let responses: &[&str] = match settings.reports_failures {
            true => &["ReportBatchItemFailures"],
            false => &[],
        };
        put("FunctionResponseTypes", json!(responses));
        put("LastModified", epoch(self.modified));
        put("State", json!(self.state.word()));
        put("StateTransitionReason", json!(self.reason()));
        if !settings.filters.is_empty() {
            let filters = settings
                .filters
                .iter()
                .map(|pattern| json!({ "Pattern": pattern }));
            put("FilterCriteria", json!({ "Filters": filters.collect::<Value>() }));
        }
        match &settings.reading {
            Reading::Queue { concurrency: None } => {}
            Reading::Queue { concurrency } => {
                put("ScalingConfig", json!({ "MaximumConcurrency": concurrency }));
            }
            Reading::Stream(stream) => {
                put("LastProcessingResult", json!(self.result));
                show_stream(stream)
                    .into_iter()
                    .for_each(|(key, value)| put(key, value));
            }
        }
        Value::Object(all)
    }

    /// `StateTransitionReason`, which AWS words by the kind of source.
    fn reason(&self) -> &str {
        match (&self.problem, &self.settings.reading) {
            (Some(problem), _) => problem,
            (None, Reading::Queue { .. }) => "USER_INITIATED",
            (None, Reading::Stream(_)) => "User action",
        }
    }
}

fn show_stream(stream: &Stream) -> Vec<(&'static str, Value)> {
    let endless = |number: Option<u32>| number.map_or(json!(-1), |number| json!(number));
    let failure = match &stream.on_failure {
        Some(target) => json!({ "Destination": target }),
        None => json!({}),
    };
    let mut shown = vec![
        ("ParallelizationFactor", json!(stream.parallelization)),
        ("MaximumRetryAttempts", endless(stream.retries)),
        ("MaximumRecordAgeInSeconds", endless(stream.record_age_seconds)),
        ("BisectBatchOnFunctionError", json!(stream.bisects)),
        ("TumblingWindowInSeconds", json!(stream.tumbling_seconds)),
        ("DestinationConfig", json!({ "OnFailure": failure })),
    ];
    match stream.start {
        Start::TrimHorizon => shown.push(("StartingPosition", json!("TRIM_HORIZON"))),
        Start::Latest => shown.push(("StartingPosition", json!("LATEST"))),
        Start::At(at) => shown.extend([
            ("StartingPosition", json!("AT_TIMESTAMP")),
            ("StartingPositionTimestamp", epoch(at)),
        ]),
    }
    shown
}
