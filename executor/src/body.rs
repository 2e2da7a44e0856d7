//! Reads what a runtime posts: the bytes within the limit, and the trailers of a streamed answer.
//!
//! Owns the limits and the three ways a body goes wrong. A body that somebody listens to is passed on as it comes; of
//! it no more is kept than of any other. Deliberately absent: what a body means.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};

use crate::audience::Audience;
use crate::runtime_call::{self, RESPONSE_LIMIT, STREAM_LIMIT};

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

/// How a body ended that somebody listened to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// With its last byte: its first bytes up to the limit of a whole response, and how many it had.
    Whole { first: Bytes, total: usize },
    /// As any body may; a [`Read::Whole`] does not come.
    Otherwise(Read),
}

/// Reads a body to its end. What is above the limit is read too, and dropped, so that the client gets to
/// read our answer.
pub async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Read {
    let mut kept = Kept::default();
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Read::Broken };
        if let Some(data) = data(frame, &mut failed) {
            kept.push(data);
        }
    }
    match failed {
        Some((kind, document)) => Read::Failed { kind, document },
        None if kept.total > RESPONSE_LIMIT => Read::TooLarge,
        None => Read::Whole(kept.join()),
    }
}

/// Reads a body to its end and passes each piece on before it asks for the next, so that who writes waits for who
/// reads. A caller that is gone hears no more, and the reading goes on.
pub async fn read_aloud<B: Body<Data = Bytes> + Unpin>(mut body: B, audience: Audience) -> Heard {
    let mut audience = Some(audience);
    let mut kept = Kept::default();
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Heard::Otherwise(Read::Broken);
        };
        let Some(data) = data(frame, &mut failed) else {
            continue;
        };
        kept.push(data.clone());
        if kept.total > STREAM_LIMIT {
            audience = None;
        }
        if let Some(listener) = &audience
            && !listener.hear(data).await
        {
            tracing::debug!("the caller of a streamed response is gone");
            audience = None;
        }
    }
    match failed {
        Some((kind, document)) => Heard::Otherwise(Read::Failed { kind, document }),
        None if kept.total > STREAM_LIMIT => Heard::Otherwise(Read::TooLarge),
        None => Heard::Whole {
            total: kept.total,
            first: kept.join(),
        },
    }
}

/// The bytes of a frame; trailers may say that it failed.
fn data(frame: Frame<Bytes>, failed: &mut Option<(String, Bytes)>) -> Option<Bytes> {
    match frame.into_data() {
        Ok(data) => Some(data),
        Err(frame) => {
            let told = frame.trailers_ref().and_then(failure);
            *failed = told.or(failed.take());
            None
        }
    }
}

/// The first bytes of a body up to [`RESPONSE_LIMIT`], and how many there were.
#[derive(Default)]
struct Kept {
    /// A body of one piece is not copied.
    first: Bytes,
    more: BytesMut,
    total: usize,
}

impl Kept {
    fn push(&mut self, data: Bytes) {
        let room = RESPONSE_LIMIT.saturating_sub(self.total);
        self.total = self.total.saturating_add(data.len());
        let data = data.slice(..room.min(data.len()));
        if self.first.is_empty() && self.more.is_empty() {
            self.first = data;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&self.first);
            }
            self.more.extend_from_slice(&data);
        }
    }

    fn join(self) -> Bytes {
        match self.more.is_empty() {
            true => self.first,
            false => self.more.freeze(),
        }
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
    use crate::audience::{self, Part};

    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

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

    #[tokio::test]
    async fn a_body_is_passed_on_and_its_first_bytes_are_kept() {
        let full = Bytes::from(vec![b'x'; RESPONSE_LIMIT]);
        let frames = vec![data(b"ab"), Frame::data(full.clone()), data(b"c")];
        let (listener, mut parts) = audience::audience();
        let Heard::Whole { first, total } = read_aloud(Frames(frames), listener).await else {
            panic!("it ends with its last byte");
        };
        assert_eq!((first.len(), total), (RESPONSE_LIMIT, RESPONSE_LIMIT + 3));
        assert!(first.starts_with(b"abx"));
        let mut pieces = Vec::new();
        while let Some(part) = parts.recv().await {
            pieces.push(part);
        }
        let piece = |bytes: &'static [u8]| Part::Piece(Bytes::from_static(bytes));
        assert_eq!(pieces, [piece(b"ab"), Part::Piece(full), piece(b"c")]);
    }

    #[tokio::test]
    async fn a_body_without_listeners_is_read_to_its_end() {
        let (listener, parts) = audience::audience();
        drop(parts);
        let heard = read_aloud(Frames(vec![data(b"a"), data(b"b")]), listener).await;
        let first = Bytes::from_static(b"ab");
        assert_eq!(heard, Heard::Whole { first, total: 2 });
        let (listener, parts) = audience::audience();
        drop(parts);
        let piece = Bytes::from(vec![b'x'; STREAM_LIMIT / 2]);
        let pieces = [piece.clone(), piece, Bytes::from_static(b"y")];
        let heard = read_aloud(Frames(pieces.map(Frame::data).into()), listener).await;
        assert_eq!(heard, Heard::Otherwise(Read::TooLarge));
    }

    #[tokio::test]
    async fn who_does_not_listen_makes_the_writer_wait() {
        let frames: Vec<_> = (0..100).map(|_| data(b"x")).collect();
        let (listener, mut parts) = audience::audience();
        let reading = tokio::spawn(read_aloud(Frames(frames), listener));
        // It has had every chance to read on.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!reading.is_finished() && parts.len() < 10, "{}", parts.len());
        let mut heard = 0;
        while parts.recv().await.is_some() {
            heard += 1;
        }
        assert_eq!(heard, 100);
        assert!(matches!(reading.await, Ok(Heard::Whole { total: 100, .. })));
    }
}
