//! Diagnostics become text in rustc's format.
//!
//! Owns the layout: code, place, lines with labels, notes, help. Deliberately absent: where the text goes.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Files};
use crate::node::Span;
use crate::words::escaped_line;

/// One diagnostic as text that ends with a line end.
///
/// A note that starts with `+`, `-` or a space is a line of a difference and printed as it is.
pub fn render(files: &Files, diagnostic: &Diagnostic, color: bool) -> String {
    let level = if diagnostic.is_warning() {
        Level::WARNING
    } else {
        Level::ERROR
    };
    let title = level.primary_title(diagnostic.what.as_str()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for snippet in snippets(files, diagnostic) {
        group = group.element(snippet);
    }
    let (lines, notes): (Vec<&String>, Vec<&String>) = diagnostic
        .notes
        .iter()
        .partition(|note| note.starts_with(['+', '-', ' ']));
    if diagnostic.at.is_none() && diagnostic.also.is_empty() && !files.path(0).starts_with('?') {
        group = group.element(annotate_snippets::Origin::path(files.path(0)));
    }
    for note in notes {
        group = group.element(Level::NOTE.message(harmless(note)));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    for line in lines.iter().flat_map(|note| note.lines()) {
        let (on, off) = match line.as_bytes().first() {
            Some(b'-') if color => ("\u{1b}[31m", "\u{1b}[0m"),
            Some(b'+') if color => ("\u{1b}[32m", "\u{1b}[0m"),
            _ => ("", ""),
        };
        let _ = writeln!(text, "     {on}{}{off}", escaped_line(line));
    }
    if let Some(help) = &diagnostic.help {
        let (on, off) = if color {
            ("\u{1b}[1m\u{1b}[96m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        let _ = writeln!(text, "{on}help{off}: {}", harmless(help));
    }
    text
}

/// A text of any number of lines that moves the cursor only by them: keys and logs of handlers are among it.
fn harmless(text: &str) -> String {
    text.split('\n').map(escaped_line).collect::<Vec<_>>().join("\n")
}

/// One snippet for each file with places, that of the main place first.
fn snippets<'a>(
    files: &'a Files,
    diagnostic: &'a Diagnostic,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let main = diagnostic.at.iter().map(|place| (AnnotationKind::Primary, place));
    let also = diagnostic
        .also
        .iter()
        .map(|place| (AnnotationKind::Context, place));
    let mut found: Vec<(u32, Snippet<'a, annotate_snippets::Annotation<'a>>)> = Vec::new();
    for (kind, (span, label)) in main.chain(also) {
        let mut annotation = kind.span(first_line(files.text(span.file), *span));
        if !label.is_empty() {
            annotation = annotation.label(label.as_str());
        }
        match found.iter().position(|(file, _)| *file == span.file) {
            Some(at) => {
                let (file, snippet) = found.remove(at);
                found.insert(at, (file, snippet.annotation(annotation)));
            }
            None => {
                let source = Snippet::source(files.text(span.file)).path(files.path(span.file));
                found.push((span.file, source.annotation(annotation)));
            }
        }
    }
    found.into_iter().map(|(_, snippet)| snippet).collect()
}

/// The part of a span on its first line, on character boundaries and inside the text.
fn first_line(text: &str, span: Span) -> Range<usize> {
    let boundary = |at: u32| {
        let mut at = (at as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    let end = boundary(span.end).max(start);
    let line = text[start..end].split(['\n', '\r']).next().unwrap_or("");
    start..start + line.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(file: u32, start: u32, end: u32) -> Span {
        Span { file, start, end }
    }

    #[test]
    fn it_reads_like_rustc() {
        let mut files = Files::default();
        let a = files.add("a.yaml", "schema: 1\nfunctions:\n  é: { handlr: x }\n");
        let b = files.add("b.yaml", "x: 1\n");
        let d = Diagnostic::new("E102", "unknown key `handlr`")
            .at(span(a, 29, 35), "not known here")
            .also(span(b, 0, 1), "declared here")
            .note("a note")
            .note("- []\n+ [1]")
            .help("did you mean `handler`?");
        let expected = "\
error[E102]: unknown key `handlr`
 --> a.yaml:3:8
  |
3 |   é: { handlr: x }
  |        ^^^^^^ not known here
  |
 ::: b.yaml:1:1
  |
1 | x: 1
  | - declared here
  |
  = note: a note
     - []
     + [1]
help: did you mean `handler`?
";
        assert_eq!(render(&files, &d, false), expected);
        assert!(render(&files, &d, true).contains('\u{1b}'));
    }

    #[test]
    fn odd_places_are_shown_as_well_as_can_be() {
        let mut files = Files::default();
        let a = files.add("a.yaml", "a:\r\n  é\n");
        for (start, end) in [(0, 99), (99, 99), (7, 8), (9, 9), (4, 3)] {
            let d = Diagnostic::new("E101", "x").at(span(a, start, end), "y");
            assert!(render(&files, &d, false).contains("--> a.yaml:"));
        }
        let empty = files.add("e.yaml", "");
        assert!(
            render(
                &files,
                &Diagnostic::new("E1", "x").at(span(empty, 0, 0), "y"),
                false
            )
            .contains("e.yaml")
        );
        let nowhere = Diagnostic::new("E1", "x").note("y");
        assert_eq!(
            render(&Files::default(), &Diagnostic::new("E1", "x"), false),
            "error[E1]: x\n"
        );
        assert_eq!(
            render(&files, &nowhere, false),
            "error[E1]: x\n--> a.yaml\n = note: y\n"
        );
    }
}
