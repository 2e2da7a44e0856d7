//! What an actor does about limits that are watched: memory, processes, and a `/tmp` without a limit of its own.
//!
//! Owns when to look, and the words. Deliberately absent: the looking ([`sandbox`](crate::sandbox)) and what follows;
//! the [environment](crate::environment) decides.

use super::Actor;
use super::waits::after;
use crate::environment::Heard;
use crate::function::Pace;
use crate::sandbox::{Excess, PROCESSES};
use crate::site::{What, tell};

impl Actor {
    /// While something may run; the watch ends by itself, so that a quick invocation sets nothing.
    pub(super) fn keep_watch(&mut self) {
        if !std::mem::replace(&mut self.watching, true) {
            self.watch.as_mut().reset(after(self.sandbox.first_look()));
        }
    }

    pub(super) fn look(&mut self) {
        self.watching = false;
        if self.machine.is_at_rest() {
            if let Some((name, figures)) = self.unfinished.take_processes(self.last_pid) {
                tell(&self.site, self.number, What::Measured(name, figures));
            }
            // What a quick invocation left: it was over before it was looked at. Virtual pace keeps to what an
            // attempt does, because this moment is the machine's.
            if self.site.pace == Pace::Live
                && let Err(excess) = self.sandbox.look()
            {
                self.exceeded(excess);
            }
            return;
        }
        match self.sandbox.look() {
            Ok(pause) => {
                self.note_overfull();
                self.watching = true;
                self.watch.as_mut().reset(after(pause));
            }
            Err(excess) => self.exceeded(excess),
        }
    }

    pub(super) fn exceeded(&mut self, excess: Excess) {
        self.measure();
        let spec = &self.site.spec;
        let note = match excess {
            Excess::Memory => format!(
                "[triggerfish] more memory in use than `memory`, which is {} MB: killed, as on AWS\n",
                spec.memory
            ),
            Excess::Processes => format!(
                "[triggerfish] more than {PROCESSES} processes: killed; on AWS no further one could be started\n"
            ),
        };
        self.note(&note);
        self.hear(Heard::Exceeded(excess));
    }

    /// Where `/tmp` has no limit of its own.
    pub(super) fn note_overfull(&mut self) {
        if self.sandbox.is_overfull() {
            let most = self.site.spec.ephemeral_storage;
            self.note(&format!(
                "[triggerfish] /tmp holds more than `ephemeral_storage`, which is {most} MB: on AWS, the write fails with ENOSPC\n"
            ));
        }
    }

    /// A line of ours, after what the handler has written.
    pub(super) fn note(&mut self, line: &str) {
        self.drain();
        self.log.flush();
        self.log.push(line.as_bytes());
        self.share_lines();
    }
}
