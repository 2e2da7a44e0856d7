//! Scenario and project files: parse, assemble, run, expect, report.

pub mod decode;
pub mod diagnostic;
pub mod file;
pub mod load;
pub mod node;
pub mod render;
pub mod schema;
pub mod vars;
pub mod yaml;
