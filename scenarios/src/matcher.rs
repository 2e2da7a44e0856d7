//! Matchers: an expected value of a file against an actual JSON value.
//!
//! Scalars are equal, maps are subsets, lists are exact; a map with one `$word` key is a matcher. Owns the
//! words and the paths of differences. Deliberately absent: what the values mean.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex_lite::Regex;
use serde_json::{Map, Value as Json};

use crate::decode::nearest;
use crate::diagnostic::Diagnostic;
use crate::node::{Node, Span, Value};

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Where in the actual value: `$.Records[0].eventName`.
    pub path: String,
    /// What was expected, in one line.
    pub expected: String,
    /// What was there, in one line.
    pub actual: String,
    /// Where the expectation stands.
    pub span: Span,
}

/// The matchers there are.
pub const WORDS: &[&str] = &[
    "$absent",
    "$any",
    "$any_order",
    "$attr",
    "$b64",
    "$contains",
    "$exact",
    "$gt",
    "$gte",
    "$json",
    "$len",
    "$lt",
    "$lte",
    "$not",
    "$or",
    "$re",
    "$type",
];

const LONGEST: usize = 120;

/// Compares; all differences come back.
///
/// # Errors
/// At least one difference.
pub fn matches(expected: &Node, actual: &Json) -> Result<(), Vec<Mismatch>> {
    let mut found = Vec::new();
    compare(expected, Some(actual), "$", &mut found);
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Like [`matches()`] where the actual value may be missing altogether.
///
/// # Errors
/// At least one difference.
pub fn matches_option(expected: &Node, actual: Option<&Json>) -> Result<(), Vec<Mismatch>> {
    let mut found = Vec::new();
    compare(expected, actual, "$", &mut found);
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Mistakes in matchers that can be seen without an actual value.
pub fn check(expected: &Node) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    walk(expected, &mut problems);
    problems
}

fn walk(node: &Node, out: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, out)),
        Value::Map(entries) => {
            for (key, value) in entries {
                if key.value.starts_with('$') {
                    check_word(&key.value, key.span, value, entries.len(), out);
                }
                if key.value != "$exact" {
                    walk(value, out);
                }
            }
        }
        _ => {}
    }
}

fn check_word(word: &str, span: Span, value: &Node, beside: usize, out: &mut Vec<Diagnostic>) {
    let mut problem = |what: String, at: Span, help: Option<String>| {
        let problem = Diagnostic::new("E103", what).at(at, "");
        out.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    };
    if ["$gzip64", "$mime"].contains(&word) {
        return problem(format!("`{word}` is not supported yet"), span, None);
    }
    if !WORDS.contains(&word) {
        let help = match nearest(word, WORDS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the matchers are {}", WORDS.join(", ")),
        };
        return problem(format!("there is no matcher `{word}`"), span, Some(help));
    }
    let range = ["$gt", "$gte", "$lt", "$lte"];
    if beside > 1 && !range.contains(&word) {
        return problem(format!("`{word}` stands alone in its map"), span, None);
    }
    let fits = match word {
        "$re" => match value.as_str().map(Regex::new) {
            Some(Ok(_)) => true,
            Some(Err(error)) => return problem(format!("bad regular expression: {error}"), value.span, None),
            None => false,
        },
        "$any" | "$absent" => value.value == Value::Bool(true),
        "$type" => value.as_str().is_some_and(|t| TYPES.contains(&t)),
        "$or" | "$any_order" => matches!(&value.value, Value::List(items) if !items.is_empty()),
        word if range.contains(&word) => matches!(value.value, Value::Number(_) | Value::String(_)),
        _ => true,
    };
    if !fits {
        let wants = match word {
            "$re" => "a text",
            "$any" | "$absent" => "`true`",
            "$type" => "one of string, number, boolean, list, map, null",
            "$or" | "$any_order" => "a list that is not empty",
            _ => "a number or a text",
        };
        problem(format!("`{word}` takes {wants}"), value.span, None);
    }
}

const TYPES: &[&str] = &["string", "number", "boolean", "list", "map", "null"];

