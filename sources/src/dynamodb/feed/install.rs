//! Puts feeds into a user's database and takes them out again.
//!
//! Everything happens in one transaction, so a database has whole feeds or none. What is current is not touched: then not
//! even a write lock is asked for. Our triggers must be the newest of their table, because SQLite fires the newest first and
//! whatever the user's own triggers write must come after what made them fire.

use std::path::Path;

use router::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::error::{FeedError, Trouble};
use super::shape::Shape;
use super::sql::{ERAS, FEEDS, feed_table, identifier, is_ours};
use super::state::{Feed, State, Table, Trigger, all_feeds, check, last_row, looked, open_feed, ours, place};
use super::triggers;

/// What [`install`] did.
#[derive(Debug)]
pub struct Installed {
    /// The feeds of the tables asked for, in that order.
    pub feeds: Vec<Feed>,
    /// What a user should know, as sentences.
    pub warnings: Vec<String>,
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

fn close(work: &Connection, id: i64) -> rusqlite::Result<()> {
    drop_triggers(work, id)?;
    work.execute(&format!("UPDATE {FEEDS} SET closed = 1 WHERE id = ?"), [id])?;
    Ok(())
}

fn create(work: &Connection, shape: &Shape, now: Timestamp) -> rusqlite::Result<Feed> {
    work.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {FEEDS}(id INTEGER PRIMARY KEY AUTOINCREMENT, tab TEXT NOT NULL, \
           created INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0, suspended INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE IF NOT EXISTS {ERAS}(feed INTEGER NOT NULL, since INTEGER NOT NULL, layout TEXT NOT NULL, \
           PRIMARY KEY(feed, since));"
    ))?;
    // The table may have had another name, and a feed under that.
    for other in all_feeds(work)? {
        let triggers = ours(work, other.id)?;
        if triggers
            .iter()
            .any(|trigger| trigger.table.eq_ignore_ascii_case(&shape.table))
        {
            close(work, other.id)?;
        }
    }
    let created = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    work.execute(
        &format!("INSERT INTO {FEEDS}(tab, created) VALUES(?, ?)"),
        params![shape.table, created],
    )?;
    let id = work.last_insert_rowid();
    work.execute_batch(&format!(
        "CREATE TABLE {}(seq INTEGER PRIMARY KEY, at, op, hit)",
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
    for Trigger { name, .. } in ours(work, id)? {
        work.execute_batch(&format!("DROP TRIGGER {}", identifier(&name)))?;
    }
    Ok(())
}

fn names_of(database: &Connection, kind: &str) -> rusqlite::Result<Vec<String>> {
    database
        .prepare("SELECT name FROM sqlite_schema WHERE type = ?")?
        .query_map([kind], |row| row.get(0))?
        .collect()
}
