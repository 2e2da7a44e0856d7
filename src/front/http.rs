//! A request and an answer as every service of the front sees them, and the texts HTTP writes in its own way.
//!
//! Owns what a service is handed and gives back, percent-decoding and queries. Deliberately absent: sockets, and who may
//! ask; a service is tested without either.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use router::name::{RequestId, unhex};
use scenarios::api::error::ApiError;
use tokio::sync::mpsc::Receiver;

use super::room::Held;

/// A request whose body has arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// What follows `?`, as sent.
    pub query: Option<String>,
    /// The headers; names are lower case.
    pub headers: HeaderMap,
    /// The body, no longer than the limit of its operation.
    pub body: Bytes,
    /// What `x-amzn-RequestId` of the answer says.
    pub id: RequestId,
    /// The call's number since `up` began, from 1: what its causal name is made of.
    pub number: u64,
    /// The memory that the body takes, until nobody needs the request any more or the body is the fabric's.
    pub room: Held,
}

impl Request {
    /// Puts a request together from its head and its body.
    pub fn new(head: Parts, body: Bytes, id: RequestId, number: u64) -> Self {
        Request {
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            method: head.method,
            headers: head.headers,
            body,
            id,
            number,
            room: Held::default(),
        }
    }

    /// The text of a header; one that is no visible ASCII counts as absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The parameters of the query, decoded, in their order; a name may come more than once.
    pub fn parameters(&self) -> Vec<(String, String)> {
        parameters(self.query.as_deref().unwrap_or(""))
    }

    /// The first parameter of this name, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut all = self.parameters().into_iter();
        all.find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// What a service answers. `x-amzn-RequestId` is put in by whoever sends it.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers, `content-type` among them; the names are lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Headers that somebody else has said, such as a function for its URL.
    pub taken: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it; its length is told.
    Whole(Bytes),
    /// Piece by piece, each sent at once; it ends when its sender is dropped.
    Stream(Receiver<Result<Bytes, BrokenOff>>),
}

/// A body that is not whole, and will not be: the connection ends, which tells the client so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer broke off")
    }
}

impl std::error::Error for BrokenOff {}

impl Answer {
    /// An answer of a status and nothing else.
    pub fn empty(status: u16) -> Self {
        Answer {
            status,
            headers: Vec::new(),
            taken: HeaderMap::new(),
            body: Body::Whole(Bytes::new()),
        }
    }

    /// An answer of a JSON document; an empty one has no type.
    pub fn json(status: u16, document: impl Into<Bytes>) -> Self {
        let document: Bytes = document.into();
        match document.is_empty() {
            true => Answer::empty(status),
            false => Answer::of(status, "application/json", document),
        }
    }

    /// An answer of a body with its type.
    pub fn of(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Answer {
            status,
            headers: vec![("content-type", kind.to_owned())],
            taken: HeaderMap::new(),
            body: Body::Whole(body.into()),
        }
    }

    /// The same with one header more; the name is lower case.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The error it carries, by its name: `x-amzn-errortype`.
    pub fn error(&self) -> Option<&str> {
        let kind = self.headers.iter().find(|(name, _)| *name == ERROR_TYPE);
        kind.map(|(_, value)| value.as_str())
    }
}

/// The header that names an error.
pub const ERROR_TYPE: &str = "x-amzn-errortype";

/// The one way an error becomes an answer (spec/errors §1).
impl From<ApiError> for Answer {
    fn from(problem: ApiError) -> Self {
        Answer::json(problem.status, problem.body).with(ERROR_TYPE, problem.code)
    }
}

/// hyper takes a body as it is: a whole one as one frame, a stream as a chunk for each piece.
impl HttpBody for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut *self {
            Body::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Body::Stream(pieces) => pieces
                .poll_recv(context)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}

/// The text of a header; one that is no visible ASCII counts as absent.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The parameters of a query, or of a form, decoded: `a=1&b&a=2`. A `+` is a space, as in forms.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let spaced = |text: &str| decode(&text.replace('+', " "));
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (spaced(key), spaced(value)))
        .collect()
}

/// Percent-decoding; a broken escape stays as it is.
pub fn decode(text: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(text)).into_owned()
}

/// Percent-decoding to bytes, which need not be UTF-8.
pub fn decode_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%').then(|| after.split_at_checked(2)).flatten();
        let decoded = escaped.and_then(|(pair, after)| Some((unhex(pair)?, after)));
        match decoded {
            Some((byte, after)) => {
                out.extend(byte);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        for (text, read) in [
            ("%41%2f", "A/"),
            ("%+1", "%+1"),
            ("%4", "%4"),
            ("%", "%"),
            ("%%41", "%A"),
            ("%-1%zz", "%-1%zz"),
        ] {
            assert_eq!(decode(text), read);
        }
    }

    #[test]
    fn a_query_is_decoded_in_its_order() {
        let pairs = |query| {
            let all = parameters(query).into_iter();
            all.map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>()
        };
        assert_eq!(pairs("b=1&a=%24x&b=2+3&&c"), ["b:1", "a:$x", "b:2 3", "c:"]);
        assert_eq!(pairs("a%3Db=c=d"), ["a=b:c=d"]);
        assert!(pairs("").is_empty());
    }

    #[test]
    fn an_error_is_an_answer_with_its_name() {
        let answer = Answer::from(ApiError::missing("no"));
        assert_eq!(
            (answer.status, answer.error()),
            (404, Some("ResourceNotFoundException"))
        );
        assert_eq!(answer.headers[0], ("content-type", "application/json".to_owned()));
        assert!(Answer::json(202, "").headers.is_empty());
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_sender() {
        use http_body_util::BodyExt;
        let (send, pieces) = tokio::sync::mpsc::channel(4);
        let mut body = Body::Stream(pieces);
        let _ = send.send(Ok(Bytes::from_static(b"a"))).await;
        drop(send);
        let first = body
            .frame()
            .await
            .and_then(Result::ok)
            .and_then(|f| f.into_data().ok());
        assert_eq!(first, Some(Bytes::from_static(b"a")));
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn each_piece_of_a_stream_is_sent_at_once() {
        use hyper::service::service_fn;
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (send, pieces) = tokio::sync::mpsc::channel(1);
        let body = std::sync::Mutex::new(Some(Body::Stream(pieces)));
        let service = service_fn(move |_| {
            let body = body.lock().ok().and_then(|mut body| body.take());
            std::future::ready(body.map(hyper::Response::new).ok_or("asked twice"))
        });
        let (mut client, server) = tokio::io::duplex(1024);
        let io = hyper_util::rt::TokioIo::new(server);
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        let asked = client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(asked.is_ok());
        let mut heard = String::new();
        for piece in ["first", "second"] {
            assert!(send.send(Ok(Bytes::from_static(piece.as_bytes()))).await.is_ok());
            // The next piece does not exist yet when this one arrives.
            while !heard.ends_with(&format!("{:x}\r\n{piece}\r\n", piece.len())) {
                heard.push(char::from(client.read_u8().await.unwrap_or_default()));
            }
        }
        drop(send);
        while !heard.ends_with("0\r\n\r\n") {
            heard.push(char::from(client.read_u8().await.unwrap_or_default()));
        }
        assert!(heard.contains("transfer-encoding: chunked"), "{heard}");
    }
}
