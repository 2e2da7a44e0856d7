//! The queue before the fabric: what sources and callers have handed over and the router has not taken yet.
//!
//! ```text
//!   sources' threads, callers ──send──► [ at most so many, at most so many bytes ] ──take──► the fabric
//! ```
//!
//! Owns the bounds and the end: whoever sends waits while there is no room, and is refused once the queue is closed.
//! What was let in before stays, to be taken: nothing that was accepted gets lost. Deliberately absent: who is woken
//! to take it; that is told elsewhere.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::router::Input;

/// A bounded queue of inputs; both ends are this handle.
#[derive(Clone)]
pub struct Arrivals(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    room: Condvar,
    limit: usize,
    byte_limit: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Input>,
    bytes: usize,
    closed: bool,
    /// How many wait for room. To wake nobody costs a system call, too.
    senders: usize,
}

/// Why an input was not let in.
#[derive(Debug)]
pub enum Refused {
    /// There is no room now; the input comes back.
    Full(Box<Input>),
    /// There will be none any more.
    Closed,
}

impl Arrivals {
    /// A queue of at most `limit` inputs whose payloads have at most `byte_limit` bytes together. One that is larger
    /// than that gets in alone.
    pub fn new(limit: usize, byte_limit: usize) -> Self {
        Arrivals(Arc::new(Shared {
            queue: Mutex::default(),
            room: Condvar::new(),
            limit,
            byte_limit,
        }))
    }

    /// A queue that lets nothing in, for a fabric that is fed by its own thread.
    pub fn none() -> Self {
        let none = Arrivals::new(0, 0);
        none.close();
        none
    }

    /// Lets an input in if there is room.
    ///
    /// # Errors
    /// There is none, or the queue is closed.
    pub fn try_send(&self, input: Input) -> Result<(), Refused> {
        self.enter(self.queue(), input)
    }

    /// Lets an input in, waiting for room.
    ///
    /// # Errors
    /// The queue is closed, or was while this waited.
    pub fn send(&self, input: Input) -> Result<(), Refused> {
        let bytes = input.bytes();
        let full = |queue: &mut Queue| !queue.closed && !self.has_room(queue, bytes);
        let mut queue = self.queue();
        queue.senders += 1;
        let mut queue = self
            .0
            .room
            .wait_while(queue, full)
            .unwrap_or_else(PoisonError::into_inner);
        queue.senders -= 1;
        self.enter(queue, input)
    }

    /// Takes the oldest.
    pub fn take(&self) -> Option<Input> {
        let mut queue = self.queue();
        let input = queue.waiting.pop_front()?;
        queue.bytes -= input.bytes();
        let waiting = queue.senders > 0;
        drop(queue);
        // One is enough: whoever is too large for the room there is fits when the queue is empty, and each that gets
        // in is taken in turn.
        if waiting {
            self.0.room.notify_one();
        }
        Some(input)
    }

    /// Lets nothing more in. What is in stays.
    pub fn close(&self) {
        self.queue().closed = true;
        self.0.room.notify_all();
    }

    fn enter(&self, mut queue: MutexGuard<'_, Queue>, input: Input) -> Result<(), Refused> {
        let bytes = input.bytes();
        if queue.closed {
            return Err(Refused::Closed);
        }
        if !self.has_room(&queue, bytes) {
            return Err(Refused::Full(Box::new(input)));
        }
        queue.bytes += bytes;
        queue.waiting.push_back(input);
        Ok(())
    }

    fn has_room(&self, queue: &Queue, bytes: usize) -> bool {
        queue.waiting.is_empty()
            || (queue.waiting.len() < self.0.limit && queue.bytes.saturating_add(bytes) <= self.0.byte_limit)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole after every statement, so a panic elsewhere cannot have broken it.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.queue();
        write!(
            f,
            "Arrivals {{ {} inputs, {} bytes, closed: {} }}",
            queue.waiting.len(),
            queue.bytes,
            queue.closed
        )
    }
}
