//! Puts feeds into a user's database, tells how they are, and takes them out again.
//!
//! Everything happens in one transaction, so a database has whole feeds or none. What is current is not touched: then not
//! even a write lock is asked for. Our triggers must be the newest of their table, because SQLite fires the newest first and
//! whatever the user's own triggers write must come after what made them fire.

use std::path::Path;

use router::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

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

/// What [`install`] did.
#[derive(Debug)]
pub struct Installed {
    /// The feeds of the tables asked for, in that order.
    pub feeds: Vec<Feed>,
    /// What a user should know, as sentences.
    pub warnings: Vec<String>,
}

/// How a table and its feed are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No feed was ever installed.
    Absent,
    /// All is well.
    Current(Feed),
    /// Every change is caught, but not all of it is told right; [`install`] puts it right and goes on with the same feed.
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
    /// Changes may have been missed, as the table was dropped or made again, or triggers were: [`install`] begins a new feed.
    Broken {
        /// The feed.
        feed: Feed,
        /// Why, as a fragment.
        why: String,
    },
}

/// Installs feeds for `tables`, or brings them up to date. `now` labels those that are new.
///
/// # Errors
/// A table that cannot be watched, a database that cannot be written; then nothing was changed.
pub fn install(database: &mut Connection, tables: &[Table], now: Timestamp) -> Result<Installed, FeedError> {
    let path = place(database);
    let current = |database: &Connection| -> Result<Option<Vec<Feed>>, FeedError> {
        let mut feeds = Vec::new();
        for table in tables {
            match check(database, table)? {
                State::Current(feed) => feeds.push(feed),
                _ => return Ok(None),
            }
        }
        Ok(Some(feeds))
    };
    let mut warnings = Vec::new();
    for table in tables {
        warnings.extend(warn(&looked(database, table)?));
    }
    if let Some(feeds) = current(database)? {
        return Ok(Installed { feeds, warnings });
    }
    let failed = |e: rusqlite::Error| FeedError::sqlite(&e, Path::new(&path), "install the change feed");
    let work = database
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let mut feeds = Vec::new();
    for table in tables {
        let state = check(&work, table)?;
        let shape = looked(&work, table)?;
        feeds.push(bring_up(&work, state, &shape, now).map_err(failed)?);
        prove(&work, &shape).map_err(|e| unproven(&shape.table, &e))?;
    }
    work.commit().map_err(failed)?;
    Ok(Installed { feeds, warnings })
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
    if let Some((_, to, _, _)) = found
        .iter()
        .find(|(_, on, _, _)| !on.eq_ignore_ascii_case(&feed.table))
    {
        let (feed, to) = (feed.clone(), to_owned(to));
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
    let same = |(name, text): &(String, String)| found.iter().any(|(n, _, t, _)| n == name && t == text);
    if !expected.iter().all(same) {
        return stale("the table's columns or unique indexes changed".to_owned());
    }
    let oldest = found
        .iter()
        .map(|(_, _, _, rowid)| *rowid)
        .min()
        .unwrap_or_default();
    match newer_trigger(database, &feed.table, oldest).map_err(failed)? {
        Some(name) => stale(format!(
            "the trigger `{name}` is newer, so what it writes is told before its cause"
        )),
        None => Ok(State::Current(feed)),
    }
}

/// Every feed in the database, closed ones too, the oldest first.
///
/// # Errors
/// What SQLite says.
pub fn feeds(database: &Connection) -> Result<Vec<Feed>, FeedError> {
    let path = place(database);
    all_feeds(database).map_err(|e| FeedError::sqlite(&e, Path::new(&path), "list the change feeds"))
}

/// Takes out the triggers of `table` and keeps its feed, so that the table's columns can be dropped. Changes are not caught
/// until [`install`] is called again.
///
/// # Errors
/// There is no feed, or SQLite refuses.
pub fn suspend(database: &mut Connection, table: &str) -> Result<(), FeedError> {
    let path = place(database);
    let failed = |e: rusqlite::Error| FeedError::sqlite(&e, Path::new(&path), "suspend the change feed");
    let work = database
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let Some(feed) = open_feed(&work, table).map_err(failed)? else {
        let what = format!("`{table}` has no change feed");
        return Err(FeedError::new(
            Trouble::Missing,
            what,
            "nothing needs to be suspended",
        ));
    };
    drop_triggers(&work, feed.id).map_err(failed)?;
    work.execute(
        &format!("UPDATE {FEEDS} SET suspended = 1 WHERE id = ?"),
        [feed.id],
    )
    .map_err(failed)?;
    work.commit().map_err(failed)
}

/// Takes everything of the feed out of the database, whatever state it is in; what was not read is gone.
///
/// # Errors
/// What SQLite says; then nothing was changed.
pub fn uninstall(database: &mut Connection) -> Result<(), FeedError> {
    let path = place(database);
    let failed = |e: rusqlite::Error| FeedError::sqlite(&e, Path::new(&path), "remove the change feed");
    let work = database
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    for kind in ["trigger", "table"] {
        let names: Vec<String> = names_of(&work, kind).map_err(failed)?;
        for name in names.iter().filter(|name| is_ours(name)) {
            work.execute_batch(&format!("DROP {kind} {}", identifier(name)))
                .map_err(failed)?;
        }
    }
    work.commit().map_err(failed)
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

fn to_owned(text: &str) -> String {
    text.to_owned()
}

fn looked(database: &Connection, table: &Table) -> Result<Shape, FeedError> {
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

fn warn(shape: &Shape) -> Vec<String> {
    let (table, layout) = (&shape.table, &shape.layout);
    let mut warnings = Vec::new();
    if layout.key.len() > 2 {
        warnings.push(format!(
            "the key of `{table}` has {} columns and DynamoDB's has at most two; Keys has all of them",
            layout.key.len()
        ));
    }
    if layout.key.iter().any(|at| layout.columns[*at].implicit) {
        warnings.push(format!(
            "`{table}` has no primary key, so its rowid is the key, which VACUUM may change; give it a primary key"
        ));
    }
    warnings
}

/// Creates, renews or replaces the feed of one table.
fn bring_up(work: &Connection, state: State, shape: &Shape, now: Timestamp) -> rusqlite::Result<Feed> {
    match state {
        State::Current(feed) => Ok(feed),
        State::Absent => create(work, shape, now),
        State::Stale { feed, .. } | State::Suspended(feed) => {
            renew(work, &feed, shape)?;
            Ok(feed)
        }
        State::Renamed { feed, .. } | State::Broken { feed, .. } => {
            drop_triggers(work, feed.id)?;
            work.execute(&format!("UPDATE {FEEDS} SET closed = 1 WHERE id = ?"), [feed.id])?;
            create(work, shape, now)
        }
    }
}

fn create(work: &Connection, shape: &Shape, now: Timestamp) -> rusqlite::Result<Feed> {
    work.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {FEEDS}(id INTEGER PRIMARY KEY AUTOINCREMENT, tab TEXT NOT NULL, \
           created INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0, suspended INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE IF NOT EXISTS {ERAS}(feed INTEGER NOT NULL, since INTEGER NOT NULL, layout TEXT NOT NULL, \
           PRIMARY KEY(feed, since));"
    ))?;
    let created = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    work.execute(
        &format!("INSERT INTO {FEEDS}(tab, created) VALUES(?, ?)"),
        params![shape.table, created],
    )?;
    let id = work.last_insert_rowid();
    work.execute_batch(&format!(
        "CREATE TABLE {}(seq INTEGER PRIMARY KEY AUTOINCREMENT, at, op, hit)",
        identifier(&feed_table(id))
    ))?;
    let feed = Feed {
        id,
        table: shape.table.clone(),
        created: now,
        closed: false,
    };
    renew(work, &feed, shape)?;
    Ok(feed)
}

/// New columns, a new era, new triggers.
fn renew(work: &Connection, feed: &Feed, shape: &Shape) -> rusqlite::Result<()> {
    let table = identifier(&feed_table(feed.id));
    let has: u32 = work.query_row(
        "SELECT count(*) FROM pragma_table_info(?)",
        [feed_table(feed.id)],
        |r| r.get(0),
    )?;
    // Four columns of its own, then a pair for each watched one.
    for at in (has.saturating_sub(4) / 2) as usize..shape.layout.columns.len() {
        work.execute_batch(&format!(
            "ALTER TABLE {table} ADD COLUMN o{at}; ALTER TABLE {table} ADD COLUMN n{at};"
        ))?;
    }
    let since = last_row(work, feed.id)?;
    let layout = serde_json::to_string(&shape.layout).unwrap_or_default();
    work.execute(
        &format!("INSERT OR REPLACE INTO {ERAS} VALUES(?, ?, ?)"),
        params![feed.id, since, layout],
    )?;
    drop_triggers(work, feed.id)?;
    for (_, text) in triggers::of(shape, feed.id) {
        work.execute_batch(&text)?;
    }
    work.execute(
        &format!("UPDATE {FEEDS} SET suspended = 0 WHERE id = ?"),
        [feed.id],
    )?;
    Ok(())
}

/// Lets SQLite compile what users will run, because it does not check triggers when they are created.
fn prove(work: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    let table = identifier(&shape.table);
    let plain = shape
        .layout
        .columns
        .iter()
        .find(|column| !column.generated && !column.implicit);
    let column = plain.map(|column| identifier(&column.name)).unwrap_or_default();
    for text in [
        format!("INSERT INTO {table} DEFAULT VALUES"),
        format!("UPDATE {table} SET {column} = {column}"),
        format!("DELETE FROM {table}"),
    ] {
        work.prepare(&text)?;
    }
    Ok(())
}

fn unproven(table: &str, error: &rusqlite::Error) -> FeedError {
    FeedError::new(
        Trouble::Unsupported,
        format!("triggers on `{table}` do not work: {error}"),
        "collations and functions that only the application has cannot be used in unique indexes or generated columns here; \
         other triggers of the table must work, too",
    )
}

fn drop_triggers(work: &Connection, id: i64) -> rusqlite::Result<()> {
    for (name, ..) in ours(work, id)? {
        work.execute_batch(&format!("DROP TRIGGER {}", identifier(&name)))?;
    }
    Ok(())
}

/// The highest row that a feed ever had.
pub(in crate::dynamodb) fn last_row(database: &Connection, id: i64) -> rusqlite::Result<i64> {
    let last = database
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = ?",
            [feed_table(id)],
            |row| row.get(0),
        )
        .optional()?;
    Ok(last.unwrap_or(0))
}

type Trigger = (String, String, String, i64);

/// A feed's triggers: name, table, text, and rank by age.
fn ours(database: &Connection, id: i64) -> rusqlite::Result<Vec<Trigger>> {
    let all = database
        .prepare(
            "SELECT name, tbl_name, sql, rowid FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<Trigger>>>()?;
    let prefix = format!("{}_", feed_table(id));
    Ok(all
        .into_iter()
        .filter(|(name, ..)| name.starts_with(&prefix))
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

fn names_of(database: &Connection, kind: &str) -> rusqlite::Result<Vec<String>> {
    database
        .prepare("SELECT name FROM sqlite_schema WHERE type = ?")?
        .query_map([kind], |row| row.get(0))?
        .collect()
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

fn all_feeds(database: &Connection) -> rusqlite::Result<Vec<Feed>> {
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

fn open_feed(database: &Connection, table: &str) -> rusqlite::Result<Option<Feed>> {
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
