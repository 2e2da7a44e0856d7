//! `triggerfish lint`: everything that can be said about files without running them.

use std::io::IsTerminal;

use anyhow::Result;
use scenarios::diagnostic::Files;
use scenarios::{load, render, run};

use super::select;
use crate::cli::Lint;
use crate::output::{say, talk};

/// Runs the command.
pub fn run(args: &Lint) -> Result<u8> {
    let files = select::scenarios(&args.paths)?;
    if files.is_empty() {
        talk!("nothing to check: no scenario files");
        return Ok(super::NOTHING);
    }
    let mut wrong = 0;
    for path in &files {
        let mut read = Files::default();
        let problems = match load::load_either(path, &mut read) {
            Ok(scenario) => run::check(&scenario),
            Err(problems) => problems,
        };
        wrong += usize::from(!problems.is_empty());
        for problem in problems {
            say!(
                "{}",
                render::render(&read, &problem, super::colors(std::io::stdout().is_terminal()))
            );
        }
    }
    talk!("{} files checked, {wrong} with errors", files.len());
    Ok(if wrong == 0 { super::OK } else { super::USAGE })
}
