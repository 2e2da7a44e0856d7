//! `triggerfish show`: a journal as a timeline.

use anyhow::{Context, Result};
use router::journal::{Entry, Line};
use router::time::Timestamp;
use scenarios::{runs, timeline, words};

use crate::cli::{Format, Show};
use crate::output::{self, say};

/// Runs the command.
pub fn run(args: &Show) -> Result<u8> {
    let path = runs::find(&args.runs, &args.run)?;
    let lines = runs::read(&path)?;
    if args.format == Format::Json {
        for line in &lines {
            say!("{}", serde_json::to_string(line)?);
        }
        return Ok(super::OK);
    }
    let start = lines.first().map_or(Timestamp::default(), |line| line.t);
    let head = lines.first().context("the journal is empty")?;
    if let Entry::Head {
        tool,
        scenario,
        seed,
        clock,
        ..
    } = &head.entry
    {
        say!(
            "{} · {tool} · {clock} clock · seed {seed} · started {}",
            words::escaped(scenario),
            start.iso_millis(),
        );
    }
    output::result(format_args!("{}", timeline::timeline(&lines, start, None)));
    say!("{}", end(&lines));
    Ok(super::OK)
}

fn end(lines: &[Line]) -> String {
    match lines
        .iter()
        .rev()
        .map(|line| &line.entry)
        .find(|entry| matches!(entry, Entry::End { .. }))
    {
        Some(Entry::End { ledger, trace }) => format!("{} · trace {trace}", words::ledger(ledger)),
        _ => "the run has not ended".to_owned(),
    }
}
