//! Text becomes a [`Node`] tree.
//!
//! Owns the rules that close YAML's traps: the 1.2 core schema only (`yes` is a string), no tags, no merge
//! keys, unique keys, one document, and limits on size, depth and what aliases may unfold to.
//! Deliberately absent: what any key means; that is `decode.rs` and `file.rs`.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use serde_json::Number;

use crate::diagnostic::Diagnostic;
use crate::node::{Located, Node, Span, Value};

/// The code of every error in the YAML itself.
pub const E_YAML: &str = "E101";
/// The largest file that is read.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How deep lists and maps may nest.
pub const MAX_DEPTH: usize = 64;
/// How many bytes all aliases of a file may unfold to, each value counted as 64 and its text.
pub const ALIAS_BUDGET: usize = 16 * 1024 * 1024;

/// Reads one YAML document; an empty one is an empty map.
pub fn parse(file: u32, text: &str) -> Result<Node, Diagnostic> {
    if text.len() > MAX_BYTES {
        let what = format!(
            "this file has {} bytes, more than the {MAX_BYTES} that are read",
            text.len()
        );
        return Err(Diagnostic::new(E_YAML, what)
            .at(
                Span {
                    file,
                    start: 0,
                    end: 0,
                },
                "too large",
            )
            .help("keep large contents in files of their own and refer to them with `file:`"));
    }
    refuse_controls(file, text)?;
    let offsets = Offsets::new(file, text);
    let mut builder = Builder {
        text,
        offsets: &offsets,
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        unfolded: 0,
    };
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(body) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => return Err(broken(text, &offsets, &error)),
        }
    }
    let whole = offsets.bytes(0, text.len());
    Ok(match builder.root {
        Some(Node {
            value: Value::Null,
            span,
        }) if span.start == span.end => Node {
            span,
            value: Value::Map(Vec::new()),
        },
        Some(node) => node,
        None => Node {
            span: whole,
            value: Value::Map(Vec::new()),
        },
    })
}

