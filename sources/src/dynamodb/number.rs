//! DynamoDB's numbers: decimal text of up to 38 significant digits (spec/sources/dynamodb-streams §3).
//!
//! Owns the normal form and its limits. Deliberately absent: arithmetic.

/// The most significant digits of a number.
pub const MAX_DIGITS: usize = 38;
/// The powers of ten that the leading digit may have.
const MAGNITUDE: std::ops::RangeInclusive<i64> = -130..=125;

/// A number that DynamoDB can hold, in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The power of ten of the first digit; 0 for zero.
    lead: i64,
}

impl Number {
    /// Reads `-12.50e3`, as JSON and SQL write numbers; a `+` and leading zeros are allowed. `None` if it is no number, has
    /// more than 38 significant digits, or a magnitude outside 1E-130 … 9.99E125.
    pub fn parse(text: &str) -> Option<Number> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let decimal = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !decimal(whole) || !decimal(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let zeros = all.len() - all.trim_start_matches('0').len();
        let digits = all.trim_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Number {
                negative: false,
                digits,
                lead: 0,
            });
        }
        let lead = i64::try_from(whole.len()).ok()? - 1 - i64::try_from(zeros).ok()? + exponent;
        let fits = digits.len() <= MAX_DIGITS && MAGNITUDE.contains(&lead);
        fits.then_some(Number {
            negative,
            digits,
            lead,
        })
    }

    /// The number that a double is, by the shortest text that reads back to it.
    pub fn from_double(value: f64) -> Option<Number> {
        value
            .is_finite()
            .then(|| format!("{value:e}"))
            .and_then(|text| Number::parse(&text))
    }

    /// Bytes that it takes by DynamoDB's rule: digits are kept in pairs, aligned on the decimal point
    /// (spec/sources/dynamodb-streams §4).
    pub fn size(&self) -> usize {
        let digits = self.digits.len();
        if digits == 0 {
            return 1;
        }
        let split = digits.is_multiple_of(2) && self.lead % 2 == 0;
        1 + digits.div_ceil(2) + usize::from(split) + usize::from(self.negative)
    }
}

/// An exponent; huge ones saturate, which no magnitude allows.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits.trim_start_matches('0');
    let value = if size.len() > 9 {
        1_000_000_000
    } else {
        size.parse().unwrap_or(0)
    };
    Some(if text.starts_with('-') { -value } else { value })
}

/// The normal form: no needless zeros, no `+`, no exponent.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let Ok(lead) = usize::try_from(self.lead) else {
            let zeros = usize::try_from(-self.lead - 1).unwrap_or(0);
            return write!(f, "0.{}{}", "0".repeat(zeros), self.digits);
        };
        let whole = lead + 1;
        match self.digits.len() <= whole {
            true => write!(f, "{}{}", self.digits, "0".repeat(whole - self.digits.len())),
            false => write!(f, "{}.{}", &self.digits[..whole], &self.digits[whole..]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn normal(text: &str) -> String {
        Number::parse(text).unwrap().to_string()
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (given, expected) in [
            ("1.0", "1"),
            ("007", "7"),
            ("-0", "0"),
            ("0.000", "0"),
            ("+5", "5"),
            ("1e3", "1000"),
            ("-1.50E-3", "-0.0015"),
            ("100", "100"),
            ("0.10", "0.1"),
            (".5", "0.5"),
            ("12e-1", "1.2"),
            (
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
            ),
        ] {
            assert_eq!(normal(given), expected, "{given}");
        }
        assert_eq!(normal("1e125").len(), 126);
        assert_eq!(normal("1e-130").len(), 132);
    }

    #[test]
    fn what_dynamodb_cannot_hold_is_no_number() {
        for text in [
            "",
            "-",
            ".",
            "1e",
            "1e+",
            "e5",
            "0x10",
            "1 ",
            "1.2.3",
            "NaN",
            "1e126",
            "9.99e-131",
            "123456789012345678901234567890123456789",
            "1e99999999999999999999",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(
            normal(&format!("1{}", "0".repeat(125))).len(),
            126,
            "zeros are no digits"
        );
        assert_eq!(normal("0e99999999999999999999"), "0");
    }

    #[test]
    fn doubles_are_their_shortest_text() {
        for (given, expected) in [
            (0.1, "0.1"),
            (-0.0, "0"),
            (1.0, "1"),
            (1e21, "1000000000000000000000"),
            (5e-7, "0.0000005"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(Number::from_double(given).unwrap().to_string(), expected);
        }
        for none in [f64::INFINITY, f64::NEG_INFINITY, 1e126, 1e-131, f64::MIN_POSITIVE] {
            assert_eq!(Number::from_double(none), None, "{none}");
        }
    }

    #[test]
    fn sizes_pair_digits_on_the_decimal_point() {
        for (text, size) in [
            ("0", 1),
            ("1", 2),
            ("12", 2),
            ("120", 3),
            ("101", 3),
            ("-1.5", 4),
            ("-5", 3),
            ("1700000000", 2),
            ("12345678901234567890123456789012345678", 20),
        ] {
            assert_eq!(Number::parse(text).unwrap().size(), size, "{text}");
        }
    }
}
