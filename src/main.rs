//! The `triggerfish` binary: parse, run, exit code.
fn main() {}
