//! The reading of bodies: how fast they must come, and where they lie until then.
//!
//! A body that is refused is thrown away as it comes: a client writes first and reads then, and would lose the answer.
//! Owns the reading and the two rooms: one for code, one for calls, so that whoever uploads slowly keeps nobody from
//! calling. The first MiB of a body takes no room. Deliberately absent: which operation may send how much
//! ([`limits`](super::limits)).

use std::fmt::Display;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::http::request::Parts;
use tokio::time::{Instant, timeout_at};

use super::fault::Fault;
use super::limits::{INVOKE_LIMIT, UPLOAD_LIMIT, USUAL_LIMIT, body_limit, too_large};
use super::room::{Held, Lease, Room};
use super::service::Service;
use super::times::Times;

/// Memory for code that comes, in bytes: four of the largest uploads.
const UPLOADS: usize = 4 * UPLOAD_LIMIT;
/// Memory for events that come, in bytes.
const CALLS: usize = 256 << 20;
/// Bytes of a body that is refused which are thrown away before the connection is given up.
const DISCARDED: usize = 4 * UPLOAD_LIMIT;

/// Memory for bodies above [`USUAL_LIMIT`].
#[derive(Clone, Debug)]
pub struct Bodies {
    uploads: Room,
    calls: Room,
}

impl Default for Bodies {
    fn default() -> Self {
        Bodies {
            uploads: Room::new(UPLOADS, UPLOAD_LIMIT),
            calls: Room::new(CALLS, INVOKE_LIMIT),
        }
    }
}

impl Bodies {
    /// Reads a body to its end; what it holds of the room comes with it.
    ///
    /// # Errors
    /// It is too large (413), stood still or came too slowly (408), ended early (400), or found no room (503).
    pub async fn read<B>(
        &self,
        head: &Parts,
        service: &Service,
        body: B,
        times: &Times,
    ) -> Result<(Bytes, Held), Fault>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        let limit = body_limit(service, &head.method, head.uri.path());
        let told = body.size_hint().exact();
        let told = told.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        if told.is_some_and(|told| told > limit) && head.headers.contains_key("expect") {
            // The client waits for leave to send it.
            return Err(too_large(service, head, told, limit));
        }
        let room = if limit == UPLOAD_LIMIT {
            &self.uploads
        } else {
            &self.calls
        };
        let reading = Reading {
            times,
            limit,
            began: Instant::now(),
            waited: Duration::ZERO,
            size: 0,
            kept: Kept::Whole(Bytes::new(), room.lease()),
        };
        match reading.finish(body).await? {
            Kept::Whole(body, lease) => Ok((body, lease.into())),
            Kept::Pieces(body, lease) => Ok((body.freeze(), lease.into())),
            Kept::TooLarge => Err(too_large(service, head, told, limit)),
            Kept::NoRoom => Err(no_room(times)),
        }
    }
}

/// A body that is being read.
struct Reading<'a> {
    times: &'a Times,
    limit: usize,
    began: Instant,
    /// How long it waited for room.
    waited: Duration,
    /// Bytes that have come.
    size: usize,
    kept: Kept,
}

/// What is kept of it.
enum Kept {
    /// The only piece: most bodies are one, which is not copied.
    Whole(Bytes, Lease),
    Pieces(BytesMut, Lease),
    TooLarge,
    NoRoom,
}

impl Reading<'_> {
    async fn finish<B>(mut self, mut body: B) -> Result<Kept, Fault>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        while let Some(frame) = self.in_time(body.frame()).await? {
            let frame = frame.map_err(|error| ended_early(&error))?;
            let Ok(piece) = frame.into_data() else { continue };
            self.size += piece.len();
            if self.size > DISCARDED.max(self.limit) {
                break;
            }
            self.keep(piece).await;
        }
        Ok(self.kept)
    }

    async fn in_time<T>(&self, next: impl Future<Output = T>) -> Result<T, Fault> {
        let still = Instant::now() + self.times.piece;
        let end = self.began + self.waited + self.times.of_body(self.size);
        let next = timeout_at(still.min(end), next).await;
        next.map_err(|_| match still < end {
            true => stood_still(self.times),
            false => too_slow(self.times, self.size),
        })
    }

    async fn keep(&mut self, piece: Bytes) {
        // What is refused gives its room back at once.
        self.kept = match std::mem::replace(&mut self.kept, Kept::TooLarge) {
            Kept::NoRoom => Kept::NoRoom,
            _ if self.size > self.limit => Kept::TooLarge,
            Kept::TooLarge => Kept::TooLarge,
            Kept::Whole(first, mut lease) => match self.has_room(&mut lease).await {
                true if first.is_empty() => Kept::Whole(piece, lease),
                true => Kept::Pieces([first, piece].concat().as_slice().into(), lease),
                false => Kept::NoRoom,
            },
            Kept::Pieces(mut all, mut lease) => match self.has_room(&mut lease).await {
                true => {
                    all.extend_from_slice(&piece);
                    Kept::Pieces(all, lease)
                }
                false => Kept::NoRoom,
            },
        };
    }

    async fn has_room(&mut self, lease: &mut Lease) -> bool {
        let began = Instant::now();
        let wanted = self.size.saturating_sub(USUAL_LIMIT);
        let found = lease.grow(wanted, self.times.room).await;
        self.waited += began.elapsed();
        found
    }
}

fn timed_out(message: String) -> Fault {
    Fault::new(408, "RequestTimeoutException", message)
}

fn stood_still(times: &Times) -> Fault {
    let seconds = times.piece.as_secs();
    timed_out(format!(
        "no byte of the body came for {seconds} s, and it is not whole: send it all, or its true length"
    ))
}

fn too_slow(times: &Times, size: usize) -> Fault {
    let (seconds, more) = (times.body.as_secs(), times.megabyte.as_secs());
    timed_out(format!(
        "only {size} bytes of the body came in time: {seconds} s, and {more} s more for each MB that has come; send it faster"
    ))
}

fn no_room(times: &Times) -> Fault {
    let message = format!(
        "no memory for the body within {} s, because others of its kind hold it: try again",
        times.room.as_secs()
    );
    Fault::new(503, "ServiceUnavailableException", message)
}

fn ended_early(error: &impl Display) -> Fault {
    tracing::debug!(%error, "a body was not read");
    Fault::new(400, "RequestAbortedException", "the body ended before its length")
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
