//! Time to live: deletes items whose time is over, as DynamoDB itself (spec/sources/dynamodb-streams §7).
//!
//! Owns which item has expired and the deletion, which marks its rows of the feed in the same transaction: that is what
//! `userIdentity` comes from, and no deletion by a user can carry it. Deliberately absent: when to sweep.

use std::path::Path;

use router::time::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::cell::Cell;
use super::feed::layout::Layout;
use super::feed::sql::{feed_table, identifier};
use super::feed::state::{Feed, last_row, place};
use super::feed::{FeedError, Trouble};

/// Items that are further past than five years are left alone, in seconds.
pub const TOO_OLD: i64 = 5 * 365 * 86_400;
/// Items that one transaction deletes.
pub const CHUNK: i64 = 500;

/// What the time of an item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// No time: not a number, or too far in the past.
    Never,
    /// Not yet.
    Later,
    /// Its time is over.
    Expired,
}

/// What an item's time, in seconds since the epoch, says at `now`. Only numbers count. [`sweep`] says the same in SQL.
pub fn decide(time: &Cell, now: Timestamp) -> Expiry {
    let time = match time {
        Cell::Integer(seconds) => *seconds as f64,
        Cell::Real(seconds) => *seconds,
        _ => return Expiry::Never,
    };
    let (from, until) = due(now);
    match time {
        time if time > until as f64 => Expiry::Later,
        time if time < from as f64 => Expiry::Never,
        _ => Expiry::Expired,
    }
}

/// The times that are over at `now`, both ends included.
fn due(now: Timestamp) -> (i64, i64) {
    let now = i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX);
    (now - TOO_OLD, now)
}

/// Deletes at most [`CHUNK`] items of `feed`'s table whose time in `column` is over; says how many it deleted.
/// Items without a key, which DynamoDB would not have, stay.
///
/// # Errors
/// There is no such column, the table's triggers are gone, or the database is locked; then nothing was changed.
pub fn sweep(
    database: &mut Connection,
    feed: &Feed,
    layout: &Layout,
    column: &str,
    now: Timestamp,
) -> Result<i64, FeedError> {
    let Some(at) = layout
        .columns
        .iter()
        .position(|c| !c.implicit && c.name.eq_ignore_ascii_case(column))
    else {
        let names: Vec<_> = layout
            .columns
            .iter()
            .filter(|c| !c.implicit)
            .map(|c| c.name.as_str())
            .collect();
        return Err(FeedError::new(
            Trouble::Missing,
            format!("`{}` has no column `{column}` for the time to live", feed.table),
            format!("its columns are {}", names.join(", ")),
        ));
    };
    let path = place(database);
    let deleted = delete(database, feed, layout, at, due(now)).map_err(|e| {
        FeedError::sqlite(
            &e,
            Path::new(&path),
            &format!("delete expired items of `{}`", feed.table),
        )
    })?;
    deleted.ok_or_else(|| {
        FeedError::new(
            Trouble::Stale,
            format!(
                "expired items of `{}` were not deleted, because its change feed would not have told of them",
                feed.table
            ),
            "install the feed again",
        )
    })
}

/// How many rows were deleted; `None`, and none, if the feed did not catch them.
fn delete(
    database: &mut Connection,
    feed: &Feed,
    layout: &Layout,
    at: usize,
    (from, until): (i64, i64),
) -> rusqlite::Result<Option<i64>> {
    let (table, rows) = (identifier(&feed.table), identifier(&feed_table(feed.id)));
    let name = identifier(&layout.columns[at].name);
    let key = layout.key.iter().map(|at| match &layout.columns[*at] {
        column if column.implicit => "rowid".to_owned(),
        column => identifier(&column.name),
    });
    let key = key.collect::<Vec<_>>().join(", ");
    let is_due =
        |cell: &str| format!("typeof({cell}) IN ('integer', 'real') AND {cell} >= ?1 AND {cell} <= ?2");
    let some: bool = database.query_row(
        &format!("SELECT EXISTS(SELECT 1 FROM {table} WHERE {})", is_due(&name)),
        [from, until],
        |row| row.get(0),
    )?;
    if !some {
        return Ok(Some(0));
    }
    let work = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last = last_row(&work, feed.id)?;
    let deleted = work.execute(
        &format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {} LIMIT ?3)",
            is_due(&name)
        ),
        [from, until, CHUNK],
    )?;
    let marked = work.execute(
        &format!(
            "UPDATE {rows} SET op = 'T' WHERE seq > ?3 AND op = 'D' AND {}",
            is_due(&format!("o{at}"))
        ),
        params![from, until, last],
    )?;
    if marked < deleted {
        return Ok(None);
    }
    work.commit()?;
    Ok(i64::try_from(deleted).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_the_last_five_years_expire() {
        let now = Timestamp::from_millis(1_700_000_000_999);
        let of = |cell: Cell| decide(&cell, now);
        assert_eq!(of(Cell::Integer(1_700_000_000)), Expiry::Expired);
        assert_eq!(of(Cell::Integer(1_700_000_001)), Expiry::Later);
        assert_eq!(of(Cell::Real(1_699_999_999.5)), Expiry::Expired);
        assert_eq!(of(Cell::Integer(1_700_000_000 - TOO_OLD)), Expiry::Expired);
        assert_eq!(of(Cell::Integer(1_700_000_000 - TOO_OLD - 1)), Expiry::Never);
        assert_eq!(of(Cell::Text(b"1".to_vec())), Expiry::Never);
        assert_eq!(of(Cell::Null), Expiry::Never);
    }
}
