//! How an actor tells the end of an attempt: the outcome, its log, and what only this machine measured.
//!
//! Owns the order in which these are gathered. Deliberately absent: what a conclusion means
//! ([`verdict`](crate::verdict)) and how a log's frame reads ([`report`](crate::report)).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use router::event::Outcome;
use tokio::time::Instant;

use super::{Actor, Measure};
use crate::environment::{Answer, Conclusion};
use crate::function::Pace;
use crate::report::Report;
use crate::site::{Done, Figures, What, tell};
use crate::verdict::result;

/// For so long, the highest memory counts as known. The [watch](super::watching) looks no more often.
const LATELY: Duration = Duration::from_millis(5);

impl Actor {
    pub(super) fn wants_tail(&self) -> bool {
        let call = self
            .job
            .as_ref()
            .and_then(|job| job.invocation.event.call.as_deref());
        call.is_some_and(|call| call.log_tail)
    }

    pub(super) fn measure(&mut self) {
        self.peak = self.sandbox.peak().div_ceil(1 << 20);
        self.measured = Some(Instant::now());
    }

    /// As [`measure`](Self::measure), unless that was a moment ago: reading takes a tenth of a quick invocation's time,
    /// and what it touches in a moment is little.
    pub(super) fn measure_again(&mut self) {
        let lately = self.measured.is_some_and(|at| at.elapsed() < LATELY);
        if self.site.pace == Pace::Virtual || !lately {
            self.measure();
        }
    }

    pub(super) fn conclude(&mut self, conclusion: Conclusion) {
        self.drain();
        self.log.flush();
        if self.site.pace == Pace::Virtual {
            self.take_crew_lines();
        }
        self.share_lines();
        let tail = self.wants_tail();
        let Some(job) = self.job.take() else { return };
        let id = job.invocation.event.id.as_str();
        let duration = self.duration(&conclusion);
        let streamed = match &conclusion {
            Conclusion::Answered(Answer::Streamed { total, .. }) => Some(*total),
            _ => None,
        };
        let (result, status) = result(id, self.site.spec.timeout, conclusion);
        let init = self.clock.init.filter(|_| self.clock.cold);
        self.tell_report(id, duration, init, status.as_ref());
        // Who sees it: a caller that asked, and a scenario.
        let log = if tail || self.site.pace == Pace::Virtual {
            let report = Report {
                id,
                version: self.site.spec.version,
                logging: self.site.spec.logging,
                began: job.now + self.clock.waited(self.site.pace),
                duration,
                init,
                memory: self.site.spec.memory,
                used: self.peak.min(self.site.spec.memory.into()),
                status,
            };
            report.text(&self.log.take_tail())
        } else {
            drop(self.log.take_tail());
            Bytes::new()
        };
        let measure = Measure {
            name: job.invocation.name.clone(),
            wall: self.clock.dispatched.elapsed(),
            init,
            streamed,
        };
        let figures = match self.site.pace {
            Pace::Virtual => {
                let mut figures = self.figures(&measure);
                figures.extend(self.unfinished.take_all(self.last_pid));
                Some(figures)
            }
            Pace::Live => {
                self.unmeasured = Some(measure);
                None
            }
        };
        let done = Done {
            attempt: job.invocation.attempt,
            name: job.invocation.name.clone(),
            outcome: Outcome {
                result,
                duration,
                log,
            },
            cold: self.clock.cold,
            figures,
            lines: self.log.take_lines(),
        };
        tell(&self.site, self.number, What::Finished(done));
    }

    pub(super) fn duration(&self, conclusion: &Conclusion) -> Duration {
        let spec = &self.site.spec;
        match (self.site.pace, conclusion) {
            (_, Conclusion::TimedOut) => spec.timeout,
            (Pace::Virtual, _) => spec.duration.min(spec.timeout),
            (Pace::Live, _) => self
                .clock
                .began
                .or(self.clock.spawned)
                .unwrap_or(self.clock.dispatched)
                .elapsed(),
        }
    }

    pub(super) fn figures(&self, measure: &Measure) -> Figures {
        let millis = |d: Duration| format!("{:.3}", d.as_secs_f64() * 1000.0);
        let mut figures = BTreeMap::from([
            ("wall_ms".to_owned(), millis(measure.wall)),
            ("pid".to_owned(), self.last_pid.to_string()),
            ("max_rss_mb".to_owned(), self.peak.to_string()),
        ]);
        figures.extend(measure.init.map(|init| ("init_ms".to_owned(), millis(init))));
        let streamed = measure.streamed.map(|bytes| bytes.to_string());
        figures.extend(streamed.map(|bytes| ("streamed_bytes".to_owned(), bytes)));
        figures
    }
}
