//! Which observations are not over: what came of them is still open.
//!
//! Owns a count for each. Whatever is still to come of an observation holds it: its own events while they are open,
//! and the records that destinations made of them. Deliberately absent: what the source does once it is over.

use std::collections::BTreeMap;

use crate::event::Receipt;
use crate::name::SourceName;

/// A source and its mark of one observation.
pub type Origin = (SourceName, Receipt);

/// The observations that are not over.
#[derive(Debug, Default)]
pub struct Observed(BTreeMap<Origin, u32>);

impl Observed {
    /// One thing more is to come of it.
    pub fn hold(&mut self, origin: &Origin) {
        *self.0.entry(origin.clone()).or_default() += 1;
    }

    /// One thing has ended; `true` if it was the last.
    pub fn release(&mut self, origin: &Origin) -> bool {
        let Some(open) = self.0.get_mut(origin) else {
            return false;
        };
        *open -= 1;
        let over = *open == 0;
        if over {
            self.0.remove(origin);
        }
        over
    }
}
