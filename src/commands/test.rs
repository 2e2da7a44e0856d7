//! `triggerfish test`: scenario files side by side, each in a world of its own.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context, Result};
use scenarios::diagnostic::{Diagnostic, Files};
use scenarios::load;
use scenarios::report::{Outcome, Verdict, block, json, line, summary};
use scenarios::run::{self, Options};
use scenarios::runs;
use scenarios::stop::Stop;

use super::select;
use crate::cli::{Format, Test};
use crate::output::{say, talk};

/// Runs the command.
pub fn run(args: &Test) -> Result<u8> {
    let began = Instant::now();
    let files = select::scenarios(&args.paths)?;
    let stop = super::up::on_interrupt()?;
    let loaded: Vec<Loaded> = files
        .iter()
        .map(|path| load_one(path))
        .filter(|one| one.selected(args))
        .collect();
    if loaded.is_empty() {
        talk!("nothing selected: no scenario files{}", describe_filter(args));
        return Ok(super::NOTHING);
    }
    let width = loaded
        .iter()
        .map(|one| one.shown.chars().count())
        .max()
        .unwrap_or(0);
    std::fs::create_dir_all(&args.runs).with_context(|| format!("failed to make {}", args.runs.display()))?;
    let verdicts = run_all(&loaded, args, &stop, |verdict| print_one(verdict, args, width));
    if args.format == Format::Text {
        say!("{}", summary(&verdicts, began.elapsed()));
        for shortcoming in executor::shortcomings() {
            talk!("note: {shortcoming}");
        }
    }
    if let Some(path) = &args.junit {
        let text = scenarios::junit::junit(&verdicts)?;
        std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(exit_code(&verdicts))
}

struct Loaded {
    shown: String,
    /// Where the file really is: its journal is called after that.
    place: String,
    files: Files,
    scenario: Result<scenarios::file::Scenario, Vec<Diagnostic>>,
}

impl Loaded {
    /// A file that cannot be read is always selected: it must not be left out silently.
    fn selected(&self, args: &Test) -> bool {
        let Ok(scenario) = &self.scenario else { return true };
        args.tag.as_ref().is_none_or(|tag| scenario.tags.contains(tag))
            && args
                .filter
                .as_ref()
                .is_none_or(|text| self.shown.contains(text) || scenario.name.contains(text))
    }
}

fn load_one(path: &Path) -> Loaded {
    let mut files = Files::default();
    let scenario = load::load(path, &mut files).and_then(|scenario| {
        let problems = run::check(&scenario);
        if problems.is_empty() {
            Ok(scenario)
        } else {
            Err(problems)
        }
    });
    Loaded {
        shown: select::shown(path),
        place: select::shown(&select::place(path)),
        files,
        scenario,
    }
}

fn describe_filter(args: &Test) -> String {
    let named = |what: &str, value: &Option<String>| Some(format!("{what} `{}`", value.as_ref()?));
    let parts = [named("with filter", &args.filter), named("with tag", &args.tag)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(" {}", parts.join(" and "))
    }
}

/// Runs everything on `jobs` threads; `tell` hears of each in the order of the files.
fn run_all(loaded: &[Loaded], args: &Test, stop: &Stop, mut tell: impl FnMut(&Verdict)) -> Vec<Verdict> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from).min(loaded.len().max(1));
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    let mut done: BTreeMap<usize, Verdict> = BTreeMap::new();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = loaded.get(i) else { return };
                    if send.send((i, run_one(one, args, stop))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut told = 0;
        for (i, verdict) in receive {
            done.insert(i, verdict);
            while let Some(verdict) = done.get(&told) {
                tell(verdict);
                told += 1;
            }
        }
    });
    done.into_values().collect()
}

fn run_one(one: &Loaded, args: &Test, stop: &Stop) -> Verdict {
    let mut verdict = Verdict {
        file: one.shown.clone(),
        name: one.shown.clone(),
        run: None,
        broken: Vec::new(),
        journal: None,
        files: one.files.clone(),
    };
    let scenario = match &one.scenario {
        Ok(scenario) => scenario,
        Err(problems) => {
            verdict.broken = problems.clone();
            return verdict;
        }
    };
    verdict.name.clone_from(&scenario.name);
    // The same scenario always writes to the same place, so runs do not pile up; runs at the same time do not share it.
    let journal = args.runs.join(runs::directory_name(&one.place));
    let options = Options {
        seed: args.seed,
        journal: Some(journal),
        stop: stop.clone(),
    };
    let first = run::run(scenario, &options);
    for round in 1..args.times {
        if first.interrupted {
            break;
        }
        let again = run::run(
            scenario,
            &Options {
                journal: None,
                ..options.clone()
            },
        );
        if again.trace != first.trace && !again.interrupted {
            let (a, b) = first_difference(&first.lines, &again.lines);
            let what = format!("run {} of the same scenario and seed went differently", round + 1);
            verdict.broken.push(
                Diagnostic::new("E401", what)
                    .note(format!("- {a}"))
                    .note(format!("+ {b}")),
            );
            break;
        }
    }
    verdict.journal.clone_from(&first.journal);
    verdict.run = Some(first);
    verdict
}

fn first_difference(a: &[router::journal::Line], b: &[router::journal::Line]) -> (String, String) {
    let traced = |lines: &[router::journal::Line]| -> Vec<String> {
        let lines = lines.iter().filter(|line| line.entry.is_traced());
        lines
            .map(|line| serde_json::to_string(line).unwrap_or_default())
            .collect()
    };
    let (a, b) = (traced(a), traced(b));
    let n = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (
        a.get(n).map_or("(the end)", String::as_str),
        b.get(n).map_or("(the end)", String::as_str),
    );
    (around_difference(a, b), around_difference(b, a))
}

/// A line around the place where it begins to differ from another.
fn around_difference(line: &str, other: &str) -> String {
    const BEFORE: usize = 60;
    const AFTER: usize = 60;
    let same = line
        .chars()
        .zip(other.chars())
        .take_while(|(x, y)| x == y)
        .count();
    let from = same.saturating_sub(BEFORE);
    let shown: String = line.chars().skip(from).take(BEFORE + AFTER).collect();
    let (before, after) = (
        if from > 0 { "…" } else { "" },
        if line.chars().count() > from + BEFORE + AFTER {
            "…"
        } else {
            ""
        },
    );
    format!("{before}{shown}{after}")
}

fn print_one(verdict: &Verdict, args: &Test, width: usize) {
    if args.format == Format::Json {
        say!("{}", json(verdict));
        return;
    }
    let color = super::colors(std::io::stdout().is_terminal());
    say!("{}", line(verdict, width, color));
    let block = block(verdict, color);
    if !block.is_empty() {
        say!("\n{block}");
    }
    if args.why
        && let Some(run) = &verdict.run
    {
        run.why.iter().for_each(|reason| say!("       {reason}"));
    }
}

fn exit_code(verdicts: &[Verdict]) -> u8 {
    let any = |outcome| verdicts.iter().any(|v| v.outcome() == outcome);
    if any(Outcome::Interrupted) {
        super::INTERRUPTED
    } else if any(Outcome::BadFile) {
        super::USAGE
    } else if any(Outcome::NotStarted) {
        super::NOT_STARTED
    } else if verdicts.iter().any(|v| v.broken.iter().any(|d| d.code == "E401")) {
        super::NONDETERMINISM
    } else if any(Outcome::Fail) {
        super::FAILED
    } else {
        super::OK
    }
}
