//! Reads what a runtime posts: the bytes within the limit, and the trailers of a streamed answer.
//!
//! Owns the limit and the three ways a body goes wrong. Deliberately absent: what a body means.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::Body;

use crate::runtime_call::{self, RESPONSE_LIMIT};

/// How a body ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// With its last byte.
    Whole(Bytes),
    /// With trailers that tell of an error in the middle (spec/runtime-api §3.1): its type and its document.
    Failed { kind: String, document: Bytes },
    /// Above the limit.
    TooLarge,
    /// In the middle.
    Broken,
}

/// Reads a body to its end. What is above the limit is read too, and dropped, so that the client gets to
/// read our answer.
pub async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Read {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    let mut total = 0usize;
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Read::Broken };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                failed = frame.trailers_ref().and_then(failure).or(failed);
                continue;
            }
        };
        total = total.saturating_add(data.len());
        if total > RESPONSE_LIMIT {
            (first, more) = (Bytes::new(), BytesMut::new());
        } else if first.is_empty() && more.is_empty() {
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&first);
            }
            more.extend_from_slice(&data);
        }
    }
    match (failed, total) {
        (Some((kind, document)), _) => Read::Failed { kind, document },
        (None, n) if n > RESPONSE_LIMIT => Read::TooLarge,
        _ if more.is_empty() => Read::Whole(first),
        _ => Read::Whole(more.freeze()),
    }
}

/// The error that trailers tell of; a document that is not base64 passes as it is.
fn failure(trailers: &HeaderMap) -> Option<(String, Bytes)> {
    trailers.get("lambda-runtime-function-error-type")?;
    let kind = runtime_call::kind(trailers, "Function.Unknown");
    let sent = trailers
        .get("lambda-runtime-function-error-body")
        .map_or(&b""[..], |value| value.as_bytes());
    let document = STANDARD.decode(sent).unwrap_or_else(|_| sent.to_vec());
    Some((kind, document.into()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    struct Frames(Vec<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let next = (!self.0.is_empty()).then(|| Ok(self.0.remove(0)));
            Poll::Ready(next)
        }
    }

    fn outcome(frames: Vec<Frame<Bytes>>) -> Read {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(Frames(frames)))
    }

    fn data(bytes: &'static [u8]) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(bytes))
    }

    #[test]
    fn pieces_are_joined_up_to_the_limit() {
        let whole = |bytes: &'static [u8]| Read::Whole(Bytes::from_static(bytes));
        assert_eq!(outcome(vec![]), whole(b""));
        assert_eq!(outcome(vec![data(b"ab")]), whole(b"ab"));
        assert_eq!(outcome(vec![data(b"ab"), data(b"c"), data(b"d")]), whole(b"abcd"));
        let full = Bytes::from(vec![b'x'; RESPONSE_LIMIT]);
        assert_eq!(
            outcome(vec![Frame::data(full.clone())]),
            Read::Whole(full.clone())
        );
        assert_eq!(outcome(vec![Frame::data(full), data(b"y")]), Read::TooLarge);
    }

    #[test]
    fn an_error_in_the_middle_of_a_stream_is_an_error() {
        let mut trailers = HeaderMap::new();
        trailers.insert(
            "lambda-runtime-function-error-type",
            "Function.Mid".parse().unwrap(),
        );
        trailers.insert(
            "lambda-runtime-function-error-body",
            "eyJhIjoxfQ==".parse().unwrap(),
        );
        let failed = Read::Failed {
            kind: "Function.Mid".into(),
            document: Bytes::from_static(b"{\"a\":1}"),
        };
        assert_eq!(outcome(vec![data(b"half"), Frame::trailers(trailers)]), failed);
        let other = Frame::trailers(HeaderMap::new());
        assert_eq!(
            outcome(vec![data(b"all"), other]),
            Read::Whole(Bytes::from_static(b"all"))
        );
    }
}
