//! The pattern language from outside: its tables, its refusals, its phrases, and an oracle.

mod oracle;
mod phrases;
mod refusals;
mod rows;
mod speed;

use router::pattern::Pattern;
use serde_json::Value;

/// A pattern that is right.
fn pattern(text: &str) -> Pattern {
    match Pattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// An event.
fn event(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(event) => event,
        Err(error) => panic!("{text}: {error}"),
    }
}
