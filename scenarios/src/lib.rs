//! Scenario and project files: parse, assemble, run, expect, report.
//!
//! ```text
//!   file text ─yaml─► Node ─decode, load─► Scenario ─assemble─► fabric ─run─► journal ─expect─► report
//! ```

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic ends the reading of a file; its size costs nothing"
)]

pub mod api;
pub mod assemble;
pub mod cause;
pub mod clock;
pub mod cycle;
pub mod decode;
pub mod diagnostic;
pub mod expect;
pub mod faults;
pub mod file;
pub mod hands;
pub mod junit;
pub mod live;
pub mod load;
pub mod matcher;
pub mod node;
pub mod render;
pub mod report;
pub mod run;
pub mod runs;
pub mod schema;
pub mod scratch;
pub mod screen;
pub mod stop;
pub mod timeline;
pub mod vars;
pub mod words;
pub mod world;
pub mod yaml;
