//! The rules of Lambda's Invoke, for whoever calls: which calls are taken, and what a caller is told.
//!
//! Owns the order of the checks, the limits and the answers (spec/lambda §5). The HTTP front and a scenario's `invoke`
//! both go by it, so that a scenario sees what a client would. Deliberately absent: HTTP, and names in all their forms.

pub mod error;

use std::sync::Arc;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use router::event::{CallDetails, Event, Failure, Lane, Outcome, Payload};
use router::name::{FunctionName, Name, Seed, SourceName};
use router::settings::function_arn;

use crate::assemble::{ACCOUNT, REGION};
use error::ApiError;

/// The largest body of a synchronous invoke, in bytes.
pub const SYNC_LIMIT: usize = 6_291_456;
/// The largest body of an asynchronous invoke, in bytes (since October 2025).
pub const ASYNC_LIMIT: usize = 1_048_576;
/// The longest `X-Amz-Client-Context`, in characters of base64.
const CLIENT_CONTEXT_LIMIT: usize = 3583;

/// Base64 with its padding or without.
const LENIENT: GeneralPurpose = {
    let padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&base64::alphabet::STANDARD, padding)
};

/// `X-Amz-Invocation-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationType {
    /// The caller waits.
    RequestResponse,
    /// Accepted at once, retried later.
    Event,
    /// Only checked.
    DryRun,
}

impl InvocationType {
    /// The status of a call that is taken; that of one whose caller waits comes when the function has run.
    pub fn status(self) -> u16 {
        match self {
            InvocationType::RequestResponse => 200,
            InvocationType::Event => 202,
            InvocationType::DryRun => 204,
        }
    }
}

/// A call whose form is right.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// How.
    pub kind: InvocationType,
    /// Which function.
    pub function: &'a FunctionName,
    /// As the caller named it.
    pub qualifier: Option<&'a str>,
    /// The body as sent.
    pub body: &'a Bytes,
}

/// Checks a call in the order of spec/lambda §5.3: size, function, document. What comes back is the event.
///
/// # Errors
/// The error to answer with.
pub fn check(call: Call<'_>, exists: impl Fn(&FunctionName) -> bool) -> Result<Payload, ApiError> {
    check_size(call.kind, call.body.len())?;
    if !exists(call.function) {
        let arn = function_arn(REGION, ACCOUNT, call.function);
        let qualifier = call.qualifier.unwrap_or("$LATEST");
        return Err(ApiError::not_found(&format!("{arn}:{qualifier}")));
    }
    document(call.body)
}

fn check_size(kind: InvocationType, size: usize) -> Result<(), ApiError> {
    let (limit, word) = match kind {
        InvocationType::Event => (ASYNC_LIMIT, "Event"),
        _ => (SYNC_LIMIT, "RequestResponse"),
    };
    if size <= limit {
        return Ok(());
    }
    Err(ApiError::too_large(&size.to_string(), word, limit))
}

/// The event in a body: any JSON document; nothing at all is `{}`.
fn document(body: &Bytes) -> Result<Payload, ApiError> {
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    // The parser does not look into the strings it skips.
    let text = std::str::from_utf8(body).map_err(|e| {
        let before = &body[..e.valid_up_to()];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        not_json("Invalid UTF-8", line, column)
    })?;
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(body.clone()),
        Err(e) => Err(not_json(&e.to_string(), e.line(), e.column())),
    }
}

fn not_json(why: &str, line: usize, column: usize) -> ApiError {
    let text = format!(
        "Could not parse request body into json: Could not parse payload into json: {why}\n at [Source: \
         REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
    );
    ApiError::user(400, "InvalidRequestContentException", text)
}

/// The client context that a handler sees, from `X-Amz-Client-Context`.
///
/// # Errors
/// It is too long, or no base64 of a JSON object.
pub fn client_context(text: &str) -> Result<String, ApiError> {
    let bad = |why: &str| {
        let message = format!("Client context must be a valid Base64-encoded JSON object: {why}");
        ApiError::user(400, "InvalidRequestContentException", message)
    };
    if text.len() > CLIENT_CONTEXT_LIMIT {
        return Err(bad(&format!(
            "{} characters, at most {CLIENT_CONTEXT_LIMIT}",
            text.len()
        )));
    }
    // 3583 is no multiple of four: what is that long has no padding.
    let bytes = LENIENT.decode(text).map_err(|e| bad(&e.to_string()))?;
    let decoded = String::from_utf8(bytes).map_err(|e| bad(&e.to_string()))?;
    match serde_json::from_str::<serde_json::Value>(&decoded) {
        Ok(serde_json::Value::Object(_)) => Ok(decoded.replace(['\r', '\n'], " ")),
        Ok(_) => Err(bad("not an object")),
        Err(e) => Err(bad(&e.to_string())),
    }
}

