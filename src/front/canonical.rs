//! The canonical request of Signature Version 4: one spelling for all ways to send the same.
//!
//! Owns the rules for path, query and headers. Deliberately absent: keys and hashes.

use super::credential::{Claim, Way};
use super::http::{Request, decode_bytes};

/// What stands for the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Its SHA-256, in hexadecimal digits.
    Hash(String),
    /// It is not signed.
    Unsigned,
}

/// The text that was signed, for one spelling of the path.
pub fn request(request: &Request, claim: &Claim, path: &str, payload: &Payload) -> String {
    let payload = match payload {
        Payload::Hash(hash) => hash,
        Payload::Unsigned => "UNSIGNED-PAYLOAD",
    };
    let headers: String = claim.signed.iter().map(|name| header(request, name)).collect();
    format!(
        "{}\n{path}\n{}\n{headers}\n{}\n{payload}",
        request.method,
        query(request.query.as_deref().unwrap_or(""), claim.way),
        claim.signed.join(";")
    )
}

/// The spellings of a path that clients sign: normalised and encoded once more, which AWS asks for, and as it was sent,
/// which S3 asks for.
pub fn paths(sent: &str) -> Vec<String> {
    let twice = encode(normal(sent).as_bytes(), true);
    match twice == sent {
        true => vec![twice],
        false => vec![twice, sent.to_owned()],
    }
}

/// Without `.`, `..` and empty segments (RFC 3986 §6).
fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}

/// Parameters encoded anew, by name and then by value; a signature is not a part of what it signs.
fn query(sent: &str, way: Way) -> String {
    let pairs = sent.split('&').filter(|pair| !pair.is_empty());
    let again = |text: &str| encode(&decode_bytes(text), false);
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (again(name), again(value)))
        .filter(|(name, _)| way == Way::Header || name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    joined.join("&")
}

/// `name:value\n`, with one space for many.
fn header(request: &Request, name: &str) -> String {
    let values = request.headers.get_all(name).iter();
    let values: Vec<String> = values
        .map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            text.split(' ')
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    format!("{name}:{}\n", values.join(","))
}

/// Percent-encoding of everything but letters, digits and `-._~`, and `/` where it is kept.
pub fn encode(bytes: &[u8], slashes: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte))
            }
            b'/' if slashes => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_and_encoded_twice() {
        assert_eq!(paths("/"), ["/"]);
        assert_eq!(paths(""), ["/", ""]);
        assert_eq!(paths("/a%3Ab/c"), ["/a%253Ab/c", "/a%3Ab/c"]);
        assert_eq!(paths("/a/./b/../c//d/"), ["/a/c/d/", "/a/./b/../c//d/"]);
        assert_eq!(paths("/../.."), ["/", "/../.."]);
    }

    #[test]
    fn a_query_is_sorted_after_encoding() {
        assert_eq!(query("b=2&a=%7e+x&a=1&c", Way::Header), "a=1&a=~%2Bx&b=2&c=");
        assert_eq!(query("a=1&X-Amz-Signature=00", Way::Query { expires: 1 }), "a=1");
        assert_eq!(query("", Way::Header), "");
    }
}
