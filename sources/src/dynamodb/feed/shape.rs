//! What a table looks like: its columns, its key, and everything by which two of its rows can conflict.
//!
//! Refuses what cannot be watched. Deliberately absent: the triggers, which are [`triggers`](super::triggers)'s.

use rusqlite::{Connection, OptionalExtension as _};

use super::error::{FeedError, Trouble};
use super::layout::{Column, Layout, VERSION};
use super::{partial, sql};

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

struct Info {
    name: String,
    declared: String,
    not_null: bool,
    default: Option<String>,
    primary: i64,
    hidden: i64,
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
    Ok(assemble(name, without_rowid, &infos, uniques, key))
}

type Found = Option<(String, String, bool)>;

/// The table's own name and whether it is WITHOUT ROWID.
fn admit(
    database: &Connection,
    asked: &str,
    found: Found,
) -> rusqlite::Result<Result<(String, bool), FeedError>> {
    let Some((name, kind, without_rowid)) = found else {
        let names = database
            .prepare(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<String>>>()?;
        let names: Vec<_> = names
            .into_iter()
            .filter(|name| !sql::is_ours(name) && !name.starts_with("sqlite_"))
            .collect();
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
    text.starts_with(['\'', '+', '-']) || text.starts_with(|c: char| c.is_ascii_digit())
}

fn assemble(
    table: String,
    without_rowid: bool,
    infos: &[Info],
    uniques: Vec<Unique>,
    key: &[String],
) -> Result<Shape, FeedError> {
    let refuse = |what: String, help: &str| Err(FeedError::new(Trouble::Unsupported, what, help));
    if infos.len() > MAX_COLUMNS {
        let what = format!(
            "`{table}` has {} columns; at most {MAX_COLUMNS} can be watched",
            infos.len()
        );
        return refuse(what, "split the table");
    }
    if uniques.len() > MAX_UNIQUES {
        let what = format!(
            "`{table}` has {} unique indexes; at most {MAX_UNIQUES} can be watched",
            uniques.len()
        );
        return refuse(what, "drop some of them");
    }
    let named = |name: &str| infos.iter().position(|info| info.name.eq_ignore_ascii_case(name));
    let rowid = match without_rowid {
        true => None,
        false => match ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|word| named(word).is_none())
        {
            None => {
                let what = format!("columns of `{table}` hide all three names of the rowid");
                return refuse(what, "rename one of the columns rowid, _rowid_ and oid");
            }
            word => word,
        },
    };
    let mut primary: Vec<(i64, usize)> = infos
        .iter()
        .enumerate()
        .filter(|(_, i)| i.primary > 0)
        .map(|(at, i)| (i.primary, at))
        .collect();
    primary.sort_unstable();
    let primary: Vec<usize> = primary.into_iter().map(|(_, at)| at).collect();
    let alias = rowid_column(infos, &primary, &uniques).filter(|_| !without_rowid);
    let mut columns: Vec<Column> = infos.iter().map(column).collect();
    if rowid.is_some() && alias.is_none() {
        columns.push(Column {
            implicit: true,
            ..Column::named("rowid", "INTEGER")
        });
    }
    let implicit = columns.len() - 1;
    let of_key = match (key, primary.as_slice()) {
        ([], []) if named("rowid").is_some() => {
            let what = format!("`{table}` has no primary key, and its column `rowid` hides the rowid");
            return refuse(
                what,
                "give the table a primary key, or say which columns are the key",
            );
        }
        ([], []) => vec![implicit],
        ([], primary) => primary.to_vec(),
        (names, _) => configured(&table, names, infos, &primary, &uniques)?,
    };
    Ok(Shape {
        layout: Layout {
            version: VERSION,
            columns,
            key: of_key,
            rowid: rowid.map(|_| alias.unwrap_or(implicit)),
        },
        primary: primary.iter().map(|at| infos[*at].name.clone()).collect(),
        table,
        rowid,
        uniques,
    })
}

fn column(info: &Info) -> Column {
    Column {
        generated: matches!(info.hidden, 2 | 3),
        defaulted: info.not_null && info.default.is_some(),
        ..Column::named(&info.name, &info.declared)
    }
}

/// The column that is another name of the rowid: a single INTEGER PRIMARY KEY. `INTEGER PRIMARY KEY DESC`, which is not one
/// by an old mistake of SQLite's, has an index of its own and is told by that.
fn rowid_column(infos: &[Info], primary: &[usize], uniques: &[Unique]) -> Option<usize> {
    let [at] = primary else { return None };
    let info = &infos[*at];
    let indexed = uniques.iter().any(|unique| unique.primary);
    (info.declared.eq_ignore_ascii_case("INTEGER") && !indexed).then_some(*at)
}

/// The key that the configuration names: columns that exist and that tell items apart.
fn configured(
    table: &str,
    names: &[String],
    infos: &[Info],
    primary: &[usize],
    uniques: &[Unique],
) -> Result<Vec<usize>, FeedError> {
    let mut key = Vec::new();
    for name in names {
        let Some(at) = infos.iter().position(|info| info.name.eq_ignore_ascii_case(name)) else {
            let all: Vec<_> = infos.iter().map(|info| info.name.as_str()).collect();
            let help = format!("its columns are {}", all.join(", "));
            return Err(FeedError::new(
                Trouble::Missing,
                format!("`{table}` has no column `{name}`"),
                help,
            ));
        };
        if key.contains(&at) {
            let what = format!("the key of `{table}` names `{name}` twice");
            return Err(FeedError::new(
                Trouble::Unsupported,
                what,
                "name each column once",
            ));
        }
        key.push(at);
    }
    let within = |columns: &mut dyn Iterator<Item = &str>| {
        let mut columns = columns.peekable();
        columns.peek().is_some() && columns.all(|name| key.iter().any(|at| infos[*at].name == *name))
    };
    let unique = within(&mut primary.iter().map(|at| infos[*at].name.as_str()))
        || uniques.iter().any(|unique| {
            unique.condition.is_none() && within(&mut unique.columns.iter().map(|part| part.name.as_str()))
        });
    if !unique {
        let what = format!("several rows of `{table}` may have the same {}", names.join(", "));
        let help = format!(
            "an item's key is its own: CREATE UNIQUE INDEX … ON {}({}), or choose other columns",
            sql::identifier(table),
            names
                .iter()
                .map(|name| sql::identifier(name))
                .collect::<Vec<_>>()
                .join(", ")
        );
        return Err(FeedError::new(Trouble::Unsupported, what, help));
    }
    Ok(key)
}