/// The event of a direct call.
pub fn event(
    seed: Seed,
    name: &str,
    to: &FunctionName,
    qualifier: Option<Arc<str>>,
    lane: Lane,
    call: CallDetails,
    payload: Payload,
) -> Event {
    Event {
        id: seed.request_id(name),
        name: Name::new(name),
        origin: SourceName::new("invoke"),
        route: None,
        subject: to.to_string(),
        to: to.clone(),
        qualifier,
        lane,
        call: Some(Box::new(call)),
        payload,
    }
}

/// What a function that ran answers its caller.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The bytes of the handler, or the error document.
    pub payload: Payload,
    /// `X-Amz-Function-Error`.
    pub function_error: Option<&'static str>,
    /// The last of its log.
    pub log: Payload,
}

/// What the caller of a synchronous call is told.
///
/// # Errors
/// The function did not run.
pub fn answer(outcome: Outcome) -> Result<Answer, ApiError> {
    let (payload, function_error) = match outcome.result {
        Ok(payload) => (payload, None),
        Err(Failure::Function(error)) => (error.payload, Some("Unhandled")),
        Err(Failure::Throttled(reason)) => return Err(ApiError::throttled(&format!("{reason:?}"))),
        Err(Failure::System(message)) => return Err(ApiError::service(&message)),
        Err(Failure::Missing(arn)) => return Err(ApiError::not_found(&arn)),
    };
    Ok(Answer {
        payload,
        function_error,
        log: outcome.log,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hands::throttle;
    use base64::engine::general_purpose::STANDARD;

    fn code(
        kind: InvocationType,
        function: &str,
        body: &'static [u8],
    ) -> Result<Payload, (u16, &'static str)> {
        let call = Call {
            kind,
            function: &FunctionName::new(function),
            qualifier: None,
            body: &Bytes::from_static(body),
        };
        check(call, |name| name.as_str() == "f").map_err(|e| (e.status, e.code))
    }

    #[test]
    fn a_call_is_checked_in_order_whatever_its_type() {
        static LARGE: [u8; SYNC_LIMIT + 1] = [b'x'; SYNC_LIMIT + 1];
        use InvocationType::{DryRun, Event, RequestResponse};
        for kind in [RequestResponse, Event, DryRun] {
            assert_eq!(
                code(kind, "g", &LARGE),
                Err((413, "RequestEntityTooLargeException"))
            );
            assert_eq!(code(kind, "g", b"{bad"), Err((404, "ResourceNotFoundException")));
            assert_eq!(
                code(kind, "f", b"{bad"),
                Err((400, "InvalidRequestContentException"))
            );
            assert_eq!(code(kind, "f", b""), Ok(Bytes::from_static(b"{}")));
        }
    }

    #[test]
    fn limits_are_those_of_the_invocation_type() {
        assert!(check_size(InvocationType::RequestResponse, SYNC_LIMIT).is_ok());
        assert!(check_size(InvocationType::Event, ASYNC_LIMIT).is_ok());
        let error = check_size(InvocationType::Event, ASYNC_LIMIT + 1)
            .err()
            .map(|e| (e.status, e.code));
        assert_eq!(error, Some((413, "RequestEntityTooLargeException")));
    }

    #[test]
    fn a_payload_is_utf8() {
        let read = |body: &'static [u8]| document(&Bytes::from_static(body));
        let error = read(b"{\n \"\xff\": 1}").err();
        assert!(
            error.is_some_and(|e| e.body.contains("Invalid UTF-8") && e.body.contains("line: 2, column: 3"))
        );
        assert!(read("\"\u{e9}\"".as_bytes()).is_ok());
    }

    #[test]
    fn a_client_context_is_an_object_of_bounded_size() {
        assert_eq!(
            client_context(&STANDARD.encode("{\"a\":\n1}")),
            Ok("{\"a\": 1}".to_owned())
        );
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(CLIENT_CONTEXT_LIMIT));
        for wrong in [
            "!".to_owned(),
            STANDARD.encode("[]"),
            STANDARD.encode("{"),
            STANDARD.encode(long),
        ] {
            assert_eq!(client_context(&wrong).err().map(|e| e.status), Some(400));
        }
    }

    #[test]
    fn what_did_not_run_is_an_error_of_the_api() {
        let outcome = |result| Outcome {
            result,
            duration: std::time::Duration::ZERO,
            log: Payload::new(),
        };
        let told = |failure| answer(outcome(Err(failure))).err().map(|e| (e.status, e.body));
        let throttled = r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#;
        assert_eq!(told(throttle()), Some((429, throttled.to_owned())));
        let system = r#"{"Message":"no","Type":"Service"}"#;
        assert_eq!(
            told(Failure::System("no".to_owned())),
            Some((500, system.to_owned()))
        );
        let missing = told(Failure::Missing("arn:f:3".to_owned()));
        assert!(missing.is_some_and(|(status, body)| status == 404 && body.contains("arn:f:3")));
    }
}
