//! Mistakes in matchers that can be seen without an actual value.

use regex_lite::Regex;

use super::WORDS;
use crate::decode::nearest;
use crate::diagnostic::Diagnostic;
use crate::file::later::not_yet;
use crate::node::{Node, Span, Value};

const RANGE: &[&str] = &["$gt", "$gte", "$lt", "$lte"];
const TYPES: &[&str] = &["string", "number", "boolean", "list", "map", "null"];

/// Every mistake in the matchers of a tree.
pub fn check(expected: &Node) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    walk(expected, &mut problems);
    problems
}

/// Mistakes in what a count is compared with: a whole number or a matcher.
pub fn check_count(expected: &Node, key: &str) -> Vec<Diagnostic> {
    let fits = match &expected.value {
        Value::Number(n) => n.as_u64().is_some(),
        Value::Map(entries) => entries.first().is_some_and(|(key, _)| key.value.starts_with('$')),
        _ => false,
    };
    if fits {
        return check(expected);
    }
    let what = format!("`{key}` takes a whole number from 0 up, or a matcher");
    vec![
        Diagnostic::new("E103", what)
            .at(expected.span, "")
            .help(format!("write `{key}: 2` or `{key}: {{ $gte: 1 }}`")),
    ]
}

fn walk(node: &Node, out: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, out)),
        Value::Map(entries) => {
            alone(entries, out);
            for (key, value) in entries {
                if key.value.starts_with('$') {
                    check_word(&key.value, key.span, value, out);
                }
                if key.value != "$exact" && key.value != "$len" {
                    walk(value, out);
                }
            }
        }
        _ => {}
    }
}

/// A matcher is the only key of its map; only the ends of a range stand together.
fn alone(entries: &[(crate::node::Located<String>, Node)], out: &mut Vec<Diagnostic>) {
    let ranges = entries.iter().all(|(key, _)| RANGE.contains(&key.value.as_str()));
    if entries.len() < 2 || ranges {
        return;
    }
    let lonely = entries
        .iter()
        .find(|(key, _)| WORDS.contains(&key.value.as_str()) && !RANGE.contains(&key.value.as_str()));
    let word = lonely.or_else(|| {
        entries
            .iter()
            .find(|(key, _)| WORDS.contains(&key.value.as_str()))
    });
    if let Some((word, _)) = word {
        let what = format!("`{}` stands alone in its map", word.value);
        out.push(
            Diagnostic::new("E103", what)
                .at(word.span, "")
                .help("only `$gt`, `$gte`, `$lt` and `$lte` stand together"),
        );
    }
}

fn check_word(word: &str, span: Span, value: &Node, out: &mut Vec<Diagnostic>) {
    if ["$gzip64", "$mime"].contains(&word) {
        return out.push(not_yet(word).at(span, "not supported yet"));
    }
    if !WORDS.contains(&word) {
        let help = match nearest(word, WORDS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the matchers are {}", WORDS.join(", ")),
        };
        let problem = Diagnostic::new("E103", format!("there is no matcher `{word}`"));
        return out.push(problem.at(span, "").help(help));
    }
    let problem = match word {
        "$re" => match value.as_str().map(Regex::new) {
            Some(Ok(_)) => return,
            Some(Err(error)) => format!("bad regular expression: {error}"),
            None => "`$re` takes a text".to_owned(),
        },
        "$len" => return out.extend(check_count(value, word)),
        _ => match wants(word, value) {
            Some(wants) => format!("`{word}` takes {wants}"),
            None => return,
        },
    };
    out.push(Diagnostic::new("E103", problem).at(value.span, ""));
}

/// What a matcher takes, if this value is not that.
fn wants(word: &str, value: &Node) -> Option<&'static str> {
    let matcher =
        matches!(&value.value, Value::Map(entries) if entries.iter().any(|(k, _)| k.value.starts_with('$')));
    let (fits, wants) = match word {
        "$any" | "$absent" => (value.value == Value::Bool(true), "`true`"),
        "$type" => (
            value.as_str().is_some_and(|t| TYPES.contains(&t)),
            "one of string, number, boolean, list, map, null",
        ),
        "$or" | "$any_order" => (
            matches!(&value.value, Value::List(items) if !items.is_empty()),
            "a list that is not empty",
        ),
        "$b64" => (matcher || value.as_str().is_some(), "a text or a matcher for one"),
        "$attr" => (matches!(value.value, Value::Map(_)), "a map"),
        _ if RANGE.contains(&word) => (
            matches!(value.value, Value::Number(_) | Value::String(_)),
            "a number or a text",
        ),
        _ => (true, ""),
    };
    (!fits).then_some(wants)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn mistakes_are_found_without_a_value() {
        for (text, what) in [
            ("a: { $contain: x }", "no matcher `$contain`"),
            ("a: { $re: '(' }", "bad regular expression"),
            ("a: { $type: strng }", "`$type` takes"),
            ("a: { $or: [] }", "`$or` takes"),
            ("a: { $gzip64: {} }", "not supported yet"),
            ("a: { $re: x, b: 1 }", "stands alone"),
            ("a: { $gt: 1, b: 2 }", "`$gt` stands alone"),
            ("a: { b: 2, $gt: 1 }", "`$gt` stands alone"),
            ("a: { $gt: 1, $re: x }", "`$re` stands alone"),
            ("a: { $len: two }", "`$len` takes a whole number"),
            ("a: { $len: -1 }", "`$len` takes a whole number"),
            ("a: { $len: { $gtt: 1 } }", "no matcher `$gtt`"),
            ("a: { $b64: 5 }", "`$b64` takes a text"),
            ("a: { $attr: 5 }", "`$attr` takes a map"),
        ] {
            let found = check(&crate::yaml::parse(0, text).unwrap());
            assert!(found.iter().any(|d| d.what.contains(what)), "{text}: {found:?}");
            assert_eq!(found.len(), 1, "{text}: {found:?}");
        }
        for text in [
            "a: { $gt: 1, $lt: 3 }",
            "a: { $len: { $gte: 2 } }",
            "a: { $exact: { $x: 1, b: 2 } }",
        ] {
            assert_eq!(check(&crate::yaml::parse(0, text).unwrap()), [], "{text}");
        }
    }
}
