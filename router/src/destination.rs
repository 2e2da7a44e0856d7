//! The records that tell how an asynchronous event ended, in AWS's exact JSON (spec/lambda §9.3, §9.4).

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::event::{Event, Failure, Lane, Payload};
use crate::name::{FunctionName, Name, Seed, SourceName, Version};
use crate::time::Timestamp;

/// Destinations one after the other before a chain counts as a loop (spec/lambda §11, about 16).
pub const MAX_HOPS: u32 = 16;
/// The origin of an event that carries a record to a function.
pub const ORIGIN: &str = "destination";

/// `ErrorMessage` of a dead letter is cut to this many bytes.
const DEAD_LETTER_MESSAGE: usize = 1024;

/// What a record says of an event's end.
pub struct End<'a> {
    /// The event.
    pub event: &'a Event,
    /// `Success` or AWS's condition of giving up.
    pub condition: &'static str,
    /// Times the function ran.
    pub executions: u32,
    /// The version that ran last, and how that ended; `None` if the function never ran.
    pub last: Option<(Version, &'a Result<Payload, Failure>)>,
    /// Now.
    pub at: Timestamp,
    /// The function's ARN without a qualifier.
    pub arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Box<RawValue>>,
}

/// `requestContext` of every record that tells of an end: of an event's, and of a batch's (spec/event-source-mapping §4.4).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestContext<'a> {
    pub request_id: &'a str,
    /// With or without a qualifier: the two kinds of records differ in that.
    pub function_arn: String,
    pub condition: &'static str,
    pub approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext {
    status_code: u16,
    executed_version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

/// The event that carries a record to a function, as the `hop`-th of its chain, from 1. An event has at most one such
/// follow-up, so the chain's first event, the function and the hop name it, and a long chain makes no long name.
pub fn follow_up(seed: Seed, from: &Event, hop: u32, to: FunctionName, record: Payload) -> Event {
    let name = match hop {
        0 | 1 => format!("evt:{}/to-{to}", from.name.path()),
        _ => format!("evt:{}/to-{to}.{hop}", first_of_chain(&from.name)),
    };
    Event {
        id: seed.request_id(&name),
        name: Name::new(name),
        origin: SourceName::new(ORIGIN),
        route: None,
        subject: format!("{SUBJECT}{}", from.to),
        to,
        qualifier: None,
        lane: Lane::Queue,
        call: None,
        payload: record,
    }
}

const SUBJECT: &str = "result of ";

/// The path of the event with which a follow-up's chain began.
pub fn first_of_chain(follow_up: &Name) -> &str {
    let path = follow_up.path();
    path.rsplit_once("/to-").map_or(path, |(first, _)| first)
}

/// The function whose result an event is, if a destination sent it.
pub fn sender<'a>(origin: &SourceName, subject: &'a str) -> Option<&'a str> {
    (origin.as_str() == ORIGIN).then(|| subject.strip_prefix(SUBJECT))?
}

/// The record for an on-success or on-failure destination.
pub fn record(end: &End<'_>) -> Payload {
    let (response_context, response_payload) = response(end);
    let record = Record {
        version: "1.0",
        timestamp: end.at.iso_millis(),
        request_context: RequestContext {
            request_id: end.event.id.as_str(),
            function_arn: format!("{}:{}", end.arn, end.event.qualifier()),
            condition: end.condition,
            approximate_invoke_count: end.executions,
        },
        request_payload: raw(&end.event.payload, "{}"),
        response_context,
        response_payload,
    };
    serde_json::to_vec(&record)
        .expect("a destination record is always JSON")
        .into()
}

fn response(end: &End<'_>) -> (Option<ResponseContext>, Option<Box<RawValue>>) {
    let (version, result) = match end.last {
        Some((version, result)) => (version, result),
        None => return (None, None),
    };
    let context = |function_error| ResponseContext {
        status_code: 200,
        executed_version: version,
        function_error,
    };
    match result {
        Ok(payload) => (Some(context(None)), Some(raw(payload, "null"))),
        Err(Failure::Function(error)) => (
            Some(context(Some("Unhandled"))),
            Some(raw(&error.payload, "null")),
        ),
        Err(_) => (None, None),
    }
}

/// The body as JSON, byte for byte; bytes that are no JSON become a JSON string, so that the record stays
/// a document.
fn raw(body: &Bytes, if_empty: &str) -> Box<RawValue> {
    let text = String::from_utf8_lossy(body);
    let text = if text.trim().is_empty() { if_empty } else { &*text };
    RawValue::from_string(text.to_owned())
        .unwrap_or_else(|_| serde_json::value::to_raw_value(text).expect("a string is always JSON"))
}

