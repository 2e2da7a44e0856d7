//! The pipe that one process writes its output to.
//!
//! Owns when there is something to read, and that nothing is missed. Deliberately absent: what is read
//! ([`logs`](crate::logs)).

use std::fs::File;
use std::task::{Context, Poll};

use tokio::io::unix::AsyncFd;

use crate::logs::{Drained, Log, drain};

/// An end to read from, while anybody writes to the other.
#[derive(Debug, Default)]
pub struct Output {
    pipe: Option<AsyncFd<File>>,
    /// There is more in the pipe than was read at once.
    undrained: bool,
}

impl Output {
    /// Reads from `pipe`, which does not block.
    pub fn of(pipe: AsyncFd<File>) -> Self {
        Output {
            pipe: Some(pipe),
            undrained: false,
        }
    }

    /// Whether more is there than was read at once.
    pub fn is_undrained(&self) -> bool {
        self.undrained
    }

    /// Reads what is there.
    pub fn drain(&mut self, log: &mut Log) {
        self.undrained = false;
        match self.pipe.as_ref().map(|pipe| drain(pipe.get_ref(), log)) {
            Some(Drained::Closed) => self.pipe = None,
            Some(Drained::More) => self.undrained = true,
            Some(Drained::Empty) | None => {}
        }
    }

    /// Ready when there may be something. Readiness is cleared before the pipe is read, so nothing that arrives
    /// between is missed; a pipe that was not read to its end tells of nothing new.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let Some(pipe) = self.pipe.as_ref().filter(|_| !self.undrained) else {
            return match self.undrained {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
        };
        match pipe.poll_read_ready(context) {
            Poll::Ready(Ok(mut guard)) => {
                guard.clear_ready();
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Waits until there may be something.
    pub async fn readable(&self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }
}
