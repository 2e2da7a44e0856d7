//! Standard output that may be full or closed.
//!
//! `println!` of the standard library panics there: on a full disk, or when `| head` has seen enough. These
//! two take its place in all modules below: what cannot be written is dropped, the command still ends as it
//! should, its handlers included, and [`failure`] tells at the end. Deliberately absent: standard error.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stdout};
use std::sync::OnceLock;

static LOST: OnceLock<std::io::Error> = OnceLock::new();

macro_rules! println {
    () => { crate::out::write(format_args!("\n")) };
    ($($part:tt)*) => { crate::out::write(format_args!("{}\n", format_args!($($part)*))) };
}

macro_rules! print {
    ($($part:tt)*) => { crate::out::write(format_args!($($part)*)) };
}

/// Writes; nothing more after the first failure.
pub fn write(text: Arguments<'_>) {
    if LOST.get().is_none()
        && let Err(error) = stdout().write_fmt(text)
    {
        // Only the first failure is told.
        let _ = LOST.set(error);
    }
}

/// Why output was lost; a reader that went away has seen what it wanted.
pub fn failure() -> Option<&'static std::io::Error> {
    if LOST.get().is_none()
        && let Err(error) = stdout().flush()
    {
        let _ = LOST.set(error);
    }
    LOST.get().filter(|error| error.kind() != ErrorKind::BrokenPipe)
}
