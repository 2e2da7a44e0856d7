//! One connection: how long it may stand still, so that no client keeps a place that it does not use.
//!
//! ```text
//!          a byte            the head is whole         the answer is sent
//!  Idle ───────────► Head ───────────────────► Serving ──────────────────► Idle
//!  5 min             10 s                      as long as the service takes
//! ```
//!
//! Owns the times of head, idleness and of writes that nobody reads. hyper's own timeout of the head would run while a connection is
//! idle, too. A time costs nothing while it is kept: one timer per connection is set to the earliest end and set anew only
//! when it rings. Deliberately absent: bodies, whose time is kept where they are read.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use scenarios::stop::Stop;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::http::{Body, BrokenOff};
use super::times::Times;

/// The longest head of a request that is still read on, in bytes; one that is longer then is answered with 431.
const HEAD_LIMIT: usize = 64 << 10;

/// Serves a connection until it ends, stands still for too long, or has had its last answer after `stop` was asked for.
pub async fn serve<S, A>(stream: S, watch: Watch, answers: A, mut stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Service<hyper::Request<Incoming>, Response = hyper::Response<Sent>, Error = Infallible>,
{
    let mut keeper = watch.keep();
    let io = TokioIo::new(Watched { stream, watch });
    let mut http = pin!(
        http1::Builder::new()
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(io, answers)
    );
    let ended = tokio::select! {
        ended = poll_fn(|context| keeper.poll(http.as_mut(), context)) => ended,
        () = stop.asked() => {
            http.as_mut().graceful_shutdown();
            poll_fn(|context| keeper.poll(http.as_mut(), context)).await
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection to the gateway ended early"),
        None => tracing::debug!("a connection to the gateway stood still, and was dropped"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle(Instant),
    Head(Instant),
    Serving,
}

/// What a connection waits for, and since when.
#[derive(Debug)]
struct Progress {
    times: Times,
    phase: Phase,
    unread: Option<Instant>,
}

impl Progress {
    fn new(times: Times, now: Instant) -> Self {
        Progress {
            times,
            phase: Phase::Idle(now),
            unread: None,
        }
    }

    fn heard(&mut self, now: Instant) {
        if let Phase::Idle(_) = self.phase {
            self.phase = Phase::Head(now);
        }
    }

    fn wrote(&mut self, taken: bool, now: Instant) {
        match taken {
            true => self.unread = None,
            false => self.unread = self.unread.or(Some(now)),
        }
    }

    /// When it has stood still for too long.
    fn end(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Idle(since) => Some(since + self.times.idle),
            Phase::Head(since) => Some(since + self.times.head),
            Phase::Serving => None,
        };
        let unread = self.unread.map(|since| since + self.times.unread);
        phase.into_iter().chain(unread).min()
    }
}

/// The progress of a connection, shared by its socket, its service and its bodies.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Mutex<Progress>>);

impl Watch {
    /// Of a connection that was just made.
    pub fn new(times: Times) -> Self {
        Watch(Arc::new(Mutex::new(Progress::new(times, Instant::now()))))
    }

    /// The head of a request is whole. What comes back is kept until its answer is sent.
    pub fn asked(&self) -> Serving {
        self.with(|progress| progress.phase = Phase::Serving);
        Serving(self.clone())
    }

    /// What keeps the times while the connection is polled.
    fn keep(&self) -> Keeper {
        let idle = self.with(|progress| progress.times.idle);
        Keeper {
            watch: self.clone(),
            alarm: Box::pin(sleep_until(Instant::now() + idle)),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An answer is due; when this is dropped it was sent, or never will be.
#[derive(Debug)]
pub struct Serving(Watch);

impl Drop for Serving {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.with(|progress| progress.phase = Phase::Idle(now));
    }
}

/// Keeps the times of a connection.
struct Keeper {
    watch: Watch,
    alarm: Pin<Box<Sleep>>,
}

impl Keeper {
    /// Polls the connection; `None` if it has stood still for too long.
    fn poll<F: Future>(
        &mut self,
        connection: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        if let Poll::Ready(ended) = connection.poll(context) {
            return Poll::Ready(Some(ended));
        }
        while let Some(end) = self.watch.with(|progress| progress.end()) {
            if end < self.alarm.deadline() {
                self.alarm.as_mut().reset(end);
            }
            ready!(self.alarm.as_mut().poll(context));
            if end <= Instant::now() {
                return Poll::Ready(None);
            }
            self.alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}

/// A socket that tells of its progress.
#[derive(Debug)]
struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S> Watched<S> {
    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        // Only what waits needs the time.
        let (taken, now) = (written.is_ready(), Instant::now());
        self.watch.with(|progress| progress.wrote(taken, now));
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            let now = Instant::now();
            self.watch.with(|progress| progress.heard(now));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of an answer, which is being served until hyper lets go of it.
#[derive(Debug)]
pub struct Sent {
    body: Body,
    _serving: Serving,
}

impl Sent {
    /// A body that is to be sent.
    pub fn new(body: Body, serving: Serving) -> Self {
        Sent {
            body,
            _serving: serving,
        }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What a client hears that sends this, and after how many seconds its connection has ended.
    async fn heard(request: &[u8]) -> (String, u64) {
        let (mut client, server) = tokio::io::duplex(1024);
        let watch = Watch::new(Times::default());
        let serving = watch.clone();
        let answers = service_fn(move |_| {
            let sent = Sent::new(Body::Whole(Bytes::from_static(b"here")), serving.asked());
            std::future::ready(Ok(hyper::Response::new(sent)))
        });
        let began = Instant::now();
        tokio::spawn(serve(server, watch, answers, Stop::never()));
        assert!(client.write_all(request).await.is_ok());
        let mut said = Vec::new();
        assert!(client.read_to_end(&mut said).await.is_ok());
        (
            String::from_utf8_lossy(&said).into_owned(),
            began.elapsed().as_secs(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_still_is_dropped() {
        assert_eq!(heard(b"").await, (String::new(), 300));
        assert_eq!(heard(b"GET / HTTP/1.1\r\nX: ").await, (String::new(), 10));
        let (said, seconds) = heard(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(said.ends_with("here"), "{said}");
        assert_eq!(seconds, 300);
    }

    #[test]
    fn each_phase_has_its_time() {
        let (times, start) = (Times::default(), Instant::now());
        let mut progress = Progress::new(times, start);
        assert_eq!(progress.end(), Some(start + times.idle));
        let first = start + Duration::from_secs(7);
        progress.heard(first);
        // Further bytes give a slow head no more time.
        progress.heard(first + Duration::from_secs(5));
        assert_eq!(progress.end(), Some(first + times.head));
        progress.phase = Phase::Serving;
        progress.heard(first + Duration::from_secs(6));
        assert_eq!(progress.end(), None);
    }

    #[test]
    fn an_answer_that_nobody_reads_has_an_end() {
        let (times, start) = (Times::default(), Instant::now());
        let mut progress = Progress::new(times, start);
        progress.phase = Phase::Serving;
        progress.wrote(false, start);
        progress.wrote(false, start + times.unread / 2);
        assert_eq!(progress.end(), Some(start + times.unread));
        progress.wrote(true, start + times.unread / 2);
        assert_eq!(progress.end(), None);
    }
}
