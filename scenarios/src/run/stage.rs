//! The stage of one scenario: its world while it runs, from the first directory to the last judgement.
//!
//! Owns assembling, the end and the judging. Deliberately absent: what steps do ([`steps`](super::steps)) and when
//! nothing more can happen ([`time`](super::time)).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::unbounded;
use executor::{Executor, News, Options as ExecutorOptions, Pace, Reactor};
use router::arrivals::Arrivals;
use router::fabric::{Fabric, Inbox};
use router::journal::{Entry, Journal, Line, Recorder};
use router::name::{FunctionName, Seed};
use router::router::{Input, Router};
use router::time::Timestamp;
use sources::source::{Bell, Emitter};

use super::objects::{put_fixtures, read_objects};
use super::{Expectations, Options, Run, expectations};
use crate::assemble::{self, Places};
use crate::clock::VirtualClock;
use crate::diagnostic::Diagnostic;
use crate::expect::{self, Expect, Reply, World};
use crate::faults::Faults;
use crate::file::Scenario;
use crate::hands::{VirtualHands, Watched};
use crate::runs::{FileRecorder, MemoryRecorder};
use crate::scratch::Scratch;

/// Why a scenario cannot go on.
pub(super) enum Halt {
    Broken(Diagnostic),
    Interrupted,
}

pub(super) type Lines = Arc<Mutex<Vec<Line>>>;

/// A scenario's world while it runs.
pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) expectations: Expectations,
    pub(super) fabric: Fabric<VirtualClock, VirtualHands>,
    pub(super) directories: BTreeMap<String, PathBuf>,
    pub(super) seed: Seed,
    pub(super) lines: Lines,
    pub(super) deadline: Instant,
    pub(super) last_event: Timestamp,
    pub(super) why: Vec<String>,
    pub(super) _root: Scratch,
}

impl<'a> Stage<'a> {
    pub(super) fn set(
        scenario: &'a Scenario,
        options: &Options,
        run: &mut Run,
        lines: &Lines,
    ) -> Result<Self, Vec<Diagnostic>> {
        let problem = |what: String| vec![Diagnostic::new("E303", what)];
        let expectations = expectations(scenario)?;
        let settings = assemble::settings(scenario, None)?;
        let root = Scratch::new().map_err(|e| problem(e.to_string()))?;
        let (fresh, scratch) = (root.path().join("sources"), root.path().join("scratch"));
        let seed = Seed(run.seed);
        let places = Places {
            fresh: Some(&fresh),
            state: None,
            scratch: &scratch,
            seed,
        };
        let ready = assemble::sources(scenario, &places)?;
        let directories = assemble::directories(&ready);
        let make = |path: &Path| {
            std::fs::create_dir_all(path).map_err(|e| problem(format!("{}: {e}", path.display())))
        };
        directories.values().try_for_each(|path| make(path))?;
        ready
            .keys()
            .try_for_each(|name| make(&scratch.join(name.as_str())))?;
        put_fixtures(scenario, &directories)?;
        let specs = assemble::functions(scenario, &assemble::builtins(&directories, scenario.clock_start))?;
        let (send, news) = unbounded::<News>();
        let executor_options = ExecutorOptions {
            init_timeout: scenario.limits.init,
            patience: scenario.limits.patience,
            ..ExecutorOptions::new(Pace::Virtual, scratch.join("environments"), seed)
        };
        // As the file names it and as a handler sees it.
        let spelled = |path: &Path| [std::path::absolute(path), std::fs::canonicalize(path)];
        let shown = |path: PathBuf| path.display().to_string();
        let code: BTreeSet<String> = specs
            .iter()
            .flat_map(|spec| spelled(&spec.code).into_iter().flatten().map(shown))
            .collect();
        let names: Vec<FunctionName> = specs.iter().map(|spec| spec.name.clone()).collect();
        let reactor = Reactor::new().map_err(|e| problem(e.to_string()))?;
        let executor = Executor::start(specs, executor_options, send, &reactor)
            .map_err(|error| vec![assemble::start_error(scenario, &error)])?;
        let mut watched = BTreeMap::new();
        for (name, ready) in ready {
            let source =
                (ready.open)(Bell::new().0).map_err(|e| vec![assemble::open_error(scenario, &name, &e)])?;
            let emitter = Emitter::new(name.clone(), seed, "start");
            watched.insert(name, Watched { source, emitter });
        }
        let mut recorders: Vec<Box<dyn Recorder + Send>> =
            vec![Box::new(MemoryRecorder::new(Arc::clone(lines)))];
        if let Some(path) = &options.journal {
            let file = FileRecorder::create(path).map_err(|e| problem(format!("{}: {e}", path.display())))?;
            run.journal = Some(file.directory().to_owned());
            recorders.push(Box::new(file));
        }
        let hands = VirtualHands::new(executor, watched, Faults::new(assemble::faults(scenario)));
        let inbox = Inbox {
            arrivals: Arrivals::none(),
            news,
        };
        let deadline = Instant::now() + scenario.timeout;
        let clock = VirtualClock::new(scenario.clock_start, reactor, options.stop.clone(), deadline);
        let mut journal = Journal::new(recorders);
        for path in spelled(root.path()).into_iter().flatten() {
            journal.hide(&shown(path), "${run}");
        }
        // Where the code lies is no part of the story; on AWS it lies here.
        code.iter().for_each(|code| journal.hide(code, "/var/task"));
        let mut fabric = Fabric::new(clock, Router::new(settings, seed), hands, journal, inbox);
        fabric.note(Entry::Head {
            version: router::journal::VERSION,
            tool: concat!("triggerfish ", env!("CARGO_PKG_VERSION")).to_owned(),
            scenario: scenario.name.clone(),
            seed: run.seed,
            clock: "virtual".to_owned(),
            scheduler: "serial".to_owned(),
            functions: names,
        });
        Ok(Stage {
            scenario,
            expectations,
            fabric,
            directories,
            seed,
            lines: Arc::clone(lines),
            deadline,
            last_event: scenario.clock_start,
            why: Vec::new(),
            _root: root,
        })
    }

