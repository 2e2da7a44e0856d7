//! The leaves of an event under the paths that a pattern names, and the array elements they are in.
//!
//! Arrays are transparent: an element is found under the path of its array. What it remembers is its
//! membership, the elements of arrays that lead to it, because conditions that go through one array must
//! meet in one element (spec/sources/event-patterns §2). A scalar of an array is in no element.

use std::collections::BTreeMap;

use serde_json::Value;

use super::condition::Leaf;
use super::{number, path};

/// The elements that lead to a leaf, from the outside: (number of the array in the event, index).
pub(super) type Membership = Vec<(usize, usize)>;

/// A leaf and its membership.
#[derive(Debug)]
pub(super) struct Field<'e> {
    /// The value.
    pub(super) leaf: Leaf<'e>,
    /// Where it is.
    pub(super) membership: Membership,
}

/// The fields of one event.
#[derive(Debug, Default)]
pub(super) struct Fields<'e> {
    by_path: BTreeMap<String, Vec<Field<'e>>>,
    containers: BTreeMap<String, &'static str>,
}

/// What is still to be looked at. A stack of our own: an event may be deeper than the thread's.
struct Visit<'e> {
    value: &'e Value,
    path: Option<String>,
    membership: Membership,
}

impl<'e> Fields<'e> {
    /// The leaves of an event (an object) under the sorted `wanted` paths, in the order of the event.
    pub(super) fn of(event: &'e Value, wanted: &[String]) -> Fields<'e> {
        let mut fields = Fields::default();
        let mut arrays = 0;
        let mut left = vec![Visit {
            value: event,
            path: None,
            membership: Membership::new(),
        }];
        while let Some(visit) = left.pop() {
            match visit.value {
                Value::Object(members) => {
                    fields.note(&visit, "an object");
                    for (key, value) in members.iter().rev() {
                        let path = path::join(visit.path.as_deref(), key);
                        if path::leads_to_one(wanted, &path) {
                            left.push(Visit {
                                value,
                                path: Some(path),
                                membership: visit.membership.clone(),
                            });
                        }
                    }
                }
                Value::Array(elements) => {
                    if elements.is_empty() {
                        fields.note(&visit, "an empty array");
                    }
                    let array = arrays;
                    arrays += 1;
                    for (index, value) in elements.iter().enumerate().rev() {
                        let mut membership = visit.membership.clone();
                        if matches!(value, Value::Object(_) | Value::Array(_)) {
                            membership.push((array, index));
                        }
                        left.push(Visit {
                            value,
                            path: visit.path.clone(),
                            membership,
                        });
                    }
                }
                scalar => fields.add(scalar, visit.path, visit.membership),
            }
        }
        fields
    }

    /// The leaves under a path.
    pub(super) fn at(&self, path: &str) -> &[Field<'e>] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// What is under the path if it is no leaf.
    pub(super) fn container_at(&self, path: &str) -> Option<&'static str> {
        self.containers.get(path).copied()
    }

    fn add(&mut self, scalar: &'e Value, path: Option<String>, membership: Membership) {
        let leaf = match scalar {
            Value::String(text) => Leaf::Text(text),
            Value::Number(number) => {
                let text = number.to_string();
                let value = number::comparable(&text);
                Leaf::Number(text, value)
            }
            Value::Bool(value) => Leaf::Bool(*value),
            _ => Leaf::Null,
        };
        let fields = self.by_path.entry(path.unwrap_or_default()).or_default();
        fields.push(Field { leaf, membership });
    }

    fn note(&mut self, visit: &Visit<'_>, what: &'static str) {
        if let Some(path) = &visit.path {
            self.containers.insert(path.clone(), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_transparent_and_remembered() {
        let event: Value =
            serde_json::from_str(r#"{"a":[1,{"b":2},[3,{"b":4}]],"a.b":5,"x":{"a":6},"e":[],"o":{}}"#)
                .expect("JSON");
        let wanted: Vec<String> = ["a", "a.b", "e", "o"].map(str::to_owned).into();
        let fields = Fields::of(&event, &wanted);
        let shown = |path| -> Vec<String> {
            let one = |field: &Field<'_>| format!("{:?} {:?}", field.leaf, field.membership);
            fields.at(path).iter().map(one).collect()
        };
        assert_eq!(
            shown("a"),
            ["Number(\"1\", Some(1.0)) []", "Number(\"3\", Some(3.0)) [(0, 2)]"]
        );
        assert_eq!(
            shown("a.b"),
            [
                "Number(\"2\", Some(2.0)) [(0, 1)]",
                "Number(\"4\", Some(4.0)) [(0, 2), (1, 1)]",
                "Number(\"5\", Some(5.0)) []"
            ]
        );
        assert!(fields.at("x.a").is_empty() && fields.at("e").is_empty());
        assert_eq!(fields.container_at("e"), Some("an empty array"));
        assert_eq!(fields.container_at("o"), Some("an object"));
        assert_eq!(fields.container_at("z"), None);
    }

    #[test]
    fn an_event_may_be_deeper_than_a_document() {
        let mut event = Value::from(1);
        for _ in 0..500 {
            event = Value::Array(vec![event]);
        }
        let event = Value::Object([("a".to_owned(), event)].into_iter().collect());
        let fields = Fields::of(&event, &["a".to_owned()]);
        assert_eq!(fields.at("a").len(), 1);
        assert_eq!(fields.at("a")[0].membership.len(), 499);
    }
}
