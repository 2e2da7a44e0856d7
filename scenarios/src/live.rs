//! A journal as it happens, for a terminal: what arrived, what handlers wrote, how each attempt ended.

use std::borrow::Cow;

use router::journal::{Entry, Line, Recorder};

use crate::matcher::shorten;
use crate::screen::Pen;

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
                    (true, Some((route, why))) => format!("  (route {route} does not take it: {why})"),
                    (true, None) => "  (no route)".to_owned(),
                    _ => String::new(),
                };
                format!("{source}  {kind} {subject}{}", paint("2", &note))
            }
            Entry::Step { what, .. } => paint("2", what),
            Entry::Log { name, line } => format!(
                "{}  | {}",
                short(name.path()),
                cut(line).replace('\r', "\n             | ")
            ),
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
                    shorten(&body.json().to_string())
                )
            }
            Entry::Retry { event, due, why } => {
                let wait = due.since(line.t).as_secs();
                format!("{}  waits {wait} s: {why}", short(event.path()))
            }
            Entry::Done { event, how, to, .. } if how != "success" => {
                format!("{}  given up: {how}, record to {to}", short(event.path()))
            }
            Entry::Sink { sink, body, .. } => format!("{sink}  got {}", shorten(&body.json().to_string())),
            // It comes after the outcome: only when the environment is at rest it is known.
            Entry::Real { name, figures } => {
                let left = figures.get("unfinished")?;
                format!("{}  {}", short(name.path()), paint("33", left))
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
