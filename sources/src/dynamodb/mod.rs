//! A SQLite database acts as DynamoDB: a table of it is a table with a stream.
//!
//! [`feed`] catches every committed change to a watched table, whichever process made it, and hands it out in order with
//! both images. [`value`], [`number`] and [`size`] say what a row is as an item; [`record`] writes the event document;
//! [`ttl`] deletes what has expired. Deliberately absent: the source that ties them to routes, event source mappings, and
//! DynamoDB's own API.

pub mod cell;
pub mod feed;
mod jsonb;
pub mod number;
pub mod record;
pub mod size;
pub mod ttl;
pub mod value;
