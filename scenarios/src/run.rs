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
use crate::stop::Stop;

use stage::Stage;

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
