//! The filter criteria of an event source mapping: patterns of which one must match.

use serde_json::Value;

use super::{Pattern, PatternError};

/// Patterns that a mapping may have; AWS gives 10 on request (spec/sources/event-patterns §6).
pub const MAX_PATTERNS: usize = 5;

/// `FilterCriteria`: a record is taken if one of the patterns matches, or if there is none.
#[derive(Clone, Debug, Default)]
pub struct Criteria {
    patterns: Vec<Pattern>,
}

impl Criteria {
    /// Reads up to [`MAX_PATTERNS`] patterns.
    pub fn parse(texts: &[String]) -> Result<Criteria, CriteriaError> {
        Criteria::parse_at_most(MAX_PATTERNS, texts)
    }

    /// Reads up to `most` patterns: AWS raises the number on request.
    pub fn parse_at_most(most: usize, texts: &[String]) -> Result<Criteria, CriteriaError> {
        if texts.len() > most {
            let given = texts.len();
            return Err(CriteriaError::TooMany { given, most });
        }
        let read = |(index, text): (usize, &String)| {
            Pattern::parse(text).map_err(|error| CriteriaError::Bad {
                number: index + 1,
                error,
            })
        };
        let patterns = texts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Criteria { patterns })
    }

    /// The patterns in their order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether the record is taken.
    pub fn matches(&self, record: &Value) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(record))
    }

    /// Why the record is not taken, in one phrase; `None` if it is.
    pub fn mismatch(&self, record: &Value) -> Option<String> {
        let mut phrases = Vec::new();
        for pattern in &self.patterns {
            phrases.push(pattern.mismatch(record)?);
        }
        match phrases.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => {
                let several = several.iter().enumerate();
                let several: Vec<String> = several
                    .map(|(index, phrase)| format!("filter {}: {phrase}", index + 1))
                    .collect();
                Some(several.join("; "))
            }
        }
    }
}

/// Filter criteria that AWS would refuse, with `Invalid filter pattern definition.` if it is a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CriteriaError {
    /// There are more patterns than allowed.
    #[error("{given} filters: give at most {most}")]
    TooMany {
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// A pattern is wrong.
    #[error("filter {number}: {error}")]
    Bad {
        /// Which one, from 1.
        number: usize,
        /// What is wrong.
        #[source]
        error: PatternError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn one_pattern_must_match_and_none_takes_everything() {
        let both = texts(&[r#"{"a":["x"]}"#, r#"{"b":["y"]}"#]);
        let criteria = Criteria::parse(&both).expect("criteria");
        assert!(criteria.matches(&json!({"b": "y"})) && criteria.matches(&json!({"a": "x"})));
        assert!(!criteria.matches(&json!({"a": "y"})));
        assert_eq!(criteria.mismatch(&json!({"b": "y"})), None);
        assert_eq!(
            criteria.mismatch(&json!({"a": "y"})).as_deref(),
            Some("filter 1: a is y, not x; filter 2: b is absent, not y")
        );
        let one = Criteria::parse(&both[..1]).expect("criteria");
        assert_eq!(one.mismatch(&json!({})).as_deref(), Some("a is absent, not x"));
        let none = Criteria::parse(&[]).expect("criteria");
        assert!(none.matches(&json!({})) && none.mismatch(&json!({})).is_none());
    }

    #[test]
    fn errors_name_the_filter() {
        let refused = |most, of: &[&str]| {
            let error = Criteria::parse_at_most(most, &texts(of)).err();
            error.map(|error| error.to_string()).unwrap_or_default()
        };
        let good = r#"{"a":["x"]}"#;
        assert_eq!(refused(MAX_PATTERNS, &[good; 5]), "");
        assert_eq!(refused(MAX_PATTERNS, &[good; 6]), "6 filters: give at most 5");
        assert_eq!(refused(10, &[good; 10]), "");
        assert_eq!(
            refused(MAX_PATTERNS, &[good, r#"{"a":"x"}"#]),
            "filter 2: \"a\" must be an object or an array at line 1, column 6"
        );
    }
}
