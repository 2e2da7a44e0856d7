//! The answer of a URL in `RESPONSE_STREAM` mode (spec/runtime-api §3.1): a head as soon as it is known, then the pieces.
//!
//! ```text
//!   {"statusCode": …} NUL×8 body …    of type application/vnd.awslambda.http-integration-response: the prelude is the head
//!   body …                            of any other type: 200, with that type
//!   an answer that does not stream    200, its bytes as they are: no `statusCode` is looked for
//! ```
//!
//! A failure before the head is a 502; after it nothing can be taken back, and the connection breaks off, so that a client
//! knows that the body is not whole. Deliberately absent: how pieces come ([`call`](crate::front::lambda::call)).

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use scenarios::api;
use scenarios::api::error::ApiError;
use serde_json::{Map, Value};
use tokio::sync::mpsc::{self, Sender};

use super::response::{self, Head};
use crate::front::http::{Answer, Body, BrokenOff};
use crate::front::lambda::call::{Call, Heard, stopped};

/// The type of a response that begins with its head.
const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";
/// The type of a body that has none.
const BYTES: &str = "application/octet-stream";
/// What ends a prelude.
const DELIMITER: [u8; 8] = [0; 8];
/// The longest prelude, in bytes: no head of HTTP is as long.
const PRELUDE_LIMIT: usize = 64 * 1024;
/// Pieces that may wait for the connection: few, so that the runtime waits for a client that does not read.
const WAITING: usize = 2;

/// Answers as soon as the head is known.
///
/// # Errors
/// The function did not run.
pub async fn answer(mut call: Call) -> Result<Answer, ApiError> {
    let mut start = Start::Nothing;
    loop {
        match call.next().await {
            Heard::Began(began) => start = Start::of(began.content_type),
            Heard::Piece(piece) => match start.take(&piece) {
                Taken::More => {}
                Taken::Head(head, rest) => return Ok(begin(head, rest, call)),
                Taken::Never => return Ok(response::failed()),
            },
            Heard::End(answered) => {
                let reply = api::answer(answered.outcome)?;
                return Ok(match reply.function_error {
                    Some(_) => response::failed(),
                    None => start.whole(reply.payload),
                });
            }
            Heard::Stopped => return Err(stopped()),
        }
    }
}

/// What is known of a response before its head is.
#[derive(Debug)]
enum Start {
    /// That the handler runs.
    Nothing,
    /// Its type: the head comes with the first bytes, so that a failure before them can be told.
    Plain(String),
    /// The first bytes of a prelude.
    Prelude(BytesMut),
}

/// What the next bytes come to.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// The head is not whole.
    More,
    /// The head, and the first bytes of the body.
    Head(Head, Bytes),
    /// This does not become one.
    Never,
}

impl Start {
    fn of(content_type: Option<String>) -> Self {
        match content_type {
            Some(kind) if kind.eq_ignore_ascii_case(WITH_HEAD) => Start::Prelude(BytesMut::new()),
            kind => Start::Plain(kind.unwrap_or_else(|| BYTES.to_owned())),
        }
    }

    fn take(&mut self, piece: &Bytes) -> Taken {
        let prelude = match self {
            Start::Nothing => return Taken::Never,
            Start::Plain(kind) => return Taken::Head(plain(kind), piece.clone()),
            Start::Prelude(prelude) => prelude,
        };
        // The delimiter may lie across pieces.
        let seen = prelude.len().saturating_sub(DELIMITER.len());
        prelude.extend_from_slice(piece);
        let found = prelude[seen..]
            .windows(DELIMITER.len())
            .position(|bytes| bytes == DELIMITER);
        let Some(at) = found else {
            return if prelude.len() > PRELUDE_LIMIT {
                Taken::Never
            } else {
                Taken::More
            };
        };
        let text = prelude.split_to(seen + at).freeze();
        let rest = std::mem::take(prelude).freeze().slice(DELIMITER.len()..);
        match serde_json::from_slice::<Map<String, Value>>(&text) {
            Ok(members) => {
                response::head(&members, BYTES).map_or(Taken::Never, |head| Taken::Head(head, rest))
            }
            Err(_) => Taken::Never,
        }
    }

    /// The response of which no head has come before its end.
    fn whole(self, payload: Bytes) -> Answer {
        match self {
            Start::Nothing => Answer::of(200, "application/json", payload),
            Start::Plain(kind) => response::answer(plain(&kind), Body::Whole(payload)),
            Start::Prelude(_) => response::failed(),
        }
    }
}

