//! One file for each command. Each gives an exit code (design/scenarios §8).

mod event;
mod feed;
mod init;
mod invoke;
mod lint;
mod select;
mod show;
mod test;
mod up;

use crate::cli::{Cli, Command};
use crate::output::{self, talk};

/// All good.
pub const OK: u8 = 0;
/// An expectation failed.
pub const FAILED: u8 = 1;
/// A file or the command line is wrong.
pub const USAGE: u8 = 2;
/// Nothing was selected.
pub const NOTHING: u8 = 3;
/// A handler or a source could not start.
pub const NOT_STARTED: u8 = 4;
/// Two runs of one scenario and seed differed.
pub const NONDETERMINISM: u8 = 5;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;

/// Runs a command.
pub fn run(cli: Cli) -> u8 {
    let done = match cli.command {
        Command::Test(args) => test::run(&args),
        Command::Up(args) => up::run(&args),
        Command::Invoke(args) => invoke::run(&args),
        Command::Event(args) => event::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Feed(args) => feed::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Schema => event::schema(),
    };
    let code = done.unwrap_or_else(|error| {
        talk!("error: {error:#}");
        USAGE
    });
    if code == OK && output::failed() {
        USAGE
    } else {
        code
    }
}

/// Whether colours may be used on a stream.
fn colors(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none()
}
