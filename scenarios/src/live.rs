//! A journal as it happens, for a terminal: what arrived, what handlers wrote, how each attempt ended.

use std::io::Write;

use router::journal::{Entry, Line, Recorder};

use crate::matcher::shorten;

/// Prints entries once the turn that wrote them is over: whoever waits for a reply gets it first.
pub struct Terminal {
    color: bool,
    held: String,
}

impl Terminal {
    /// A printer to stdout.
    pub fn new(color: bool) -> Self {
        Terminal {
            color,
            held: String::new(),
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
            Entry::Log { name, line } => format!(
                "{}  | {}",
                short(name.path()),
                line.replace('\r', "\n             | ")
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
    }

    fn flush(&mut self) {
        if !self.held.is_empty() {
            // A closed terminal is no reason to stop.
            let _ = std::io::stdout().lock().write_all(self.held.as_bytes());
            self.held.clear();
        }
    }
}
