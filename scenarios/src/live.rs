//! A journal as it happens, for a terminal: what arrived, what handlers wrote, how each attempt ended.

use std::borrow::Cow;

use router::journal::{Entry, Line, Recorder};

use crate::matcher::shorten;
use crate::screen::Pen;
use crate::words::{after_stop, escaped, escaped_line};

/// Longer lines of handlers are cut on the screen; the journal has them whole.
const LONGEST_LINE: usize = 2000;
/// More than this is handed to the screen before the fabric rests.
const ENOUGH: usize = 64 * 1024;

/// Prints entries once the turn that wrote them is over: whoever waits for a reply gets it first.
pub struct Terminal {
    color: bool,
    held: String,
    pen: Pen,
}

impl Terminal {
    /// A printer to a screen.
    pub fn new(color: bool, pen: Pen) -> Self {
        Terminal {
            color,
            held: String::new(),
            pen,
        }
    }

    fn text(&self, line: &Line) -> Option<String> {
        let paint = |code: &str, text: &str| match self.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let what = match &line.entry {
            Entry::Src {
                source,
                kind,
                subject,
                events,
                refused,
            } => {
                let note = match (events.is_empty(), refused.first()) {
                    (true, Some((route, why))) => {
                        format!("  (route {route} does not take it: {})", escaped(why))
                    }
                    (true, None) => "  (no route)".to_owned(),
                    _ => String::new(),
                };
                format!("{source}  {kind} {}{}", escaped(subject), paint("2", &note))
            }
            Entry::Step { what, .. } => paint("2", &escaped(what)),
            // A return within a line is how clients of AWS write several as one.
            Entry::Log { name, line } => {
                let cut = cut(line);
                let lines: Vec<_> = cut.split('\r').map(escaped_line).collect();
                format!("{}  | {}", short(name.path()), lines.join("\n             | "))
            }
            Entry::Res {
                name,
                outcome,
                duration,
                body,
                cold,
                ..
            } => {
                let word = if outcome == "ok" {
                    paint("32", outcome)
                } else {
                    paint("31", outcome)
                };
                let millis = std::time::Duration::from_nanos(*duration).as_secs_f64() * 1000.0;
                let cold = if *cold { " cold" } else { "" };
                format!(
                    "{}  {word} {millis:.1} ms{cold}  {}",
                    short(name.path()),
                    escaped(&shorten(&body.json().to_string()))
                )
            }
            Entry::Retry { event, due, why } => {
                let wait = due.since(line.t).as_secs();
                format!("{}  waits {wait} s: {}", short(event.path()), escaped(why))
            }
            Entry::Done { event, how, .. } if how == "stopped" => {
                let then = after_stop(event).map_or(String::new(), |then| format!("; {then}"));
                format!("{}  stopped{then}", short(event.path()))
            }
            Entry::Done {
                event,
                why: Some(why),
                ..
            } => format!("{}  never ran: {}", short(event.path()), escaped(why)),
            // The line of its attempt has said all.
            Entry::Done { to, .. } if to == "caller" => return None,
            Entry::Done { event, how, to, .. } if how != "success" => {
                format!("{}  given up: {how}, record to {to}", short(event.path()))
            }
            Entry::Config { function, what } => format!("{function}  {}", escaped(what)),
            Entry::Sink { sink, body, .. } => {
                format!("{sink}  got {}", escaped(&shorten(&body.json().to_string())))
            }
            // It comes after the outcome: only when the environment is at rest it is known.
            Entry::Real { name, figures } => {
                let left = figures.get("unfinished")?;
                format!("{}  {}", short(name.path()), paint("33", &escaped(left)))
            }
            Entry::Late { .. } => "a late answer was ignored".to_owned(),
            _ => return None,
        };
        let time = line.t.iso_millis();
        Some(format!(
            "{}  {what}",
            paint("2", time.get(11..23).unwrap_or(&time))
        ))
    }
}

/// The start of a long line, and how much there is.
fn cut(line: &str) -> Cow<'_, str> {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()).into(),
        None => line.into(),
    }
}

/// The end of a long name says what it is.
fn short(name: &str) -> &str {
    let from = name.char_indices().rev().nth(47).map_or(0, |(i, _)| i);
    &name[from..]
}

impl Recorder for Terminal {
    fn record(&mut self, line: &Line, _json: &[u8]) {
        if let Some(text) = self.text(line) {
            self.held.push_str(&text);
            self.held.push('\n');
        }
        if self.held.len() > ENOUGH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.held.is_empty() {
            self.pen.write(&self.held);
            self.held.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use crate::screen::Screen;
    use router::name::{Name, RouteName, SourceName};
    use router::time::Timestamp;

    fn told(entry: Entry) -> String {
        let line = Line {
            n: 1,
            t: Timestamp::VIRTUAL_START,
            entry,
        };
        let text = Terminal::new(false, Screen::start().unwrap().pen()).text(&line);
        text.unwrap_or_default().split_off("00:00:00.000  ".len())
    }

    fn done(event: &str, to: &str) -> Entry {
        Entry::Done {
            event: Name::new(event),
            how: "stopped".to_owned(),
            executions: 1,
            to: to.to_owned(),
            why: None,
        }
    }

    #[test]
    fn what_was_stopped_is_not_given_up() {
        assert_eq!(
            told(done("evt:live/uploads/1", "nowhere")),
            "live/uploads/1  stopped; its source sends it again in the next run, unless on_start: ignore"
        );
        assert_eq!(told(done("evt:api/1", "nowhere")), "api/1  stopped");
        assert_eq!(told(done("evt:api/2", "caller")), "api/2  stopped");
    }

    #[test]
    fn neither_a_key_nor_a_log_fakes_a_line() {
        let seen = told(Entry::Src {
            source: SourceName::new("uploads"),
            kind: "ObjectCreated:Put".to_owned(),
            subject: "new\nline\x1b[2J".to_owned(),
            events: Vec::new(),
            refused: vec![(RouteName::new("u-h"), "key does not end in .jpg".to_owned())],
        });
        assert_eq!(
            seen,
            "uploads  ObjectCreated:Put new\\nline\\u{1b}[2J  (route u-h does not take it: key does not end in .jpg)"
        );
        let log = |line: &str| {
            told(Entry::Log {
                name: Name::new("inv:f/api/1#1"),
                line: line.to_owned(),
            })
        };
        assert_eq!(log("a\tb\x1b[31m"), "f/api/1#1  | a\tb\\u{1b}[31m");
        assert_eq!(log("a\rb"), "f/api/1#1  | a\n             | b");
    }
}
