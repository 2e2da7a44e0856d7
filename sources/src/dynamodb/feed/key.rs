//! Which columns are a table's key, and which is its rowid.

use super::error::{FeedError, Trouble};
use super::layout::{Column, Layout, VERSION};
use super::shape::{Info, MAX_COLUMNS, MAX_UNIQUES, Shape, Unique};
use super::sql;

/// Puts together what was read of a table.
///
/// # Errors
/// Too many columns or indexes; a key that is none; a rowid that nothing can name.
pub fn assemble(
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
    let mut columns: Vec<Column> = infos.iter().map(|info| column(info, &uniques)).collect();
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

fn column(info: &Info, uniques: &[Unique]) -> Column {
    // Bit 0 is the rowid's.
    let ranks = uniques.iter().enumerate();
    let part_of = ranks.filter(|(_, unique)| unique.columns.iter().any(|part| part.name == info.name));
    let bits = part_of.fold(0, |all, (rank, _)| all | 1 << (rank + 1));
    Column {
        generated: matches!(info.hidden, 2 | 3),
        defaulted: (info.not_null && info.default.is_some()).then_some(bits),
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
