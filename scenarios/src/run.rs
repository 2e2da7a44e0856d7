//! Runs one scenario in virtual time: assembles its world, takes its steps, judges the journal.
//!
//! ```text
//!   steps ─► stimulate ─► turn until quiescent ─► expect of the step ─► … ─► settle ─► expect
//! ```
//!
//! Quiescent: no handler runs or waits to run, every source has been asked, nothing is due. Settled: quiescent
//! and no timer is left. Deliberately absent: what the words of a file mean (`file`), what is expected
//! (`expect`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{never, unbounded};
use executor::{Executor, News, Options as ExecutorOptions, Pace, Reactor};
use router::event::{CallDetails, Event, Failure, Lane, Outcome, Payload};
use router::fabric::{Fabric, Inbox, Turn};
use router::journal::{Entry, Journal, Line, Recorder};
use router::name::{FunctionName, Name, Seed, SourceName};
use router::router::{Input, Router};
use router::time::Timestamp;
use sources::source::{Bell, Emitter};

use crate::assemble::{self, Places};
use crate::clock::VirtualClock;
use crate::diagnostic::Diagnostic;
use crate::expect::{self, Expect, Reply, World};
use crate::faults::Faults;
use crate::file::Scenario;
use crate::file::step::{Invoke, InvokeType, LogType, Step, Verb};
use crate::hands::{VirtualHands, Watched};
use crate::runs::{FileRecorder, MemoryRecorder};
use crate::scratch::Scratch;
use crate::stop::Stop;
use crate::vars::{Builtin, fill_node};

/// What the command line says about a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Overrides the file's seed.
    pub seed: Option<u64>,
    /// Where the journal goes; `None` keeps it in memory.
    pub journal: Option<PathBuf>,
    /// Ends the run early.
    pub stop: Stop,
}

impl Options {
    /// In memory, the file's seed, never stopped.
    pub fn quiet() -> Self {
        Options {
            seed: None,
            journal: None,
            stop: Stop::never(),
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// What is wrong with the file or the world; nothing ran, or not to its end.
    pub broken: Vec<Diagnostic>,
    /// What was not as expected.
    pub failed: Vec<Diagnostic>,
    /// The journal.
    pub lines: Vec<Line>,
    /// Where virtual time started.
    pub start: Timestamp,
    /// Virtual time that passed until the last event.
    pub virtual_time: Duration,
    /// Real time in all.
    pub real: Duration,
    /// Real time that environments needed to start.
    pub boot: Duration,
    /// The seed.
    pub seed: u64,
    /// The trace hash.
    pub trace: String,
    /// The run was interrupted.
    pub interrupted: bool,
    /// Each time that nothing more could happen, and why.
    pub why: Vec<String>,
}

/// Expectations, understood before anything runs.
pub struct Expectations {
    steps: BTreeMap<String, Expect>,
    end: Option<Expect>,
}

/// Understands all expectations of a scenario.
///
/// # Errors
/// Every mistake in them.
pub fn expectations(scenario: &Scenario) -> Result<Expectations, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut steps = BTreeMap::new();
    for step in &scenario.steps {
        step.each(&mut |step| {
            if let Some(node) = &step.expect {
                match expect::parse(node, true) {
                    Ok(expect) => drop(steps.insert(step.id.clone(), expect)),
                    Err(found) => problems.extend(found),
                }
            }
        });
    }
    let end = match scenario.expect.as_ref().map(|node| expect::parse(node, false)) {
        Some(Ok(expect)) => Some(expect),
        Some(Err(found)) => {
            problems.extend(found);
            None
        }
        None => None,
    };
    if problems.is_empty() {
        Ok(Expectations { steps, end })
    } else {
        Err(problems)
    }
}

/// Everything that can be said about a scenario without running it.
pub fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    let places = Places {
        fresh: None,
        state: None,
        scratch: Path::new("/nonexistent"),
        seed: Seed(0),
    };
    let mut problems = expectations(scenario).err().unwrap_or_default();
    problems.extend(assemble::settings(scenario, None).err().unwrap_or_default());
    problems.extend(assemble::functions(scenario, &|_| None).err().unwrap_or_default());
    problems.extend(assemble::sources(scenario, &places).err().unwrap_or_default());
    problems
}

