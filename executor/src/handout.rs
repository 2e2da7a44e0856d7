//! An event as the runtime gets it: its headers (spec/runtime-api §2); and as extensions get it (§11).

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use router::event::Invocation;
use router::settings::function_arn;
use router::time::Timestamp;
use serde_json::json;

use crate::environment::Reason;
use crate::function::Pace;
use crate::site::{Job, Site};

/// The headers of an event (spec/runtime-api §2).
pub fn headers(site: &Site, job: &Job, deadline: Duration) -> Vec<(HeaderName, HeaderValue)> {
    let invocation = &job.invocation;
    let call = invocation.event.call.as_deref().cloned().unwrap_or_default();
    let arn = arn(site, invocation);
    let texts = [
        ("lambda-runtime-aws-request-id", invocation.event.id.to_string()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
        (
            "lambda-runtime-trace-id",
            call.trace
                .unwrap_or_else(|| trace_id(invocation, job.now, site.spec.traced)),
        ),
        (
            "lambda-runtime-client-context",
            call.client_context.unwrap_or_default(),
        ),
        (
            "triggerfish-now-ms",
            match site.pace {
                Pace::Virtual => job.now.as_millis().to_string(),
                Pace::Live => String::new(),
            },
        ),
    ];
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        match HeaderValue::from_maybe_shared(Bytes::from(text)) {
            Ok(value) => headers.push((HeaderName::from_static(name), value)),
            Err(error) => tracing::warn!(name, %error, "left out a header that HTTP cannot carry"),
        }
    }
    headers
}

/// The INVOKE event of extensions (spec/runtime-api §11).
pub fn invoke_event(site: &Site, job: &Job, deadline: Duration) -> String {
    let invocation = &job.invocation;
    json!({
        "eventType": "INVOKE",
        "deadlineMs": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
        "requestId": invocation.event.id.as_str(),
        "invokedFunctionArn": arn(site, invocation),
        "tracing": {
            "type": "X-Amzn-Trace-Id",
            "value": trace(site, job),
        },
    })
    .to_string()
}

/// The SHUTDOWN event of extensions.
pub fn shutdown_event(reason: Reason, deadline: Duration) -> String {
    json!({
        "eventType": "SHUTDOWN",
        "shutdownReason": reason.word(),
        "deadlineMs": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
    })
    .to_string()
}

/// The function's ARN as it was invoked.
fn arn(site: &Site, invocation: &Invocation) -> String {
    let mut arn = function_arn(&site.region, &site.account, &site.spec.name);
    if let Some(qualifier) = &invocation.event.qualifier {
        arn.push(':');
        arn.push_str(qualifier);
    }
    arn
}

/// The trace header of an attempt.
pub fn trace(site: &Site, job: &Job) -> String {
    let given = job
        .invocation
        .event
        .call
        .as_deref()
        .and_then(|call| call.trace.clone());
    given.unwrap_or_else(|| trace_id(&job.invocation, job.now, site.spec.traced))
}

/// A trace header: one root for all attempts of an event, a parent for each. The request id is as random as AWS's
/// numbers, so it serves for both.
fn trace_id(invocation: &Invocation, now: Timestamp, sampled: bool) -> String {
    let seconds = now.as_millis() / 1000;
    let digits: String = invocation
        .event
        .id
        .as_str()
        .chars()
        .filter(|c| *c != '-')
        .collect();
    let (root, parent) = digits.split_at_checked(24).unwrap_or((&digits, ""));
    let attempt = invocation.attempt.number;
    format!(
        "Root=1-{seconds:08x}-{root:0>24};Parent={attempt:08x}{parent:0>8};Sampled={}",
        u8::from(sampled)
    )
}
