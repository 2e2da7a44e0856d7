//! The change feed on real SQLite databases, with writers of our own and in other processes.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod cases;
mod database;
mod figures;
mod golden;
mod model;
mod processes;
mod refusals;
mod schema;
