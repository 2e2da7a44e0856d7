//! A small JSON reader that keeps what patterns need: positions, the text of numbers, and every key.
//!
//! serde_json keeps neither the place of a value nor a key that comes twice, and a pattern's errors need
//! the first, its rules the second. Deliberately absent: reading events; those are `serde_json::Value`.

use super::error::Refusal;

/// Levels that a document may have. An event has at most this many (serde_json reads no more), so a deeper
/// pattern could never match.
pub(super) const DEPTH_LIMIT: usize = 128;

/// A value and where it starts.
pub(super) struct Node {
    /// The byte at which the value starts.
    pub(super) at: usize,
    /// What it is.
    pub(super) value: Value,
}

/// A JSON value; members in the order of the text.
pub(super) enum Value {
    /// Members, with keys that come twice.
    Object(Vec<(Key, Node)>),
    /// Elements.
    Array(Vec<Node>),
    /// A string, unescaped.
    Text(String),
    /// A number as it is spelled.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// The key of a member and where it starts.
pub(super) struct Key {
    /// The byte at which the key's quote is.
    pub(super) at: usize,
    /// The key, unescaped.
    pub(super) text: String,
}

/// Reads one document, with nothing after it.
pub(super) fn read(text: &str) -> Result<Node, Refusal> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.node(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(other) => Err(reader.unexpected(other, "the end of the pattern")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn node(&mut self, depth: usize) -> Result<Node, Refusal> {
        self.skip_space();
        let at = self.at;
        if depth >= DEPTH_LIMIT {
            return Err(Refusal::new(
                at,
                format!("Pattern is nested deeper than {DEPTH_LIMIT} levels"),
            ));
        }
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Value::Text(self.string()?),
            Some('-' | '0'..='9') => Value::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value, Refusal> {
        let mut members = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let at = self.at;
            if self.peek() != Some('"') {
                return Err(self.wanted("double-quote to start field name"));
            }
            let text = self.string()?;
            self.skip_space();
            if !self.take(':') {
                return Err(self.wanted("a colon to separate field name and value"));
            }
            members.push((Key { at, text }, self.node(depth + 1)?));
            self.skip_space();
            if self.take('}') {
                return Ok(Value::Object(members));
            }
            if !self.take(',') {
                return Err(self.wanted("comma to separate Object entries"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Refusal> {
        let mut elements = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(']') {
            return Ok(Value::Array(elements));
        }
        loop {
            elements.push(self.node(depth + 1)?);
            self.skip_space();
            if self.take(']') {
                return Ok(Value::Array(elements));
            }
            if !self.take(',') {
                return Err(self.wanted("comma to separate Array entries"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Refusal> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(next) = self.peek() {
            match next {
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                '\\' => text.push(self.escape()?),
                '\0'..='\u{1f}' => return Err(self.wanted("control characters to be escaped")),
                _ => {
                    text.push(next);
                    self.at += next.len_utf8();
                }
            }
        }
        Err(Refusal::new(
            start,
            "Unexpected end-of-input: was expecting closing quote for a string value",
        ))
    }

    fn escape(&mut self) -> Result<char, Refusal> {
        let start = self.at;
        self.at += 1;
        let kind = self.peek();
        self.at += kind.map_or(0, char::len_utf8);
        let bad = || Refusal::new(start, "Unrecognized character escape");
        match kind {
            Some(plain @ ('"' | '\\' | '/')) => Ok(plain),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => self.code_point().ok_or_else(bad),
            _ => Err(bad()),
        }
    }

    /// After `\u`: one unit, or the two of a surrogate pair. Half a pair is no character.
    fn code_point(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if !(self.take('\\') && self.take('u')) {
            return None;
        }
        let second = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10 | second))
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Result<String, Refusal> {
        let start = self.at;
        self.take('-');
        let whole = if self.take('0') { 1 } else { self.digits() };
        let fraction = if self.take('.') { self.digits() } else { 1 };
        let exponent = if self.take('e') || self.take('E') {
            let _sign = self.take('+') || self.take('-');
            self.digits()
        } else {
            1
        };
        let more = self
            .peek()
            .is_some_and(|next| next.is_alphanumeric() || next == '.');
        if whole == 0 || fraction == 0 || exponent == 0 || more {
            return Err(Refusal::new(start, "Invalid numeric value"));
        }
        Ok(self.text[start..self.at].to_owned())
    }

    fn digits(&mut self) -> usize {
        let rest = &self.text[self.at..];
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
    }

    fn word(&mut self) -> Result<Value, Refusal> {
        let rest = &self.text[self.at..];
        let word: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let value = match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "" => return Err(self.wanted("a value")),
            _ => {
                let word: String = word.chars().take(40).collect();
                let wanted = "JSON String, Number, Array, Object or token 'null', 'true' or 'false'";
                return Err(Refusal::new(
                    self.at,
                    format!("Unrecognized token '{word}': was expecting ({wanted})"),
                ));
            }
        };
        self.at += word.len();
        Ok(value)
    }

    fn skip_space(&mut self) {
        while let Some(' ' | '\t' | '\n' | '\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    /// Goes past an ASCII character if it is next.
    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn wanted(&self, what: &str) -> Refusal {
        match self.peek() {
            Some(found) => self.unexpected(found, what),
            None => Refusal::new(self.at, format!("Unexpected end-of-input: was expecting {what}")),
        }
    }

    fn unexpected(&self, found: char, what: &str) -> Refusal {
        let code = u32::from(found);
        let found = found.escape_debug().to_string().replace("\\'", "'");
        Refusal::new(
            self.at,
            format!("Unexpected character ('{found}' (code {code})): was expecting {what}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(node: &Node) -> String {
        match &node.value {
            Value::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(k, v)| format!("{}@{}:{}", k.text, k.at, words(v)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            Value::Array(elements) => {
                format!("[{}]", elements.iter().map(words).collect::<Vec<_>>().join(","))
            }
            Value::Text(text) => format!("'{text}'"),
            Value::Number(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Null => "null".to_owned(),
        }
    }

    #[test]
    fn keys_that_come_twice_and_numbers_keep_their_text() {
        let node = read(" {\"a\" : [1.50e+2, -0], \"a\":\"\\u00e9\\ud83d\\ude00\\n\"}\n").expect("JSON");
        assert_eq!(words(&node), "{a@2:[1.50e+2,-0],a@23:'é😀\n'}");
        assert_eq!(
            words(&read("[true,false,null,{},[]]").expect("JSON")),
            "[true,false,null,{},[]]"
        );
    }

    #[test]
    fn what_is_not_json_is_refused_at_its_place() {
        for (text, at) in [
            ("", 0),
            ("  ", 2),
            ("{", 1),
            ("{'a':1}", 1),
            ("{\"a\" 1}", 5),
            ("{\"a\":1,}", 7),
            ("[1 2]", 3),
            ("[1,]", 3),
            ("[01]", 1),
            ("[1.]", 1),
            ("[.5]", 1),
            ("[1e]", 1),
            ("[+1]", 1),
            ("[-]", 1),
            ("[1a]", 1),
            ("[\"a]", 1),
            ("[\"\n\"]", 2),
            ("[\"\\x\"]", 2),
            ("[\"\\u12\"]", 2),
            ("[\"\\u+123\"]", 2),
            ("[\"\\ud800\"]", 2),
            ("[\"\\ud800\\u0041\"]", 2),
            ("[nul]", 1),
            ("{} {}", 3),
            ("\u{feff}{}", 0),
        ] {
            let refused = read(text).err().map(|refusal| refusal.within(text));
            assert_eq!(refused.map(|error| error.column() - 1), Some(at), "{text}")
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(read(&deep(DEPTH_LIMIT)).is_ok());
        assert!(read(&deep(DEPTH_LIMIT + 1)).is_err());
        assert!(read(&"[".repeat(1_000_000)).is_err());
    }
}
