//! Event patterns: the one language of EventBridge's rules, event source mappings and SNS's filter policies.
//!
//! A pattern is read once and strictly ([`Pattern::parse`], errors in AWS's words with line and column), and
//! then matched with events as often as one likes. Owns the language (spec/sources/event-patterns,
//! spec/event-source-mapping §2.1):
//!
//! ```text
//! text ─json─► nodes ─compile─► products ─┐            product: path ─► alternatives, all paths must hold
//!                                         ├─matching─► met, or how far ─explain─► "a is 1, not 2"
//! event ───────fields (path ─► leaves)────┘
//! ```
//!
//! An `$or` is multiplied out, so a pattern is a list of products of which one must be met. A product goes
//! through its paths in their order, as the reference does, and chooses one leaf for each.
//!
//! Deliberately absent: what a service wraps around a reason, and how it makes JSON of what it filters
//! (bodies, attributes): each does that itself. Events come as `serde_json::Value`, which keeps integers of
//! 64 bits exactly and other numbers as doubles; where digits beyond a double's would count, they do not here.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use error::Refusal;
use fields::Fields;
use matching::Met;

mod address;
mod compile;
mod condition;
mod criteria;
mod error;
mod explain;
mod fields;
mod json;
mod matching;
mod number;
mod operators;
mod path;
mod text;

pub use criteria::{Criteria, CriteriaError, MAX_PATTERNS};
pub use error::PatternError;

/// What a pattern may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Characters of its text.
    pub characters: usize,
    /// Combinations that its `$or`s may make when they are multiplied out. AWS does not say; ours.
    pub combinations: usize,
}

impl Default for Limits {
    /// 4,096 characters, as EventBridge and mappings allow, and 1,000 combinations.
    fn default() -> Self {
        Limits {
            characters: 4_096,
            combinations: 1_000,
        }
    }
}

/// A pattern that events either match or do not. Clones share it.
#[derive(Clone, Debug)]
pub struct Pattern {
    products: Arc<[compile::Product]>,
    /// The paths of all products, sorted.
    wanted: Arc<[String]>,
}

impl Pattern {
    /// Reads a pattern of at most 4,096 characters; the error is the first thing AWS would not take.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse_within(Limits::default(), text)
    }

    /// Reads a pattern within limits of one's own: SNS takes longer ones.
    pub fn parse_within(limits: Limits, text: &str) -> Result<Pattern, PatternError> {
        read(limits, text).map_err(|refusal| refusal.within(text))
    }

    /// Whether the event matches. One that is not an object never does.
    pub fn matches(&self, event: &Value) -> bool {
        if !event.is_object() {
            return false;
        }
        let fields = Fields::of(event, &self.wanted);
        let mut products = self.products.iter();
        products.any(|product| matching::met(product, &fields) == Met::All)
    }

    /// Why the event does not match: one phrase about the first condition that fails, such as
    /// `eventName is MODIFY, not INSERT`. `None` if it matches.
    pub fn mismatch(&self, event: &Value) -> Option<String> {
        if !event.is_object() {
            return Some("the event is not a JSON object".to_owned());
        }
        explain::mismatch(&self.products, &Fields::of(event, &self.wanted))
    }

    /// Whether the pattern asks for the value of a top-level field itself, as `{"body":["text"]}` does.
    pub fn asks_for(&self, field: &str) -> bool {
        self.wanted.iter().any(|path| path == field)
    }

    /// Whether the pattern asks for fields inside a top-level field, as `{"body":{"id":[1]}}` does.
    pub fn asks_inside(&self, field: &str) -> bool {
        let inside = |path: &String| path.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'));
        self.wanted.iter().any(inside)
    }
}

fn read(limits: Limits, text: &str) -> Result<Pattern, Refusal> {
    if let Some((at, _)) = text.char_indices().nth(limits.characters) {
        let reason = format!("Pattern is longer than {} characters", limits.characters);
        return Err(Refusal::new(at, reason));
    }
    let products = compile::products(json::read(text)?, limits.combinations)?;
    let wanted: BTreeSet<&str> = products
        .iter()
        .flat_map(|product| product.keys().map(|path| &**path))
        .collect();
    Ok(Pattern {
        wanted: wanted.into_iter().map(str::to_owned).collect(),
        products: products.into(),
    })
}
