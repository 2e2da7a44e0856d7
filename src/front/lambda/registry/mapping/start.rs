//! Where the reading of a stream starts (spec/event-source-mapping §1.1).
//!
//! Owns `StartingPosition` and `StartingPositionTimestamp`, which belong together and do not change.

use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::Kind;
use crate::front::lambda::model::Input;
use crate::front::lambda::registry::{invalid, text};

/// `StartingPosition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// The oldest record.
    TrimHorizon,
    /// Records from now on.
    Latest,
    /// The first record of this time or later.
    At(Timestamp),
}

impl Start {
    /// Where the reading of a stream starts, as a request says.
    ///
    /// # Errors
    /// Nowhere, or at a position that this kind of stream does not have.
    pub fn read(kind: Kind, source: &str, input: &Input) -> Result<Self, ApiError> {
        let at = instant(input.get("StartingPositionTimestamp"));
        match (text(input, "StartingPosition"), at) {
            (None, _) => Err(invalid(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
            )),
            (Some("AT_TIMESTAMP"), _) if kind != Kind::Kinesis => Err(invalid(format!(
                "Unsupported starting position for arn type: {source}"
            ))),
            (Some("AT_TIMESTAMP"), Some(at)) => Ok(Start::At(at)),
            (Some("AT_TIMESTAMP"), None) => Err(invalid(
                "StartingPosition AT_TIMESTAMP needs a StartingPositionTimestamp: seconds since 1970",
            )),
            (Some(position), _) if input.contains_key("StartingPositionTimestamp") => Err(invalid(format!(
                "StartingPositionTimestamp belongs to StartingPosition AT_TIMESTAMP; leave it out with {position}"
            ))),
            (Some("LATEST"), _) => Ok(Start::Latest),
            (Some(_), _) => Ok(Start::TrimHorizon),
        }
    }
}

/// A time as clients send it: seconds since the epoch, maybe with a fraction, or ISO 8601.
fn instant(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::String(text) => Timestamp::parse_iso(text),
        value => {
            let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and the cast saturates"
            )]
            let millis = (seconds * 1000.0).round() as u64;
            Some(Timestamp::from_millis(millis))
        }
    }
}