/// Control characters are not YAML (§5.1); the parser would take a NUL for the end and leave out the rest.
fn refuse_controls(file: u32, text: &str) -> Result<(), Diagnostic> {
    let odd = |b: &u8| (*b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || *b == 0x7f;
    let Some(at) = text.as_bytes().iter().position(odd) else {
        return Ok(());
    };
    let what = format!(
        "the control character 0x{:02x} cannot stand in YAML",
        text.as_bytes()[at]
    );
    let span = Span {
        file,
        start: narrow(at),
        end: narrow(at + 1),
    };
    Err(Diagnostic::new(E_YAML, what)
        .at(span, "here")
        .help("remove it, or write it as an escape such as `\\x1b` in double quotes"))
}

/// Turns the parser's character positions into byte positions.
struct Offsets {
    file: u32,
    len: usize,
    /// Bytes of a byte order mark, which the parser does not see.
    skip: usize,
    /// Byte offset of each character; `None` if all are one byte long.
    chars: Option<Vec<u32>>,
}

impl Offsets {
    fn new(file: u32, text: &str) -> Self {
        let skip = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let body = &text[skip..];
        let chars = (!body.is_ascii()).then(|| body.char_indices().map(|(at, _)| narrow(at)).collect());
        Offsets {
            file,
            len: text.len(),
            skip,
            chars,
        }
    }

    fn byte(&self, index: usize) -> usize {
        let at = match &self.chars {
            None => index,
            Some(chars) => chars.get(index).map_or(self.len, |&at| at as usize),
        };
        at.saturating_add(self.skip).min(self.len)
    }

    fn bytes(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: narrow(start),
            end: narrow(end.max(start)),
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        self.bytes(self.byte(span.start.index()), self.byte(span.end.index()))
    }

    fn point(&self, at: &Marker) -> Span {
        let at = self.byte(at.index());
        self.bytes(at, at)
    }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A list or map whose end has not come yet.
struct Open {
    anchor: usize,
    span: Span,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        entries: Vec<(Located<String>, Node)>,
        places: HashMap<String, Span>,
        key: Option<Located<String>>,
    },
}

/// What an anchor stands for, measured once.
struct Anchor {
    node: Node,
    weight: usize,
    depth: usize,
}

struct Builder<'a> {
    text: &'a str,
    offsets: &'a Offsets,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchor>,
    unfolded: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, place: saphyr_parser::Span) -> Result<(), Diagnostic> {
        let span = self.offsets.span(place);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(Diagnostic::new(E_YAML, "a file holds one YAML document")
                    .at(span, "a second one starts here")
                    .help("put it into a file of its own"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(span, tag.as_deref())?;
                let span = scalar_span(self.text, span, style);
                let key_expected = self.key_expected();
                let plain = style == ScalarStyle::Plain;
                if key_expected {
                    return self.key(&text, plain, span);
                }
                let value = if plain {
                    core(&text, span)?
                } else {
                    Value::String(text.into_owned())
                };
                self.value(Node { span, value }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => self.start(anchor, tag, span, Kind::List(Vec::new()))?,
            Event::MappingStart(anchor, tag) => {
                let kind = Kind::Map {
                    entries: Vec::new(),
                    places: HashMap::new(),
                    key: None,
                };
                self.start(anchor, tag, span, kind)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&place)?,
            Event::Alias(id) => self.alias(id, span)?,
            _ => {}
        }
        Ok(())
    }

    fn key_expected(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                kind: Kind::Map { key: None, .. },
                ..
            })
        )
    }

    fn start(
        &mut self,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        span: Span,
        kind: Kind,
    ) -> Result<(), Diagnostic> {
        refuse_tag(span, tag.as_deref())?;
        if self.key_expected() {
            return Err(bad_key(span, "a list or map cannot be a key"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.open.push(Open { anchor, span, kind });
        Ok(())
    }

    fn end(&mut self, place: &saphyr_parser::Span) -> Result<(), Diagnostic> {
        let Some(Open {
            anchor,
            mut span,
            kind,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let (value, last) = match kind {
            Kind::List(items) => {
                let last = items.last().map(|n| n.span.end);
                (Value::List(items), last)
            }
            Kind::Map { entries, .. } => {
                let last = entries.last().map(|(k, v)| v.span.end.max(k.span.end));
                (Value::Map(entries), last)
            }
        };
        // A flow collection ends with its bracket; a block one ends where its last value does.
        let at = self.offsets.byte(place.start.index());
        let bracket = place.end.index() > place.start.index()
            && self
                .text
                .as_bytes()
                .get(at)
                .is_some_and(|b| matches!(b, b']' | b'}'));
        span.end = if bracket {
            narrow(at + 1)
        } else {
            last.unwrap_or(span.end).max(span.start)
        };
        self.value(Node { span, value }, anchor)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        let key_expected = self.key_expected();
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(
                Diagnostic::new(E_YAML, "an alias cannot stand inside its own anchor").at(span, "endless"),
            );
        };
        if key_expected {
            return Err(bad_key(span, "an alias cannot be a key"));
        }
        self.unfolded = self.unfolded.saturating_add(anchor.weight);
        if self.unfolded > ALIAS_BUDGET {
            return Err(
                Diagnostic::new(E_YAML, "the aliases of this file unfold to too much")
                    .at(span, "too much with this one")
                    .help("write the values out, or keep them in files of their own"),
            );
        }
        if self.open.len() + anchor.depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let node = anchor.node.clone();
        self.value(node, 0)
    }

    fn key(&mut self, text: &str, plain: bool, span: Span) -> Result<(), Diagnostic> {
        if plain && text == "<<" {
            return Err(bad_key(span, "merge keys (`<<`) are not part of YAML 1.2"));
        }
        if plain && matches!(core(text, span), Ok(Value::Null)) {
            return Err(bad_key(span, "a key is missing"));
        }
        let Some(Open {
            kind: Kind::Map { places, key, .. },
            ..
        }) = self.open.last_mut()
        else {
            return Ok(());
        };
        if let Some(first) = places.insert(text.to_owned(), span) {
            return Err(
                Diagnostic::new(E_YAML, format!("the key `{}` is there twice", shorten(text)))
                    .at(span, "again here")
                    .also(first, "first here")
                    .help("keep one of them"),
            );
        }
        *key = Some(Located {
            span,
            value: text.to_owned(),
        });
        Ok(())
    }

    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            let (weight, depth) = measure(&node);
            // The copy kept for the anchor counts as well: nested anchors would hold copies of copies.
            self.unfolded = self.unfolded.saturating_add(weight);
            if self.unfolded > ALIAS_BUDGET {
                let what = "the anchors of this file hold too much";
                return Err(Diagnostic::new(E_YAML, what).at(node.span, "too much with this one"));
            }
            self.anchors.insert(
                anchor,
                Anchor {
                    node: node.clone(),
                    weight,
                    depth,
                },
            );
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open {
                kind: Kind::List(items),
                ..
            }) => items.push(node),
            Some(Open {
                kind: Kind::Map { entries, key, .. },
                ..
            }) => {
                if let Some(key) = key.take() {
                    entries.push((key, node));
                }
            }
        }
        Ok(())
    }
}

