//! The HTTP response that a function's answer becomes (spec/sources/api-gateway §5 and §6).
//!
//! ```text
//!   {"statusCode": …}   as it says: status, headers, cookies, body
//!   any other JSON      200, application/json: a string without its quotes, all else without spaces
//!   no JSON, a failure  502
//! ```
//!
//! Pure. Owns which answers are responses, too: a status that is none, or a header that cannot be sent, is a 502 as on
//! AWS. Deliberately absent: answers that stream ([`streaming`](super::streaming)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE, TRANSFER_ENCODING, UPGRADE,
};
use serde_json::{Map, Value};

use crate::front::http::{Answer, Body};

/// Status and headers, as a function gives them.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// 100 to 999, without the informational ones, which end nothing.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
}

/// What the connection itself decides.
const OURS: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE];

/// The response that an answer is.
pub fn of(payload: &[u8]) -> Answer {
    match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(members)) if members.contains_key("statusCode") => {
            told(&members).unwrap_or_else(failed)
        }
        Ok(Value::String(text)) => Answer::of(200, "application/json", text),
        Ok(_) => Answer::of(200, "application/json", compact(payload)),
        Err(_) => failed(),
    }
}

/// What a client is told of a function that failed, or of an answer that is no response.
pub fn failed() -> Answer {
    Answer::of(502, "text/plain", "Internal Server Error")
}

/// Reads status, headers and cookies; `kind` is the type of a body that has none.
pub fn head(members: &Map<String, Value>, kind: &str) -> Option<Head> {
    let status = match members.get("statusCode") {
        Some(Value::String(text)) => text.parse().ok()?,
        Some(number) => u16::try_from(number.as_u64()?).ok()?,
        None => 200,
    };
    if !(200..1000).contains(&status) {
        return None;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in object(members.get("headers"))? {
        let name = HeaderName::try_from(name).ok()?;
        if !OURS.contains(&name) {
            headers.append(name, HeaderValue::try_from(scalar(value)?).ok()?);
        }
    }
    match members.get("cookies") {
        None | Some(Value::Null) => {}
        Some(cookies) => {
            for cookie in cookies.as_array()? {
                headers.append(SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
            }
        }
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(kind).ok()?);
    }
    Some(Head { status, headers })
}

fn told(members: &Map<String, Value>) -> Option<Answer> {
    let head = head(members, "application/json")?;
    let text = match members.get("body") {
        None | Some(Value::Null) => "",
        Some(body) => body.as_str()?,
    };
    let body = match members.get("isBase64Encoded") {
        Some(Value::Bool(true)) => STANDARD.decode(text).ok()?.into(),
        _ => Bytes::copy_from_slice(text.as_bytes()),
    };
    Some(answer(head, Body::Whole(body)))
}

/// An answer with this head.
pub fn answer(head: Head, body: Body) -> Answer {
    Answer {
        status: head.status,
        headers: Vec::new(),
        taken: head.headers,
        body,
    }
}

/// The members of an object; none for what is not there.
fn object(value: Option<&Value>) -> Option<Vec<(&String, &Value)>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Object(members)) => Some(members.iter().collect()),
        Some(_) => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// JSON without the spaces between its parts. Numbers stay as they were written, which reading them would not promise.
fn compact(json: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    for byte in json {
        if !inside && byte.is_ascii_whitespace() {
            continue;
        }
        if *byte == b'"' && !escaped {
            inside = !inside;
        }
        escaped = inside && *byte == b'\\' && !escaped;
        out.push(*byte);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &str) -> (u16, String, String) {
        let answer = of(payload.as_bytes());
        let own = answer.headers.first().map(|(_, value)| value.clone());
        let taken = answer
            .taken
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = own.or(taken.map(str::to_owned)).unwrap_or_default();
        let body = match answer.body {
            Body::Whole(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Body::Stream(_) => String::new(),
        };
        (answer.status, kind, body)
    }

    fn is(status: u16, kind: &str, body: &str) -> (u16, String, String) {
        (status, kind.to_owned(), body.to_owned())
    }

    #[test]
    fn what_is_no_response_is_a_body() {
        let json = "application/json";
        assert_eq!(
            shown(r#"{"hello": "world"}"#),
            is(200, json, r#"{"hello":"world"}"#)
        );
        assert_eq!(shown(r#""text \" here""#), is(200, json, "text \" here"));
        assert_eq!(
            shown(r#"[1.50, "a \" b\\", true]"#),
            is(200, json, r#"[1.50,"a \" b\\",true]"#)
        );
        assert_eq!(shown("null"), is(200, json, "null"));
        assert_eq!(shown("plain"), is(502, "text/plain", "Internal Server Error"));
        assert_eq!(shown(""), is(502, "text/plain", "Internal Server Error"));
    }

    #[test]
    fn a_response_is_as_it_says() {
        let html = r#"{"statusCode": "201", "headers": {"Content-Type": "text/html"}, "body": "<p>"}"#;
        assert_eq!(shown(html), is(201, "text/html", "<p>"));
        let image = r#"{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true, "headers": null}"#;
        assert_eq!(shown(image), is(200, "application/json", "hi"));
        let cookies = of(
            br#"{"statusCode": 204, "cookies": ["a=1", "b=2"], "headers": {"X-N": 1, "Content-Length": 9}}"#,
        );
        let set: Vec<_> = cookies.taken.get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies.status, 204);
        assert_eq!(set, ["a=1", "b=2"]);
        assert_eq!(cookies.taken.get("x-n"), Some(&HeaderValue::from_static("1")));
        assert!(!cookies.taken.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn what_cannot_be_sent_is_a_bad_gateway() {
        for payload in [
            r#"{"statusCode": "test"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 101}"#,
            r#"{"statusCode": 1000}"#,
            r#"{"statusCode": 70000}"#,
            r#"{"statusCode": -1}"#,
            r#"{"statusCode": null}"#,
            r#"{"statusCode": 200, "body": {}}"#,
            r#"{"statusCode": 200, "body": "!", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "headers": []}"#,
            r#"{"statusCode": 200, "headers": {"a": []}}"#,
            r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "b\nc"}}"#,
            r#"{"statusCode": 200, "cookies": "a=1"}"#,
        ] {
            assert_eq!(shown(payload).0, 502, "{payload}");
        }
    }
}
