//! Whether a filter pattern is one (spec/event-source-mapping §2.1).
//!
//! Owns the form of patterns: what AWS refuses at once with `Invalid filter pattern definition.`, without telling why.
//! Deliberately absent: whether a record matches.

use serde_json::{Map, Value};

/// Whether a text is a pattern: a JSON object whose keys hold objects, or lists of alternatives that are not empty.
pub fn is_pattern(text: &str) -> bool {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => is_object(&members),
        _ => false,
    }
}

fn is_object(members: &Map<String, Value>) -> bool {
    !members.is_empty() && members.iter().all(|(key, value)| is_member(key, value))
}

fn is_member(key: &str, value: &Value) -> bool {
    match value {
        Value::Array(alternatives) if key == "$or" && alternatives.iter().all(Value::is_object) => {
            let patterns = alternatives.iter().filter_map(Value::as_object);
            alternatives.len() >= 2 && patterns.into_iter().all(is_object)
        }
        Value::Array(alternatives) => !alternatives.is_empty() && alternatives.iter().all(is_alternative),
        Value::Object(members) => is_object(members),
        _ => false,
    }
}

/// One alternative of a leaf: a value to be equal to, or one operator with its operand.
fn is_alternative(value: &Value) -> bool {
    match value {
        Value::Array(_) => false,
        Value::Object(members) => {
            let mut operators = members.iter();
            match (operators.next(), operators.next()) {
                (Some((operator, operand)), None) => is_operator(operator, operand),
                _ => false,
            }
        }
        _ => true,
    }
}

fn is_operator(operator: &str, operand: &Value) -> bool {
    match operator {
        "prefix" | "suffix" => operand.is_string() || ignoring_case(operand),
        "equals-ignore-case" | "cidr" => operand.is_string(),
        "wildcard" => operand.as_str().is_some_and(is_wildcard),
        "numeric" => operand.as_array().is_some_and(|parts| is_range(parts)),
        "exists" => operand.is_boolean(),
        "anything-but" => is_exclusion(operand),
        _ => false,
    }
}

fn ignoring_case(operand: &Value) -> bool {
    let members = operand.as_object().filter(|members| members.len() == 1);
    members.is_some_and(|members| members.get("equals-ignore-case").is_some_and(Value::is_string))
}

/// A wildcard: no two `*` side by side, and `\` only before `*` and `\`.
fn is_wildcard(text: &str) -> bool {
    let (mut chars, mut star) = (text.chars(), false);
    while let Some(char) = chars.next() {
        match char {
            '*' if star => return false,
            '\\' if !matches!(chars.next(), Some('*' | '\\')) => return false,
            _ => star = char == '*',
        }
    }
    true
}

/// The largest number that a range may name (spec/event-source-mapping §2.1).
const LARGEST: f64 = 5e9;

/// A range: `=` and a number, one bound, or a lower bound and an upper one.
fn is_range(parts: &[Value]) -> bool {
    let pair = |at: usize| match (&parts[at], &parts[at + 1]) {
        (Value::String(operator), Value::Number(number)) => {
            let number = number.as_f64().filter(|number| number.abs() <= LARGEST);
            number.map(|number| (operator.as_str(), number))
        }
        _ => None,
    };
    match parts.len() {
        2 => matches!(pair(0), Some(("=" | "<" | "<=" | ">" | ">=", _))),
        4 => match (pair(0), pair(2)) {
            (Some((">" | ">=", lower)), Some(("<" | "<=", upper))) => lower < upper,
            _ => false,
        },
        _ => false,
    }
}

/// What `anything-but` excludes: a value, a list of values of one type, or what an operator on texts matches.
fn is_exclusion(operand: &Value) -> bool {
    match operand {
        Value::String(_) | Value::Number(_) => true,
        Value::Array(items) => {
            !items.is_empty() && (items.iter().all(Value::is_string) || items.iter().all(Value::is_number))
        }
        Value::Object(members) if members.len() == 1 => members
            .iter()
            .all(|(operator, operand)| is_excluded_text(operator, operand)),
        _ => false,
    }
}

fn is_excluded_text(operator: &str, operand: &Value) -> bool {
    let fits = |item: &Value| match (operator, item.as_str()) {
        ("prefix" | "suffix", Some(text)) => !text.is_empty(),
        ("equals-ignore-case", Some(_)) => true,
        ("wildcard", Some(text)) => is_wildcard(text),
        _ => false,
    };
    match operand {
        Value::Array(items) => !items.is_empty() && items.iter().all(fits),
        item => fits(item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_language_is_a_pattern() {
        for pattern in [
            r#"{"body":{"n":[{"numeric":[">",100]}]}}"#,
            r#"{"body":{"n":[{"numeric":[">=",100,"<",200]}]}}"#,
            r#"{"n":[{"numeric":["=",-5e9]}]}"#,
            r#"{"a":["text","",1,true,null]}"#,
            r#"{"a":[{"prefix":""}],"b":[{"suffix":".png"}]}"#,
            r#"{"a":[{"prefix":{"equals-ignore-case":"x"}}]}"#,
            r#"{"a":[{"equals-ignore-case":"x"},{"exists":false}]}"#,
            r#"{"a":[{"wildcard":"a*b*\\*\\\\"}]}"#,
            r#"{"a":[{"anything-but":"x"}],"b":[{"anything-but":[1,2]}]}"#,
            r#"{"a":[{"anything-but":{"prefix":["x","y"]}}]}"#,
            r#"{"a":[{"cidr":"10.0.0.0/24"}]}"#,
            r#"{"$or":[{"a":["x"]},{"b":["y"]}],"c":["z"]}"#,
            r#"{"dynamodb":{"NewImage":{"k":{"S":["v"]}}}}"#,
        ] {
            assert!(is_pattern(pattern), "{pattern}");
        }
    }

    #[test]
    fn another_form_is_none() {
        for pattern in [
            "",
            "null",
            r#""simple string""#,
            "[]",
            "{}",
            "{",
            r#"{"eventSource":"aws:sqs"}"#,
            r#"{"eventSource":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":1}"#,
            r#"{"a":[["x"]]}"#,
            r#"{"a":[{}]}"#,
            r#"{"a":[{"Prefix":"x"}]}"#,
            r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
            r#"{"a":[{"prefix":1}]}"#,
            r#"{"a":[{"numeric":["<"]}]}"#,
            r#"{"a":[{"numeric":["<","1"]}]}"#,
            r#"{"a":[{"numeric":["<",1,">",0]}]}"#,
            r#"{"a":[{"numeric":[">",2,"<",1]}]}"#,
            r#"{"a":[{"numeric":["=",5000000001]}]}"#,
            r#"{"a":[{"exists":"yes"}]}"#,
            r#"{"a":[{"wildcard":"a**"}]}"#,
            r#"{"a":[{"wildcard":"a\\b"}]}"#,
            r#"{"a":[{"anything-but":[]}]}"#,
            r#"{"a":[{"anything-but":[1,"x"]}]}"#,
            r#"{"a":[{"anything-but":{"prefix":""}}]}"#,
            r#"{"a":[{"anything-but":{"prefix":{"equals-ignore-case":"x"}}}]}"#,
            r#"{"$or":[{"a":["x"]}]}"#,
            r#"{"$or":[{"a":["x"]},{"b":"y"}]}"#,
        ] {
            assert!(!is_pattern(pattern), "{pattern}");
        }
    }
}
