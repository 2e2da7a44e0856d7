//! What the front refuses, in a dim line on the screen: no event came of it, so the journal has nothing.
//!
//! Owns the line. A request may hold anything, so it is cut, and what moves a cursor is escaped.

use std::sync::{Mutex, PoisonError};

use scenarios::clock::system_now;
use scenarios::screen::Pen;
use scenarios::words::escaped;

/// Characters of a method and of a path that are shown.
const LONGEST: (usize, usize) = (10, 120);

/// A way to the screen that all connections share.
#[derive(Debug)]
pub struct Refusals {
    color: bool,
    pen: Mutex<Pen>,
}

impl Refusals {
    /// Writes with `pen`.
    pub fn new(color: bool, pen: Pen) -> Self {
        Refusals {
            color,
            pen: Mutex::new(pen),
        }
    }

    /// Tells of a request that was answered with an error of its caller, or that asked for what is not here. A call
    /// that is throttled was taken: its event is told.
    pub fn tell(&self, method: &str, path: &str, status: u16, error: &str) {
        if !matches!(status, 400..=428 | 430..=499 | 501) {
            return;
        }
        let time = system_now().iso_millis();
        let text = format!(
            "{}  {}",
            time.get(11..23).unwrap_or(&time),
            line(method, path, status, error)
        );
        let text = match self.color {
            true => format!("\x1b[2m{text}\x1b[0m\n"),
            false => format!("{text}\n"),
        };
        self.pen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(&text);
    }
}

fn line(method: &str, path: &str, status: u16, error: &str) -> String {
    let (method, path) = (cut(method, LONGEST.0), cut(path, LONGEST.1));
    format!("api  {method} {path}  {status} {error}")
}

fn cut(text: &str, longest: usize) -> String {
    let shown = match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    escaped(&shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_short_line() {
        let error = "ResourceNotFoundException";
        assert_eq!(
            line("POST", "/2015-03-31/functions/f/invocations", 404, error),
            "api  POST /2015-03-31/functions/f/invocations  404 ResourceNotFoundException"
        );
        let long = line("POST", &format!("/a\n\x1b[2J{}", "x".repeat(9000)), 404, error);
        assert!(
            long.starts_with("api  POST /a\\n\\u{1b}[2Jxx") && long.len() < 200,
            "{long}"
        );
        assert!(!long.contains(|c: char| c.is_control()), "{long}");
    }
}
