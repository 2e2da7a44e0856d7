//! What an operation of STS or IAM is given from outside: the time, and a source of ids.
//!
//! Owns how AWS spells both. Deliberately absent: clocks and randomness.

use router::name::Seed;
use router::time::Timestamp;

/// The circumstances of one call.
#[derive(Clone, Debug)]
pub struct Given {
    /// Now.
    pub now: Timestamp,
    /// What ids derive from.
    pub seed: Seed,
    /// The causal name of the call.
    pub call: String,
}

impl Given {
    /// An id of the call, such as `AKIA…` with 20 characters and `AROA…` with 21.
    pub fn unique(&self, prefix: &str) -> String {
        self.seeded(prefix, &self.call)
    }

    /// An id that is the same in every call.
    pub fn seeded(&self, prefix: &str, name: &str) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // Ids of access keys are one shorter than all others.
        let length = if prefix == "ASIA" { 16 } else { 17 };
        let bytes = self.seed.bytes(&format!("{prefix}:{name}"));
        let letters = bytes
            .iter()
            .take(length)
            .map(|b| char::from(LETTERS[usize::from(b & 31)]));
        prefix.chars().chain(letters).collect()
    }

    /// One for tests: the start of 2026.
    #[cfg(test)]
    pub fn example() -> Self {
        Given {
            now: Timestamp::VIRTUAL_START,
            seed: Seed(1),
            call: "evt:api/1".to_owned(),
        }
    }
}

/// ISO 8601 with whole seconds, as IAM and STS write it.
pub fn iso(at: Timestamp) -> String {
    let iso = at.iso_millis();
    format!("{}Z", iso.get(..19).unwrap_or(&iso))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_awss_length_and_their_cause() {
        let given = Given::example();
        let other = Given {
            call: "evt:api/2".to_owned(),
            ..Given::example()
        };
        assert_eq!((given.unique("AROA").len(), given.unique("ASIA").len()), (21, 20));
        assert_eq!(given.unique("AROA"), Given::example().unique("AROA"));
        assert_ne!(given.unique("AROA"), other.unique("AROA"));
        assert_eq!(given.seeded("AROA", "x"), other.seeded("AROA", "x"));
        assert_eq!(iso(given.now), "2026-01-01T00:00:00Z");
    }
}
