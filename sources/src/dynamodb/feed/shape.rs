//! What a table looks like: its columns, its key, and everything by which two of its rows can conflict.
//!
//! Refuses what cannot be watched. Deliberately absent: the triggers, which are [`triggers`](super::triggers)'s.

use rusqlite::{Connection, OptionalExtension as _};

use super::error::{FeedError, Trouble};
use super::layout::Layout;
use super::{key, partial, sql};

/// The most columns that a watched table may have: a feed has two for each, and SQLite allows 2,000.
pub const MAX_COLUMNS: usize = 990;
/// The most unique constraints: each has a bit in `hit`, and bit 0 is the rowid's.
pub const MAX_UNIQUES: usize = 62;

/// What a table looks like.
#[derive(Debug)]
pub struct Shape {
    /// Its name, spelled as it was created.
    pub table: String,
    /// What the feed keeps of it.
    pub layout: Layout,
    /// The word for the rowid, unless the table is WITHOUT ROWID.
    pub rowid: Option<&'static str>,
    /// The columns that tell rows apart in a table WITHOUT ROWID.
    pub primary: Vec<String>,
    /// Unique constraints and indexes, the primary key's among them unless it is the rowid.
    pub uniques: Vec<Unique>,
}

/// A unique constraint or index.
#[derive(Debug)]
pub struct Unique {
    /// Its columns.
    pub columns: Vec<Part>,
    /// Which rows it is about, if not all.
    pub condition: Option<String>,
    /// Made for the primary key.
    pub primary: bool,
}

/// A column of a unique index.
#[derive(Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// By which collation it is compared.
    pub collation: String,
    /// What REPLACE writes for a NULL, as SQL.
    pub default: Option<String>,
}

/// A column as SQLite lists it.
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its declared type, perhaps empty.
    pub declared: String,
    /// NOT NULL.
    pub not_null: bool,
    /// Its default, as SQL.
    pub default: Option<String>,
    /// Its rank in the primary key, from 1, or 0.
    pub primary: i64,
    /// 2 and 3 are generated columns.
    pub hidden: i64,
}

/// Looks at `table`; its key is `key` or, if that is empty, the primary key or the rowid.
///
/// # Errors
/// A table that is missing or cannot be watched, and what SQLite says (the inner error).
pub fn look(
    database: &Connection,
    table: &str,
    key: &[String],
) -> rusqlite::Result<Result<Shape, FeedError>> {
    let found = database
        .query_row(
            "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE",
            [table],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (name, without_rowid) = match admit(database, table, found)? {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let infos = columns(database, &name)?;
    let uniques = match uniques(database, &name, &infos)? {
        Ok(uniques) => uniques,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(key::assemble(name, without_rowid, &infos, uniques, key))
}

/// The names of the ordinary tables, without the feed's own and SQLite's.
pub fn tables(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let names = database
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let theirs = |name: &String| !sql::is_ours(name) && !name.starts_with("sqlite_");
    Ok(names.into_iter().filter(theirs).collect())
}

type Found = Option<(String, String, bool)>;

/// The table's own name and whether it is WITHOUT ROWID.
fn admit(
    database: &Connection,
    asked: &str,
    found: Found,
) -> rusqlite::Result<Result<(String, bool), FeedError>> {
    let Some((name, kind, without_rowid)) = found else {
        let names = tables(database)?;
        let help = match names.is_empty() {
            true => "create it first; the database has no tables yet".to_owned(),
            false => format!("create it first, or name one of: {}", names.join(", ")),
        };
        return Ok(Err(FeedError::new(
            Trouble::Missing,
            format!("there is no table `{asked}`"),
            help,
        )));
    };
    let refuse = |what: String, help: &str| Ok(Err(FeedError::new(Trouble::Unsupported, what, help)));
    if sql::is_ours(&name) {
        return refuse(
            format!("`{name}` has a name of the change feed's own"),
            "rename the table: names that begin with _triggerfish_feed are taken",
        );
    }
    if name.to_ascii_lowercase().starts_with("sqlite_") {
        return refuse(format!("`{name}` belongs to SQLite"), "name a table of your own");
    }
    match kind.as_str() {
        "table" => Ok(Ok((name, without_rowid))),
        "view" => refuse(
            format!("`{name}` is a view, which has no changes of its own"),
            "name the table below it",
        ),
        "virtual" | "shadow" => refuse(
            format!("`{name}` is a virtual table, on which SQLite fires no triggers"),
            "name an ordinary table",
        ),
        other => refuse(format!("`{name}` is a {other}"), "name an ordinary table"),
    }
}

fn columns(database: &Connection, table: &str) -> rusqlite::Result<Vec<Info>> {
    database
        .prepare(
            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid",
        )?
        .query_map([table], |row| {
            Ok(Info {
                name: row.get(0)?,
                declared: row.get(1)?,
                not_null: row.get(2)?,
                default: row.get(3)?,
                primary: row.get(4)?,
                hidden: row.get(5)?,
            })
        })?
        .collect()
}

fn uniques(
    database: &Connection,
    table: &str,
    infos: &[Info],
) -> rusqlite::Result<Result<Vec<Unique>, FeedError>> {
    let names = database
        .prepare("SELECT name, origin = 'pk' FROM pragma_index_list(?) WHERE \"unique\" = 1 ORDER BY name")?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, bool)>>>()?;
    let mut uniques = Vec::new();
    for (index, primary) in names {
        let parts = database
            .prepare("SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno")?
            .query_map([&index], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<Vec<(i64, Option<String>, String)>>>()?;
        let mut columns = Vec::new();
        for (at, name, collation) in parts {
            let info = usize::try_from(at).ok().and_then(|at| infos.get(at));
            let (Some(name), Some(info)) = (name, info) else {
                return Ok(Err(FeedError::new(
                    Trouble::Unsupported,
                    format!(
                        "the unique index `{index}` of `{table}` is on an expression, so it cannot be told which row a REPLACE removes"
                    ),
                    "make the expression a generated column and index that, or drop the index",
                )));
            };
            let default = info
                .default
                .clone()
                .filter(|text| info.not_null && is_literal(text));
            columns.push(Part {
                name,
                collation,
                default,
            });
        }
        let text: Option<String> = database
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?",
                [&index],
                |row| row.get(0),
            )
            .optional()?
            .flatten();
        let condition = text.as_deref().and_then(partial::condition).map(str::to_owned);
        uniques.push(Unique {
            columns,
            condition,
            primary,
        });
    }
    Ok(Ok(uniques))
}

/// Whether a default is a literal, which means the same in a trigger; `DEFAULT abc` is a text in a table and a column there.
fn is_literal(text: &str) -> bool {
    let blob = text.starts_with("x'") || text.starts_with("X'");
    blob || text.starts_with(['\'', '+', '-']) || text.starts_with(|c: char| c.is_ascii_digit())
}
