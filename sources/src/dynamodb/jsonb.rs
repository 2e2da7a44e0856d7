//! SQLite's binary JSON, as `jsonb()` writes it.
//!
//! An element is a header (low four bits: type; high four: size of the payload, or how many bytes of size follow) and its
//! payload. Deliberately absent: writing it.

use super::value::{self, Item, MAX_DEPTH, Value};

/// The value of a JSONB blob; `None` if it is not one, or nests deeper than DynamoDB allows.
pub fn decode(bytes: &[u8]) -> Option<Value> {
    let (value, rest) = element(bytes, 0)?;
    rest.is_empty().then_some(value)
}

fn element(bytes: &[u8], depth: usize) -> Option<(Value, &[u8])> {
    let (kind, payload, rest) = split(bytes)?;
    let text = || std::str::from_utf8(payload).ok();
    let value = match kind {
        0 => Value::Null,
        1 => Value::Bool(true),
        2 => Value::Bool(false),
        3 | 5 => value::number_or_text(text()?.to_owned()),
        4 => value::number_or_text(integer(text()?)?),
        6 => value::number_or_text(float(text()?)),
        7..=10 => Value::S(string(kind, text()?)?),
        11 | 12 if depth >= MAX_DEPTH => return None,
        11 => Value::L(list(payload, depth)?),
        12 => Value::M(map(payload, depth)?),
        _ => return None,
    };
    Some((value, rest))
}

/// An element's type, payload, and what follows it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let head = *bytes.first()?;
    let (size, start) = match head >> 4 {
        short @ 0..=11 => (usize::from(short), 1),
        long => {
            let width = 1usize << (long - 12);
            let digits = bytes.get(1..1 + width)?;
            let size = digits.iter().try_fold(0usize, |sum, b| {
                sum.checked_mul(256)?.checked_add(usize::from(*b))
            })?;
            (size, 1 + width)
        }
    };
    let end = start.checked_add(size)?;
    Some((head & 15, bytes.get(start..end)?, bytes.get(end..)?))
}

fn list(mut payload: &[u8], depth: usize) -> Option<Vec<Value>> {
    let mut list = Vec::new();
    while !payload.is_empty() {
        let (value, rest) = element(payload, depth + 1)?;
        list.push(value);
        payload = rest;
    }
    Some(list)
}

fn map(mut payload: &[u8], depth: usize) -> Option<Item> {
    let mut item = Item::new();
    while !payload.is_empty() {
        let (kind, name, rest) = split(payload)?;
        let name = string(kind, std::str::from_utf8(name).ok()?)?;
        let (value, rest) = element(rest, depth + 1)?;
        item.insert(name, value);
        payload = rest;
    }
    Some(item)
}

/// An integer of JSON5, which may be hexadecimal, in decimal.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => Some(format!("{sign}{}", u128::from_str_radix(hex, 16).ok()?)),
        None => Some(text.to_owned()),
    }
}

/// A number of JSON5: SQLite reads its infinities as 9e999.
fn float(text: &str) -> String {
    text.replace("Infinity", "9e999")
}

/// A string: plain (7), or with the escapes of JSON (8) or JSON5 (9), or raw (10).
fn string(kind: u8, text: &str) -> Option<String> {
    match kind {
        7 | 10 => Some(text.to_owned()),
        8 => serde_json::from_str(&format!("\"{text}\"")).ok(),
        9 => unescape(text),
        _ => None,
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '0' => out.push('\0'),
            'x' => out.push(char::from_u32(hex(&mut rest, 2)?)?),
            'u' => out.push(utf16(&mut rest)?),
            '\n' | '\u{2028}' | '\u{2029}' => {}
            '\r' => {
                let mut ahead = rest.clone();
                if ahead.next() == Some('\n') {
                    rest = ahead;
                }
            }
            other => out.push(other),
        }
    }
    Some(out)
}

fn hex(from: &mut std::str::Chars<'_>, digits: usize) -> Option<u32> {
    (0..digits).try_fold(0, |sum, _| Some(sum * 16 + from.next()?.to_digit(16)?))
}

fn utf16(from: &mut std::str::Chars<'_>) -> Option<char> {
    let first = hex(from, 4)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    let second = (from.next()? == '\\' && from.next()? == 'u').then(|| hex(from, 4))??;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    /// What SQLite makes of a text.
    fn jsonb(text: &str) -> Vec<u8> {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database
            .query_row("SELECT jsonb(?)", [text], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn binary_json_is_what_its_text_is() {
        let long = format!("{{\"t\":\"{}\"}}", "x".repeat(70_000));
        for text in [
            "null",
            "true",
            "[]",
            "{}",
            "[1,-2.5e3,\"a\\n\\u00e9\\ud83d\\ude00\",{\"k\\\"\":[false]}]",
            "12345678901234567890123456789012345678",
            &long,
        ] {
            assert_eq!(decode(&jsonb(text)), value::from_json(text), "{text:.60}");
        }
    }

    #[test]
    fn the_words_of_json5_are_understood() {
        let five = "[0x1F, +5, .5, 'it\\'s\\x41\\\n', -0x2]";
        let plain = "[31, 5, 0.5, \"it's\\u0041\", -2]";
        assert_eq!(decode(&jsonb(five)), value::from_json(plain));
    }

    #[test]
    fn what_is_not_binary_json_is_refused() {
        for bytes in [
            &[][..],
            &[0x0d],
            &[0x1b],
            &[0x00, 0x00],
            &[0xcb, 9],
            &[0xfb; 9],
            &[0x17, 0xff],
        ] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
        assert_eq!(
            decode(&jsonb(&format!("{}{}", "[".repeat(33), "]".repeat(33)))),
            None
        );
        // Every cut and every flipped byte of a real one ends in some answer.
        let whole = jsonb("[1,{\"a\":\"b\"},2.5,\"c\\n\"]");
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None);
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[end] ^= 1 << bit;
                let _ = decode(&damaged);
            }
        }
    }
}
