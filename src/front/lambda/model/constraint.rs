//! The constraints of shapes, and how AWS tells of broken ones (spec/errors §2).
//!
//! Owns the clauses and their wording. All that are broken are told at once. Deliberately absent: semantic checks.

use std::collections::BTreeSet;

use scenarios::api::error::ApiError;
use serde_json::{Map, Value, json};

use super::{Kind, Model, Shape, serialization};

/// Where AWS prints an enumeration in another order than its model has it (spec/errors §2).
const PRINTED: &[&[&str]] = &[
    &["Terminate", "Allow"],
    &["PublishedVersions", "None"],
    &["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"],
    &["RESPONSE_STREAM", "BUFFERED"],
    &["x86_64", "arm64"],
];

/// Checks the members of an input.
///
/// # Errors
/// A `ValidationException` with one clause for each broken constraint, or a `SerializationException` for a value of
/// another type.
pub fn check(model: &Model, shape: &Shape, input: &Map<String, Value>) -> Result<(), ApiError> {
    let mut clauses = Vec::new();
    structure(model, shape, input, "", &mut clauses)?;
    let errors = match clauses.len() {
        0 => return Ok(()),
        1 => "1 validation error".to_owned(),
        n => format!("{n} validation errors"),
    };
    let message = format!("{errors} detected: {}", clauses.join("; "));
    let body = json!({ "message": message }).to_string();
    Err(ApiError {
        status: 400,
        code: "ValidationException",
        body,
    })
}

type Checked = Result<(), ApiError>;