/// Runs a scenario.
pub fn run(scenario: &Scenario, options: &Options) -> Run {
    let began = Instant::now();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut run = Run {
        broken: Vec::new(),
        failed: Vec::new(),
        lines: Vec::new(),
        start: scenario.clock_start,
        virtual_time: Duration::ZERO,
        real: Duration::ZERO,
        boot: Duration::ZERO,
        seed: options.seed.unwrap_or(scenario.seed),
        trace: String::new(),
        interrupted: false,
        why: Vec::new(),
    };
    match Stage::set(scenario, options, &mut run, &lines) {
        Ok(stage) => stage.play(&mut run),
        Err(problems) => run.broken = problems,
    }
    run.lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    run.real = began.elapsed();
    run
}

/// Why a scenario cannot go on.
enum Halt {
    Broken(Diagnostic),
    Interrupted,
}

type Lines = Arc<Mutex<Vec<Line>>>;

/// A scenario's world while it runs.
struct Stage<'a> {
    scenario: &'a Scenario,
    expectations: Expectations,
    fabric: Fabric<VirtualClock, VirtualHands>,
    directories: BTreeMap<String, PathBuf>,
    seed: Seed,
    lines: Lines,
    deadline: Instant,
    last_event: Timestamp,
    why: Vec<String>,
    _root: Scratch,
}

impl<'a> Stage<'a> {
    fn set(
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
        let directories: BTreeMap<String, PathBuf> = ready
            .values()
            .filter_map(|r| Some((r.name.as_str().to_owned(), r.directory.clone()?)))
            .collect();
        let make = |path: &Path| {
            std::fs::create_dir_all(path).map_err(|e| problem(format!("{}: {e}", path.display())))
        };
        directories.values().try_for_each(|path| make(path))?;
        ready
            .keys()
            .try_for_each(|name| make(&scratch.join(name.as_str())))?;
        put_fixtures(scenario, &directories)?;
        let specs = assemble::functions(scenario, &|builtin| {
            builtin_value(builtin, &directories, scenario.clock_start)
        })?;
        let (send, news) = unbounded::<News>();
        let executor_options = ExecutorOptions {
            init_timeout: scenario.limits.init,
            patience: scenario.limits.patience,
            ..ExecutorOptions::new(Pace::Virtual, scratch.join("environments"), seed)
        };
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
            recorders.push(Box::new(file));
        }
        let hands = VirtualHands::new(executor, watched, Faults::new(assemble::faults(scenario)));
        let inbox = Inbox {
            arrivals: never(),
            news,
        };
        let deadline = Instant::now() + scenario.timeout;
        let clock = VirtualClock::new(scenario.clock_start, reactor, options.stop.clone(), deadline);
        let mut journal = Journal::new(recorders);
        journal.hide(root.path().display().to_string(), "${run}");
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

