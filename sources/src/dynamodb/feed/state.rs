//! How the feeds in a database are, compared with the tables they watch.
//!
//! Reads only. What to do about it is [`install`](super::install)'s.

use std::path::Path;

use router::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::{FeedError, Trouble};
use super::layout::{Layout, VERSION};
use super::shape::{self, Shape};
use super::sql::{ERAS, FEEDS, feed_table, identifier, is_ours};
use super::triggers;

/// A table to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The key's columns, partition first; empty takes the primary key, or else the rowid.
    pub key: Vec<String>,
}

impl Table {
    /// A table with its own key.
    pub fn named(name: &str) -> Self {
        Table {
            name: name.to_owned(),
            key: Vec::new(),
        }
    }
}

/// A feed that is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its number, never used twice.
    pub id: i64,
    /// The watched table, spelled as it was created.
    pub table: String,
    /// When it began: the label of its stream.
    pub created: Timestamp,
    /// It goes on no longer: its table was dropped or made again. What it holds can still be read.
    pub closed: bool,
}

/// How a table and its feed are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No feed was ever installed.
    Absent,
    /// All is well.
    Current(Feed),
    /// Every change is caught, but not all of it is told right; [`install`](super::install::install) puts it right and goes on with the same feed.
    Stale {
        /// The feed.
        feed: Feed,
        /// Why, as a fragment.
        why: String,
    },
    /// The feed was suspended: changes since then are not caught.
    Suspended(Feed),
    /// The table was renamed; its changes are still caught.
    Renamed {
        /// The feed.
        feed: Feed,
        /// The table's new name.
        to: String,
    },
    /// Changes may have been missed, as the table was dropped or made again, or triggers were: [`install`](super::install::install) begins a new feed.
    Broken {
        /// The feed.
        feed: Feed,
        /// Why, as a fragment.
        why: String,
    },
}

/// How `table` and its feed are. Cheap enough for each change of [`schema_version`].
///
/// # Errors
/// A table that cannot be watched (and has no feed that could say why), a feed of a later triggerfish.
pub fn check(database: &Connection, table: &Table) -> Result<State, FeedError> {
    let path = place(database);
    let failed = |e: rusqlite::Error| FeedError::sqlite(&e, Path::new(&path), "look at the change feed");
    let Some(feed) = open_feed(database, &table.name).map_err(failed)? else {
        looked(database, table)?;
        return Ok(State::Absent);
    };
    let found = ours(database, feed.id).map_err(failed)?;
    let newest = latest(database, feed.id).map_err(failed)?;
    if let Some(layout) = newest.as_ref().filter(|layout| layout.version > VERSION) {
        let what = format!(
            "the feed of `{}` has version {}, and this triggerfish knows {VERSION}",
            table.name, layout.version
        );
        return Err(FeedError::new(
            Trouble::Stale,
            what,
            "use the newer triggerfish, or uninstall the feed with it",
        ));
    }
    if is_suspended(database, feed.id).map_err(failed)? {
        return Ok(State::Suspended(feed));
    }
    let broken = |why: &str| {
        let (feed, why) = (feed.clone(), why.to_owned());
        Ok(State::Broken { feed, why })
    };
    if let Some(moved) = found
        .iter()
        .find(|trigger| !trigger.table.eq_ignore_ascii_case(&feed.table))
    {
        let (feed, to) = (feed.clone(), moved.table.clone());
        return Ok(State::Renamed { feed, to });
    }
    let shape = match looked(database, table) {
        Err(e) if e.trouble == Trouble::Missing && found.is_empty() => {
            return broken("the table was dropped");
        }
        other => other?,
    };
    let expected = triggers::of(&shape, feed.id);
    if found.is_empty() {
        return broken("its triggers are gone, so the table was made again or they were dropped");
    }
    if found.len() < expected.len() {
        return broken("some of its triggers were dropped");
    }
    let stale = |why: String| {
        Ok(State::Stale {
            feed: feed.clone(),
            why,
        })
    };
    if newest.as_ref() != Some(&shape.layout) {
        return stale("the table's columns changed".to_owned());
    }
    let same = |(name, text): &(String, String)| {
        found
            .iter()
            .any(|trigger| trigger.name == *name && trigger.text == *text)
    };
    if !expected.iter().all(same) {
        return stale("the table's columns or unique indexes changed".to_owned());
    }
    let oldest = found.iter().map(|trigger| trigger.rank).min().unwrap_or_default();
    match newer_trigger(database, &feed.table, oldest).map_err(failed)? {
        Some(name) => stale(format!(
            "the trigger `{name}` is newer, so what it writes is told before its cause"
        )),
        None => Ok(State::Current(feed)),
    }
}

/// The table that `feed` watches, with the key that it has now: what to [`check`], and to install again, for the same key.
///
/// # Errors
/// What SQLite says.
pub fn watched(database: &Connection, feed: &Feed) -> Result<Table, FeedError> {
    let path = place(database);
    let layout = latest(database, feed.id)
        .map_err(|e| FeedError::sqlite(&e, Path::new(&path), "look at the change feed"))?;
    Ok(Table {
        name: feed.table.clone(),
        key: layout.map(|layout| layout.key_names()).unwrap_or_default(),
    })
}

