//! Places in a stream: shards, sequence numbers, and how far something is done.
//!
//! Owns the order of sequence numbers, which are decimal digits of any length up to 128 (DynamoDB has 21 to 40,
//! Kinesis 56). Deliberately absent: what stands at a place.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most digits that a sequence number may have.
const LONGEST: usize = 128;

/// A shard of a stream by the id that AWS's records show: `shardId-000000000000`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(Arc<str>);

impl ShardId {
    /// Takes the text as it is.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        ShardId(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sequence number of a record; numbers of one shard grow. Kept as its digits, compared as a number.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sequence(Arc<str>);

impl Sequence {
    /// The number before every record: how far a shard was read that never had one.
    pub fn zero() -> Self {
        Sequence("0".into())
    }

    /// Checks the text: 1 to 128 decimal digits.
    ///
    /// # Errors
    /// The text, if it is anything else.
    pub fn parse(text: &str) -> Result<Self, BadSequence> {
        let fits = (1..=LONGEST).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Sequence(text.into()));
        }
        Err(BadSequence(text.chars().take(LONGEST).collect()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u64> for Sequence {
    fn from(number: u64) -> Self {
        Sequence(number.to_string().into())
    }
}

impl Ord for Sequence {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0.trim_start_matches('0'), other.0.trim_start_matches('0'));
        let number = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        // Zeros before a number do not change it, but texts that differ are not equal.
        number.then_with(|| self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for Sequence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Sequence> for String {
    fn from(sequence: Sequence) -> String {
        sequence.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for Sequence {
    type Error = BadSequence;

    fn try_from(text: String) -> Result<Self, BadSequence> {
        Sequence::parse(&text)
    }
}

/// A text that is no sequence number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no sequence number: use 1 to {LONGEST} decimal digits")]
pub struct BadSequence(String);

/// How far a shard, or a lane of it, was read or is done: every record up to a number, with it or without it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// The number.
    pub at: Sequence,
    /// Whether the record of that number is behind the edge too.
    pub through: bool,
}

impl Edge {
    /// Everything before this number.
    pub fn before(at: Sequence) -> Self {
        Edge { at, through: false }
    }

    /// Everything up to this number, and its record.
    pub fn through(at: Sequence) -> Self {
        Edge { at, through: true }
    }

    /// Whether the record of this number is behind the edge.
    pub fn covers(&self, sequence: &Sequence) -> bool {
        *sequence < self.at || self.through && *sequence == self.at
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.through { "through" } else { "before" };
        write!(f, "{word} {}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(text: &str) -> Sequence {
        Sequence::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    #[test]
    fn numbers_are_compared_as_numbers_whatever_their_length() {
        let kinesis = "49590338271490256608559692538361571095921575989136588898";
        let sorted = ["0", "00", "9", "10", "010", "111", "222", kinesis];
        for pair in sorted.windows(2) {
            assert!(seq(pair[0]) < seq(pair[1]), "{pair:?}");
        }
        assert_ne!(seq("7"), seq("07"));
    }

    #[test]
    fn only_digits_are_a_number() {
        let long = "1".repeat(129);
        for wrong in ["", "-1", "+1", " 1", "1a", "\u{661}", long.as_str()] {
            assert!(Sequence::parse(wrong).is_err(), "{wrong}");
            let json = serde_json::to_string(wrong).unwrap_or_default();
            assert!(serde_json::from_str::<Sequence>(&json).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_edge_is_before_or_behind_its_record() {
        let (before, through) = (Edge::before(seq("5")), Edge::through(seq("5")));
        assert!(before.covers(&seq("4")) && !before.covers(&seq("5")));
        assert!(through.covers(&seq("5")) && !through.covers(&seq("6")));
        assert!(before < through && through < Edge::before(seq("6")));
    }
}