fn structure(
    model: &Model,
    shape: &Shape,
    given: &Map<String, Value>,
    path: &str,
    out: &mut Vec<String>,
) -> Checked {
    for name in &shape.required {
        if given.get(name).is_none_or(Value::is_null) {
            let at = below(path, name);
            out.push(format!(
                "Value null at '{at}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }
    for (name, member) in &shape.members {
        let inner = model.shapes.get(&member.shape);
        // Which runtimes may be used is told in other words, and by code that knows more than the model (spec/errors §6).
        let inner = inner.filter(|_| member.shape != "Runtime");
        if let (Some(value), Some(inner)) = (given.get(name).filter(|v| !v.is_null()), inner) {
            value_of(model, inner, value, &below(path, name), out)?;
        }
    }
    Ok(())
}

fn value_of(model: &Model, shape: &Shape, value: &Value, path: &str, out: &mut Vec<String>) -> Checked {
    let mut tell = |rule: String| {
        out.push(format!(
            "Value '{}' at '{path}' failed to satisfy constraint: {rule}",
            text(value)
        ))
    };
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(members)) => structure(model, shape, members, path, out)?,
        (Kind::List, Value::Array(items)) => {
            length(shape, items.len()).into_iter().for_each(&mut tell);
            let Some(inner) = shape.member.as_ref().and_then(|name| model.shapes.get(name)) else {
                return Ok(());
            };
            if inner.kind == Kind::Structure {
                return items
                    .iter()
                    .try_for_each(|item| value_of(model, inner, item, path, out));
            }
            if broken(inner, items.iter(), path)? {
                tell(format!("Member must satisfy constraint: [{}]", rules(inner)));
            }
        }
        (Kind::Map, Value::Object(entries)) => {
            length(shape, entries.len()).into_iter().for_each(&mut tell);
            let part = |name: &Option<String>| name.as_ref().and_then(|name| model.shapes.get(name));
            let keys: Vec<Value> = entries.keys().map(|key| Value::from(key.as_str())).collect();
            if let Some(inner) = part(&shape.key)
                && broken(inner, keys.iter(), path)?
            {
                tell(format!("Map keys must satisfy constraint: [{}]", rules(inner)));
            }
            let Some(inner) = part(&shape.value) else {
                return Ok(());
            };
            if matches!(inner.kind, Kind::List | Kind::Structure) {
                let mut values = entries.values();
                return values.try_for_each(|value| value_of(model, inner, value, path, out));
            }
            if broken(inner, entries.values(), path)? {
                tell(format!("Map value must satisfy constraint: [{}]", rules(inner)));
            }
        }
        _ => single(shape, value, path)?.into_iter().for_each(tell),
    }
    Ok(())
}

/// Whether one of several values breaks its shape.
fn broken<'a>(shape: &Shape, values: impl Iterator<Item = &'a Value>, path: &str) -> Result<bool, ApiError> {
    for value in values {
        if value.is_null() || !single(shape, value, path)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The constraints that one value breaks.
pub(super) fn single(shape: &Shape, value: &Value, path: &str) -> Result<Vec<String>, ApiError> {
    let mut rules = Vec::new();
    match (shape.kind, value) {
        (Kind::String, Value::String(text)) => {
            rules.extend(length(shape, text.chars().count()));
            if !shape.fits(text) {
                rules.extend(pattern(shape));
            }
            if !shape.choices.is_empty() && !shape.choices.contains(text) {
                rules.push(choices(shape));
            }
        }
        (Kind::Integer | Kind::Long | Kind::Double, Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::MAX);
            if shape.kind != Kind::Double && number.fract() != 0.0 {
                return Err(wrong_type(value, path));
            }
            rules.extend(
                shape
                    .max
                    .filter(|max| number > *max)
                    .map(|max| most("value", max)),
            );
            rules.extend(
                shape
                    .min
                    .filter(|min| number < *min)
                    .map(|min| least("value", min)),
            );
        }
        (Kind::Boolean, Value::Bool(_)) | (Kind::Blob, Value::String(_)) => {}
        (Kind::Timestamp, Value::Number(_) | Value::String(_)) => {}
        _ => return Err(wrong_type(value, path)),
    }
    Ok(rules)
}

fn wrong_type(value: &Value, path: &str) -> ApiError {
    let word = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(_) => "TRUE_VALUE or FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_LIST",
        Value::Object(_) => "START_OBJECT",
    };
    serialization(&format!(
        "{word} at '{path}' can not be converted to the member's type"
    ))
}

fn length(shape: &Shape, length: usize) -> Vec<String> {
    #[expect(clippy::cast_precision_loss, reason = "a length in memory is far below 2^52")]
    let length = length as f64;
    let over = shape
        .max
        .filter(|max| length > *max)
        .map(|max| most("length", max));
    let under = shape
        .min
        .filter(|min| length < *min)
        .map(|min| least("length", min));
    over.into_iter().chain(under).collect()
}

fn most(what: &str, limit: f64) -> String {
    format!("Member must have {what} less than or equal to {limit}")
}

fn least(what: &str, limit: f64) -> String {
    format!("Member must have {what} greater than or equal to {limit}")
}

fn pattern(shape: &Shape) -> Option<String> {
    Some(format!(
        "Member must satisfy regular expression pattern: {}",
        shape.pattern.as_ref()?
    ))
}

fn choices(shape: &Shape) -> String {
    let ours: BTreeSet<&str> = shape.choices.iter().map(String::as_str).collect();
    let printed = PRINTED
        .iter()
        .find(|printed| printed.iter().copied().collect::<BTreeSet<_>>() == ours);
    let words = match printed {
        Some(printed) => printed.join(", "),
        None => shape.choices.join(", "),
    };
    format!("Member must satisfy enum value set: [{words}]")
}

/// All constraints of an element, as they are listed where one breaks any of them.
fn rules(shape: &Shape) -> String {
    let of = if shape.kind == Kind::String {
        "length"
    } else {
        "value"
    };
    let mut rules: Vec<String> = shape.max.map(|max| most(of, max)).into_iter().collect();
    rules.extend(shape.min.map(|min| least(of, min)));
    rules.extend(pattern(shape));
    if !shape.choices.is_empty() {
        rules.push(choices(shape));
    }
    rules.push("Member must not be null".to_owned());
    rules.join(", ")
}

impl Shape {
    /// Whether a text as a whole has the shape's pattern.
    fn fits(&self, text: &str) -> bool {
        // A pattern that takes too long to decide does not fit.
        self.pattern.is_none()
            || self
                .regex()
                .is_some_and(|regex| regex.is_match(text).unwrap_or(false))
    }

    pub(super) fn regex(&self) -> Option<&fancy_regex::Regex> {
        let compile = || {
            let pattern = self.pattern.as_ref()?;
            fancy_regex::Regex::new(&format!("^(?:{pattern})$")).ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// A value as Java prints it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key}={}", text(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A member's place: names with their first letter small, joined by dots.
fn below(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let small: String = letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect();
    match path {
        "" => small,
        path => format!("{path}.{small}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::MODEL;
    use super::*;

    /// The message for an input, or "".
    fn message(operation: &str, input: Value) -> String {
        let name = MODEL
            .operation(operation)
            .and_then(|o| o.input.clone())
            .unwrap_or_default();
        let (Some(shape), Value::Object(input)) = (MODEL.shapes.get(&name), input) else {
            return "no such operation".to_owned();
        };
        check(&MODEL, shape, &input)
            .err()
            .map_or_else(String::new, |error| error.body)
    }

    #[test]
    fn all_that_is_broken_is_told_at_once() {
        let told = message(
            "CreateFunction",
            json!({ "FunctionName": "f", "Role": "r1", "MemorySize": 1 }),
        );
        assert!(told.contains("3 validation errors detected: "), "{told}");
        assert!(
            told.contains("Value null at 'code' failed to satisfy constraint: Member must not be null"),
            "{told}"
        );
        let role = r"Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
        assert!(told.contains(role), "{told}");
        assert!(told.contains("Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"), "{told}");
    }

    #[test]
    fn elements_and_entries_are_told_with_the_whole_value() {
        let base = json!({ "FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {} });
        let with = |key: &str, value: Value| {
            let mut all = base.clone();
            all[key] = value;
            message("CreateFunction", all)
        };
        assert_eq!(with("Timeout", json!(3)), "");
        let told = with("Architectures", json!(["X86_64"]));
        assert!(told.contains("1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"), "{told}");
        let told = with("Environment", json!({ "Variables": { "1": "x" } }));
        assert!(told.contains("Value '{1=x}' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]"), "{told}");
        assert!(with("Timeout", json!("3")).contains("STRING_VALUE"));
    }

    #[test]
    fn a_name_is_one_as_a_whole() {
        let told = message("GetFunction", json!({ "FunctionName": "*" }));
        assert!(told.contains("Value '*' at 'functionName'"), "{told}");
        assert_eq!(message("GetFunction", json!({ "FunctionName": "f:$LATEST" })), "");
        assert!(!message("GetFunction", json!({ "FunctionName": "f:$latest" })).is_empty());
    }
}
