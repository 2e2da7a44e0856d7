//! The `triggerfish` binary: parse, run, exit code.

#[macro_use]
mod out;

mod cli;
mod commands;
mod front;
mod leftovers;

use clap::Parser;

fn main() -> std::process::ExitCode {
    cli::start_logging();
    leftovers::adopt();
    let code = commands::run(cli::Cli::parse());
    leftovers::kill();
    std::process::ExitCode::from(code)
}
