//! The `triggerfish` binary: parse, run, exit code.

mod cli;
mod commands;
mod front;
mod leftovers;
mod output;
mod reload;

use clap::Parser;

fn main() -> std::process::ExitCode {
    cli::start_logging();
    leftovers::open_files();
    leftovers::adopt();
    let code = commands::run(cli::Cli::parse());
    leftovers::kill();
    std::process::ExitCode::from(code)
}
