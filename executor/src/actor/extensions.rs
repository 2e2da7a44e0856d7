//! What an actor does for the extensions of its environment (spec/runtime-api §11).
//!
//! Owns starting them, answering their calls, the events they get and their lines. Deliberately absent: their states
//! ([`extension`](crate::extension)) and processes ([`crew`](crate::crew)).

use std::path::PathBuf;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Actor;
use super::waits::{real_time, unstartable};
use crate::crew::{self, CrewNews};
use crate::environment::{EXTERNAL_BUDGET, Exit, Heard, Reason};
use crate::extension::{Denial, LIMIT, Seat};
use crate::extension_call::ExtensionCall;
use crate::function::Pace;
use crate::handout::{invoke_event, shutdown_event};
use crate::logging::{Logging, SystemLevel};
use crate::output::Output;
use crate::process::Role;
use crate::runtime_api::{Call, Handout, Whose};
use crate::runtime_call::Reply;

impl Actor {
    /// Init lasts until the last of the runtime and its extensions asks for the first event.
    pub(super) fn note_init(&mut self) {
        if let (Some(spawned), 1, None) = (self.clock.spawned, self.spawns, self.clock.began) {
            self.clock.init = Some(spawned.elapsed());
        }
    }

    pub(super) fn extension_call(&mut self, call: ExtensionCall, reply: oneshot::Sender<Handout>) {
        match call {
            ExtensionCall::Register {
                name,
                events,
                account,
            } => {
                let causal = format!("{}/{}/extension/{name}", self.name, self.spawns);
                let identifier = self.site.seed.request_id(&causal).to_string();
                self.asking = Some(reply);
                self.account = account;
                self.hear(Heard::Register {
                    name,
                    events,
                    identifier,
                });
            }
            ExtensionCall::Next { identifier } => {
                let seat = self.machine.extensions().seat(&identifier);
                if let Some((seat, event)) = seat.ok().and_then(|s| Some((s, self.crew.owed(s)?))) {
                    return self.pay(seat, event, reply);
                }
                self.note_init();
                self.asking = Some(reply);
                self.hear(Heard::ExtensionNext { identifier });
            }
            ExtensionCall::Subscribe {
                identifier,
                subscription,
            } => {
                let answer = match self.machine.extensions().seat(&identifier) {
                    Err(denial) => Handout::Refused(Reply::Denied(denial)),
                    Ok(_) if !self.telemetry.is_open() => {
                        Handout::Refused(Reply::Denied(Denial::SubscriptionClosed))
                    }
                    Ok(seat) => {
                        self.subscribe(seat, subscription);
                        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static("text/plain"))];
                        let body = Bytes::from_static(b"OK");
                        Handout::Event { headers, body }
                    }
                };
                let _ = reply.send(answer);
            }
            ExtensionCall::Error {
                identifier,
                phase,
                kind,
            } => {
                self.asking = Some(reply);
                let seat = self.machine.extensions().seat(&identifier);
                let expected = self.machine.is_stopping();
                let why = kind.clone();
                self.hear(Heard::ExtensionError {
                    identifier,
                    phase,
                    kind,
                });
                if let (Ok(seat), false, true) = (seat, expected, self.machine.is_stopping()) {
                    self.note_failure(seat, &why);
                }
            }
        }
    }

    pub(super) fn crew_news(&mut self, news: CrewNews) {
        match news {
            CrewNews::Readable(seat) => {
                self.crew.drain(seat);
                self.tell_lines();
                if self.site.pace == Pace::Live {
                    self.take_crew_lines();
                }
            }
            CrewNews::Ended(seat, exit) => {
                let expected = self.machine.is_stopping();
                self.hear(Heard::ExtensionEnded { seat, exit });
                if !expected {
                    self.note_failure(seat, &exit.to_string());
                }
            }
        }
    }

    /// The runtime is reaped; what it had sent is heard before its end is, and the extensions go on.
    pub(super) async fn runtime_ended(&mut self, exit: Exit, calls: &mut mpsc::UnboundedReceiver<Call>) {
        self.child = None;
        self.parked = None;
        self.settle(Whose::Runtime, calls).await;
        self.output = Output::default();
        tracing::debug!(environment = %self.name, ?exit, "the runtime ended before its extensions");
        self.hear(Heard::RuntimeEnded(exit));
    }

    /// Begins a life of the environment with its external extensions.
    pub(super) fn launch(&mut self) -> Heard {
        self.clock.spawned = Some(Instant::now());
        self.clock.cold = self.spawns == 0 || (self.clock.cold && self.spawns == 1);
        self.spawns = self.spawns.saturating_add(1);
        let files = self.extension_files();
        if files.len() > LIMIT {
            let why = format!(
                "TooManyExtensions: {} in the extensions folder, {LIMIT} may be",
                files.len()
            );
            return Heard::Unlaunched { why };
        }
        for file in &files {
            match self.start(file, Role::Extension) {
                Ok(process) => {
                    tracing::debug!(environment = %self.name, pid = process.pid.as_raw(), "extension started");
                    self.sandbox.entered(process.group);
                    self.crew.enlist(process);
                }
                Err(error) => {
                    let why = unstartable(file, &self.site.spec.code, &error);
                    let name = crew::name_of(file);
                    let line =
                        format!("EXTENSION\tName: {name}\tState: LaunchError\tEvents: []\tError Type: {why}");
                    self.log.insert(line);
                    return Heard::Unlaunched { why };
                }
            }
        }
        self.tell_init_start();
        Heard::Launched(files.iter().map(|file| crew::name_of(file)).collect())
    }

    /// Those of the code, and those of the layers.
    fn extension_files(&self) -> Vec<PathBuf> {
        let mut files = crew::files(&self.site.spec.code);
        let layers = self.site.spec.opt.as_deref().map(crew::files);
        for file in layers.into_iter().flatten() {
            if files.iter().all(|other| other.file_name() != file.file_name()) {
                files.push(file);
            }
        }
        files
    }

    /// Answers `register`.
    pub(super) fn seat(&mut self, seat: Seat) {
        let Some(asking) = self.asking.take() else { return };
        let spec = &self.site.spec;
        let mut body = json!({
            "functionName": spec.name.as_str(),
            "functionVersion": spec.version,
            "handler": spec.handler,
        });
        if std::mem::take(&mut self.account) {
            body["accountId"] = json!(self.site.account);
        }
        let identifier = self.machine.extensions().identifier(seat);
        let answer = crew::answer("lambda-extension-identifier", identifier, body.to_string());
        let _ = asking.send(answer);
    }

    pub(super) fn tell_of_invocation(&mut self, seats: &[Seat]) {
        let Some(job) = &self.job else { return };
        let body = invoke_event(&self.site, job, self.clock.deadline);
        let name = job.invocation.name.to_string();
        for (seat, event) in self.events(seats, &name, &body) {
            self.crew.deliver(seat, event);
        }
    }

    pub(super) fn tell_of_end(&mut self, seats: &[Seat], reason: Reason) {
        self.sandbox.thaw();
        self.tell_init_failure(reason);
        // One whose event still runs will not hear of its end in another way.
        self.tell_runtime_done(
            if reason == Reason::Timeout {
                "timeout"
            } else {
                "failure"
            },
            None,
        );
        let gone = self.farewell.map(|began| began.elapsed()).unwrap_or_default();
        let deadline = real_time().saturating_add(EXTERNAL_BUDGET.saturating_sub(gone));
        let name = format!("{}/{}/shutdown", self.name, self.spawns);
        let events = self.events(seats, &name, &shutdown_event(reason, deadline));
        let later = self.crew.deliver_later(events);
        self.send_when_told(later);
    }

    /// Gives an event to a poll that comes after it. Who runs goes on running, so the machine need not know.
    fn pay(&mut self, seat: Seat, event: Handout, poll: oneshot::Sender<Handout>) {
        if self.machine.is_stopping() {
            return self.send_when_told(vec![(seat, poll, event)]);
        }
        self.crew.wait(seat, self.machine.extensions().name(seat), poll);
        self.crew.deliver(seat, event);
    }

    /// What each was told before the end arrives before it, unless it takes half of the time there is.
    fn send_when_told(&self, events: Vec<(Seat, oneshot::Sender<Handout>, Handout)>) {
        for (seat, poll, event) in events {
            let told = self.until_told(seat, Instant::now() + EXTERNAL_BUDGET / 2);
            tokio::spawn(async move {
                told.await;
                let _ = poll.send(event);
            });
        }
    }

    /// One event for each, with an id of its own.
    fn events(&self, seats: &[Seat], name: &str, body: &str) -> Vec<(Seat, Handout)> {
        let event = |seat: &Seat| {
            let id = self.site.seed.request_id(&format!("{name}/extension/{seat}"));
            let event = crew::answer("lambda-extension-event-identifier", id.as_str(), body.to_owned());
            (*seat, event)
        };
        seats.iter().map(event).collect()
    }

    /// AWS's line of each extension, once in a life, after what was written in the init.
    pub(super) fn announce(&mut self) {
        if self.machine.extensions().is_empty() || std::mem::replace(&mut self.crew.announced, true) {
            return;
        }
        self.drain();
        let extensions = self.machine.extensions();
        let lines = match self.site.spec.logging {
            Logging::Text => extensions.lines(),
            Logging::Json { system, .. } if system > SystemLevel::Info => Vec::new(),
            Logging::Json { .. } => {
                let records = extensions.records().into_iter();
                records.map(|record| self.platform_line(record)).collect()
            }
        };
        lines.into_iter().for_each(|line| self.log.insert(line));
    }

    fn platform_line(&self, record: Value) -> String {
        let time = self.moment();
        format!(r#"{{"time":"{time}","type":"platform.extension","record":{record}}}"#)
    }

    /// Names the extension that ended the attempt.
    fn note_failure(&mut self, seat: Seat, why: &str) {
        self.drain();
        let line = match self.site.spec.logging {
            Logging::Text => format!("{}\tError Type: {why}", self.machine.extensions().line(seat)),
            Logging::Json { .. } => {
                let mut record = self.machine.extensions().record(seat);
                record["errorType"] = json!(why);
                self.platform_line(record)
            }
        };
        if self.job.is_none() {
            tracing::warn!(environment = %self.name, line, "an extension ended between invocations: the next starts anew");
        }
        self.log.insert(line);
        self.share_lines();
    }

    /// What was written while no attempt was there to show it: an extension's last words, as a rule.
    pub(super) fn note_unheard(&mut self) {
        if self.job.is_none() {
            for line in self.log.take_lines() {
                tracing::info!(environment = %self.name, line, "written outside of an invocation");
            }
        }
    }

    pub(super) fn take_crew_lines(&mut self) {
        self.crew.drain_all();
        self.tell_lines();
        for line in self.crew.take_lines() {
            self.log.insert(line);
        }
        self.share_lines();
    }
}
