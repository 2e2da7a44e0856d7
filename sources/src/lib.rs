//! Sources look at the world and say what happened, in AWS's documented event formats.
//!
//! One file each, one row in [`catalog`]. They speak the router's words and never see the executor.

pub mod catalog;
pub mod dynamodb;
pub mod host;
pub mod s3;
pub mod source;
