//! Scenario and project files: parse, assemble, run, expect, report.

pub mod diagnostic;
pub mod node;
