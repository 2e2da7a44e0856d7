//! Names: what parts are called, and the causal name of everything that happens.
//!
//! A causal name (`step:put-1`, `evt:put-1/1`, `inv:resize/put-1/1#2`) says where a thing comes from.
//! Every id that AWS would draw at random is a hash of the run's [`Seed`] and such a name, so removing
//! one event leaves every other id unchanged (design: "every choice has a causal name").

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::version::{BadVersion, FunctionVersion, LATEST, Version};

/// A causal name, unique within one run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// A name from its text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Name(text.into())
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its kind: `put-1/1` of `evt:put-1/1`.
    pub fn path(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(_, path)| path)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The one number that decides every id of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// 32 bytes that depend on the seed and `name` only.
    pub fn bytes(self, name: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0.to_le_bytes());
        hasher.update(name.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// A number from 0 to below 1 that depends on the seed and `name` only.
    #[expect(clippy::cast_precision_loss, reason = "53 bits, which is what fits")]
    pub fn chance(self, name: &str) -> f64 {
        let bytes = self.bytes(name);
        let bits = bytes
            .iter()
            .take(8)
            .fold(0_u64, |bits, b| bits << 8 | u64::from(*b))
            >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// The version 4 UUID of `name`, as AWS spells request ids.
    pub fn request_id(self, name: &str) -> RequestId {
        let mut b = self.bytes(name);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let h = hex(&b[..16]);
        RequestId::new(format!(
            "{}-{}-{}-{}-{}",
            &h[..8],
            &h[8..12],
            &h[12..16],
            &h[16..20],
            &h[20..]
        ))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}

/// The bytes of hexadecimal digits: two for each byte and nothing else, not even a sign.
pub fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |d: u8| char::from(d).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                $name(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_newtype! {
    /// A request id: the same for every attempt of one asynchronous event (spec/lambda §9.1).
    RequestId
}

macro_rules! part_name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        text_newtype! { $(#[$doc])* $name }

        impl $name {
            /// Checks the text: 1 to 64 letters, digits, `-` and `_` (spec/lambda §2, FunctionName).
            pub fn parse(text: &str) -> Result<Self, BadName> {
                check(text, $what)?;
                Ok($name(text.into()))
            }
        }
    };
}

part_name! {
    /// A function's bare name.
    FunctionName, "function"
}
part_name! {
    /// The name of a source in the project or scenario file.
    SourceName, "source"
}
part_name! {
    /// The name of a sink: where destination and dead-letter records end.
    SinkName, "sink"
}
part_name! {
    /// The name of a route, by default `<source>-<function>`; S3 shows it as `configurationId`.
    RouteName, "route"
}

/// A name of a part that AWS would refuse.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("bad {what} name `{text}`: use 1 to 64 letters, digits, `-` and `_`")]
pub struct BadName {
    what: &'static str,
    text: String,
}

fn check(text: &str, what: &'static str) -> Result<(), BadName> {
    let fits = (1..=64).contains(&text.len());
    if fits
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Ok(());
    }
    Err(BadName {
        what,
        text: text.chars().take(80).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_4_and_depend_on_seed_and_name_only() {
        let id = Seed(7).request_id("evt:put-1/1");
        assert_eq!(id, Seed(7).request_id("evt:put-1/1"));
        assert_ne!(id, Seed(8).request_id("evt:put-1/1"));
        assert_ne!(id, Seed(7).request_id("evt:put-1/2"));
        let text = id.as_str();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]));
    }

    #[test]
    fn digits_come_in_pairs_and_are_nothing_else() {
        assert_eq!(
            unhex(hex(&[0, 9, 0xaf, 255]).as_bytes()),
            Some(vec![0, 9, 0xaf, 255])
        );
        assert_eq!(unhex(b"AF"), Some(vec![0xaf]));
        for wrong in ["+1", "-1", "a", "abc", "0x", "zz", "\u{661}"] {
            assert_eq!(unhex(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn part_names_follow_the_rules_of_function_names() {
        assert!(FunctionName::parse("resize_2-b").is_ok());
        assert!(FunctionName::parse("").is_err());
        assert!(FunctionName::parse("a b").is_err());
        assert!(FunctionName::parse(&"x".repeat(65)).is_err());
    }
}
