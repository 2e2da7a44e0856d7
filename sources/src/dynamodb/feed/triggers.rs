//! The text of the five triggers of a feed.
//!
//! Pure: a [`Shape`] in, SQL out. Everything the conflict test needs is here, and the reader only checks what a BEFORE
//! trigger cannot know: an automatic rowid, and whether the new row belongs to a partial index. Nothing is used that an old
//! SQLite lacks, because triggers run in the writers' SQLite.

use super::shape::{Shape, Unique};
use super::sql::{feed_table, identifier};

/// When, as a Julian day with milliseconds: the one clock that every version of SQLite has.
const NOW: &str = "julianday('now')";

/// The triggers of feed `id`, by name, in the order in which they must be created.
pub fn of(shape: &Shape, id: i64) -> Vec<(String, String)> {
    let writer = Writer::new(shape, id);
    [
        ("pi", writer.before_insert()),
        ("pu", writer.before_update()),
        ("i", writer.after_insert()),
        ("u", writer.after_update()),
        ("d", writer.after_delete()),
    ]
    .into_iter()
    .map(|(suffix, body)| {
        let name = format!("{}_{suffix}", feed_table(id));
        let text = format!("CREATE TRIGGER {} {body} END", identifier(&name));
        (name, text)
    })
    .collect()
}

struct Writer<'a> {
    shape: &'a Shape,
    /// The feed's table.
    feed: String,
    /// The watched table, in `ON`.
    table: String,
    /// The watched table, in `FROM`, and the name its columns have there.
    from: String,
    row: String,
}

impl<'a> Writer<'a> {
    fn new(shape: &'a Shape, id: i64) -> Self {
        let table = identifier(&shape.table);
        // Conditions of partial indexes may name the table, so it keeps its name unless that is one of the trigger's.
        let (from, row) = match shape.table.to_ascii_lowercase().as_str() {
            "new" | "old" => (format!("{table} AS o"), "o".to_owned()),
            _ => (table.clone(), table.clone()),
        };
        Writer {
            shape,
            feed: identifier(&feed_table(id)),
            table,
            from,
            row,
        }
    }

    fn before_insert(&self) -> String {
        let (table, marker) = (&self.table, self.marker());
        let when = self.exists("");
        let candidates = self.candidates("PI", "");
        format!(
            "BEFORE INSERT ON {table} WHEN {} OR {when} BEGIN {marker} {candidates}",
            self.after_delete_came()
        )
    }

    fn before_update(&self) -> String {
        let (table, marker) = (&self.table, self.marker());
        let other = format!(" AND {}", self.another_row());
        let when = self.exists(&other);
        let candidates = self.candidates("PU", &other);
        let moved = self.moved();
        format!(
            "BEFORE UPDATE ON {table} WHEN ({moved}) AND ({} OR {when}) BEGIN {marker} {candidates}",
            self.after_delete_came()
        )
    }

    fn after_insert(&self) -> String {
        let (table, feed, hit) = (&self.table, &self.feed, self.mask());
        let (names, values) = (self.names("n"), self.values("new"));
        format!(
            "AFTER INSERT ON {table} BEGIN INSERT INTO {feed}(at, op, hit, {names}) VALUES({NOW}, 'I', {hit}, {values});"
        )
    }

    fn after_update(&self) -> String {
        let (table, feed, hit) = (&self.table, &self.feed, self.mask());
        let (old, new) = (self.names("o"), self.names("n"));
        let (before, after) = (self.values("old"), self.values("new"));
        format!(
            "AFTER UPDATE ON {table} BEGIN INSERT INTO {feed}(at, op, hit, {old}, {new}) VALUES({NOW}, 'U', {hit}, {before}, {after});"
        )
    }

    fn after_delete(&self) -> String {
        let (table, feed) = (&self.table, &self.feed);
        let (names, values) = (self.names("o"), self.values("old"));
        format!(
            "AFTER DELETE ON {table} BEGIN INSERT INTO {feed}(at, op, {names}) VALUES({NOW}, 'D', {values});"
        )
    }

    /// Whether the feed's last row is a D: then the reader must hear that this statement is another one.
    fn after_delete_came(&self) -> String {
        format!("(SELECT op FROM {} ORDER BY seq DESC LIMIT 1) = 'D'", self.feed)
    }

    fn marker(&self) -> String {
        format!(
            "INSERT INTO {}(op) SELECT 'M' WHERE {};",
            self.feed,
            self.after_delete_came()
        )
    }

    /// Whether any row conflicts with the new one; a look-up in an index for each constraint.
    fn exists(&self, and: &str) -> String {
        let tests = self.conflicts().into_iter();
        let tests: Vec<_> = tests
            .map(|test| format!("EXISTS(SELECT 1 FROM {} WHERE {test}{and})", self.from))
            .collect();
        match tests.is_empty() {
            true => "0".to_owned(),
            false => tests.join(" OR "),
        }
    }

