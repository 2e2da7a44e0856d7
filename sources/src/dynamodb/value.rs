//! Cells as attribute values (spec/sources/dynamodb-streams §3, §6).
//!
//! The stored type decides, the declared type only refines. Owns the mapping from SQLite and how a value is spelled in JSON.
//! Deliberately absent: sets, which no cell becomes; [`Value`] has them because items written by DynamoDB's own API do.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::feed::layout::Column;
use super::jsonb;
use super::number::Number;

/// The deepest nesting of lists and maps that DynamoDB takes.
pub const MAX_DEPTH: usize = 32;

/// An item: attributes by name.
pub type Item = BTreeMap<String, Value>;

/// An attribute value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    S(String),
    /// A number.
    N(Number),
    /// Bytes.
    B(Vec<u8>),
    /// True or false.
    Bool(bool),
    /// Nothing, said aloud.
    Null,
    /// Values by name.
    M(Item),
    /// Values in order.
    L(Vec<Value>),
    /// A set of texts.
    SS(Vec<String>),
    /// A set of numbers.
    NS(Vec<Number>),
    /// A set of byte strings.
    BS(Vec<Vec<u8>>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let base64 = |bytes: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
        let mut map = to.serialize_map(Some(1))?;
        match self {
            Value::S(text) => map.serialize_entry("S", text)?,
            Value::N(number) => map.serialize_entry("N", &number.to_string())?,
            Value::B(bytes) => map.serialize_entry("B", &base64(bytes))?,
            Value::Bool(value) => map.serialize_entry("BOOL", value)?,
            Value::Null => map.serialize_entry("NULL", &true)?,
            Value::M(item) => map.serialize_entry("M", item)?,
            Value::L(list) => map.serialize_entry("L", list)?,
            Value::SS(set) => map.serialize_entry("SS", set)?,
            Value::NS(set) => {
                map.serialize_entry("NS", &set.iter().map(Number::to_string).collect::<Vec<_>>())?
            }
            Value::BS(set) => map.serialize_entry("BS", &set.iter().map(base64).collect::<Vec<_>>())?,
        }
        map.end()
    }
}

/// What a column's declared type adds to the stored type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refinement {
    None,
    Bool,
    Json,
    Jsonb,
}

fn refinement(declared: &str) -> Refinement {
    let declared = declared.to_ascii_uppercase();
    match declared.trim() {
        "JSON" => Refinement::Json,
        "JSONB" => Refinement::Jsonb,
        other if other.contains("BOOL") => Refinement::Bool,
        _ => Refinement::None,
    }
}

/// The value of an attribute that is not part of the key.
pub fn of(column: &Column, cell: &Cell) -> Value {
    let refined = refinement(&column.declared);
    match (cell, refined) {
        (Cell::Integer(bit @ (0 | 1)), Refinement::Bool) => Value::Bool(*bit == 1),
        (Cell::Text(bytes), Refinement::Json | Refinement::Jsonb) => {
            let json = std::str::from_utf8(bytes).ok().and_then(from_json);
            json.unwrap_or_else(|| plain(column, cell))
        }
        (Cell::Blob(bytes), Refinement::Jsonb) => jsonb::decode(bytes).unwrap_or_else(|| plain(column, cell)),
        _ => plain(column, cell),
    }
}

/// The value of a key attribute, which is S, N or B whatever is declared; a NULL stays one and is nobody's key.
pub fn of_key(column: &Column, cell: &Cell) -> Value {
    plain(column, cell)
}

/// What the stored type alone says.
fn plain(column: &Column, cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(i) => number_or_text(i.to_string()),
        Cell::Real(r) => Number::from_double(*r).map_or_else(
            || {
                tracing::warn!(column = %column.name, value = %r, "no DynamoDB number holds this, so it becomes S");
                Value::S(format!("{r:e}"))
            },
            Value::N,
        ),
        Cell::Text(bytes) => Value::S(String::from_utf8_lossy(bytes).into_owned()),
        Cell::Blob(bytes) => Value::B(bytes.clone()),
    }
}

/// A number with its digits as written, or its text where DynamoDB cannot hold it.
pub(super) fn number_or_text(text: String) -> Value {
    match Number::parse(&text) {
        Some(number) => Value::N(number),
        None => Value::S(text),
    }
}

