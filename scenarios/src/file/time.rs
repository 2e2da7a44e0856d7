//! Lengths of time as files write them: `100ms`, `10s`, `3m`, `1h30m`, `2d`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer};

use crate::decode::{E_VALUE, refuse};
use crate::diagnostic::Diagnostic;
use crate::node::{Node, Span, Value};

/// A length of time and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Time {
    /// Where.
    pub span: Span,
    /// How long.
    pub value: Duration,
}

const HELP: &str = "write a length of time as `100ms`, `10s`, `3m`, `1h`, `2d` or `1h30m`";

/// The length of time a text names: whole numbers, each with its unit, largest unit first.
pub fn parse_time(text: &str) -> Option<Duration> {
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1_u64),
    ];
    let mut rest = text;
    let mut next_unit = 0;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let at = units.iter().position(|(name, _)| *name == unit)?;
        if at < next_unit {
            return None;
        }
        next_unit = at + 1;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(units[at].1)?)?;
        rest = tail;
    }
    // The clock counts nanoseconds in 64 bits; a century is more than any run needs.
    (!text.is_empty() && total <= 100 * 365 * 86_400_000).then(|| Duration::from_millis(total))
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let found = match &node.value {
            Value::String(text) => match parse_time(text) {
                Some(value) => {
                    return Ok(Time {
                        span: node.span,
                        value,
                    });
                }
                None => format!("`{text}` is not a length of time"),
            },
            Value::Number(n) => format!("the length of time {n} has no unit"),
            _ => "expected a length of time".to_owned(),
        };
        Err(refuse(
            Diagnostic::new(E_VALUE, found).at(node.span, "").help(HELP),
        ))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time: 100ms, 10s, 3m, 1h, 2d, 1h30m.",
            "pattern": r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up_from_the_largest() {
        for (text, millis) in [
            ("100ms", 100),
            ("10s", 10_000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("1h30m", 5_400_000),
            ("1m1ms", 60_001),
            ("0s", 0),
        ] {
            assert_eq!(parse_time(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "1",
            "s",
            "1x",
            "30m1h",
            "1s1s",
            "1.5s",
            "-1s",
            "99999999999999999999s",
            "40000000d",
            "1 s",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
