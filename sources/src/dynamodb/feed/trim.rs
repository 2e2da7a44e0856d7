//! Forgets rows that everybody has read.
//!
//! Each transaction is small, because it is a write into the user's file and their writers wait for it. The last row always
//! stays: a new statement looks at it, and it keeps numbers from being used again. AUTOINCREMENT would do that, too, and
//! cost more than all the rest of the feed, as each statement would write to one more table.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::error::FeedError;
use super::sql::{ERAS, FEEDS, feed_table, identifier};
use super::state::{Feed, place};

/// Rows that one transaction deletes.
pub const CHUNK: i64 = 5_000;

/// Deletes rows up to `row` (a cursor's), at most one [`CHUNK`]; says whether more are left to delete.
///
/// # Errors
/// The database is locked or cannot be written; then nothing was changed.
pub fn trim(database: &mut Connection, feed: &Feed, row: i64) -> Result<bool, FeedError> {
    let path = place(database);
    chunk(database, feed.id, row).map_err(|e| {
        FeedError::sqlite(
            &e,
            Path::new(&path),
            &format!("trim the change feed of `{}`", feed.table),
        )
    })
}

/// Forgets a feed that is closed and was read to its end.
///
/// # Errors
/// What SQLite says; then nothing was changed.
pub fn forget(database: &mut Connection, feed: &Feed) -> Result<(), FeedError> {
    let path = place(database);
    drop_closed(database, feed.id).map_err(|e| {
        FeedError::sqlite(
            &e,
            Path::new(&path),
            &format!("forget the change feed of `{}`", feed.table),
        )
    })
}

fn drop_closed(database: &mut Connection, id: i64) -> rusqlite::Result<()> {
    let work = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let closed = work.execute(&format!("DELETE FROM {FEEDS} WHERE id = ? AND closed"), [id])?;
    if closed > 0 {
        work.execute(&format!("DELETE FROM {ERAS} WHERE feed = ?"), [id])?;
        work.execute_batch(&format!("DROP TABLE {}", identifier(&feed_table(id))))?;
    }
    work.commit()
}

fn chunk(database: &mut Connection, id: i64, row: i64) -> rusqlite::Result<bool> {
    let table = identifier(&feed_table(id));
    let ends: Option<(i64, i64)> = database
        .query_row(
            &format!("SELECT (SELECT min(seq) FROM {table}), (SELECT max(seq) FROM {table})"),
            [],
            |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?)),
        )
        .optional()?
        .flatten();
    let Some((first, last)) = ends else {
        return Ok(false);
    };
    let until = row.min(last - 1);
    if until < first {
        return Ok(false);
    }
    let end = until.min(first.saturating_add(CHUNK - 1));
    let work = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work.execute(&format!("DELETE FROM {table} WHERE seq <= ?"), [end])?;
    // An era is over when the next one holds from the first row that is left.
    work.execute(
        &format!("DELETE FROM {ERAS} WHERE feed = ?1 AND since < (SELECT max(since) FROM {ERAS} WHERE feed = ?1 AND since <= ?2)"),
        params![id, end],
    )?;
    work.commit()?;
    Ok(end < until)
}
