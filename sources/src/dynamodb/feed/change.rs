//! A committed change of one item, and its place in the order.

use std::sync::Arc;

use router::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::dynamodb::cell::Cell;

/// Places in the order that each row of a feed has: it can tell of as many rows as there are unique indexes, and two more.
const PARTS: u64 = 128;

/// A change's place in the order of its table. Grows, with gaps, and is the same however often the feed is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place of the change number `part` that the feed's row `row` tells of.
    pub(super) fn new(row: i64, part: usize) -> Self {
        let row = u64::try_from(row).unwrap_or(0);
        Seq(row.saturating_mul(PARTS).saturating_add(part as u64))
    }

    /// The last place that `row` has.
    pub(super) fn last_of(row: i64) -> Seq {
        Seq::new(row, PARTS as usize - 1)
    }
}

/// One committed change of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the order.
    pub seq: Seq,
    /// The watched table.
    pub table: Arc<str>,
    /// When the statement ran, by the writer's clock.
    pub at: Timestamp,
    /// What the cells are.
    pub layout: Arc<Layout>,
    /// What happened, with whole rows.
    pub what: What,
    /// Deleted because its time to live was over.
    pub ttl: bool,
}

/// What happened to an item. Rows have a cell for each column of the layout.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// There was no item with this key.
    Insert {
        /// The row.
        new: Vec<Cell>,
    },
    /// There was one, and it differs.
    Modify {
        /// The row before.
        old: Vec<Cell>,
        /// The row after.
        new: Vec<Cell>,
    },
    /// There is no item any more.
    Remove {
        /// The row before.
        old: Vec<Cell>,
    },
}

impl Change {
    /// The row that names the item.
    pub fn row(&self) -> &[Cell] {
        match &self.what {
            What::Insert { new } | What::Modify { new, .. } => new,
            What::Remove { old } => old,
        }
    }

    /// The key's cells, partition first.
    pub fn key(&self) -> Vec<&Cell> {
        self.layout.key(self.row())
    }
}
