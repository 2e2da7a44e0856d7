//! `triggerfish event` and `triggerfish schema`: what the catalog of sources can print.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use scenarios::schema;
use sources::catalog::{ROWS, Row};

use crate::cli::Event;
use crate::output::say;

/// Runs `triggerfish event`.
pub fn run(args: &Event) -> Result<u8> {
    let Some(source) = &args.source else {
        ROWS.iter().for_each(describe);
        return Ok(super::OK);
    };
    let Some(row) = ROWS.iter().find(|row| row.kind == source.as_str()) else {
        let kinds: Vec<&str> = ROWS.iter().map(|row| row.kind).collect();
        let help = scenarios::decode::choices(source, &kinds, "kinds of sources");
        bail!("there is no source `{source}`: {help}");
    };
    let Some(kind) = &args.kind else {
        describe(row);
        return Ok(super::OK);
    };
    let mut settings = BTreeMap::new();
    for pair in &args.set {
        let (key, value) = pair
            .split_once('=')
            .with_context(|| format!("`--set {pair}`: write KEY=VALUE"))?;
        settings.insert(key.to_owned(), value.to_owned());
    }
    match (row.sample)(kind, &settings) {
        Ok(event) => say!("{}", serde_json::to_string_pretty(&event)?),
        Err(error) => match &error.help {
            Some(help) => bail!("{error}: {help}"),
            None => bail!("{error}"),
        },
    }
    Ok(super::OK)
}

fn describe(row: &Row) {
    say!("{}: {}, events {}", row.kind, row.summary, row.samples.join(", "));
}

/// Runs `triggerfish schema`.
pub fn schema() -> Result<u8> {
    let kinds: Vec<_> = ROWS
        .iter()
        .map(|row: &Row| (row.kind, (row.config_schema)(), (row.filter_schema)()))
        .collect();
    say!("{}", serde_json::to_string_pretty(&schema::schema(&kinds))?);
    Ok(super::OK)
}
