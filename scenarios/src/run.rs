//! Runs one scenario in virtual time: assembles its world, takes its steps, judges the journal.
//!
//! ```text
//!   steps ─► stimulate ─► turn until quiescent ─► expect of the step ─► … ─► settle ─► expect
//! ```
//!
//! Quiescent: no handler runs or waits to run, every source has been asked, nothing is due. Settled: quiescent
//! and no timer is left. Deliberately absent: what the words of a file mean (`file`), what is expected
//! (`expect`).

mod objects;
mod stage;
mod steps;
mod time;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use router::journal::Line;
use router::name::Seed;
use router::time::Timestamp;

use crate::assemble::{self, Places};
use crate::diagnostic::Diagnostic;
use crate::expect::{self, Expect};
use crate::file::Scenario;
use crate::node::{Node, Value};
use crate::stop::Stop;

use stage::Stage;

/// What the command line says about a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Overrides the file's seed.
    pub seed: Option<u64>,
    /// Where the journal goes, if no other run writes there; `None` keeps it in memory.
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
    /// The scenario expected nothing, and so proves nothing.
    pub expects_nothing: bool,
    /// The journal.
    pub lines: Vec<Line>,
    /// The directory that it was written to.
    pub journal: Option<PathBuf>,
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

/// What [`check`] finds, and what is likely to be forgotten or missing on this machine: handlers' files, expectations.
pub fn lint(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut problems = check(scenario);
    if !problems.is_empty() {
        return problems;
    }
    let specs = assemble::functions(scenario, &|_| None).unwrap_or_default();
    let missing = specs.iter().filter_map(|spec| executor::check(spec).err());
    problems.extend(missing.map(|error| assemble::start_error(scenario, &error)));
    if let Some(first) = scenario.steps.first().filter(|_| expects_nothing(scenario)) {
        let problem = Diagnostic::new(
            "W201",
            "the scenario expects nothing: it passes whatever its handlers do",
        );
        problems.push(
            problem
                .at(first.span, "nobody looks what comes of it")
                .help("add `expect`, at the end or to a step; `expect: {}` says that nothing may happen"),
        );
    }
    problems
}

/// Whether a scenario passes whatever happens. An empty `expect` at the end does expect: a closed world.
pub fn expects_nothing(scenario: &Scenario) -> bool {
    let mut expects = scenario.expect.is_some();
    let says = |node: &Node| !matches!(&node.value, Value::Map(entries) if entries.is_empty());
    for step in &scenario.steps {
        step.each(&mut |step| expects |= step.expect.as_ref().is_some_and(says));
    }
    !expects
}

/// Runs a scenario.
pub fn run(scenario: &Scenario, options: &Options) -> Run {
    let began = Instant::now();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut run = Run {
        broken: Vec::new(),
        failed: Vec::new(),
        expects_nothing: expects_nothing(scenario),
        lines: Vec::new(),
        journal: None,
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
