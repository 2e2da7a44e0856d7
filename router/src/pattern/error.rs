//! What is wrong with a pattern, and where.

/// A pattern that AWS would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub struct PatternError {
    reason: String,
    line: usize,
    column: usize,
}

impl PatternError {
    /// The reason in AWS's words (spec/sources/event-patterns §5), to be wrapped as each service does.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The line of the pattern's text, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the line, in characters from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// A reason and the byte of the pattern's text it is about.
#[derive(Debug)]
pub(super) struct Refusal {
    at: usize,
    reason: String,
}

impl Refusal {
    /// A refusal because of what starts at byte `at`.
    pub(super) fn new(at: usize, reason: impl Into<String>) -> Self {
        Refusal {
            at,
            reason: reason.into(),
        }
    }

    /// Counts lines and columns, which only a refused pattern needs.
    pub(super) fn within(self, text: &str) -> PatternError {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        PatternError {
            reason: self.reason,
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_from_one() {
        let text = "{\n \"é\": 1";
        let error = Refusal::new(text.find('1').expect("a one"), "no").within(text);
        assert_eq!((error.line(), error.column()), (2, 7));
        assert_eq!(error.to_string(), "no at line 2, column 7");
        let first = Refusal::new(0, "no").within("");
        assert_eq!((first.line(), first.column()), (1, 1));
    }
}
