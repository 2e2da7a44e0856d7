//! The reactor: one tokio runtime for everything real of one fabric, driven by the fabric's own thread while it
//! waits.
//!
//! Handlers' processes, the Runtime API and the front's HTTP are tasks on it, so that nothing between a caller's
//! request and a handler's socket has to wake another thread: waking one costs more than all else that an
//! invocation takes. Owns the runtime and the doorbell. Deliberately absent: what is waited for, and for how long;
//! a clock decides that. Threads elsewhere (a source's watcher) leave their news in a channel and ring.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A runtime that runs only while somebody waits in it.
#[derive(Debug)]
pub struct Reactor {
    runtime: Runtime,
    doorbell: Doorbell,
}

/// Ends a wait of the reactor, from any thread. Any number of rings before the next wait count as one.
#[derive(Clone, Debug, Default)]
pub struct Doorbell(Arc<Notify>);

impl Doorbell {
    /// Rings; never blocks.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Whether anybody else has it: a reactor that may hear.
    pub fn is_heard(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl Reactor {
    /// A reactor without tasks.
    ///
    /// # Errors
    /// The system refuses what it polls with.
    pub fn new() -> std::io::Result<Arc<Reactor>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Arc::new(Reactor {
            runtime,
            doorbell: Doorbell::default(),
        }))
    }

    /// What ends a wait.
    pub fn doorbell(&self) -> Doorbell {
        self.doorbell.clone()
    }

    /// Adds a task; it goes on in every turn and wait.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(task)
    }

    /// Lets every task that can go on do so, and looks at the sockets once; never blocks.
    pub fn turn(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }

    /// Runs tasks until the doorbell rings or `limit` has passed; whether it was the second.
    pub fn wait(&self, limit: Option<Duration>) -> bool {
        let rung = self.doorbell.0.notified();
        match limit {
            None => {
                self.runtime.block_on(rung);
                false
            }
            Some(limit) => self
                .runtime
                .block_on(async { tokio::time::timeout(limit, rung).await.is_err() }),
        }
    }

    /// Runs tasks until `future` is done.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost_and_two_count_as_one() {
        let reactor = Reactor::new().unwrap();
        reactor.doorbell().ring();
        reactor.doorbell().ring();
        assert!(!reactor.wait(None));
        assert!(
            reactor.wait(Some(Duration::from_millis(1))),
            "the second ring is gone"
        );
    }

    #[test]
    fn another_thread_ends_a_wait() {
        let reactor = Reactor::new().unwrap();
        let doorbell = reactor.doorbell();
        std::thread::scope(|scope| {
            scope.spawn(|| doorbell.ring());
            assert!(!reactor.wait(None));
        });
    }

    #[test]
    fn a_turn_lets_tasks_go_on_and_comes_back() {
        let reactor = Reactor::new().unwrap();
        let task = reactor.spawn(async { 7 });
        reactor.turn();
        assert!(task.is_finished());
        assert_eq!(reactor.run(task).unwrap(), 7);
    }
}
