//! What the columns of a feed mean in one era.
//!
//! Kept in the database as JSON beside the feed, so that rows written before a schema change are read as what they were.

use serde::{Deserialize, Serialize};

use crate::dynamodb::cell::Cell;

/// The format of layouts and triggers; a higher one comes from a later triggerfish.
pub const VERSION: u32 = 1;

/// A watched column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type, perhaps empty.
    pub declared: String,
    /// Computed by SQLite, and not known yet before the row is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// The rowid of a table that has no column for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implicit: bool,
    /// For NOT NULL with a default, which REPLACE writes for a NULL: the bits of the unique indexes that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaulted: Option<i64>,
}

impl Column {
    /// An ordinary column.
    pub fn named(name: &str, declared: &str) -> Self {
        Column {
            name: name.to_owned(),
            declared: declared.to_owned(),
            generated: false,
            implicit: false,
            defaulted: None,
        }
    }
}

/// The columns of a feed from one row on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// [`VERSION`] of whoever wrote it.
    pub version: u32,
    /// Column `k` is in `o<k>` and `n<k>`.
    pub columns: Vec<Column>,
    /// The key's columns, partition first. Never empty.
    pub key: Vec<usize>,
    /// The column that is the rowid, if there is one.
    pub rowid: Option<usize>,
}

impl Layout {
    /// The key of a row.
    pub fn key<'a>(&self, row: &'a [Cell]) -> Vec<&'a Cell> {
        self.key.iter().filter_map(|at| row.get(*at)).collect()
    }

    /// The names of the key's columns, partition first; none if the key is a rowid that has no column.
    pub fn key_names(&self) -> Vec<String> {
        let columns = self.key.iter().filter_map(|at| self.columns.get(*at));
        let named = columns.filter(|column| !column.implicit);
        named.map(|column| column.name.clone()).collect()
    }

    /// Whether two rows are the same item to DynamoDB. A key with a NULL is nobody's, so never the same.
    pub fn same_key(&self, a: &[Cell], b: &[Cell]) -> bool {
        let same = |at: &usize| match (a.get(*at), b.get(*at)) {
            (Some(a), Some(b)) => *a != Cell::Null && a.same(b),
            _ => false,
        };
        self.key.iter().all(same)
    }

    /// The columns that are attributes of the item: all but a rowid that is not the key.
    pub fn attributes(&self) -> impl Iterator<Item = (usize, &Column)> {
        let columns = self.columns.iter().enumerate();
        columns.filter(|(at, column)| !column.implicit || self.key.contains(at))
    }

    /// Whether two rows are the same item with the same content.
    pub fn same_item(&self, a: &[Cell], b: &[Cell]) -> bool {
        self.attributes().all(|(at, _)| match (a.get(at), b.get(at)) {
            (Some(a), Some(b)) => a.same(b),
            _ => false,
        })
    }

    /// The bits of the unique indexes by which `old` was thought to be in the way because of a default, and is not: what was
    /// written for the NULL is another value.
    pub fn misjudged(&self, before: &[Cell], old: &[Cell], after: &[Cell]) -> i64 {
        let columns = self.columns.iter().enumerate();
        let bits = columns.filter_map(|(at, column)| {
            let other = before.get(at) == Some(&Cell::Null) && old.get(at) != after.get(at);
            column.defaulted.filter(|_| other)
        });
        bits.fold(0, |all, bits| all | bits)
    }

    /// Whether the row that a BEFORE trigger announced is the row that was written. Not known before are generated columns,
    /// an automatic rowid (-1 until then), and the default that REPLACE writes for a NULL.
    pub fn announced(&self, before: &[Cell], after: &[Cell]) -> bool {
        self.columns.iter().enumerate().all(|(at, column)| {
            let (Some(before), Some(after)) = (before.get(at), after.get(at)) else {
                return false;
            };
            column.generated
                || (self.rowid == Some(at) && *before == Cell::Integer(-1))
                || (column.defaulted.is_some() && *before == Cell::Null)
                || before == after
        })
    }
}
