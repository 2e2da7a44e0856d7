//! What people see of a run: a line for each scenario, a block for each failure, a sum at the end.
//!
//! Owns the layout of design/scenarios §4. Deliberately absent: judging.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::cause::explain;
use crate::diagnostic::{Diagnostic, Files};
use crate::render::render;
use crate::run::Run;
use crate::timeline::{span, timeline};
use crate::words::{count_of, escaped_line};
use router::journal::Entry;

/// The longest name that is shown whole.
const NAME: usize = 40;

/// One scenario, judged.
pub struct Verdict {
    /// The file as the user named it.
    pub file: String,
    /// What the scenario calls itself.
    pub name: String,
    /// The run; `None` if the file could not be loaded.
    pub run: Option<Run>,
    /// Why it could not be loaded or started.
    pub broken: Vec<Diagnostic>,
    /// Where the journal is.
    pub journal: Option<PathBuf>,
    /// For showing lines of the file.
    pub files: Files,
}

/// How a scenario came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Pass,
    /// An expectation failed.
    Fail,
    /// The file is wrong.
    BadFile,
    /// A handler or a source could not start, or the run could not go on.
    NotStarted,
    /// Interrupted.
    Interrupted,
}

impl Verdict {
    /// How it came out.
    pub fn outcome(&self) -> Outcome {
        let all = self.problems();
        if all.iter().any(|d| d.code.starts_with("E1")) {
            return Outcome::BadFile;
        }
        match &self.run {
            Some(run) if run.interrupted => Outcome::Interrupted,
            _ if all.iter().any(|d| ["E301", "E302", "E303"].contains(&d.code)) => Outcome::NotStarted,
            _ if !all.is_empty() => Outcome::Fail,
            _ => Outcome::Pass,
        }
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> Vec<&Diagnostic> {
        let run = self
            .run
            .iter()
            .flat_map(|run| run.broken.iter().chain(&run.failed));
        self.broken.iter().chain(run).collect()
    }

    /// It passed, but nothing was expected of it.
    pub fn proves_nothing(&self) -> bool {
        self.outcome() == Outcome::Pass && self.run.as_ref().is_some_and(|run| run.expects_nothing)
    }

    /// Invocations that ran.
    pub fn invocations(&self) -> usize {
        let lines = self.run.iter().flat_map(|run| &run.lines);
        lines
            .filter(|line| matches!(line.entry, Entry::Inv { .. }))
            .count()
    }

    fn virtual_time(&self) -> Duration {
        self.run.as_ref().map_or(Duration::ZERO, |run| run.virtual_time)
    }

    fn real(&self) -> Duration {
        self.run.as_ref().map_or(Duration::ZERO, |run| run.real)
    }
}

/// ` PASS  s3-put.yaml  a put triggers the resizer  1 inv  0s  168 ms`.
pub fn line(verdict: &Verdict, file_width: usize, color: bool) -> String {
    let (word, paint) = match verdict.outcome() {
        Outcome::Pass => ("PASS", "32"),
        Outcome::Fail => ("FAIL", "31"),
        Outcome::BadFile | Outcome::NotStarted => ("BAD ", "31"),
        Outcome::Interrupted => ("STOP", "33"),
    };
    let word = if color {
        format!("\x1b[{paint};1m{word}\x1b[0m")
    } else {
        word.to_owned()
    };
    let name = cut(&verdict.name, NAME);
    let note = if verdict.proves_nothing() {
        "  (nothing expected)"
    } else {
        ""
    };
    format!(
        " {word}  {:<file_width$}  {name:<NAME$}  {:>3} inv  {:>8}  {:>5} ms{note}",
        verdict.file,
        verdict.invocations(),
        span(verdict.virtual_time()),
        verdict.real().as_millis()
    )
}

/// One line of at most `width` characters; what would move the terminal's cursor is a space.
fn cut(text: &str, width: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= width {
        return plain.collect();
    }
    plain.take(width - 1).chain(['…']).collect()
}

/// What went wrong, the timeline, the failing log, and how to see it again; empty for a pass.
pub fn block(verdict: &Verdict, color: bool) -> String {
    let mut out = String::new();
    if verdict.outcome() == Outcome::Pass {
        return out;
    }
    for problem in verdict.problems() {
        let problem = explain(&verdict.files, problem);
        let _ = writeln!(out, "{}", render(&verdict.files, &problem, color).trim_end());
    }
    let Some(run) = verdict.run.as_ref().filter(|run| !run.lines.is_empty()) else {
        return out;
    };
    let failing = last_failing(run);
    let _ = writeln!(
        out,
        "\ntimeline (virtual)\n{}",
        timeline(&run.lines, run.start, failing).trim_end()
    );
    if let Some(name) = failing {
        let log: Vec<&str> = run
            .lines
            .iter()
            .filter_map(|l| match &l.entry {
                Entry::Log { name: n, line } if n.as_str() == name => Some(line.as_str()),
                _ => None,
            })
            .collect();
        let shown = log.len().saturating_sub(20);
        if !log.is_empty() {
            let _ = writeln!(out, "log of {name}");
            log[shown..].iter().for_each(|line| {
                for part in line.split('\r').map(escaped_line) {
                    let _ = writeln!(out, "   {part}");
                }
            });
        }
    }
    let _ = writeln!(
        out,
        "\nagain   triggerfish test {} --seed {}",
        verdict.file, run.seed
    );
    if let Some(journal) = &verdict.journal {
        let _ = writeln!(out, "show    triggerfish show {}", journal.display());
    }
    out
}

/// The last attempt that did not end well.
fn last_failing(run: &Run) -> Option<&str> {
    run.lines.iter().rev().find_map(|line| match &line.entry {
        Entry::Res { name, outcome, .. } if outcome != "ok" => Some(name.as_str()),
        _ => None,
    })
}

/// `6 passed · 18 invocations · 5m00s virtual in 0.47 s (boot 0.41 s) · seed 0 · trace 4be1c0d2`.
pub fn summary(verdicts: &[Verdict], real: Duration) -> String {
    let count = |wanted: &[Outcome]| verdicts.iter().filter(|v| wanted.contains(&v.outcome())).count();
    let passed = count(&[Outcome::Pass]);
    let failed = verdicts.len() - passed;
    let invocations: usize = verdicts.iter().map(Verdict::invocations).sum();
    let virtual_time: Duration = verdicts.iter().map(Verdict::virtual_time).sum();
    let boot: Duration = verdicts
        .iter()
        .filter_map(|v| v.run.as_ref())
        .map(|run| run.boot)
        .sum();
    let mut parts = match failed {
        0 => format!("{passed} passed"),
        _ => format!("{failed} failed, {passed} passed"),
    };
    let _ = write!(
        parts,
        " · {} · {} virtual in {:.2} s",
        count_of(invocations, "invocation"),
        span(virtual_time),
        real.as_secs_f64()
    );
    if !boot.is_zero() {
        let _ = write!(parts, " (boot {:.2} s)", boot.as_secs_f64());
    }
    let mut seeds: Vec<u64> = verdicts
        .iter()
        .filter_map(|v| v.run.as_ref())
        .map(|run| run.seed)
        .collect();
    seeds.dedup();
    if let [seed] = *seeds {
        let _ = write!(parts, " · seed {seed}");
    }
    let _ = write!(parts, " · trace {}", &trace(verdicts)[..8]);
    parts
}

/// The trace of the only run, or one hash over the traces of all, in their order.
pub fn trace(verdicts: &[Verdict]) -> String {
    if let [Verdict { run: Some(run), .. }] = verdicts
        && !run.trace.is_empty()
    {
        return run.trace.clone();
    }
    let traces: String = verdicts
        .iter()
        .filter_map(|v| v.run.as_ref())
        .map(|run| run.trace.as_str())
        .collect();
    router::name::hex(&router::name::Seed(0).bytes(&traces))
}

/// One verdict as a JSON object in one line; `version` tells its format.
pub fn json(verdict: &Verdict) -> String {
    let problems: Vec<_> = verdict.problems().into_iter().map(|problem| {
        let place = problem.at.as_ref().map(|(span, _)| {
            let (line, column) = verdict.files.line_col(*span);
            serde_json::json!({ "file": verdict.files.path(span.file), "line": line, "column": column })
        });
        serde_json::json!({ "code": problem.code, "what": problem.what, "at": place, "notes": problem.notes, "help": problem.help })
    }).collect();
    let run = verdict.run.as_ref();
    serde_json::json!({
        "version": 1,
        "file": verdict.file,
        "name": verdict.name,
        "outcome": match verdict.outcome() {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::BadFile => "bad-file",
            Outcome::NotStarted => "not-started",
            Outcome::Interrupted => "interrupted",
        },
        "nothing_expected": verdict.proves_nothing(),
        "invocations": verdict.invocations(),
        "virtual_ms": u64::try_from(verdict.virtual_time().as_millis()).unwrap_or(u64::MAX),
        "real_ms": u64::try_from(verdict.real().as_millis()).unwrap_or(u64::MAX),
        "seed": run.map(|r| r.seed),
        "trace": run.map(|r| r.trace.as_str()),
        "journal": verdict.journal,
        "problems": problems,
    })
    .to_string()
}