    pub(super) fn play(mut self, run: &mut Run) {
        let steps = &self.scenario.steps;
        let played = steps
            .iter()
            .try_for_each(|step| self.step(step, "", run))
            .and_then(|()| self.settle());
        match played {
            Ok(()) => self.judge_end(run),
            Err(Halt::Broken(problem)) => run.broken.push(problem),
            Err(Halt::Interrupted) => run.interrupted = true,
        }
        let now = self.fabric.now();
        self.fabric.take(now, Input::Stop);
        let (ledger, trace) = (self.fabric.journal.ledger(), self.fabric.journal.trace());
        self.fabric.note(Entry::End {
            ledger,
            trace: trace.clone(),
        });
        self.fabric.journal.flush();
        run.trace = trace;
        run.virtual_time = self.last_event.since(self.scenario.clock_start);
        run.boot = self.fabric.hands.boot;
        run.why = self.why;
        self.fabric.hands.stop();
    }

    /// Without an `expect` at the end nothing is closed: such a scenario says all it has to say in its steps.
    fn judge_end(&mut self, run: &mut Run) {
        if let Some(expect) = self.expectations.end.take() {
            self.fabric.journal.flush();
            run.failed.extend(self.judge(&expect, None));
        }
        for index in self.fabric.hands.unused_faults() {
            let fault = &self.scenario.faults[index];
            let problem = Diagnostic::new("E221", format!("{} never fired", fault.name));
            run.failed.push(
                problem
                    .at(fault.span, "nothing fitted `on`")
                    .help("a fault that hits nothing proves nothing"),
            );
        }
    }

    pub(super) fn judge(&self, expect: &Expect, reply: Option<&Reply>) -> Vec<Diagnostic> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets: BTreeMap<&str, &PathBuf> =
            self.directories.iter().map(|(k, v)| (k.as_str(), v)).collect();
        let objects = |bucket: &str| {
            buckets
                .get(bucket)
                .map(|path| read_objects(path))
                .unwrap_or_default()
        };
        expect::judge(
            expect,
            &World {
                lines: &lines,
                start: self.scenario.clock_start,
                objects: &objects,
                reply,
            },
        )
    }
}
