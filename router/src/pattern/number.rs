//! Numbers that can be compared: those that a double spells exactly (spec/sources/event-patterns §3).
//!
//! `300`, `300.0` and `3.0e2` are one number. A text that is not the shortest decimal of its double, such
//! as `9007199254740993` or `1e400`, is none: it equals only its own text.

/// The double of a JSON number, if it is spelled by the text exactly.
pub(super) fn comparable(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let exact = value.is_finite() && Decimal::of(text)? == Decimal::of(&format!("{value:e}"))?;
    exact.then_some(value)
}

/// A bound of a range.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// The number.
    pub(super) value: f64,
    /// Whether the number itself is in the range.
    pub(super) inclusive: bool,
    /// The number as it is spelled.
    pub(super) text: String,
}

/// The numbers of a `numeric` condition.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// `>` or `>=`.
    pub(super) bottom: Option<Bound>,
    /// `<` or `<=`.
    pub(super) top: Option<Bound>,
}

impl Range {
    /// Whether the number is in the range.
    pub(super) fn contains(&self, number: f64) -> bool {
        let above = self
            .bottom
            .as_ref()
            .is_none_or(|b| number > b.value || b.inclusive && number == b.value);
        let below = self
            .top
            .as_ref()
            .is_none_or(|t| number < t.value || t.inclusive && number == t.value);
        above && below
    }
}

/// A decimal in one spelling only: digits without zeros at their ends, and the power of ten after them.
#[derive(PartialEq, Eq, Debug)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a JSON number; `None` if its exponent is beyond any use.
    fn of(text: &str) -> Option<Decimal> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let trimmed = all.trim_end_matches('0');
        let digits = trimmed.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal {
                negative: false,
                digits,
                exponent: 0,
            });
        }
        let moved = i64::try_from(all.len() - trimmed.len()).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Decimal {
            negative,
            digits,
            exponent: power.parse::<i64>().ok()?.checked_add(moved)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_the_same() {
        for text in ["300", "300.0", "3.0e2", "3E+2", "0.3e3", "30000e-2"] {
            assert_eq!(comparable(text), Some(300.0), "{text}");
        }
        for text in ["0", "-0", "0.000", "0e999999999999999999999", "-0.0E-5"] {
            assert_eq!(comparable(text), Some(0.0), "{text}");
        }
        assert_eq!(comparable("0.1"), Some(0.1));
        assert_eq!(comparable("1e23"), Some(1e23));
        assert_eq!(comparable("5e-324"), Some(5e-324));
        assert_eq!(comparable("1.7976931348623157e308"), Some(f64::MAX));
        assert_eq!(comparable("9007199254740992"), Some(9_007_199_254_740_992.0));
    }

    #[test]
    fn what_no_double_spells_is_not_comparable() {
        for text in [
            "9007199254740993",
            "0.12345678901234567890",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "x",
            "",
        ] {
            assert_eq!(comparable(text), None, "{text}");
        }
    }
}
