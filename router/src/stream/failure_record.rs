//! The record that tells a destination of a batch that was given up, in AWS's exact JSON (spec/event-source-mapping §4.4).
//!
//! Owns the members and how times are written. Deliberately absent: where it goes.

use serde::Serialize;
use serde_json::value::RawValue;

use super::sequence::{Sequence, ShardId};
use super::settings::Kind;
use crate::destination::RequestContext;
use crate::event::Payload;
use crate::name::{RequestId, Version};
use crate::time::Timestamp;

/// Why a batch was given up: `requestContext.condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every attempt that the mapping allows has failed.
    RetryAttemptsExhausted,
    /// Its records are older than the mapping allows, or left the stream.
    RecordAgeExceeded,
}

impl Condition {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Condition::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// The last attempt of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The version that ran.
    pub version: Version,
    /// Whether the function itself failed; if not, its response named records.
    pub function_error: bool,
}

/// What a record says of a batch's end.
#[derive(Clone, Debug)]
pub struct End<'a> {
    /// The last request; one that was never sent if there was none.
    pub request: &'a RequestId,
    /// The function's ARN as the mapping has it: no qualifier is added.
    pub function_arn: &'a str,
    /// Why.
    pub condition: Condition,
    /// Times that the function ran.
    pub invocations: u32,
    /// How it ran last; nothing of it is said of records that are too old.
    pub ran: Option<Ran>,
    /// Now.
    pub now: Timestamp,
    /// What the stream is.
    pub kind: Kind,
    /// The stream.
    pub stream_arn: &'a str,
    /// The shard.
    pub shard: &'a ShardId,
    /// The first record, and when it arrived.
    pub first: (&'a Sequence, Timestamp),
    /// The last record, and when it arrived.
    pub last: (&'a Sequence, Timestamp),
    /// How many records.
    pub records: u32,
    /// The whole event, for destinations that get it.
    pub event: Option<&'a Payload>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext>,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "KinesisBatchInfo", skip_serializing_if = "Option::is_none")]
    kinesis: Option<BatchInfo<'a>>,
    #[serde(rename = "DDBStreamBatchInfo", skip_serializing_if = "Option::is_none")]
    dynamodb: Option<BatchInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext {
    status_code: u16,
    executed_version: Version,
    /// `null` where the response named records.
    function_error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo<'a> {
    shard_id: &'a ShardId,
    start_sequence_number: &'a Sequence,
    end_sequence_number: &'a Sequence,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: u32,
    stream_arn: &'a str,
}

/// The record, as the body of a queue's message or a topic's.
pub fn record(end: &End<'_>) -> Payload {
    let info = Some(batch_info(end));
    let (kinesis, dynamodb) = match end.kind {
        Kind::Kinesis => (info, None),
        Kind::DynamoDb => (None, info),
    };
    let record = Record {
        request_context: RequestContext {
            request_id: end.request.as_str(),
            function_arn: end.function_arn.to_owned(),
            condition: end.condition.as_str(),
            approximate_invoke_count: end.invocations,
        },
        response_context: end.ran.map(|ran| ResponseContext {
            status_code: 200,
            executed_version: ran.version,
            function_error: ran.function_error.then_some("Unhandled"),
        }),
        version: "1.0",
        timestamp: end.now.iso_millis(),
        kinesis,
        dynamodb,
        payload: end.event.and_then(raw),
    };
    serde_json::to_vec(&record)
        .expect("a failure record is always JSON")
        .into()
}

fn batch_info<'a>(end: &End<'a>) -> BatchInfo<'a> {
    let time = |at: Timestamp| match end.kind {
        Kind::Kinesis => at.iso_millis(),
        Kind::DynamoDb => at.iso_seconds(),
    };
    BatchInfo {
        shard_id: end.shard,
        start_sequence_number: end.first.0,
        end_sequence_number: end.last.0,
        approximate_arrival_of_first_record: time(end.first.1),
        approximate_arrival_of_last_record: time(end.last.1),
        batch_size: end.records,
        stream_arn: end.stream_arn,
    }
}

fn raw(event: &Payload) -> Option<Box<RawValue>> {
    RawValue::from_string(String::from_utf8_lossy(event).into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(change: impl FnOnce(&mut End<'_>)) -> (String, Value) {
        let request = RequestId::new("r-1");
        let (first, last) = (Sequence::from(11), Sequence::from(13));
        let at = Timestamp::parse_iso("2025-11-25T16:35:30.123Z").unwrap_or_default();
        let shard = ShardId::new("shardId-000000000000");
        let mut end = End {
            request: &request,
            function_arn: "arn:f",
            condition: Condition::RetryAttemptsExhausted,
            invocations: 2,
            ran: Some(Ran {
                version: Version::Latest,
                function_error: true,
            }),
            now: at + std::time::Duration::from_secs(2),
            kind: Kind::Kinesis,
            stream_arn: "arn:s",
            shard: &shard,
            first: (&first, at),
            last: (&last, at),
            records: 3,
            event: None,
        };
        change(&mut end);
        let text = String::from_utf8(record(&end).to_vec()).expect("text");
        let value = serde_json::from_str(&text).expect("JSON");
        (text, value)
    }

    #[test]
    fn a_record_of_kinesis_is_the_documented_one() {
        let (text, _) = written(|_| {});
        let expected = concat!(
            r#"{"requestContext":{"requestId":"r-1","functionArn":"arn:f","condition":"RetryAttemptsExhausted","approximateInvokeCount":2},"#,
            r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
            r#""version":"1.0","timestamp":"2025-11-25T16:35:32.123Z","#,
            r#""KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"11","endSequenceNumber":"13","#,
            r#""approximateArrivalOfFirstRecord":"2025-11-25T16:35:30.123Z","approximateArrivalOfLastRecord":"2025-11-25T16:35:30.123Z","#,
            r#""batchSize":3,"streamArn":"arn:s"}}"#,
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn dynamodb_has_a_key_of_its_own_and_whole_seconds() {
        let (_, record) = written(|end| end.kind = Kind::DynamoDb);
        assert_eq!(record.get("KinesisBatchInfo"), None);
        let info = &record["DDBStreamBatchInfo"];
        assert_eq!(info["approximateArrivalOfFirstRecord"], "2025-11-25T16:35:30Z");
        assert_eq!(record["timestamp"], "2025-11-25T16:35:32.123Z");
    }

    #[test]
    fn what_did_not_fail_has_no_error_and_what_did_not_run_no_result() {
        let (_, named) = written(|end| {
            end.ran = Some(Ran {
                version: Version::Published(3),
                function_error: false,
            });
        });
        let context = json!({"statusCode": 200, "executedVersion": "3", "functionError": null});
        assert_eq!(named["responseContext"], context);
        let (_, expired) = written(|end| {
            end.condition = Condition::RecordAgeExceeded;
            end.ran = None;
        });
        assert_eq!(expired.get("responseContext"), None);
        assert_eq!(expired["requestContext"]["condition"], "RecordAgeExceeded");
    }

    #[test]
    fn the_whole_event_is_added_where_it_is_asked_for() {
        static EVENT: Payload = Payload::from_static(br#"{"Records":[1.0]}"#);
        let (text, _) = written(|end| end.event = Some(&EVENT));
        assert!(text.ends_with(r#","payload":{"Records":[1.0]}}"#), "{text}");
    }
}