    fn play(mut self, run: &mut Run) {
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

    fn judge(&self, expect: &Expect, reply: Option<&Reply>) -> Vec<Diagnostic> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
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

    fn step(&mut self, step: &Step, suffix: &str, run: &mut Run) -> Result<(), Halt> {
        let reply = self.act(step, suffix, run)?;
        match (&step.verb, reply) {
            (Verb::Invoke(_), Some(waiting)) => self.until_reply(step, waiting, run),
            _ => {
                self.quiesce(self.fabric.now())?;
                self.judge_step(step, None, run);
                Ok(())
            }
        }
    }

    fn judge_step(&mut self, step: &Step, reply: Option<&Reply>, run: &mut Run) {
        let Some(expect) = self.expectations.steps.get(&step.id) else {
            return;
        };
        self.fabric.journal.flush();
        let found = self.judge(expect, reply);
        run.failed.extend(found);
    }

    /// Does what a step says, without waiting for what follows. A call that waits gives its reply's number.
    fn act(&mut self, step: &Step, suffix: &str, run: &mut Run) -> Result<Option<Waiting>, Halt> {
        let id = format!("{}{suffix}", step.id);
        let now = self.fabric.now();
        self.fabric.note(Entry::Step {
            name: Name::new(format!("step:{id}")),
            what: describe(step),
        });
        match &step.verb {
            Verb::Put(objects) => {
                for (path, content) in objects {
                    let body = content
                        .bytes()
                        .map_err(|e| broken(step, format!("failed to read the content: {e}")))?;
                    let key = path.value.key.clone();
                    self.touch(
                        step,
                        &id,
                        &path.value.source,
                        Touch::Put {
                            key,
                            body: body.into(),
                        },
                    )?;
                }
            }
            Verb::Delete(objects) => {
                for path in objects {
                    let key = path.value.key.clone();
                    self.touch(step, &id, &path.value.source, Touch::Delete { key })?;
                }
            }
            Verb::Invoke(invoke) => return self.invoke(invoke, &id, now).map(Some),
            Verb::Advance(by) => self.advance(now + *by)?,
            Verb::Settle => self.settle()?,
            Verb::Parallel(steps) => {
                let mut waiting = Vec::new();
                for child in steps {
                    let reply = self.act(child, suffix, run)?;
                    waiting.push((child, reply));
                }
                for (child, reply) in waiting {
                    match reply {
                        Some(reply) => self.until_reply(child, reply, run)?,
                        None => {
                            self.quiesce(self.fabric.now())?;
                            self.judge_step(child, None, run);
                        }
                    }
                }
            }
            Verb::Repeat { times, steps } => {
                for round in 1..=*times {
                    for child in steps {
                        self.step(child, &format!("{suffix}.{round}"), run)?;
                    }
                }
            }
            Verb::Restart { function } => {
                let name = FunctionName::new(function.value.as_str());
                self.fabric.hands.executor().reset(&name);
            }
        }
        Ok(None)
    }

    fn touch(&mut self, step: &Step, id: &str, source: &str, what: Touch) -> Result<(), Halt> {
        let now = self.fabric.now();
        let name = SourceName::new(source);
        let watched = self
            .fabric
            .hands
            .source(&name)
            .ok_or_else(|| broken(step, format!("no source {source}")))?;
        watched.emitter.continue_from(id);
        let done = watched
            .source
            .stimulate(what.stimulus(), now, &mut watched.emitter);
        let seen = watched.emitter.take();
        done.map_err(|error| broken(step, error.to_string()))?;
        for observation in seen {
            self.fabric.hands.arrive(now, observation);
        }
        Ok(())
    }

    fn invoke(&mut self, invoke: &Invoke, id: &str, now: Timestamp) -> Result<Waiting, Halt> {
        if invoke.kind == InvokeType::DryRun {
            return Ok(Waiting::Answered(Reply {
                status: 204,
                payload: Vec::new(),
                error: None,
                log_tail: None,
            }));
        }
        let name = format!("evt:{id}/1");
        let json = |node: &crate::node::Node| {
            let lookup = |builtin: &Builtin| builtin_value(builtin, &self.directories, now);
            serde_json::to_vec(&fill_node(node, &lookup)).unwrap_or_default()
        };
        let payload: Payload = invoke
            .payload
            .as_ref()
            .map_or_else(|| b"{}".to_vec(), json)
            .into();
        let client_context = invoke
            .client_context
            .as_ref()
            .map(json)
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let tail = invoke.log == Some(LogType::Tail);
        let (lane, waiting) = match invoke.kind {
            InvokeType::Event => {
                let reply = Reply {
                    status: 202,
                    payload: Vec::new(),
                    error: None,
                    log_tail: None,
                };
                (Lane::Queue, Waiting::Answered(reply))
            }
            _ => {
                let reply = self.fabric.hands.open_reply();
                (Lane::Reply(reply), Waiting::For(reply, tail))
            }
        };
        let function = FunctionName::new(invoke.function.value.as_str());
        let event = Event {
            id: self.seed.request_id(&name),
            name: Name::new(name),
            origin: SourceName::new("invoke"),
            route: None,
            subject: function.to_string(),
            to: function,
            lane,
            call: Some(Box::new(CallDetails {
                client_context,
                log_tail: tail,
                ..CallDetails::default()
            })),
            payload,
        };
        self.fabric.hands.call(now, event);
        Ok(waiting)
    }

    fn until_reply(&mut self, step: &Step, waiting: Waiting, run: &mut Run) -> Result<(), Halt> {
        let reply = match waiting {
            Waiting::Answered(reply) => {
                self.quiesce(self.fabric.now())?;
                reply
            }
            Waiting::For(id, tail) => loop {
                if let Some(outcome) = self.fabric.hands.take_reply(id) {
                    break reply_of(outcome, tail);
                }
                let next = self
                    .fabric
                    .next_deadline()
                    .unwrap_or(self.fabric.now())
                    .max(self.fabric.now());
                if self.turn(next)? == Turn::Quiet(None) {
                    return Err(broken(step, "the call was never answered".to_owned()));
                }
            },
        };
        self.quiesce(self.fabric.now())?;
        self.judge_step(step, Some(&reply), run);
        Ok(())
    }

    /// Runs until nothing more can happen at `until` or before it.
    fn quiesce(&mut self, until: Timestamp) -> Result<(), Halt> {
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

    fn advance(&mut self, to: Timestamp) -> Result<(), Halt> {
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
    fn settle(&mut self) -> Result<(), Halt> {
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

    fn turn(&mut self, until: Timestamp) -> Result<Turn, Halt> {
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
        let Some(cycle) = cycle(&lines) else {
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

/// The hops that lead from an event back to one like it, if a handler caused the last one.
fn cycle(lines: &[Line]) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    for line in lines.iter().rev() {
        if let Entry::Evt { name, origin, to, .. } = &line.entry {
            let by_a_step = lines.iter().any(|line| matches!(&line.entry, Entry::Step { name: step, .. } if name.path().starts_with(&format!("{}/", step.path()))));
            if path.is_empty() && by_a_step {
                return None;
            }
            let hop = format!("{origin} → {to}");
            if path.contains(&hop) {
                break;
            }
            path.push(hop);
        }
    }
    path.reverse();
    Some(path.join(" → "))
}

/// What a call waits for.
enum Waiting {
    Answered(Reply),
    For(router::event::ReplyId, bool),
}

enum Touch {
    Put { key: String, body: Payload },
    Delete { key: String },
}

impl Touch {
    fn stimulus(self) -> Box<dyn std::any::Any> {
        use sources::s3::Stimulus;
        Box::new(match self {
            Touch::Put { key, body } => Stimulus::Put { key, body },
            Touch::Delete { key } => Stimulus::Delete { key },
        })
    }
}

fn broken(step: &Step, what: String) -> Halt {
    Halt::Broken(Diagnostic::new("E303", what).at(step.span, "in this step"))
}

fn describe(step: &Step) -> String {
    let paths = |objects: Vec<String>| objects.join(", ");
    match &step.verb {
        Verb::Put(o) => format!(
            "put {}",
            paths(
                o.iter()
                    .map(|(p, _)| format!("{}/{}", p.value.source, p.value.key))
                    .collect()
            )
        ),
        Verb::Delete(o) => format!(
            "delete {}",
            paths(
                o.iter()
                    .map(|p| format!("{}/{}", p.value.source, p.value.key))
                    .collect()
            )
        ),
        Verb::Invoke(invoke) => format!("invoke {}", invoke.function.value),
        Verb::Advance(by) => format!("advance {by:?}"),
        Verb::Settle => "settle".to_owned(),
        Verb::Parallel(steps) => format!("parallel, {} steps", steps.len()),
        Verb::Repeat { times, .. } => format!("repeat {times} times"),
        Verb::Restart { function } => format!("restart {}", function.value),
    }
}

fn reply_of(outcome: Outcome, tail: bool) -> Reply {
    let log_tail = tail.then(|| String::from_utf8_lossy(&outcome.log).into_owned());
    let (status, payload, error) = match outcome.result {
        Ok(payload) => (200, payload.to_vec(), None),
        Err(Failure::Function(error)) => (200, error.payload.to_vec(), Some("Unhandled".to_owned())),
        Err(Failure::Throttled(reason)) => (
            429,
            format!("\"{reason:?}\"").into_bytes(),
            Some("TooManyRequestsException".to_owned()),
        ),
        Err(Failure::System(what)) => (
            500,
            serde_json::Value::from(what).to_string().into_bytes(),
            Some("ServiceException".to_owned()),
        ),
    };
    Reply {
        status,
        payload,
        error,
        log_tail,
    }
}

fn builtin_value(
    builtin: &Builtin,
    directories: &BTreeMap<String, PathBuf>,
    now: Timestamp,
) -> Option<String> {
    match builtin {
        Builtin::SourceDirectory(name) => directories.get(name).map(|path| path.display().to_string()),
        Builtin::Now => Some(now.iso_millis()),
        _ => None,
    }
}

fn put_fixtures(scenario: &Scenario, directories: &BTreeMap<String, PathBuf>) -> Result<(), Vec<Diagnostic>> {
    for (path, content) in &scenario.fixtures.objects {
        let Some(root) = directories.get(&path.value.source) else {
            continue;
        };
        let problem = |what: String| vec![Diagnostic::new("E303", what).at(path.span, "this fixture")];
        sources::s3::check_key(&path.value.key).map_err(|e| problem(e.to_string()))?;
        let target = root.join(&path.value.key);
        let body = content.bytes().map_err(|e| problem(e.to_string()))?;
        let made = target
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&target, body));
        made.map_err(|e| problem(e.to_string()))?;
    }
    Ok(())
}

/// Every file below a directory by its key; links are not followed.
fn read_objects(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() => {
                    let key = path
                        .strip_prefix(root)
                        .ok()
                        .and_then(Path::to_str)
                        .map(str::to_owned);
                    if let (Some(key), Ok(body)) = (key, std::fs::read(&path)) {
                        found.insert(key, body);
                    }
                }
                _ => {}
            }
        }
    }
    found
}
