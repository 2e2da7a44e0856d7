//! Words that every screen uses: counts, and the text of others made harmless.
//!
//! A key or a line of a handler may hold anything; what moves a terminal's cursor could fake lines of ours.

use std::borrow::Cow;
use std::fmt::Write;

use router::journal::Ledger;
use router::name::Name;

/// What the names of a live run's events begin with.
pub const LIVE: &str = "live";

/// `1 source`, `2 sources`.
pub fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// [`count`] of what a collection holds.
pub fn count_of(n: usize, what: &str) -> String {
    count(u64::try_from(n).unwrap_or(u64::MAX), what)
}

/// `1 event: 1 done, 0 dead, 0 dropped, 0 open`.
pub fn ledger(ledger: &Ledger) -> String {
    format!(
        "{}: {} done, {} dead, {} dropped, {} open",
        count(ledger.accepted, "event"),
        ledger.done,
        ledger.dead,
        ledger.dropped,
        ledger.open
    )
}

/// What becomes of an event that had not ended when the run did; nothing more for a call, and in virtual time.
pub fn after_stop(event: &Name) -> Option<&'static str> {
    let of_a_source = event
        .path()
        .strip_prefix(LIVE)
        .is_some_and(|rest| rest.starts_with('/'));
    of_a_source.then_some("its source sends it again in the next run, unless on_start: ignore")
}

/// Control characters as Rust spells them.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, |c| c.is_control())
}

/// [`escaped`], but tabs stay: logs are full of them, and they move nothing out of its line.
pub fn escaped_line(line: &str) -> Cow<'_, str> {
    escape(line, |c| c.is_control() && c != '\t')
}

fn escape(text: &str, wrong: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&wrong) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match wrong(c) {
            true => drop(write!(out, "{}", c.escape_default())),
            false => out.push(c),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            (count_of(1, "file"), count_of(0, "file")),
            ("1 file".into(), "0 files".into())
        );
        let one = Ledger {
            accepted: 1,
            open: 1,
            ..Ledger::default()
        };
        assert_eq!(ledger(&one), "1 event: 0 done, 0 dead, 0 dropped, 1 open");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        let wild = "a\nb\r\x1b[31mc\u{9b}2J\td";
        assert_eq!(escaped(wild), "a\\nb\\r\\u{1b}[31mc\\u{9b}2J\\td");
        assert_eq!(escaped_line("a\tb\x07"), "a\tb\\u{7}");
        assert!(matches!(escaped("größer · ok"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_events_of_a_live_source_come_again() {
        let again = |name: &str| after_stop(&Name::new(name)).is_some();
        assert!(again("evt:live/uploads/1") && again("evt:live/uploads/1/to-f"));
        assert!(!again("evt:api/1") && !again("evt:put-1/uploads/1"));
    }
}