    /// One statement for each constraint; a row that conflicts by several is written several times, and read once.
    fn candidates(&self, op: &str, and: &str) -> String {
        let (feed, from) = (&self.feed, &self.from);
        let names = format!("{}, {}", self.names("o"), self.names("n"));
        let values = format!("{}, {}", self.values(&self.row), self.values("new"));
        let hit: Vec<_> = self
            .conflicts()
            .iter()
            .zip(self.bits())
            .map(|(test, bit)| format!("(coalesce(({test}), 0) << {bit})"))
            .collect();
        let hit = hit.join(" | ");
        let insert = |test: &String| {
            format!(
                "INSERT INTO {feed}(op, hit, {names}) SELECT '{op}', {hit}, {values} FROM {from} WHERE {test}{and};"
            )
        };
        self.conflicts().iter().map(insert).collect::<Vec<_>>().join(" ")
    }

    /// The tests by which an existing row conflicts with the new one: the rowid's, then each unique index's.
    fn conflicts(&self) -> Vec<String> {
        let rowid = self
            .shape
            .rowid
            .map(|word| format!("{}.{word} = new.{word}", self.row));
        rowid
            .into_iter()
            .chain(self.shape.uniques.iter().map(|unique| self.conflict(unique)))
            .collect()
    }

    /// The bits of `hit` that belong to [`conflicts`](Self::conflicts).
    fn bits(&self) -> Vec<usize> {
        let first = usize::from(self.shape.rowid.is_none());
        (first..=self.shape.uniques.len()).collect()
    }

    fn conflict(&self, unique: &Unique) -> String {
        let parts = unique.columns.iter().map(|part| {
            let name = identifier(&part.name);
            let new = match &part.default {
                Some(default) => format!("coalesce(new.{name}, {default})"),
                None => format!("new.{name}"),
            };
            format!(
                "{}.{name} = {new} COLLATE {}",
                self.row,
                identifier(&part.collation)
            )
        });
        let test = parts.collect::<Vec<_>>().join(" AND ");
        match &unique.condition {
            // A line comment may end the condition.
            Some(condition) => format!("{test} AND ({condition}\n)"),
            None => test,
        }
    }

    /// The constraints that the new row takes part in; NULL means all.
    fn mask(&self) -> String {
        if self.shape.uniques.iter().all(|unique| unique.condition.is_none()) {
            return "NULL".to_owned();
        }
        let of = |(at, unique): (usize, &Unique)| match &unique.condition {
            None => (1u64 << (at + 1)).to_string(),
            Some(condition) => format!(
                "(EXISTS(SELECT 1 FROM {} WHERE {} AND ({condition}\n)) << {})",
                self.from,
                self.this_row("new"),
                at + 1
            ),
        };
        let bits = self.shape.uniques.iter().enumerate().map(of);
        std::iter::once("1".to_owned())
            .chain(bits)
            .collect::<Vec<_>>()
            .join(" | ")
    }

    /// Tells the row that `of` (new, old) is.
    fn this_row(&self, of: &str) -> String {
        if let Some(word) = self.shape.rowid {
            return format!("{}.{word} = {of}.{word}", self.row);
        }
        let parts = self.shape.primary.iter().map(|name| {
            let name = identifier(name);
            format!("{}.{name} IS {of}.{name}", self.row)
        });
        parts.collect::<Vec<_>>().join(" AND ")
    }

    fn another_row(&self) -> String {
        format!("NOT ({})", self.this_row("old"))
    }

    /// Whether an update touches anything by which rows conflict; most do not, and then nothing more is asked.
    fn moved(&self) -> String {
        if self.shape.uniques.iter().any(|unique| unique.condition.is_some()) {
            return "1".to_owned();
        }
        let rowid = self
            .shape
            .rowid
            .map(|word| format!("old.{word} IS NOT new.{word}"));
        let parts = self
            .shape
            .uniques
            .iter()
            .flat_map(|unique| &unique.columns)
            .map(|part| {
                let name = identifier(&part.name);
                format!(
                    "old.{name} IS NOT new.{name} COLLATE {}",
                    identifier(&part.collation)
                )
            });
        rowid.into_iter().chain(parts).collect::<Vec<_>>().join(" OR ")
    }

    /// The feed's columns for one side.
    fn names(&self, side: &str) -> String {
        let count = self.shape.layout.columns.len();
        (0..count)
            .map(|at| format!("{side}{at}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The watched columns of `row`.
    fn values(&self, row: &str) -> String {
        let value = |column: &super::layout::Column| match (column.implicit, self.shape.rowid) {
            (true, Some(word)) => format!("{row}.{word}"),
            _ => format!("{row}.{}", identifier(&column.name)),
        };
        self.shape
            .layout
            .columns
            .iter()
            .map(value)
            .collect::<Vec<_>>()
            .join(", ")
    }
}
