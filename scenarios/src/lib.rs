//! Scenario and project files: parse, assemble, run, expect, report.

pub mod decode;
pub mod diagnostic;
pub mod node;
pub mod yaml;
