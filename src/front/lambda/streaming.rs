//! The answer of InvokeWithResponseStream (spec/lambda §5.6): events, each sent when there is something to tell.
//!
//! ```text
//!   Began ──► 200, then  Piece ──► PayloadChunk …   End ──► InvokeComplete
//!   End without Began ──► the same events, all at once; or the error of a call that did not run
//! ```
//!
//! A status is chosen once: what goes wrong after the handler began to answer is told in `InvokeComplete`. Deliberately
//! absent: the encoding of events ([`event_stream`]).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use scenarios::api;
use scenarios::api::error::ApiError;
use scenarios::hands::Answered;
use tokio::sync::mpsc::{self, Sender};

use super::call::{Call, Heard, stopped};
use super::event_stream;
use super::invoke::executed_version;
use crate::front::http::{Answer, Body, BrokenOff};

/// The type of the answer.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
/// The most bytes of one `PayloadChunk`.
const CHUNK: usize = 64 * 1024;
/// Messages that may wait for the connection: few, so that the runtime waits for a client that does not read.
const WAITING: usize = 2;

/// Answers as soon as the handler begins to, or ends.
///
/// # Errors
/// The function did not run.
pub async fn answer(mut call: Call, tail: bool) -> Result<Answer, ApiError> {
    match call.next().await {
        Heard::Began(began) => {
            let (sender, messages) = mpsc::channel(WAITING);
            tokio::spawn(async move { tell(call, tail, &sender).await });
            let mut answer = Answer::of(200, EVENT_STREAM, "");
            answer.body = Body::Stream(messages);
            let answer = answer.with("x-amz-executed-version", began.version.to_string());
            Ok(match began.content_type {
                Some(kind) => answer.with("x-amzn-remapped-content-type", kind),
                None => answer,
            })
        }
        Heard::End(answered) => whole(answered, tail),
        Heard::Piece(_) | Heard::Stopped => Err(stopped()),
    }
}

/// Sends a message for whatever comes, until the end or until nobody takes them.
async fn tell(mut call: Call, tail: bool, messages: &Sender<Result<Bytes, BrokenOff>>) {
    loop {
        let (message, last) = match call.next().await {
            Heard::Piece(piece) => (chunks(&piece), false),
            Heard::Began(_) => continue,
            Heard::End(answered) => {
                let complete = match api::answer(answered.outcome) {
                    Ok(reply) => complete(&reply, tail),
                    Err(problem) => broken_off(&problem),
                };
                (complete, true)
            }
            Heard::Stopped => (broken_off(&stopped()), true),
        };
        if messages.send(Ok(message)).await.is_err() || last {
            return;
        }
    }
}

/// The events of a response that is there as a whole.
fn whole(answered: Answered, tail: bool) -> Result<Answer, ApiError> {
    let version = executed_version(&answered);
    let reply = api::answer(answered.outcome)?;
    let mut events = BytesMut::new();
    if reply.function_error.is_none() {
        events.extend_from_slice(&chunks(&reply.payload));
    }
    events.extend_from_slice(&complete(&reply, tail));
    Ok(Answer::of(200, EVENT_STREAM, events.freeze()).with("x-amz-executed-version", version))
}

fn chunks(bytes: &[u8]) -> Bytes {
    let mut events = BytesMut::new();
    for chunk in bytes.chunks(CHUNK) {
        let event = event_stream::event("PayloadChunk", "application/octet-stream", chunk);
        events.extend_from_slice(&event);
    }
    events.freeze()
}

fn complete(reply: &api::Answer, tail: bool) -> Bytes {
    let mut members = serde_json::Map::new();
    if let Some(error) = reply.function_error {
        let details = String::from_utf8_lossy(&reply.payload);
        members.insert("ErrorCode".to_owned(), error.into());
        members.insert("ErrorDetails".to_owned(), details.into());
    }
    if tail {
        members.insert("LogResult".to_owned(), STANDARD.encode(&reply.log).into());
    }
    last(members)
}

/// The end of a response that began, and that our side did not bring to its end.
fn broken_off(problem: &ApiError) -> Bytes {
    let mut members = serde_json::Map::new();
    members.insert("ErrorCode".to_owned(), problem.code.into());
    members.insert("ErrorDetails".to_owned(), problem.body.as_str().into());
    last(members)
}

fn last(members: serde_json::Map<String, serde_json::Value>) -> Bytes {
    let members = serde_json::Value::Object(members).to_string();
    event_stream::event("InvokeComplete", "application/json", members.as_bytes())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use router::event::{Failure, ThrottleReason};

    use super::*;
    use crate::front::lambda::call::made::{self, answered, began, call, function_error, piece};

    async fn next(body: &mut Body) -> String {
        match body.frame().await {
            Some(Ok(frame)) => String::from_utf8_lossy(&frame.into_data().unwrap_or_default()).into_owned(),
            _ => String::new(),
        }
    }

    #[tokio::test]
    async fn a_piece_is_told_before_the_end_is_known() {
        let (call, pieces, end) = call();
        assert!(pieces.send(began(Some("text/plain"))).await.is_ok());
        let mut told = answer(call, false).await.expect("it began");
        assert!(
            told.headers
                .contains(&("x-amz-executed-version", "$LATEST".to_owned()))
        );
        assert!(pieces.send(piece("early")).await.is_ok());
        assert!(next(&mut told.body).await.contains("early"));
        assert!(
            end.send(answered(Err(function_error(r#"{"errorType":"E"}"#))))
                .is_ok()
        );
        let complete = next(&mut told.body).await;
        assert!(complete.contains(r#""ErrorCode":"Unhandled""#), "{complete}");
        assert_eq!(next(&mut told.body).await, "");
    }

    #[tokio::test]
    async fn what_does_not_stream_is_told_at_its_end() {
        let (call, pieces, end) = call();
        drop(pieces);
        assert!(end.send(answered(Ok("whole"))).is_ok());
        let mut told = answer(call, true).await.expect("it ran");
        let events = next(&mut told.body).await;
        assert!(
            events.contains("whole") && events.contains("LogResult"),
            "{events}"
        );
        let (call, _pieces, end) = made::call();
        let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
        let throttled = Failure::Throttled(reason);
        assert!(end.send(answered(Err(throttled))).is_ok());
        assert_eq!(answer(call, false).await.err().map(|e| e.status), Some(429));
    }

    #[tokio::test]
    async fn a_run_that_ends_ends_its_streams() {
        let (call, pieces, end) = call();
        assert!(pieces.send(began(None)).await.is_ok());
        drop(end);
        let mut told = answer(call, false).await.expect("it began");
        let complete = next(&mut told.body).await;
        assert!(complete.contains("ServiceException"), "{complete}");
    }
}
