//! `triggerfish lint`: everything that can be said about files without running them.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::Result;
use scenarios::diagnostic::Files;
use scenarios::words::count_of;
use scenarios::{load, render, run};

use super::select;
use crate::cli::Lint;
use crate::output::{say, talk};

/// Runs the command. Scenarios come first, with the projects below them; then the projects that none of them uses.
pub fn run(args: &Lint) -> Result<u8> {
    let (scenarios, projects) = (select::scenarios(&args.paths)?, select::projects(&args.paths)?);
    if scenarios.is_empty() && projects.is_empty() {
        talk!("nothing to check: no scenario or project files");
        return Ok(super::NOTHING);
    }
    let (mut checked, mut wrong, mut warned) = (BTreeSet::new(), 0, 0);
    let mut count = 0;
    for path in scenarios.iter().chain(&projects) {
        if checked.contains(&select::place(path)) {
            continue;
        }
        let mut read = Files::default();
        let problems = match load::load_either(path, &mut read) {
            Ok(scenario) => run::lint(&scenario),
            Err(problems) => problems,
        };
        checked.extend((0..read.len()).map(|file| select::place(Path::new(read.path(file)))));
        count += 1;
        wrong += usize::from(problems.iter().any(|problem| !problem.is_warning()));
        warned += problems.iter().filter(|problem| problem.is_warning()).count();
        for problem in problems {
            say!(
                "{}",
                render::render(&read, &problem, super::colors(std::io::stdout().is_terminal()))
            );
        }
    }
    let warnings = match warned {
        0 => String::new(),
        n => format!(", {}", count_of(n, "warning")),
    };
    let files = count_of(count, "file");
    talk!("{files} checked, {wrong} with errors{warnings}");
    Ok(if wrong == 0 { super::OK } else { super::USAGE })
}