/// The span without what the parser counts in after a scalar: spaces, comments, line ends.
fn scalar_span(text: &str, span: Span, style: ScalarStyle) -> Span {
    let inside = text.get(span.start as usize..span.end as usize).unwrap_or("");
    let bytes = inside.as_bytes();
    let len = match style {
        ScalarStyle::DoubleQuoted | ScalarStyle::SingleQuoted => {
            let quote = if style == ScalarStyle::DoubleQuoted {
                b'"'
            } else {
                b'\''
            };
            let mut at = 1;
            while at < bytes.len() {
                match bytes[at] {
                    b'\\' if quote == b'"' => at += 1,
                    b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 1,
                    b if b == quote => break,
                    _ => {}
                }
                at += 1;
            }
            (at + 1).min(bytes.len())
        }
        _ => inside.trim_end().len(),
    };
    Span {
        end: span.start + narrow(len),
        ..span
    }
}

/// Bytes and depth of a tree, for the limits.
fn measure(node: &Node) -> (usize, usize) {
    let mut weight = 64;
    let mut depth = 0;
    let mut add = |(w, d): (usize, usize), key: usize| {
        weight += w + key;
        depth = depth.max(d);
    };
    match &node.value {
        Value::String(text) => return (64 + text.len(), 0),
        Value::List(items) => items.iter().for_each(|item| add(measure(item), 0)),
        Value::Map(entries) => entries
            .iter()
            .for_each(|(k, v)| add(measure(v), 64 + k.value.len())),
        _ => return (64, 0),
    }
    (weight, depth + 1)
}

/// A plain scalar by the core schema (YAML 1.2 §10.3.2).
fn core(text: &str, span: Span) -> Result<Value, Diagnostic> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(no_json(text, span)),
        _ if matches!(text.trim_start_matches(['-', '+']), ".inf" | ".Inf" | ".INF") => {
            return Err(no_json(text, span));
        }
        _ => {}
    }
    match number(text) {
        None => Ok(Value::String(text.to_owned())),
        Some(Some(number)) => Ok(Value::Number(number)),
        Some(None) => Err(
            Diagnostic::new(E_YAML, format!("the number {} does not fit", shorten(text)))
                .at(span, "too large")
                .help("put it in quotes if it is a text, such as an id"),
        ),
    }
}

