//! Errors as people need them: where, what, how to fix.

use crate::cause::Cause;
use crate::node::Span;

/// One problem in a file or a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Stable code: `E1xx` the file is wrong, `E2xx` an expectation failed, `E3xx` something did not start.
    pub code: &'static str,
    /// One sentence, lowercase, no full stop.
    pub what: String,
    /// The main place and its label.
    pub at: Option<(Span, String)>,
    /// Further places and their labels.
    pub also: Vec<(Span, String)>,
    /// Lines below the snippet: differences, notes.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// Why it came to this, for the line that explains it.
    pub cause: Option<Box<Cause>>,
}

impl Diagnostic {
    /// Whether it is advice rather than an error: its code starts with `W`.
    pub fn is_warning(&self) -> bool {
        self.code.starts_with('W')
    }

    /// A diagnostic with a code and a sentence.
    pub fn new(code: &'static str, what: impl Into<String>) -> Self {
        Diagnostic {
            code,
            what: what.into(),
            at: None,
            also: Vec::new(),
            notes: Vec::new(),
            help: None,
            cause: None,
        }
    }

    /// With its main place.
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.at = Some((span, label.into()));
        self
    }

    /// With a further place.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// With a line below the snippet.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The files that were read, for showing lines of them.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: Vec<(String, String)>,
}

impl Files {
    /// Adds a file by the path people know and its text; returns its number for spans.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> u32 {
        self.files.push((path.into(), text.into()));
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// How many files there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.files.len()).unwrap_or(u32::MAX)
    }

    /// Whether no file was read.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The path of a file.
    pub fn path(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("?", |(path, _)| path)
    }

    /// The text of a file.
    pub fn text(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("", |(_, text)| text)
    }

    /// Line and column, both from 1, of a span's start.
    pub fn line_col(&self, span: Span) -> (usize, usize) {
        let text = self.text(span.file);
        let mut start = (span.start as usize).min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let col = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, col)
    }
}