/// The value of a JSON text; `None` if it does not parse or nests deeper than DynamoDB allows.
pub fn from_json(text: &str) -> Option<Value> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    from_raw(raw, 0)
}

fn from_raw(raw: &RawValue, depth: usize) -> Option<Value> {
    let text = raw.get();
    let first = *text.as_bytes().first()?;
    if depth >= MAX_DEPTH && matches!(first, b'{' | b'[') {
        return None;
    }
    Some(match first {
        b'{' => {
            let map: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            let entries = map
                .into_iter()
                .map(|(name, raw)| Some((name, from_raw(raw, depth + 1)?)));
            Value::M(entries.collect::<Option<_>>()?)
        }
        b'[' => {
            let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Value::L(
                list.into_iter()
                    .map(|raw| from_raw(raw, depth + 1))
                    .collect::<Option<_>>()?,
            )
        }
        b'"' => Value::S(serde_json::from_str(text).ok()?),
        b't' => Value::Bool(true),
        b'f' => Value::Bool(false),
        b'n' => Value::Null,
        _ => number_or_text(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn column(declared: &str) -> Column {
        Column::named("c", declared)
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.into())
    }

    fn spelled(declared: &str, cell: &Cell) -> Json {
        serde_json::to_value(of(&column(declared), cell)).unwrap_or_default()
    }

    #[test]
    fn the_stored_type_decides_and_the_declared_type_refines() {
        for (declared, cell, expected) in [
            ("", Cell::Null, json!({"NULL": true})),
            ("BOOLEAN", Cell::Integer(1), json!({"BOOL": true})),
            ("bool not null", Cell::Integer(0), json!({"BOOL": false})),
            ("BOOLEAN", Cell::Integer(2), json!({"N": "2"})),
            (
                "INTEGER",
                Cell::Integer(i64::MIN),
                json!({"N": "-9223372036854775808"}),
            ),
            ("REAL", Cell::Real(1.0), json!({"N": "1"})),
            ("REAL", Cell::Real(f64::INFINITY), json!({"S": "inf"})),
            ("REAL", Cell::Real(1e200), json!({"S": "1e200"})),
            ("INTEGER", text("12"), json!({"S": "12"})),
            ("TEXT", text(""), json!({"S": ""})),
            ("TEXT", text("a\0b"), json!({"S": "a\0b"})),
            ("TEXT", Cell::Text(vec![b'a', 0xff]), json!({"S": "a\u{fffd}"})),
            ("BLOB", Cell::Blob(vec![0, 255]), json!({"B": "AP8="})),
            ("JSON", Cell::Blob(vec![0, 255]), json!({"B": "AP8="})),
            ("JSON", text("hello"), json!({"S": "hello"})),
            ("json", text("\"hello\""), json!({"S": "hello"})),
            (
                "JSON",
                text("{\"a\":[1,true,null]}"),
                json!({"M": {"a": {"L": [{"N": "1"}, {"BOOL": true}, {"NULL": true}]}}}),
            ),
            ("TEXT", text("{}"), json!({"S": "{}"})),
            ("JSONB", text("[]"), json!({"L": []})),
        ] {
            assert_eq!(spelled(declared, &cell), expected, "{declared} {cell:?}");
        }
    }

    #[test]
    fn json_keeps_the_digits_of_its_numbers() {
        let long = "0.1234567890123456789012345678901234567";
        assert_eq!(
            spelled("JSON", &text(&format!("[{long}]"))),
            json!({"L": [{"N": long}]})
        );
        assert_eq!(spelled("JSON", &text("[1.50e1]")), json!({"L": [{"N": "15"}]}));
        let longer = "123456789012345678901234567890123456789";
        assert_eq!(
            spelled("JSON", &text(&format!("[{longer}]"))),
            json!({"L": [{"S": longer}]})
        );
    }

    #[test]
    fn json_deeper_than_dynamodb_allows_stays_text() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(spelled("JSON", &text(&nested(32))).get("L").is_some());
        assert!(spelled("JSON", &text(&nested(33))).get("S").is_some());
        assert!(spelled("JSON", &text(&nested(100_000))).get("S").is_some());
    }

    #[test]
    fn a_key_is_never_a_boolean_or_a_map() {
        assert_eq!(
            of_key(&column("BOOLEAN"), &Cell::Integer(1)),
            number_or_text("1".into())
        );
        assert_eq!(of_key(&column("JSON"), &text("{}")), Value::S("{}".into()));
    }
}
