//! The change feed: triggers in the user's database write each change of a watched table to a table of the feed.
//!
//! Triggers run in whichever process writes, in its transaction, so what is rolled back leaves nothing and the order is the
//! order of commits. Each watched table has a feed of its own, `_triggerfish_feed_<id>`:
//!
//! ```text
//! seq | at | op | hit | o0 n0 o1 n1 …          op: I U D  what happened (T: a D by time to live)
//!                                                  PI PU  a row that an I or U is about to replace, if it happens
//!                                                  M      a statement begins, so the D before stands for itself
//! ```
//!
//! The columns have no types, so every value arrives as it was stored. `REPLACE` removes rows without a delete trigger
//! unless the *writer* turned `recursive_triggers` on; hence the candidates PI and PU, written before the change, which count
//! only if an I or U with the same new row follows. [`replay`] makes changes of this and explains the rules.
//! What the columns mean is kept in eras (`_triggerfish_feed_era`), because a schema may change between two rows.
//!
//! Deliberately absent: SQLite's hooks and sessions, which see one connection only, and anything that would need the
//! writers' help.

pub mod change;
mod error;
pub mod install;
mod key;
pub mod layout;
pub mod open;
mod partial;
pub mod read;
pub mod replay;
pub mod rows;
mod shape;
pub(super) mod sql;
pub mod state;
mod triggers;
pub mod trim;
pub mod wake;

pub use error::{FeedError, Trouble};