/// The tables of the database that a feed can be asked for, by name.
///
/// # Errors
/// What SQLite says.
pub fn tables(database: &Connection) -> Result<Vec<String>, FeedError> {
    let path = place(database);
    shape::tables(database).map_err(|e| FeedError::sqlite(&e, Path::new(&path), "list the tables"))
}

/// Every feed in the database, closed ones too, the oldest first.
///
/// # Errors
/// What SQLite says.
pub fn feeds(database: &Connection) -> Result<Vec<Feed>, FeedError> {
    let path = place(database);
    all_feeds(database).map_err(|e| FeedError::sqlite(&e, Path::new(&path), "list the change feeds"))
}

/// A number that grows with each change of the schema, by whichever process.
///
/// # Errors
/// What SQLite says.
pub fn schema_version(database: &Connection) -> Result<i64, FeedError> {
    let path = place(database);
    database
        .query_row("PRAGMA schema_version", [], |row| row.get(0))
        .map_err(|e| FeedError::sqlite(&e, Path::new(&path), "read the schema's version"))
}

pub(in crate::dynamodb) fn place(database: &Connection) -> String {
    database.path().unwrap_or_default().to_owned()
}

pub(super) fn looked(database: &Connection, table: &Table) -> Result<Shape, FeedError> {
    let path = place(database);
    let shape = shape::look(database, &table.name, &table.key).map_err(|e| {
        FeedError::sqlite(
            &e,
            Path::new(&path),
            &format!("look at the table `{}`", table.name),
        )
    })?;
    shape.map_err(|e| FeedError {
        what: format!("{} in {path}", e.what),
        ..e
    })
}

/// The highest row that a feed ever had.
pub(in crate::dynamodb) fn last_row(database: &Connection, id: i64) -> rusqlite::Result<i64> {
    let text = format!(
        "SELECT coalesce(max(seq), 0) FROM {}",
        identifier(&feed_table(id))
    );
    database.query_row(&text, [], |row| row.get(0))
}

/// A trigger in the schema.
pub(super) struct Trigger {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// Its text.
    pub text: String,
    /// Its rank by age.
    pub rank: i64,
}

/// A feed's triggers, the oldest first.
pub(super) fn ours(database: &Connection, id: i64) -> rusqlite::Result<Vec<Trigger>> {
    let all = database
        .prepare(
            "SELECT name, tbl_name, sql, rowid FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid",
        )?
        .query_map([], |row| {
            Ok(Trigger {
                name: row.get(0)?,
                table: row.get(1)?,
                text: row.get(2)?,
                rank: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<Trigger>>>()?;
    let prefix = format!("{}_", feed_table(id));
    Ok(all
        .into_iter()
        .filter(|trigger| trigger.name.starts_with(&prefix))
        .collect())
}

fn newer_trigger(database: &Connection, table: &str, than: i64) -> rusqlite::Result<Option<String>> {
    let names = database
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE AND rowid > ? ORDER BY rowid",
        )?
        .query_map(params![table, than], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(names.into_iter().find(|name| !is_ours(name)))
}

fn is_installed(database: &Connection) -> rusqlite::Result<bool> {
    database
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
            [FEEDS],
            |_| Ok(()),
        )
        .optional()
        .map(|found| found.is_some())
}

pub(super) fn all_feeds(database: &Connection) -> rusqlite::Result<Vec<Feed>> {
    if !is_installed(database)? {
        return Ok(Vec::new());
    }
    database
        .prepare(&format!(
            "SELECT id, tab, created, closed FROM {FEEDS} ORDER BY id"
        ))?
        .query_map([], |row| {
            let millis: i64 = row.get(2)?;
            Ok(Feed {
                id: row.get(0)?,
                table: row.get(1)?,
                created: Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)),
                closed: row.get(3)?,
            })
        })?
        .collect()
}

pub(super) fn open_feed(database: &Connection, table: &str) -> rusqlite::Result<Option<Feed>> {
    let feeds = all_feeds(database)?;
    Ok(feeds
        .into_iter()
        .find(|feed| !feed.closed && feed.table.eq_ignore_ascii_case(table)))
}

fn is_suspended(database: &Connection, id: i64) -> rusqlite::Result<bool> {
    database.query_row(
        &format!("SELECT suspended FROM {FEEDS} WHERE id = ?"),
        [id],
        |row| row.get(0),
    )
}

/// The layout of a feed's latest era.
fn latest(database: &Connection, id: i64) -> rusqlite::Result<Option<Layout>> {
    let text: Option<String> = database
        .query_row(
            &format!("SELECT layout FROM {ERAS} WHERE feed = ? ORDER BY since DESC LIMIT 1"),
            [id],
            |r| r.get(0),
        )
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
