//! Matchers: an expected value of a file against an actual JSON value.
//!
//! Scalars are equal, maps are subsets, lists are exact; a map with one `$word` key is a matcher. Owns the
//! words and the paths of differences. Deliberately absent: what the values mean.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex_lite::Regex;
use serde_json::{Map, Value as Json};

use crate::node::{Node, Span, Value};

mod check;
pub mod unordered;

pub use check::{check, check_count};

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
        ("$exact", Some(actual)) => same(&value.to_json(), actual),
        ("$type", Some(actual)) => value.as_str() == Some(type_of(actual)),
        ("$re", Some(actual)) => {
            let regex = value.as_str().and_then(|pattern| Regex::new(pattern).ok());
            let text = match actual {
                Json::String(text) => Some(text.clone()),
                Json::Number(_) | Json::Bool(_) => Some(actual.to_string()),
                _ => None,
            };
            text.is_some_and(|text| regex.is_some_and(|regex| regex.is_match(&text)))
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
        ("$any_order", Some(actual)) => unordered::fits(value, actual),
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

/// Equal, with `1` and `1.0` the same number.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => same_number(a, b),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
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
            ("{ $exact: { a: [1.0] } }", r#"{"a":[1]}"#, r#"{"a":[1.5]}"#),
            ("{ $re: '^2' }", "200", r#"{"a":"2"}"#),
            ("{ $any_order: [{ $gt: 0 }, 1] }", "[1,2]", "[2,3]"),
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
}
