//! Results to stdout, talk to stderr. Whoever closes a pipe early (`| head`) is no reason to panic; a full disk is an
//! error that is told once.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A result could not be written.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints a line of results.
macro_rules! say {
    ($($part:tt)*) => { $crate::output::result(format_args!("{}\n", format_args!($($part)*))) };
}

/// Prints a line of talk.
macro_rules! talk {
    ($($part:tt)*) => { $crate::output::aside(format_args!("{}\n", format_args!($($part)*))) };
}

pub(crate) use {say, talk};

/// Writes to stdout.
pub fn result(text: Arguments<'_>) {
    delivered(text);
}

/// Writes to stdout and says whether that went well; whoever prints without end stops when it does not.
pub fn delivered(text: Arguments<'_>) -> bool {
    let mut out = std::io::stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.flush());
    if let Err(error) = &written
        && error.kind() != ErrorKind::BrokenPipe
        && !FAILED.swap(true, Ordering::Relaxed)
    {
        talk!("error: failed to write the results: {error}");
    }
    written.is_ok()
}

/// Writes to stderr; where that is closed there is nobody to tell.
pub fn aside(text: Arguments<'_>) {
    let _ = std::io::stderr().lock().write_fmt(text);
}

/// Whether a result was lost for another reason than that nobody reads.
pub fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}
