//! Stand-in.
use bytes::Bytes;
use hyper::{HeaderMap, Method};
use router::name::{RequestId, unhex};

/// A request.
pub struct Request {
    /// m
    pub method: Method,
    /// p
    pub path: String,
    /// q
    pub query: Option<String>,
    /// h
    pub headers: HeaderMap,
    /// b
    pub body: Bytes,
    /// i
    pub id: RequestId,
    /// n
    pub number: u64,
}
impl Request {
    /// Header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
/// d
pub fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%').then(|| after.split_at_checked(2)).flatten();
        match escaped.and_then(|(pair, after)| Some((unhex(pair)?, after))) {
            Some((byte, after)) => {
                out.extend(byte);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
/// q
pub fn queries(query: Option<&str>) -> Vec<(String, String)> {
    query
        .unwrap_or("")
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| {
            let (k, v) = p.split_once('=').unwrap_or((p, ""));
            (decode(k), decode(&v.replace('+', " ")))
        })
        .collect()
}
