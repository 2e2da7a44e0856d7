//! Runs a source live: a thread that polls when it is rung or when the source asked for it.
//!
//! Owns the thread and the order of things: poll, hand over, settle. A source is told to remember only what
//! the fabric has taken. Deliberately absent: any other clock than the one handed in.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, never, select};
use router::event::Observation;
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
    /// Takes an observation, blocking while the fabric is full; `false` ends the host.
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
    loop {
        let next = match parts.source.poll((parts.now)(), &mut parts.emitter) {
            Ok(next) => next,
            Err(error) => {
                (parts.failed)(error);
                NextPoll::WhenRung
            }
        };
        for observation in parts.emitter.take() {
            if !(parts.deliver)(observation) {
                return;
            }
        }
        if let Err(error) = parts.source.settle() {
            (parts.failed)(error);
        }
        let timer = match next {
            NextPoll::At(at) => crossbeam_channel::after(at.since((parts.now)())),
            NextPoll::WhenRung => never(),
        };
        select! {
            recv(stopped) -> _ => return,
            recv(parts.rung) -> _ => {}
            recv(timer) -> _ => {}
        }
    }
}