/// A number of YAML that JSON, and so every event, cannot hold.
fn no_json(text: &str, span: Span) -> Diagnostic {
    Diagnostic::new(E_YAML, format!("JSON has no number `{text}`"))
        .at(span, "")
        .help("put it in quotes if it is a text")
}

/// `None` if the text is no number, `Some(None)` if it is one that JSON readers would not keep.
fn number(text: &str) -> Option<Option<Number>> {
    let digits = |t: &str, radix| !t.is_empty() && t.chars().all(|c: char| c.is_digit(radix));
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(rest) = text.strip_prefix(prefix).filter(|rest| digits(rest, radix)) {
            return Some(u64::from_str_radix(rest, radix).ok().map(Number::from));
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits(unsigned, 10) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let whole = text
            .parse::<u64>()
            .map(Number::from)
            .or_else(|_| text.parse::<i64>().map(Number::from));
        return Some(whole.ok());
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let decimal = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let fits = decimal(whole) && decimal(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !fits || exponent.is_some_and(|e| !digits(e, 10)) {
        return None;
    }
    Some(text.parse::<f64>().ok().and_then(Number::from_f64))
}

fn refuse_tag(span: Span, tag: Option<&Tag>) -> Result<(), Diagnostic> {
    match tag {
        None => Ok(()),
        Some(tag) => {
            let name = match tag.is_yaml_core_schema() {
                true => format!("!!{}", tag.suffix),
                false => format!("{}{}", tag.handle, tag.suffix),
            };
            Err(Diagnostic::new(
                E_YAML,
                format!("YAML tags such as `{}` are not used here", shorten(&name)),
            )
            .at(span, "this value has a tag")
            .help("remove it; put quotes around a value to make it a text"))
        }
    }
}

fn bad_key(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(E_YAML, what)
        .at(span, "here")
        .help("keys are texts; write `key: value`")
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(E_YAML, format!("lists and maps nest deeper than {MAX_DEPTH}")).at(span, "too deep")
}

/// At most the first 40 characters, so that an error stays readable.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// What the parser says, in words that help.
fn broken(text: &str, offsets: &Offsets, error: &ScanError) -> Diagnostic {
    let point = offsets.point(error.marker());
    if let Some(span) = indenting_tab(text, offsets, error) {
        return Diagnostic::new(E_YAML, "tabs cannot indent YAML")
            .at(span, "a tab")
            .help("use spaces, two for each level");
    }
    let info = error.info();
    let (what, help) = match info {
        _ if info.contains("mapping values are not allowed") => (
            "a `key: value` cannot start here".to_owned(),
            "check the indentation, or put quotes around a text that contains `: `",
        ),
        _ if info.contains("unknown anchor") => (
            "this alias has no anchor before it".to_owned(),
            "write `&name` at the value it repeats, or quote a text that starts with `*`",
        ),
        _ if info.contains("unexpected character") => (
            info.to_owned(),
            "put quotes around a text that starts with a special character",
        ),
        _ if info.contains("unexpected end of stream") => (
            "a quoted text does not end".to_owned(),
            "close it with the quote it starts with",
        ),
        _ if info.contains("flow sequence") || info.contains("flow mapping") => (
            info.to_owned(),
            "a `[` needs its `]` and a `{` its `}`, with commas between the entries",
        ),
        _ => (
            info.to_owned(),
            "check the indentation and the quotes around here",
        ),
    };
    Diagnostic::new(E_YAML, what)
        .at(point, "this is not valid YAML")
        .help(help)
}

/// The tab at fault, if a tab stands in the indentation of the line with the error or the next one.
fn indenting_tab(text: &str, offsets: &Offsets, error: &ScanError) -> Option<Span> {
    if !error.info().contains("tab") {
        return None;
    }
    let at = offsets.byte(error.marker().index());
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let mut line_start = start;
    for line in text[start..].split_inclusive('\n').take(2) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t') {
            return Some(offsets.bytes(line_start + tab, line_start + tab + 1));
        }
        line_start += line.len();
    }
    None
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
