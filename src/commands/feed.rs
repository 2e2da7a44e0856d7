//! `triggerfish feed`: the change feed in a user's SQLite database.
//!
//! Owns what is said about it. What the feed is and how it works is `sources::dynamodb::feed`'s; following one is
//! [`tail`]'s. Deliberately absent: making a database that is not there.

mod tail;

use anyhow::{Result, anyhow};
use rusqlite::Connection;
use scenarios::clock::system_now;
use scenarios::decode::nearest;
use scenarios::words::{count_of, escaped};
use serde::Serialize;
use sources::dynamodb::feed::state::{self, State, Table};
use sources::dynamodb::feed::{FeedError, install, open};

use crate::cli::{Feed, FeedInstall, FeedStatus, FeedSuspend, FeedUninstall, Format};
use crate::output::{say, talk};

/// Runs the command.
pub fn run(args: &Feed) -> Result<u8> {
    match args {
        Feed::Install(args) => install(args),
        Feed::Status(args) => status(args),
        Feed::Tail(args) => tail::run(args),
        Feed::Suspend(args) => suspend(args),
        Feed::Uninstall(args) => uninstall(args),
    }
}

fn install(args: &FeedInstall) -> Result<u8> {
    if !args.key.is_empty() && args.tables.len() > 1 {
        return Err(explained(
            &format!(
                "--key {} is given for {} tables",
                args.key.join(","),
                args.tables.len()
            ),
            "install each table with a key of its own: feed install DB TABLE --key COLUMN",
        ));
    }
    let mut database = open::to_write(&args.database).map_err(told)?;
    let tables = args
        .tables
        .iter()
        .map(|name| asked_for(&database, name, &args.key))
        .collect::<Result<Vec<Table>>>()?;
    let installed = install::install(&mut database, &tables, system_now()).map_err(told)?;
    for warning in &installed.warnings {
        talk!("warning: {}", escaped(warning));
    }
    for feed in &installed.feeds {
        let key = state::watched(&database, feed).map_err(told)?.key;
        say!(
            "{} · key {} · since {}",
            escaped(&feed.table),
            spelled(&key),
            feed.created.iso_millis()
        );
    }
    Ok(super::OK)
}

/// The table to install: with the key that was given, or else the one its feed has.
fn asked_for(database: &Connection, name: &str, key: &[String]) -> Result<Table> {
    let names = state::tables(database).map_err(told)?;
    if !has(&names, name)
        && let Some(meant) = nearest(name, names.iter().map(String::as_str))
    {
        return Err(explained(
            &format!("there is no table `{name}` in {}", place(database)),
            &format!("did you mean `{meant}`?"),
        ));
    }
    let found = state::feeds(database).map_err(told)?;
    let open = found
        .iter()
        .find(|feed| !feed.closed && feed.table.eq_ignore_ascii_case(name));
    match open {
        Some(feed) if key.is_empty() => state::watched(database, feed).map_err(told),
        _ => Ok(Table {
            name: name.to_owned(),
            key: key.to_vec(),
        }),
    }
}

