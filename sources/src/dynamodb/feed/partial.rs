//! The condition of a partial index, from the text of its CREATE INDEX.
//!
//! A scanner, not a parser: it knows strings, quoted names, comments and parentheses, and finds what follows the list of
//! columns. SQLite has accepted the text before, so nothing else needs checking.

/// What follows WHERE, or `None` if the index is not partial.
pub fn condition(sql: &str) -> Option<&str> {
    let mut rest = after_list(sql)?;
    loop {
        rest = rest.trim_start();
        let length = skip(rest);
        match rest.as_bytes() {
            [b'-', b'-', ..] | [b'/', b'*', ..] => rest = rest.get(length..)?,
            _ => break,
        }
    }
    let word = rest.get(..5)?;
    word.eq_ignore_ascii_case("where").then(|| &rest[5..])
}

/// What follows the first parentheses that close.
fn after_list(sql: &str) -> Option<&str> {
    let (mut depth, mut at) = (0u32, 0);
    while at < sql.len() {
        match sql.as_bytes()[at] {
            b'(' => depth += 1,
            b')' if depth == 1 => return sql.get(at + 1..),
            b')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += skip(sql.get(at..)?);
    }
    None
}

/// Bytes of the string, quoted name, comment or character that `text` begins with.
fn skip(text: &str) -> usize {
    let until = |from: usize, end: &str| {
        text.get(from..)
            .and_then(|rest| rest.find(end))
            .map(|at| from + at + end.len())
    };
    let end = match text.as_bytes() {
        [b'-', b'-', ..] => until(2, "\n"),
        [b'/', b'*', ..] => until(2, "*/"),
        [b'[', ..] => until(1, "]"),
        // A doubled quote ends one string and begins another, which comes to the same.
        [b'\'', ..] => until(1, "'"),
        [b'"', ..] => until(1, "\""),
        [b'`', ..] => until(1, "`"),
        _ => text.chars().next().map(char::len_utf8),
    };
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_condition_behind_the_columns() {
        for (sql, expected) in [
            ("CREATE UNIQUE INDEX i ON t(a)", None),
            ("CREATE UNIQUE INDEX i ON t(a) WHERE b > 0", Some(" b > 0")),
            ("CREATE UNIQUE INDEX i ON t (a, (b)) where(b)", Some("(b)")),
            (
                "CREATE UNIQUE INDEX \"x(y)\" ON [t)](a) -- where 1\nWHERE c = ')'",
                Some(" c = ')'"),
            ),
            (
                "CREATE UNIQUE INDEX i ON t('it''s)'/*)*/) /* where */ WHERE é",
                Some(" é"),
            ),
            ("CREATE UNIQUE INDEX i ON t(a", None),
            ("", None),
            ("(a) -- é", None),
        ] {
            assert_eq!(condition(sql), expected, "{sql}");
        }
    }
}
