//! What an actor tells the subscribers of the Telemetry API (spec/runtime-api §12).
//!
//! Owns the records of `platform.*` events. Each of these returns at once where nobody listens. Deliberately absent:
//! who gets what, and when ([`telemetry`](crate::telemetry)).

use std::time::Duration;

use router::time::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Actor;
use super::waits::real_time;
use crate::environment::{Answer, Reason};
use crate::extension::Seat;
use crate::function::Pace;
use crate::handout::trace;
use crate::report::Status;
use crate::telemetry::{Subscription, Telemetry, Topic, millis};

impl Actor {
    /// A life begins; where there are no external extensions, only threads of the runtime may listen.
    pub(super) fn tell_init_start(&mut self) {
        self.telemetry = Telemetry::begin();
        self.ready_told = false;
        let (version, phase) = (self.runtime_words(), self.phase());
        let record = json!({
            "initializationType": self.initialization(),
            "phase": phase,
            "runtimeVersion": version,
            "functionName": self.site.spec.name.as_str(),
            "functionVersion": self.site.spec.version,
        });
        self.tell("initStart", record);
        self.log.open_tap();
        self.crew.open_taps();
    }

    pub(super) fn subscribe(&mut self, seat: Seat, subscription: Subscription) {
        let name = self.machine.extensions().name(seat).to_owned();
        let record = json!({ "name": name, "state": "Subscribed", "types": subscription.words() });
        self.telemetry.subscribe(seat, subscription);
        self.tell("telemetrySubscription", record);
    }

    /// The runtime has asked for its first event.
    pub(super) fn tell_runtime_ready(&mut self) {
        if !self.telemetry.is_open() || self.ready_told {
            return;
        }
        self.ready_told = true;
        self.drain();
        let record = json!({ "initializationType": self.initialization(), "phase": self.phase(), "status": "success" });
        self.tell("initRuntimeDone", record);
    }

    /// The environment ends; if its init did not, this is how it went.
    pub(super) fn tell_init_failure(&mut self, reason: Reason) {
        if !self.telemetry.is_open() {
            return;
        }
        let status = if reason == Reason::Timeout {
            "timeout"
        } else {
            "error"
        };
        if !self.ready_told {
            let record = json!({ "initializationType": self.initialization(), "phase": self.phase(), "status": status });
            self.tell("initRuntimeDone", record);
        }
        self.tell_init_report(status);
    }

    /// An event is handed out: the init is over, if it was not.
    pub(super) fn tell_start(&mut self) {
        if !self.telemetry.listens() {
            return;
        }
        if self.telemetry.is_open() {
            self.tell_init_report("success");
            for record in self.machine.extensions().records() {
                self.tell("extension", record);
            }
            self.telemetry.close();
            if !self.telemetry.listens() {
                self.log.close_tap();
                self.crew.close_taps();
            }
        }
        let time = self.moment();
        if let Some(job) = &self.job {
            self.telemetry.start(
                job.invocation.event.id.as_str(),
                self.site.spec.version,
                &time,
                &trace(&self.site, job),
            );
        }
    }

    fn tell_init_report(&mut self, status: &str) {
        let took = self
            .clock
            .spawned
            .map(|spawned| spawned.elapsed())
            .unwrap_or_default();
        let record = json!({
            "initializationType": self.initialization(),
            "phase": self.phase(),
            "status": status,
            "metrics": { "durationMs": millis(took) },
        });
        self.tell("initReport", record);
    }

    /// The runtime answers its event.
    pub(super) fn tell_answer(&mut self, id: &str, answer: &Answer) {
        if !self.telemetry.listens() || !self.machine.runs(id) {
            return;
        }
        self.drain();
        let (status, produced) = match answer {
            Answer::Response(body) => ("success", Some(body.len())),
            _ => ("error", None),
        };
        self.tell_runtime_done(status, produced);
    }

    /// The runtime will not answer any more.
    pub(super) fn tell_runtime_done(&mut self, status: &str, produced: Option<usize>) {
        let took = self.clock.began.map(|began| began.elapsed()).unwrap_or_default();
        let time = self.moment();
        self.telemetry.runtime_done(&time, status, took, produced);
    }

    /// The figures of an attempt that has ended.
    pub(super) fn tell_report(
        &mut self,
        id: &str,
        duration: Duration,
        init: Option<Duration>,
        status: Option<&Status>,
    ) {
        if !self.telemetry.listens() {
            return;
        }
        let billed = (duration + init.unwrap_or_default()).as_micros().div_ceil(1000);
        let billed = u64::try_from(billed).unwrap_or(u64::MAX);
        let mut record = json!({
            "requestId": id,
            "status": match status { None => "success", Some(Status::Timeout) => "timeout", Some(_) => "error" },
            "metrics": {
                "durationMs": millis(duration),
                "billedDurationMs": billed,
                "memorySizeMB": self.site.spec.memory,
                "maxMemoryUsedMB": self.peak.min(self.site.spec.memory.into()),
            },
        });
        if let Some(init) = init {
            record["metrics"]["initDurationMs"] = json!(millis(init));
        }
        if let Some(Status::Error(kind)) = status {
            record["errorType"] = json!(kind);
        }
        self.tell("report", record);
    }

    /// Lines that were read from the runtime and the extensions.
    pub(super) fn tell_lines(&mut self) {
        if !self.telemetry.listens() {
            return;
        }
        let time = self.moment();
        for line in self.log.take_tap() {
            self.telemetry.line(Topic::Function, &time, &line);
        }
        for line in self.crew.take_taps() {
            self.telemetry.line(Topic::Extension, &time, &line);
        }
    }

    fn tell(&mut self, kind: &str, record: Value) {
        let time = self.moment();
        self.telemetry.platform(kind, &time, record);
    }

    /// The fabric's time: in virtual pace, that of the attempt.
    pub(super) fn moment(&self) -> String {
        let now = match self.site.pace {
            Pace::Virtual => self.dispatched,
            Pace::Live => Timestamp::from_millis(u64::try_from(real_time().as_millis()).unwrap_or(u64::MAX)),
        };
        now.iso_millis()
    }

    /// How the environment came to be, in the words of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub(super) fn initialization(&self) -> &'static str {
        match self.machine.is_provisioned() {
            true => "provisioned-concurrency",
            false => "on-demand",
        }
    }

    fn phase(&self) -> &'static str {
        if self.spawns <= 1 { "init" } else { "invoke" }
    }

    fn runtime_words(&self) -> String {
        use crate::function::Runtime::{Command, Node, Provided, Python};
        match &self.site.spec.runtime {
            Python(id) | Node(id) | Provided(id) => id.clone(),
            Command(_) => "provided".to_owned(),
        }
    }

    /// How long an extension's end may wait for what it was told to arrive.
    pub(super) fn until_told(
        &self,
        seat: Seat,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send + 'static {
        let flushed = self.telemetry.flush(seat);
        async move { drop(tokio::time::timeout_at(deadline, flushed).await) }
    }
}
