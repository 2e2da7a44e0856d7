//! The rows of a feed as SQLite hands them out.

use std::path::Path;
use std::sync::Arc;

use router::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::error::FeedError;
use super::layout::Layout;
use super::replay::{Op, Row};
use super::sql::{feed_table, identifier};
use super::state::{Feed, place};
use crate::dynamodb::cell::Cell;

/// Unix's epoch as a Julian day.
const EPOCH: f64 = 2_440_587.5;

/// From which row on which layout holds.
pub(super) struct Era {
    /// It holds for rows after this one.
    pub since: i64,
    /// What the columns are.
    pub layout: Arc<Layout>,
}

/// The first row of a feed that is not older than `time`; rows before it are past their retention.
///
/// # Errors
/// What SQLite says.
pub fn first_since(database: &Connection, feed: &Feed, time: Timestamp) -> Result<Option<i64>, FeedError> {
    let day = EPOCH + time.as_millis() as f64 / 86_400_000.0;
    let text = format!(
        "SELECT seq FROM {} WHERE at >= ? ORDER BY seq LIMIT 1",
        identifier(&feed_table(feed.id))
    );
    database
        .query_row(&text, [day], |row| row.get(0))
        .optional()
        .map_err(|e| FeedError::sqlite(&e, Path::new(&place(database)), "read the change feed"))
}
/// Reads the rows between two numbers, with `width` columns of each side.
pub(super) fn select(id: i64, width: usize) -> String {
    let side = |side: &str| (0..width).map(|at| format!(", {side}{at}")).collect::<String>();
    format!(
        "SELECT seq, at, op, hit{}{} FROM {} WHERE seq > ? AND seq <= ? ORDER BY seq",
        side("o"),
        side("n"),
        identifier(&feed_table(id))
    )
}

/// A row; `None` if somebody else wrote it.
pub(super) fn decode(row: &rusqlite::Row<'_>, width: usize) -> rusqlite::Result<Option<Row>> {
    let op = row.get_ref(2)?.as_str().ok().and_then(Op::named);
    let Some(op) = op else { return Ok(None) };
    let cells = |from: usize| -> rusqlite::Result<Vec<Cell>> {
        (from..from + width)
            .map(|at| Ok(Cell::from(row.get_ref(at)?)))
            .collect()
    };
    let has_old = !matches!(op, Op::Insert | Op::Marker);
    let has_new = !matches!(op, Op::Delete | Op::Expire | Op::Marker);
    Ok(Some(Row {
        seq: row.get(0)?,
        at: moment(row.get::<_, Option<f64>>(1)?.unwrap_or(EPOCH)),
        op,
        hit: row.get::<_, Option<i64>>(3)?.unwrap_or(-1),
        old: if has_old { cells(4)? } else { Vec::new() },
        new: if has_new { cells(4 + width)? } else { Vec::new() },
    }))
}

/// A Julian day as an instant, to the millisecond.
fn moment(day: f64) -> Timestamp {
    Timestamp::from_millis(((day - EPOCH) * 86_400_000.0).round() as u64)
}
