//! The table of sources: one row each, in alphabetical order.
//!
//! Owns the seam by which the rest of the program handles a source without knowing its types: an
//! [`Opener`] is called with the type that a word means, and an [`OpenSource`] is any source once open.
//! Adding a source takes its file and one row and one arm here.

use std::any::Any;
use std::collections::BTreeMap;

use router::event::Receipt;
use router::time::Timestamp;
use serde_json::Value;

use crate::s3::{self, S3};
use crate::source::{Emitter, NextPoll, Source, SourceError};

/// One kind of source.
pub struct Row {
    /// The word that `kind:` takes.
    pub kind: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The sample events it can show.
    pub samples: &'static [&'static str],
    /// Writes one of them, with the given values in place of the defaults.
    pub sample: fn(&str, &BTreeMap<String, String>) -> Result<Value, SourceError>,
    /// JSON Schema of the source's keys.
    pub config_schema: fn() -> schemars::Schema,
    /// JSON Schema of the keys that a route from it may have.
    pub filter_schema: fn() -> schemars::Schema,
}

/// Every kind of source.
pub const ROWS: &[Row] = &[row::<S3>(
    "a directory that plays an S3 bucket: files become objects, changes become event notifications",
    s3::SAMPLES,
    s3::sample,
)];

const fn row<S: Source>(
    summary: &'static str,
    samples: &'static [&'static str],
    sample: fn(&str, &BTreeMap<String, String>) -> Result<Value, SourceError>,
) -> Row {
    Row {
        kind: S::KIND,
        summary,
        samples,
        sample,
        config_schema: schema::<S::Config>,
        filter_schema: schema::<S::Filter>,
    }
}

fn schema<T: schemars::JsonSchema>() -> schemars::Schema {
    schemars::schema_for!(T)
}

/// The row of `kind`.
pub fn find(kind: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.kind == kind)
}

/// Something that is done with a source's type.
pub trait Opener {
    /// What comes of it.
    type Out;
    /// Does it.
    fn with<S: Source + 'static>(self) -> Self::Out;
}

/// Calls `opener` with the type that `kind` means; `None` if it means none.
pub fn with_kind<O: Opener>(kind: &str, opener: O) -> Option<O::Out> {
    match kind {
        S3::KIND => Some(opener.with::<S3>()),
        _ => None,
    }
}

/// A source of any kind, once open. The methods are those of [`Source`].
pub trait OpenSource: Send {
    /// The word for its kind.
    fn kind(&self) -> &'static str;
    /// See [`Source::poll`].
    fn poll(&mut self, now: Timestamp, out: &mut Emitter) -> Result<NextPoll, SourceError>;
    /// See [`Source::stimulate`]; another source's stimulus is an error.
    fn stimulate(&mut self, what: Box<dyn Any>, now: Timestamp, out: &mut Emitter)
    -> Result<(), SourceError>;
    /// See [`Source::barrier`].
    fn barrier(&mut self, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError>;
    /// See [`Source::settle`].
    fn settle(&mut self, over: &[Receipt]) -> Result<(), SourceError>;
}

impl<S: Source + 'static> OpenSource for S {
    fn kind(&self) -> &'static str {
        S::KIND
    }

    fn poll(&mut self, now: Timestamp, out: &mut Emitter) -> Result<NextPoll, SourceError> {
        Source::poll(self, now, out)
    }

    fn stimulate(
        &mut self,
        what: Box<dyn Any>,
        now: Timestamp,
        out: &mut Emitter,
    ) -> Result<(), SourceError> {
        match what.downcast::<S::Stimulus>() {
            Ok(what) => Source::stimulate(self, *what, now, out),
            Err(_) => Err(SourceError::new(format!(
                "a source of kind {} cannot do that",
                S::KIND
            ))),
        }
    }

    fn barrier(&mut self, now: Timestamp, out: &mut Emitter) -> Result<(), SourceError> {
        Source::barrier(self, now, out)
    }

    fn settle(&mut self, over: &[Receipt]) -> Result<(), SourceError> {
        Source::settle(self, over)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    struct Kind;
    impl Opener for Kind {
        type Out = &'static str;
        fn with<S: Source + 'static>(self) -> &'static str {
            S::KIND
        }
    }

    #[test]
    fn rows_are_in_order_and_every_kind_opens_and_shows_its_samples() {
        assert!(ROWS.is_sorted_by_key(|row| row.kind));
        for row in ROWS {
            assert_eq!(with_kind(row.kind, Kind), Some(row.kind));
            assert!(find(row.kind).is_some());
            for sample in row.samples {
                assert!((row.sample)(sample, &BTreeMap::new()).unwrap().is_object());
            }
            assert!(
                (row.config_schema)()
                    .as_object()
                    .is_some_and(|s| s.contains_key("properties"))
            );
            assert!(
                (row.filter_schema)()
                    .as_object()
                    .is_some_and(|s| s.contains_key("properties"))
            );
        }
        assert_eq!(with_kind("s4", Kind), None);
    }
}