/// The head of a response that has none of its own.
fn plain(kind: &str) -> Head {
    let kind = HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static(BYTES));
    Head {
        status: 200,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
    }
}

fn begin(head: Head, first: Bytes, call: Call) -> Answer {
    let (sender, pieces) = mpsc::channel(WAITING);
    tokio::spawn(async move { pass_on(first, call, &sender).await });
    response::answer(head, Body::Stream(pieces))
}

/// Passes pieces on until the end, or until nobody takes them.
async fn pass_on(first: Bytes, mut call: Call, pieces: &Sender<Result<Bytes, BrokenOff>>) {
    if !first.is_empty() && pieces.send(Ok(first)).await.is_err() {
        return;
    }
    loop {
        let next = match call.next().await {
            Heard::Began(_) => continue,
            Heard::Piece(piece) => Ok(piece),
            Heard::End(answered) => match answered.outcome.result {
                Ok(_) => return,
                Err(_) => Err(BrokenOff),
            },
            Heard::Stopped => Err(BrokenOff),
        };
        let last = next.is_err();
        if pieces.send(next).await.is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::front::lambda::call::made::{self, answered, began, function_error, piece};

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn a_prelude_may_come_in_any_pieces() {
        let whole = "{\"statusCode\":201,\"headers\":{\"x-a\":\"1\"}}\0\0\0\0\0\0\0\0body\0\0\0\0\0\0\0\0";
        for cut in 1..whole.len() {
            let mut start = Start::of(Some(WITH_HEAD.to_owned()));
            let (first, second) = whole.split_at(cut);
            let (head, rest) = match start.take(&bytes(first)) {
                Taken::Head(head, rest) => (head, [&rest, second.as_bytes()].concat()),
                Taken::More => match start.take(&bytes(second)) {
                    Taken::Head(head, rest) => (head, rest.to_vec()),
                    other => panic!("{other:?} after {cut}"),
                },
                Taken::Never => panic!("never after {cut}"),
            };
            assert_eq!(
                (head.status, rest.as_slice()),
                (201, &b"body\0\0\0\0\0\0\0\0"[..]),
                "{cut}"
            );
            assert_eq!(
                head.headers.get(CONTENT_TYPE),
                Some(&HeaderValue::from_static(BYTES))
            );
        }
    }

    #[test]
    fn what_is_no_prelude_is_never_one() {
        for wrong in [
            "\0\0\0\0\0\0\0\0",
            "[]\0\0\0\0\0\0\0\0",
            "{\"statusCode\":1}\0\0\0\0\0\0\0\0",
        ] {
            let mut start = Start::of(Some(WITH_HEAD.to_owned()));
            assert_eq!(start.take(&bytes(wrong)), Taken::Never, "{wrong:?}");
        }
        let mut start = Start::of(Some(WITH_HEAD.to_owned()));
        assert_eq!(start.take(&Bytes::from(vec![b' '; PRELUDE_LIMIT])), Taken::More);
        assert_eq!(start.take(&bytes(" ")), Taken::Never);
    }

    #[tokio::test]
    async fn a_failure_before_the_head_is_a_status_and_after_it_a_break() {
        let (call, pieces, end) = made::call();
        assert!(pieces.send(began(Some("text/plain"))).await.is_ok());
        assert!(end.send(answered(Err(function_error("{}")))).is_ok());
        assert_eq!(answer(call).await.map(|told| told.status), Ok(502));

        let (call, pieces, end) = made::call();
        assert!(pieces.send(began(Some("text/plain"))).await.is_ok());
        assert!(pieces.send(piece("half")).await.is_ok());
        let mut told = answer(call).await.expect("it began");
        assert_eq!(
            told.taken.get(CONTENT_TYPE),
            Some(&HeaderValue::from_static("text/plain"))
        );
        assert!(end.send(answered(Err(function_error("{}")))).is_ok());
        let first = told
            .body
            .frame()
            .await
            .and_then(Result::ok)
            .and_then(|frame| frame.into_data().ok());
        assert_eq!(first, Some(bytes("half")));
        assert!(matches!(told.body.frame().await, Some(Err(BrokenOff))));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_stream_is_passed_on_as_it_is() {
        let (call, pieces, end) = made::call();
        drop(pieces);
        assert!(end.send(answered(Ok(r#"{"statusCode": 201}"#))).is_ok());
        let told = answer(call).await.expect("it ran");
        assert_eq!(told.status, 200);
        assert!(matches!(told.body, Body::Whole(body) if body == r#"{"statusCode": 201}"#));
    }
}