/// A feed, as `status` prints it.
#[derive(Serialize)]
struct Row {
    /// The watched table.
    table: String,
    /// The key's columns; none if it is the rowid.
    key: Vec<String>,
    /// When the feed began.
    since: String,
    /// One word.
    state: &'static str,
    /// More than the word says.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

fn status(args: &FeedStatus) -> Result<u8> {
    let database = open::to_read(&args.database).map_err(told)?;
    let feeds = state::feeds(&database).map_err(told)?;
    let rows = feeds
        .iter()
        .map(|feed| row(&database, feed))
        .collect::<Result<Vec<Row>>>()?;
    if rows.is_empty() && args.format == Format::Text {
        talk!("{} has no change feed", args.database.display());
    }
    let wide = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (first, second) = (
        wide(|row| escaped(&row.table).chars().count()),
        wide(|row| spelled(&row.key).chars().count()),
    );
    for row in &rows {
        match args.format {
            Format::Json => say!("{}", serde_json::to_string(row)?),
            Format::Text => {
                let why = row.why.as_ref().map(|why| format!(": {}", escaped(why)));
                say!(
                    "{:first$}  key {:second$}  since {}  {}{}",
                    escaped(&row.table).to_string(),
                    spelled(&row.key),
                    row.since,
                    row.state,
                    why.unwrap_or_default(),
                );
            }
        }
    }
    Ok(super::OK)
}

fn row(database: &Connection, feed: &state::Feed) -> Result<Row> {
    let table = state::watched(database, feed).map_err(told)?;
    let (state, why) = match feed.closed {
        true => ("closed", Some("its table was dropped or made again".to_owned())),
        false => condition(database, &table),
    };
    Ok(Row {
        table: table.name,
        key: table.key,
        since: feed.created.iso_millis(),
        state,
        why,
    })
}

/// How the open feed of `table` is: one word, and what to know about it.
fn condition(database: &Connection, table: &Table) -> (&'static str, Option<String>) {
    match state::check(database, table) {
        Ok(State::Current(_)) => ("current", None),
        Ok(State::Absent) => ("absent", None),
        Ok(State::Stale { why, .. }) => ("stale", Some(format!("{why}; install it again"))),
        Ok(State::Suspended(_)) => (
            "suspended",
            Some("changes are not caught until it is installed again".to_owned()),
        ),
        Ok(State::Renamed { to, .. }) => (
            "renamed",
            Some(format!(
                "the table is now `{to}`, and its changes are still caught; install `{to}`"
            )),
        ),
        Ok(State::Broken { why, .. }) => (
            "broken",
            Some(format!(
                "{why}, and changes may have been missed; install it again"
            )),
        ),
        Err(error) => ("broken", Some(format!("{}: {}", error.what, error.help))),
    }
}

fn suspend(args: &FeedSuspend) -> Result<u8> {
    let mut database = open::to_write(&args.database).map_err(told)?;
    let feed = feed_of(&database, &args.table)?;
    install::suspend(&mut database, &feed.table).map_err(told)?;
    talk!(
        "the feed of `{}` is suspended: changes are not caught until it is installed again",
        escaped(&feed.table)
    );
    Ok(super::OK)
}

fn uninstall(args: &FeedUninstall) -> Result<u8> {
    let mut database = open::to_write(&args.database).map_err(told)?;
    let feeds = state::feeds(&database).map_err(told)?.len();
    install::uninstall(&mut database).map_err(told)?;
    match feeds {
        0 => talk!("{} has no change feed", args.database.display()),
        n => talk!(
            "{} removed from {}",
            count_of(n, "change feed"),
            args.database.display()
        ),
    }
    Ok(super::OK)
}

/// The open feed of a table.
fn feed_of(database: &Connection, table: &str) -> Result<state::Feed> {
    let all = state::feeds(database).map_err(told)?;
    let open = || all.iter().filter(|feed| !feed.closed);
    if let Some(feed) = open().find(|feed| feed.table.eq_ignore_ascii_case(table)) {
        return Ok(feed.clone());
    }
    let place = place(database);
    let names = state::tables(database).map_err(told)?;
    if has(&names, table) {
        return Err(explained(
            &format!("the table `{table}` in {place} has no change feed"),
            &format!("triggerfish feed install {place} {table}"),
        ));
    }
    let watched: Vec<&str> = open().map(|feed| feed.table.as_str()).collect();
    let every = watched.iter().copied().chain(names.iter().map(String::as_str));
    let help = match (nearest(table, every), watched.as_slice()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => "no table has a feed yet: triggerfish feed install DB TABLE".to_owned(),
        (None, watched) => format!("the tables with a feed are: {}", watched.join(", ")),
    };
    Err(explained(
        &format!("there is no table `{table}` in {place}"),
        &help,
    ))
}

/// SQLite compares names without case.
fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn place(database: &Connection) -> String {
    database.path().unwrap_or_default().to_owned()
}

fn spelled(key: &[String]) -> String {
    match key {
        [] => "rowid".to_owned(),
        columns => escaped(&columns.join(",")).to_string(),
    }
}

/// A feed's error with its advice.
fn told(error: FeedError) -> anyhow::Error {
    explained(&error.what, &error.help)
}

fn explained(what: &str, help: &str) -> anyhow::Error {
    anyhow!("{}\n  help: {}", escaped(what), escaped(help))
}
