//! When nothing more can happen: quiescence, settling, advancing, and the limits of a run.

use std::sync::PoisonError;
use std::time::Instant;

use router::fabric::Turn;
use router::journal::Entry;
use router::time::Timestamp;

use super::stage::{Halt, Stage};
use crate::cycle;
use crate::diagnostic::Diagnostic;

impl Stage<'_> {
    /// Runs until nothing more can happen at `until` or before it.
    pub(super) fn quiesce(&mut self, until: Timestamp) -> Result<(), Halt> {
        let next = loop {
            if let Turn::Quiet(next) = self.turn(until)? {
                break next;
            }
        };
        let since = |at: Timestamp| crate::timeline::clock(at.since(self.scenario.clock_start));
        let next = next.map_or_else(
            || "no timer is left".to_owned(),
            |at| format!("the next timer is at {}", since(at)),
        );
        let why = format!(
            "quiet at {}: no handler runs, {} sources have nothing new, {} events open, {next}",
            since(self.fabric.now()),
            self.directories.len(),
            self.fabric.open()
        );
        if self.why.last() != Some(&why) {
            self.why.push(why);
        }
        Ok(())
    }

    pub(super) fn advance(&mut self, to: Timestamp) -> Result<(), Halt> {
        let from = self.fabric.now();
        self.quiesce(to)?;
        self.last_event = self.last_event.max(to);
        self.fabric.note(Entry::Clock {
            from,
            why: "advance".to_owned(),
        });
        Ok(())
    }

    /// Runs until nothing is left that will happen by itself.
    pub(super) fn settle(&mut self) -> Result<(), Halt> {
        loop {
            self.quiesce(self.fabric.now())?;
            let Some(next) = self.fabric.next_deadline() else {
                return Ok(());
            };
            let limit = self.scenario.limits.virtual_time;
            if next.since(self.scenario.clock_start) > limit {
                let what = format!("the run would go on past {limit:?} of virtual time");
                return Err(Halt::Broken(
                    Diagnostic::new("E304", what).help("raise `limits: { virtual: … }` if that is meant"),
                ));
            }
            self.turn(next)?;
        }
    }

    pub(super) fn turn(&mut self, until: Timestamp) -> Result<Turn, Halt> {
        let turn = self.fabric.turn(Some(until));
        if Instant::now() >= self.deadline {
            let waiting = self.fabric.hands.waiting_for().join("; ");
            let what = format!(
                "the scenario did not end within {:?} of real time",
                self.scenario.timeout
            );
            return Err(Halt::Broken(
                Diagnostic::new("E305", what).note(format!("waiting for: {waiting}")),
            ));
        }
        if let Some(what) = self.fabric.hands.broken.take() {
            return Err(Halt::Broken(Diagnostic::new("E302", what)));
        }
        let accepted = self.fabric.journal.ledger().accepted;
        if accepted > self.scenario.limits.events {
            self.fabric.journal.flush();
            return Err(Halt::Broken(self.too_many(accepted)));
        }
        match turn {
            Turn::Stopped => Err(Halt::Interrupted),
            Turn::Worked => {
                if self.fabric.open() > 0 || accepted > 0 {
                    self.last_event = self.last_event.max(self.fabric.now().min(until));
                }
                Ok(turn)
            }
            Turn::Quiet(_) => Ok(turn),
        }
    }

    fn too_many(&self, accepted: u64) -> Diagnostic {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "raise `limits: { events: … }` if that is meant";
        let Some(cycle) = cycle::path(&lines) else {
            return Diagnostic::new(
                "E304",
                format!("{accepted} events are more than the scenario may have"),
            )
            .help(help);
        };
        let what = format!("{accepted} events: a handler seems to feed its own source");
        Diagnostic::new("E304", what)
            .note(format!("cycle: {cycle} → …"))
            .help(format!("write to another bucket or prefix, or {help}"))
    }
}
