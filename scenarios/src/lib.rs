//! Scenario and project files: parse, assemble, run, expect, report.

#![expect(clippy::result_large_err, reason = "a diagnostic ends the reading of a file; its size costs nothing")]

pub mod decode;
pub mod diagnostic;
pub mod file;
pub mod load;
pub mod node;
pub mod render;
pub mod schema;
pub mod vars;
pub mod yaml;