/// The dead-letter message as a queue's consumer receives it: the event as body, the error in attributes.
pub fn dead_letter(end: &End<'_>) -> Payload {
    let (code, message) = match end.last.map(|(_, result)| result) {
        Some(Err(Failure::Function(error))) => ("200", error.error_message()),
        Some(Err(Failure::Throttled(_))) | None => ("429", "Rate Exceeded.".to_owned()),
        Some(Err(Failure::System(message))) => ("500", message.clone()),
        Some(Err(Failure::Missing(arn))) => ("404", format!("Function not found: {arn}")),
        Some(Ok(_)) => ("200", String::new()),
    };
    let attribute = |kind: &str, value: &str| json!({ "DataType": kind, "StringValue": value });
    let message = json!({
        "Body": String::from_utf8_lossy(&end.event.payload),
        "MessageAttributes": {
            "RequestID": attribute("String", end.event.id.as_str()),
            "ErrorCode": attribute("Number", code),
            "ErrorMessage": attribute("String", cut(&message, DEAD_LETTER_MESSAGE)),
        },
    });
    message.to_string().into()
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ErrorKind, FunctionError};

    fn event(payload: &'static str) -> Event {
        Event {
            name: Name::new("evt:put-1/1"),
            id: Seed(0).request_id("evt:put-1/1"),
            origin: SourceName::new("uploads"),
            route: None,
            subject: String::new(),
            to: FunctionName::new("resize"),
            qualifier: None,
            lane: Lane::Queue,
            call: None,
            payload: payload.into(),
        }
    }

    fn end<'a>(event: &'a Event, last: Option<&'a Result<Payload, Failure>>) -> End<'a> {
        End {
            event,
            condition: "RetriesExhausted",
            executions: 3,
            last: last.map(|result| (Version::Latest, result)),
            at: Timestamp::from_millis(1_764_025_868_123),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:resize".to_owned(),
        }
    }

    #[test]
    fn failure_record_is_awss_document() {
        let event = event(r#"{"n":1.50}"#);
        let error = FunctionError {
            kind: ErrorKind::Error,
            payload: r#"{"errorMessage":"no"}"#.into(),
        };
        let last = Err(Failure::Function(error));
        let record = record(&end(&event, Some(&last)));
        let expected = format!(
            concat!(
                r#"{{"version":"1.0","timestamp":"2025-11-24T23:11:08.123Z","requestContext":{{"requestId":"{}","#,
                r#""functionArn":"arn:aws:lambda:us-east-1:123456789012:function:resize:$LATEST","#,
                r#""condition":"RetriesExhausted","approximateInvokeCount":3}},"requestPayload":{{"n":1.50}},"#,
                r#""responseContext":{{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"}},"#,
                r#""responsePayload":{{"errorMessage":"no"}}}}"#
            ),
            event.id
        );
        assert_eq!(
            std::str::from_utf8(&record),
            Ok(expected.as_str()),
            "numbers keep their spelling"
        );
    }

    #[test]
    fn a_record_names_what_was_asked_for_and_what_ran() {
        let event = Event {
            qualifier: Some("prod".into()),
            ..event("{}")
        };
        let last = Ok(Payload::from_static(b"1"));
        let mut end = end(&event, None);
        end.last = Some((Version::Published(3), &last));
        let record: serde_json::Value = serde_json::from_slice(&record(&end)).unwrap_or_default();
        let arn = record["requestContext"]["functionArn"]
            .as_str()
            .unwrap_or_default();
        assert!(arn.ends_with(":resize:prod"), "{arn}");
        assert_eq!(record["responseContext"]["executedVersion"], "3");
    }

    #[test]
    fn a_long_chain_has_short_names_of_its_own() {
        let mut last = event("{}");
        let mut names = std::collections::BTreeSet::new();
        for hop in 1..=MAX_HOPS {
            let to = FunctionName::new(if hop % 2 == 0 { "a" } else { "b" });
            last = follow_up(Seed(0), &last, hop, to, Payload::new());
            assert_eq!(first_of_chain(&last.name), "put-1/1");
            names.insert(last.name.clone());
        }
        assert_eq!(names.len(), 16);
        assert_eq!(last.name.as_str(), "evt:put-1/1/to-a.16");
        assert_eq!(sender(&last.origin, &last.subject), Some("b"));
        assert_eq!(sender(&SourceName::new("uploads"), "result of b"), None);
    }

    #[test]
    fn a_function_that_never_ran_has_no_response() {
        let event = event("");
        let record: serde_json::Value =
            serde_json::from_slice(&record(&end(&event, None))).unwrap_or_default();
        assert_eq!(record["requestPayload"], json!({}));
        assert!(record.get("responseContext").is_none() && record.get("responsePayload").is_none());
    }

    #[test]
    fn dead_letter_carries_the_event_and_the_error() {
        let event = event(r#"{"a":1}"#);
        let payload = format!(r#"{{"errorMessage":"{}"}}"#, "é".repeat(600));
        let last = Err(Failure::Function(FunctionError {
            kind: ErrorKind::Error,
            payload: payload.into(),
        }));
        let letter: serde_json::Value =
            serde_json::from_slice(&dead_letter(&end(&event, Some(&last)))).unwrap_or_default();
        assert_eq!(letter["Body"], r#"{"a":1}"#);
        assert_eq!(letter["MessageAttributes"]["ErrorCode"]["StringValue"], "200");
        let message = letter["MessageAttributes"]["ErrorMessage"]["StringValue"]
            .as_str()
            .map(str::len);
        assert_eq!(message, Some(1024));
    }
}
