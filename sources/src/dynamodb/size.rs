//! SizeBytes: what DynamoDB says an item takes (spec/sources/dynamodb-streams §4).
//!
//! Deliberately absent: the 100 bytes of overhead that a stored item has; a stream record does not count them.

use super::value::{Item, Value};

/// Bytes of an item: its attribute names and values.
pub fn of_item(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + of(value)).sum()
}

/// Bytes of one value.
pub fn of(value: &Value) -> usize {
    match value {
        Value::S(text) => text.len(),
        Value::N(number) => number.size(),
        Value::B(bytes) => bytes.len(),
        Value::Bool(_) | Value::Null => 1,
        Value::L(list) => 3 + list.iter().map(|element| 1 + of(element)).sum::<usize>(),
        Value::M(map) => 3 + map.iter().map(|(name, v)| 1 + name.len() + of(v)).sum::<usize>(),
        Value::SS(set) => set.iter().map(String::len).sum(),
        Value::NS(set) => set.iter().map(super::number::Number::size).sum(),
        Value::BS(set) => set.iter().map(Vec::len).sum(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use crate::dynamodb::number::Number;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn each_type_has_its_rule() {
        let list = Value::L(vec![Value::S("ab".into()), Value::Null]);
        for (value, size) in [
            (Value::S("é".into()), 2),
            (Value::S(String::new()), 0),
            (Value::B(vec![0; 5]), 5),
            (Value::N(number("101")), 3),
            (Value::Bool(false), 1),
            (Value::Null, 1),
            (list.clone(), 3 + 3 + 2),
            (Value::L(Vec::new()), 3),
            (Value::M(Item::from([("k".into(), list)])), 3 + 1 + 1 + 8),
            (Value::SS(vec!["Giraffe".into(), "Hippo".into()]), 12),
            (
                Value::NS(vec![number("42.2"), number("-19"), number("7.5")]),
                3 + 3 + 3,
            ),
            (Value::BS(vec![b"Sunny".to_vec(), b"Rainy".to_vec()]), 10),
        ] {
            assert_eq!(of(&value), size, "{value:?}");
        }
    }
}
