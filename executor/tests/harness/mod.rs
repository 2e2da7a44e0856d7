//! A function with extensions in a directory of its own, and an executor that runs it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use executor::{Executor, FunctionSpec, Heard, Logging, Options, Pace, Reactor, Runtime};
use router::event::{AttemptId, Event, Failure, Invocation, Lane, Outcome};
use router::name::{FunctionName, Name, Seed, SourceName, Version};
use router::time::Timestamp;

/// Generous: what does not come within it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Provisioned environments that are made ready at the same time.
pub const STARTING: usize = 2;

/// The client of the Extensions API that the tests' extensions begin with.
pub const CLIENT: &str = include_str!("client.py");

pub struct World {
    pub here: tempfile::TempDir,
    pub executor: Executor,
    pub reactor: Arc<Reactor>,
    news: crossbeam_channel::Receiver<executor::News>,
    attempts: u64,
    /// What it was started with.
    pub spec: FunctionSpec,
    /// The environments of the attempts that have ended, in that order.
    pub environments: Vec<Option<Name>>,
    /// Lines of all attempts so far.
    pub lines: Vec<String>,
}

/// What a function is made of.
pub struct Made<'a> {
    pub pace: Pace,
    /// `app.py`, after the client.
    pub handler: &'a str,
    /// Python texts after the client, by file name.
    pub extensions: &'a [(&'a str, &'a str)],
    pub timeout: Duration,
    pub init: Duration,
}

impl Default for Made<'_> {
    fn default() -> Self {
        Made {
            pace: Pace::Live,
            handler: "def handler(event, context):\n    print('handled', event)\n    return event\n",
            extensions: &[],
            timeout: PATIENCE,
            init: PATIENCE,
        }
    }
}

impl Made<'_> {
    pub fn start(self) -> World {
        let here = tempfile::tempdir().expect("a directory");
        let code = here.path().join("code");
        std::fs::create_dir_all(code.join("extensions")).expect("made");
        write(&code.join("app.py"), &format!("{CLIENT}\n{}", self.handler));
        for (name, text) in self.extensions {
            let text = format!("#!/usr/bin/env python3\n{CLIENT}\n{text}");
            write(&code.join("extensions").join(name), &text);
        }
        // What a variable names, and what is in it, is the handler's too.
        std::fs::create_dir(here.path().join("notes")).expect("made");
        write(&here.path().join("notes/seen"), "");
        let spec = FunctionSpec {
            name: FunctionName::new("f"),
            version: Version::Latest,
            runtime: Runtime::parse("python3.12").expect("known"),
            handler: "app.handler".to_owned(),
            code,
            opt: None,
            memory: 128,
            ephemeral_storage: 512,
            traced: false,
            freeze: true,
            logging: Logging::Text,
            log_group: None,
            timeout: self.timeout,
            environment: BTreeMap::from([
                (
                    "SEEN".to_owned(),
                    here.path().join("notes/seen").display().to_string(),
                ),
                (
                    "NOTES".to_owned(),
                    here.path().join("notes").display().to_string(),
                ),
            ]),
            duration: Duration::from_millis(10),
        };
        let reactor = Reactor::new().expect("a reactor");
        let (send, news) = crossbeam_channel::unbounded();
        let mut options = Options::new(self.pace, here.path().join("scratch"), Seed(7));
        options.init_timeout = self.init;
        options.provisioned_init_timeout = self.init;
        options.patience = 1;
        options.starting = STARTING;
        let executor = Executor::start(vec![spec.clone()], options, send, &reactor).expect("it starts");
        World {
            here,
            executor,
            reactor,
            news,
            attempts: 0,
            spec,
            environments: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl World {
    /// Invokes and waits for the end; the answer or the error document.
    pub fn call(&mut self, payload: &str) -> String {
        self.invoke(payload);
        self.answer()
    }

    /// As [`World::call`], for a version, as it was asked for.
    pub fn call_as(&mut self, version: Version, qualifier: Option<&str>, payload: &str) -> String {
        self.invoke_as(version, qualifier, payload);
        self.answer()
    }

    /// Waits for the end of an attempt.
    pub fn answer(&mut self) -> String {
        let outcome = loop {
            if let Some(outcome) = self.turn() {
                break outcome;
            }
        };
        match outcome.result {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(Failure::Function(error)) => String::from_utf8_lossy(&error.payload).into_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    pub fn invoke(&mut self, payload: &str) {
        self.invoke_as(Version::Latest, None, payload);
    }

    pub fn invoke_as(&mut self, version: Version, qualifier: Option<&str>, payload: &str) {
        self.attempts += 1;
        let name = Name::new(format!("evt:test/{}", self.attempts));
        let event = Event {
            id: Seed(7).request_id(name.as_str()),
            name: name.clone(),
            origin: SourceName::new("invoke"),
            route: None,
            subject: String::new(),
            to: FunctionName::new("f"),
            qualifier: qualifier.map(Into::into),
            lane: Lane::Queue,
            call: None,
            payload: payload.to_owned().into(),
        };
        let now = Timestamp::from_millis(self.attempts * 1000);
        let invocation = Invocation {
            attempt: AttemptId {
                delivery: self.attempts,
                number: 1,
            },
            name,
            event: Arc::new(event),
            version,
            accepted: now,
        };
        self.executor.invoke(now, invocation, None);
    }

    /// Waits for news once, and takes them.
    pub fn turn(&mut self) -> Option<Outcome> {
        if self.news.is_empty() {
            let late = self.reactor.wait(Some(PATIENCE));
            assert!(!late, "nothing happens any more after {:#?}", self.lines);
        }
        self.hear()
    }

    /// Takes the news that there are.
    pub fn hear(&mut self) -> Option<Outcome> {
        let now = Timestamp::from_millis(self.attempts * 1000);
        let mut ended = None;
        while let Ok(news) = self.news.try_recv() {
            for heard in self.executor.hear(now, news) {
                match heard {
                    Heard::Log { line, .. } => self.lines.push(line),
                    Heard::Finished {
                        outcome, environment, ..
                    } => {
                        self.environments.push(environment);
                        ended = Some(outcome);
                    }
                    Heard::Measured { .. } | Heard::Outdated { .. } => {}
                }
            }
        }
        ended
    }

    /// Ends it, and reads what its processes noted in `SEEN`.
    pub fn end(self) -> String {
        self.executor.stop();
        std::fs::read_to_string(self.here.path().join("notes/seen")).unwrap_or_default()
    }

    /// What was noted so far.
    pub fn seen(&self) -> String {
        std::fs::read_to_string(self.here.path().join("notes/seen")).unwrap_or_default()
    }

    #[track_caller]
    pub fn expect_line(&self, text: &str) {
        let found = self.lines.iter().any(|line| line.contains(text));
        assert!(found, "no `{text}` in {:#?}", self.lines);
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
}
