//! Runs a source live: a thread that polls when it is rung or when the source asked for it.
//!
//! ```text
//!   poll ─► hand over each observation ─► settle: save, with what is over ─► wait ─► poll …
//!                                             ▲ also whenever the fabric tells that observations are over
//! ```
//!
//! Owns the thread and the order of things. A source saves what it announced after the fabric took it, so a crash in
//! between repeats events and loses none. Once the fabric takes nothing more, a source is not asked any more and only
//! hears what is over. Deliberately absent: any other clock than the one handed in.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, never, select};
use router::event::{Observation, Receipt};
use router::time::Timestamp;

use crate::catalog::OpenSource;
use crate::source::{Emitter, NextPoll, SourceError};

/// A source that runs.
pub struct Host {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// What a host needs.
pub struct Parts {
    /// The source.
    pub source: Box<dyn OpenSource>,
    /// Names its events.
    pub emitter: Emitter,
    /// The ear of the source's bell.
    pub rung: Receiver<()>,
    /// The time.
    pub now: fn() -> Timestamp,
    /// Tells which observations are over, many at a time.
    pub settled: Receiver<Vec<Receipt>>,
    /// Takes an observation, blocking while the fabric is full; `false` if it takes no more.
    pub deliver: Box<dyn FnMut(Observation) -> bool + Send>,
    /// Is told an error, after which the host goes on.
    pub failed: Box<dyn FnMut(SourceError) + Send>,
}

impl Host {
    /// Starts the thread called `name`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(name: &str, parts: Parts) -> std::io::Result<Host> {
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(parts, &stopped))?;
        Ok(Host {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends the thread and waits for it.
    pub fn stop(mut self) {
        let _ = self.stop.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut parts: Parts, stopped: &Receiver<()>) {
    let mut next = poll(&mut parts);
    loop {
        let timer = match next {
            Some(NextPoll::At(at)) => crossbeam_channel::after(at.since((parts.now)())),
            Some(NextPoll::WhenRung) | None => never(),
        };
        select! {
            recv(stopped) -> _ => return settle(&mut parts, Vec::new()),
            recv(parts.settled) -> over => match over {
                Ok(over) => settle(&mut parts, over),
                // The fabric is gone, and the end will be told.
                Err(_) => parts.settled = never(),
            },
            recv(parts.rung) -> _ => next = next.and_then(|_| poll(&mut parts)),
            recv(timer) -> _ => next = poll(&mut parts),
        }
    }
}

/// Looks, hands over and saves; `None` if the fabric takes no more.
fn poll(parts: &mut Parts) -> Option<NextPoll> {
    let next = match parts.source.poll((parts.now)(), &mut parts.emitter) {
        Ok(next) => next,
        Err(error) => {
            (parts.failed)(error);
            NextPoll::WhenRung
        }
    };
    let taken = parts.emitter.take().into_iter().all(|seen| (parts.deliver)(seen));
    settle(parts, Vec::new());
    taken.then_some(next)
}

/// One saving for everything that is over by now.
fn settle(parts: &mut Parts, mut over: Vec<Receipt>) {
    over.extend(parts.settled.try_iter().flatten());
    if let Err(error) = parts.source.settle(&over) {
        (parts.failed)(error);
    }
}
