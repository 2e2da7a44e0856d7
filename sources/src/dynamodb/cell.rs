//! What SQLite stores in one column of one row, with its type.
//!
//! Owns when two cells are the same. Deliberately absent: what a cell is as an attribute, which is
//! [`value`](super::value)'s.

use rusqlite::types::ValueRef;

/// A stored value. Text is kept as bytes, because SQLite does not check that it is UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double; never NaN, which SQLite stores as NULL.
    Real(f64),
    /// Text in the database's encoding, read as UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Cell {
    /// Whether both are the same value to DynamoDB, which has one type of number: 1 is 1.0.
    pub fn same(&self, other: &Cell) -> bool {
        match (self, other) {
            (Cell::Integer(i), Cell::Real(r)) | (Cell::Real(r), Cell::Integer(i)) => equal(*i, *r),
            _ => self == other,
        }
    }

    /// Bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        match self {
            Cell::Text(bytes) | Cell::Blob(bytes) => size_of::<Cell>() + bytes.len(),
            _ => size_of::<Cell>(),
        }
    }
}

/// Whether an integer and a double are the same number, exactly.
fn equal(i: i64, r: f64) -> bool {
    // 2^63 itself is a double and no i64; below it the cast is exact for integral doubles.
    r.fract() == 0.0
        && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&r)
        && r as i64 == i
}

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(i) => Cell::Integer(i),
            ValueRef::Real(r) => Cell::Real(r),
            ValueRef::Text(bytes) => Cell::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_across_types_only_if_they_are_exactly_equal() {
        assert!(Cell::Integer(1).same(&Cell::Real(1.0)));
        assert!(!Cell::Integer(1).same(&Cell::Real(1.5)));
        assert!(!Cell::Integer(i64::MAX).same(&Cell::Real(9_223_372_036_854_775_808.0)));
        assert!(Cell::Real(-9_223_372_036_854_775_808.0).same(&Cell::Integer(i64::MIN)));
        assert!(!Cell::Integer(9_007_199_254_740_993).same(&Cell::Real(9_007_199_254_740_992.0)));
        assert!(!Cell::Text(b"1".to_vec()).same(&Cell::Integer(1)));
        assert!(!Cell::Text(b"a".to_vec()).same(&Cell::Blob(b"a".to_vec())));
    }
}
