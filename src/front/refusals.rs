//! What the front refuses, in a dim line on the screen: no event came of it, so the journal has nothing.
//!
//! Owns the line: what was asked, and what its caller was told. Both may hold anything, so they are cut, and what moves a
//! cursor is escaped.

use std::sync::{Mutex, PoisonError};

use scenarios::clock::system_now;
use scenarios::screen::Pen;
use scenarios::words::escaped;

use super::http::{Answer, Body};
use super::xml;

/// Characters of a method, of a path and of a message that are shown.
const LONGEST: (usize, usize, usize) = (10, 120, 240);

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
    pub fn tell(&self, method: &str, path: &str, answer: &Answer) {
        let Some(error) = answer.error() else { return };
        if !matches!(answer.status, 400..=428 | 430..=499 | 501) {
            return;
        }
        let time = system_now().iso_millis();
        let text = format!(
            "{}  {}",
            time.get(11..23).unwrap_or(&time),
            line(method, path, answer.status, error, message(answer).as_deref())
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

fn line(method: &str, path: &str, status: u16, error: &str, message: Option<&str>) -> String {
    let (method, path) = (cut(method, LONGEST.0), cut(path, LONGEST.1));
    let message = message.map_or(String::new(), |text| format!(": {}", cut(text, LONGEST.2)));
    format!("api  {method} {path}  {status} {error}{message}")
}

/// What an error says, in whichever form it is told.
fn message(answer: &Answer) -> Option<String> {
    let Body::Whole(body) = &answer.body else {
        return None;
    };
    let text = std::str::from_utf8(body).ok()?;
    if text.starts_with('<') {
        let (_, rest) = text.split_once("<Message>")?;
        return rest
            .split_once("</Message>")
            .map(|(text, _)| xml::unescaped(text));
    }
    let document: serde_json::Value = serde_json::from_str(text).ok()?;
    let told = ["message", "Message"]
        .into_iter()
        .find_map(|name| document.get(name)?.as_str());
    told.map(str::to_owned)
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
            line("POST", "/2015-03-31/functions/f/invocations", 404, error, None),
            "api  POST /2015-03-31/functions/f/invocations  404 ResourceNotFoundException"
        );
        let long = line(
            "POST",
            &format!("/a\n\x1b[2J{}", "x".repeat(9000)),
            404,
            error,
            None,
        );
        assert!(
            long.starts_with("api  POST /a\\n\\u{1b}[2Jxx") && long.len() < 200,
            "{long}"
        );
        assert!(!long.contains(|c: char| c.is_control()), "{long}");
    }
    #[test]
    fn a_line_says_what_the_caller_was_told() {
        use crate::front::fault::{Fault, Form};
        let told = |form| {
            let fault = Fault::new(
                400,
                "InvalidParameterValueException",
                "no <such> \"layer\" & more\n",
            );
            message(&fault.told(form, &router::name::RequestId::new("id")))
        };
        for form in [Form::RestJson, Form::Json, Form::Query, Form::Ec2, Form::S3] {
            assert_eq!(
                told(form).as_deref(),
                Some("no <such> \"layer\" & more\n"),
                "{form:?}"
            );
        }
        let upper = Answer::json(404, r#"{"Type":"User","Message":"none"}"#);
        assert_eq!(message(&upper).as_deref(), Some("none"));
        for none in ["", "{", "[]", "<Error/>", r#"{"Message":null}"#] {
            assert_eq!(message(&Answer::json(403, none)), None, "{none}");
        }
        let long = format!("a\n{}", "x".repeat(9000));
        let line = line("POST", "/f", 400, "E", Some(&long));
        assert!(
            line.starts_with("api  POST /f  400 E: a\\nxx") && line.chars().count() < 300,
            "{line}"
        );
    }
}
