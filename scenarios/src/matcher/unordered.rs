//! Lists in any order: each expectation needs a value of its own.
//!
//! Taking the first value that fits is not enough: `[{}, { a: 1 }]` fits `[{ a: 1 }, { a: 2 }]` only if the
//! first expectation leaves `{ a: 1 }` to the second. So this looks for a perfect matching, by augmenting paths.

use serde_json::Value as Json;

use super::matches;
use crate::node::{Node, Value};

/// Whether the expectations and the values pair up, one to one.
pub(super) fn fits(expected: &Node, actual: &Json) -> bool {
    let (Value::List(expected), Json::Array(actual)) = (&expected.value, actual) else {
        return false;
    };
    if expected.len() != actual.len() {
        return false;
    }
    let fitting: Vec<Vec<usize>> = expected
        .iter()
        .map(|node| {
            (0..actual.len())
                .filter(|&j| matches(node, &actual[j]).is_ok())
                .collect()
        })
        .collect();
    assign(&fitting, actual.len()).iter().all(Option::is_some)
}

/// Gives as many expectations as possible a value of their own, earlier ones first. `fitting` lists for each the values
/// that fit, the preferred one first.
pub fn assign(fitting: &[Vec<usize>], values: usize) -> Vec<Option<usize>> {
    let mut owner = vec![None; values];
    for i in 0..fitting.len() {
        place(i, fitting, &mut owner, &mut vec![false; values]);
    }
    let mut assigned = vec![None; fitting.len()];
    for (j, owner) in owner.into_iter().enumerate() {
        if let Some(i) = owner {
            assigned[i] = Some(j);
        }
    }
    assigned
}

/// Finds a value for expectation `i`, moving others where they fit as well.
fn place(i: usize, fitting: &[Vec<usize>], owner: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for &j in &fitting[i] {
        if std::mem::replace(&mut tried[j], true) {
            continue;
        }
        let free = match owner[j] {
            None => true,
            Some(other) => place(other, fitting, owner, tried),
        };
        if free {
            owner[j] = Some(i);
            return true;
        }
    }
    false
}