fn compare(expected: &Node, actual: Option<&Json>, path: &str, out: &mut Vec<Mismatch>) {
    let mut differ = || out.push(mismatch(expected, actual, path));
    if let Value::Map(entries) = &expected.value
        && entries
            .first()
            .is_some_and(|(key, _)| WORDS.contains(&key.value.as_str()))
    {
        for (key, value) in entries {
            word(&key.value, value, expected, actual, path, out);
        }
        return;
    }
    let Some(actual_value) = actual else {
        return differ();
    };
    match (&expected.value, actual_value) {
        (Value::Null, Json::Null) => {}
        (Value::Bool(a), Json::Bool(b)) if a == b => {}
        (Value::String(a), Json::String(b)) if a == b => {}
        (Value::Number(a), Json::Number(b)) if same_number(a, b) => {}
        (Value::List(items), Json::Array(values)) => {
            if items.len() != values.len() {
                return differ();
            }
            for (i, (item, value)) in items.iter().zip(values).enumerate() {
                compare(item, Some(value), &format!("{path}[{i}]"), out);
            }
        }
        (Value::Map(entries), Json::Object(values)) => {
            for (key, value) in entries {
                compare(
                    value,
                    values.get(&key.value),
                    &format!("{path}.{}", key.value),
                    out,
                );
            }
        }
        _ => differ(),
    }
}

fn word(word: &str, value: &Node, whole: &Node, actual: Option<&Json>, path: &str, out: &mut Vec<Mismatch>) {
    let as_text = |json: &Json| json.as_str().map(str::to_owned);
    let fits = match (word, actual) {
        ("$absent", actual) => actual.is_none(),
        ("$not", actual) => matches_option(value, actual).is_err(),
        ("$or", actual) => match &value.value {
            Value::List(options) => options
                .iter()
                .any(|option| matches_option(option, actual).is_ok()),
            _ => false,
        },
        (_, None) => false,
        ("$any", Some(_)) => true,
        ("$exact", Some(actual)) => value.to_json() == *actual,
        ("$type", Some(actual)) => value.as_str() == Some(type_of(actual)),
        ("$re", Some(actual)) => {
            let regex = value.as_str().and_then(|pattern| Regex::new(pattern).ok());
            let text = as_text(actual).unwrap_or_else(|| actual.to_string());
            regex.is_some_and(|regex| regex.is_match(&text))
        }
        ("$contains", Some(actual)) => match (actual, value.as_str()) {
            (Json::String(text), Some(part)) => text.contains(part),
            (Json::Array(items), _) => items.iter().any(|item| matches(value, item).is_ok()),
            _ => false,
        },
        ("$gt", Some(actual)) => ordered(actual, value).is_some_and(|o| o.is_gt()),
        ("$gte", Some(actual)) => ordered(actual, value).is_some_and(|o| o.is_ge()),
        ("$lt", Some(actual)) => ordered(actual, value).is_some_and(|o| o.is_lt()),
        ("$lte", Some(actual)) => ordered(actual, value).is_some_and(|o| o.is_le()),
        ("$len", Some(actual)) => length(actual).is_some_and(|n| matches(value, &Json::from(n)).is_ok()),
        ("$any_order", Some(actual)) => any_order(value, actual),
        (decoder @ ("$json" | "$b64" | "$attr"), Some(actual)) => match decoded(decoder, actual) {
            Some(inner) => return compare(value, Some(&inner), &format!("{path}.{decoder}"), out),
            None => false,
        },
        _ => false,
    };
    if !fits {
        out.push(mismatch(whole, actual, path));
    }
}

fn decoded(word: &str, actual: &Json) -> Option<Json> {
    match word {
        "$json" => serde_json::from_str(actual.as_str()?).ok(),
        "$b64" => {
            let bytes = STANDARD.decode(actual.as_str()?).ok()?;
            Some(Json::String(String::from_utf8_lossy(&bytes).into_owned()))
        }
        _ => attributes(actual),
    }
}

/// DynamoDB's typed values as plain JSON: `{"S":"a"}` is `"a"`.
fn attributes(json: &Json) -> Option<Json> {
    let map = json.as_object()?;
    let plain: Option<Map<String, Json>> = map
        .iter()
        .map(|(key, typed)| Some((key.clone(), attribute(typed)?)))
        .collect();
    plain.map(Json::Object)
}

fn attribute(typed: &Json) -> Option<Json> {
    let (kind, value) = typed.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "N" => serde_json::from_str(value.as_str()?).ok()?,
        "NULL" => Json::Null,
        "M" => attributes(value)?,
        "L" => Json::Array(value.as_array()?.iter().map(attribute).collect::<Option<_>>()?),
        _ => value.clone(),
    })
}

fn any_order(expected: &Node, actual: &Json) -> bool {
    let (Value::List(expected), Json::Array(actual)) = (&expected.value, actual) else {
        return false;
    };
    let mut left: Vec<&Json> = actual.iter().collect();
    expected.len() == left.len()
        && expected.iter().all(|node| {
            let found = left.iter().position(|json| matches(node, json).is_ok());
            found.map(|i| left.swap_remove(i)).is_some()
        })
}

fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(x), Some(y)) if x == y && !(a.is_u64() && b.is_u64()))
}

fn ordered(actual: &Json, expected: &Node) -> Option<std::cmp::Ordering> {
    match (actual, &expected.value) {
        (Json::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Json::String(a), Value::String(b)) => Some(a.as_str().cmp(b)),
        _ => None,
    }
}

fn length(json: &Json) -> Option<usize> {
    match json {
        Json::String(text) => Some(text.chars().count()),
        Json::Array(items) => Some(items.len()),
        Json::Object(map) => Some(map.len()),
        _ => None,
    }
}

fn type_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "list",
        Json::Object(_) => "map",
    }
}

fn mismatch(expected: &Node, actual: Option<&Json>, path: &str) -> Mismatch {
    Mismatch {
        path: path.to_owned(),
        expected: shorten(&expected.to_json().to_string()),
        actual: actual.map_or_else(|| "nothing".to_owned(), |json| shorten(&json.to_string())),
        span: expected.span,
    }
}

/// One line, cut where it gets long.
pub fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn node(text: &str) -> Node {
        crate::yaml::parse(0, text).unwrap()
    }

    fn fits(expected: &str, actual: &str) -> bool {
        let json: Json = serde_json::from_str(actual).unwrap();
        let found = matches(
            &node(&format!("v: {expected}")),
            &serde_json::json!({ "v": json, "more": 1 }),
        );
        found.is_ok()
    }

    #[test]
    fn every_matcher_takes_and_refuses() {
        for (expected, yes, no) in [
            ("a", r#""a""#, r#""b""#),
            ("1", "1.0", "2"),
            ("{ a: 1 }", r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            ("[1, 2]", "[1,2]", "[1,2,3]"),
            ("{ $exact: { a: 1 } }", r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            ("{ $any: true }", "null", "null"),
            ("{ $type: list }", "[]", "{}"),
            ("{ $re: '^a+$' }", r#""aaa""#, r#""aab""#),
            ("{ $contains: b }", r#""abc""#, r#""ac""#),
            (
                "{ $contains: { id: 2 } }",
                r#"[{"id":1},{"id":2}]"#,
                r#"[{"id":1}]"#,
            ),
            ("{ $gt: 1, $lt: 3 }", "2", "3"),
            ("{ $gte: 1, $lte: 3 }", "3", "4"),
            ("{ $len: 2 }", "[0,0]", "[0]"),
            ("{ $len: { $gt: 2 } }", r#""abc""#, r#""ab""#),
            ("{ $any_order: [1, 2] }", "[2,1]", "[1,1]"),
            ("{ $not: 1 }", "2", "1"),
            ("{ $or: [1, { $gt: 5 }] }", "6", "2"),
            ("{ $json: { a: 1 } }", r#""{\"a\":1}""#, r#""no""#),
            ("{ $b64: hi }", r#""aGk=""#, r#""aGo=""#),
            (
                "{ $attr: { n: 1, s: x } }",
                r#"{"n":{"N":"1"},"s":{"S":"x"}}"#,
                r#"{"n":{"N":"2"},"s":{"S":"x"}}"#,
            ),
        ] {
            assert!(fits(expected, yes), "{expected} takes {yes}");
            assert!(
                expected.contains("$any:") || !fits(expected, no),
                "{expected} refuses {no}"
            );
        }
        assert!(matches(&node("a: { $absent: true }"), &serde_json::json!({})).is_ok());
        assert!(matches(&node("a: { $absent: true }"), &serde_json::json!({ "a": null })).is_err());
        assert!(matches(&node("a: { $any: true }"), &serde_json::json!({})).is_err());
    }

    #[test]
    fn a_difference_names_its_path_and_both_values() {
        let found = matches(&node("a: [{ b: 1 }]"), &serde_json::json!({ "a": [{ "b": 2 }] })).unwrap_err();
        assert_eq!(
            (
                found[0].path.as_str(),
                found[0].expected.as_str(),
                found[0].actual.as_str()
            ),
            ("$.a[0].b", "1", "2")
        );
    }

    #[test]
    fn mistakes_are_found_without_a_value() {
        for (text, what) in [
            ("a: { $contain: x }", "no matcher `$contain`"),
            ("a: { $re: '(' }", "bad regular expression"),
            ("a: { $type: strng }", "`$type` takes"),
            ("a: { $or: [] }", "`$or` takes"),
            ("a: { $gzip64: {} }", "not supported yet"),
            ("a: { $re: x, b: 1 }", "stands alone"),
        ] {
            let found = check(&node(text));
            assert!(found.iter().any(|d| d.what.contains(what)), "{text}: {found:?}");
        }
    }
}
