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

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::http::{Body, BrokenOff};

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(300);
/// How long a head may take from its first byte to its last.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may leave what is written to it unread.
const UNREAD: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle(Instant),
    Head(Instant),
    Serving,
}

/// What a connection waits for, and since when.
#[derive(Debug)]
struct Progress {
    phase: Phase,
    unread: Option<Instant>,
}

impl Progress {
    fn new(now: Instant) -> Self {
        Progress {
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
            Phase::Idle(since) => Some(since + IDLE),
            Phase::Head(since) => Some(since + HEAD),
            Phase::Serving => None,
        };
        let unread = self.unread.map(|since| since + UNREAD);
        phase.into_iter().chain(unread).min()
    }
}

/// The progress of a connection, shared by its socket, its service and its bodies.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Mutex<Progress>>);

impl Watch {
    /// Of a connection that was just made.
    pub fn new() -> Self {
        Watch(Arc::new(Mutex::new(Progress::new(Instant::now()))))
    }

    /// The head of a request is whole. What comes back is kept until its answer is sent.
    pub fn asked(&self) -> Serving {
        self.with(|progress| progress.phase = Phase::Serving);
        Serving(self.clone())
    }

    /// What keeps the times while the connection is polled.
    pub fn keep(&self) -> Keeper {
        Keeper {
            watch: self.clone(),
            alarm: Box::pin(sleep_until(Instant::now() + IDLE)),
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
pub struct Keeper {
    watch: Watch,
    alarm: Pin<Box<Sleep>>,
}

impl Keeper {
    /// Polls the connection; `None` if it has stood still for too long.
    pub fn poll<F: Future>(
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
pub struct Watched {
    stream: TcpStream,
    watch: Watch,
}

impl Watched {
    /// Watches a socket.
    pub fn new(stream: TcpStream, watch: Watch) -> Self {
        Watched { stream, watch }
    }

    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        // Only what waits needs the time.
        let (taken, now) = (written.is_ready(), Instant::now());
        self.watch.with(|progress| progress.wrote(taken, now));
        written
    }
}

impl AsyncRead for Watched {
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

impl AsyncWrite for Watched {
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
    use super::*;

    #[test]
    fn each_phase_has_its_time() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        assert_eq!(progress.end(), Some(start + IDLE));
        let first = start + Duration::from_secs(7);
        progress.heard(first);
        // Further bytes give a slow head no more time.
        progress.heard(first + Duration::from_secs(5));
        assert_eq!(progress.end(), Some(first + HEAD));
        progress.phase = Phase::Serving;
        progress.heard(first + Duration::from_secs(6));
        assert_eq!(progress.end(), None);
    }

    #[test]
    fn an_answer_that_nobody_reads_has_an_end() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        progress.phase = Phase::Serving;
        progress.wrote(false, start);
        progress.wrote(false, start + UNREAD / 2);
        assert_eq!(progress.end(), Some(start + UNREAD));
        progress.wrote(true, start + UNREAD / 2);
        assert_eq!(progress.end(), None);
    }
}
