//! The body of a subscription, read and checked (spec/runtime-api §12).
//!
//! Owns the ranges of buffering and which destinations there are. Pure. Deliberately absent: TCP destinations.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::Uri;
use serde_json::Value;

use super::buffer::Limits;

const VERSIONS: [&str; 3] = ["2022-07-01", "2022-12-13", "2025-01-29"];

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// What the platform did.
    Platform,
    /// What the runtime wrote.
    Function,
    /// What an extension wrote.
    Extension,
}

impl Topic {
    const ALL: [Topic; 3] = [Topic::Platform, Topic::Function, Topic::Extension];

    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            Topic::Platform => "platform",
            Topic::Function => "function",
            Topic::Extension => "extension",
        }
    }
}

/// Where events are posted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// On this machine.
    pub address: SocketAddr,
    /// The value of `Host`.
    pub host: String,
    /// Path and query.
    pub path: String,
}

/// What an extension wants to be told, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// About what.
    pub topics: Vec<Topic>,
    /// When a batch is sent.
    pub limits: Limits,
    /// Where to.
    pub destination: Destination,
}

impl Subscription {
    /// Reads a body; else says what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Subscription, String> {
        let body: Value = serde_json::from_slice(body).map_err(|e| format!("the body is no JSON: {e}"))?;
        if !body.is_object() {
            return Err("the body must be an object with schemaVersion, types and destination".to_owned());
        }
        let version = body["schemaVersion"].as_str().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return Err(format!("schemaVersion must be one of {}", VERSIONS.join(", ")));
        }
        Ok(Subscription {
            topics: topics(&body["types"])?,
            limits: limits(&body["buffering"])?,
            destination: destination(&body["destination"])?,
        })
    }

    /// AWS's words for the topics.
    pub fn words(&self) -> Vec<&'static str> {
        self.topics.iter().map(|topic| topic.word()).collect()
    }
}

fn topics(given: &Value) -> Result<Vec<Topic>, String> {
    let wrong = || "types must be a list of platform, function and extension, one at least".to_owned();
    let list = given
        .as_array()
        .filter(|list| !list.is_empty())
        .ok_or_else(wrong)?;
    let mut topics = Vec::new();
    for word in list {
        let known = Topic::ALL.into_iter().find(|topic| word == topic.word());
        let topic = known.ok_or_else(wrong)?;
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    Ok(topics)
}

fn limits(given: &Value) -> Result<Limits, String> {
    if !(given.is_null() || given.is_object()) {
        return Err("buffering must be an object".to_owned());
    }
    let number = |key: &str, least: u64, most: u64, usual: u64| match &given[key] {
        Value::Null => Ok(usual),
        value => value
            .as_u64()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| {
                format!("buffering.{key} must be a number from {least} to {most}, not {value:.40}")
            }),
    };
    let items = number("maxItems", 1000, 10_000, 10_000)?;
    let bytes = number("maxBytes", 262_144, 1_048_576, 262_144)?;
    let timeout = number("timeoutMs", 25, 30_000, 1000)?;
    Ok(Limits {
        items: usize::try_from(items).unwrap_or(usize::MAX),
        bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        timeout: Duration::from_millis(timeout),
    })
}

fn destination(given: &Value) -> Result<Destination, String> {
    if given["protocol"].as_str() != Some("HTTP") {
        return Err("destination.protocol must be HTTP: TCP is not supported by triggerfish".to_owned());
    }
    let form = "destination.URI must be like http://sandbox.localdomain:4243/path, on this machine";
    let wrong = || form.to_owned();
    let uri: Uri = given["URI"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = match bare.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => address,
        // On AWS a name of the environment; here the environment is on this machine.
        Err(_) if ["sandbox.localdomain", "sandbox", "localhost"].contains(&bare) => {
            Ipv4Addr::LOCALHOST.into()
        }
        _ => return Err(wrong()),
    };
    if uri.scheme_str() != Some("http") {
        return Err(wrong());
    }
    let port = uri.port_u16().unwrap_or(80);
    Ok(Destination {
        address: SocketAddr::new(address, port),
        host: format!("{host}:{port}"),
        path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    use serde_json::json;

    fn body() -> Value {
        json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function"],
            "buffering": { "maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 100 },
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/a?b" },
        })
    }

    fn with(pointer: &str, value: Value) -> Result<Subscription, String> {
        let mut body = body();
        *body.pointer_mut(pointer).unwrap() = value;
        Subscription::parse(body.to_string().as_bytes())
    }

    #[test]
    fn the_documented_body_is_read() {
        let read = Subscription::parse(body().to_string().as_bytes()).unwrap();
        assert_eq!(read.words(), ["platform", "function"]);
        assert_eq!(read.limits.timeout, Duration::from_millis(100));
        assert_eq!(read.destination.address, "127.0.0.1:4243".parse().unwrap());
        assert_eq!(read.destination.path, "/a?b");
        let usual = with("/buffering", Value::Null).unwrap().limits;
        assert_eq!((usual.items, usual.bytes), (10_000, 262_144));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let says = |pointer: &str, value: Value, text: &str| {
            let why = with(pointer, value).unwrap_err();
            assert!(why.contains(text), "{why}");
        };
        says(
            "/schemaVersion",
            json!("2020-01-01"),
            "schemaVersion must be one of",
        );
        says("/types", json!([]), "types must be a list");
        says("/types", json!(["all"]), "types must be a list");
        says("/buffering", json!(3), "buffering must be an object");
        says(
            "/buffering/maxItems",
            json!(999),
            "maxItems must be a number from 1000 to 10000, not 999",
        );
        says("/buffering/maxBytes", json!(1 << 30), "maxBytes must be");
        says("/buffering/timeoutMs", json!("100"), "timeoutMs must be");
        says("/destination/protocol", json!("TCP"), "TCP is not supported");
        for uri in [
            "http://example.com:1",
            "https://localhost:1",
            "http://10.0.0.1:1",
            "",
            "/x",
            "http://:1",
        ] {
            says("/destination/URI", json!(uri), "on this machine");
        }
        assert!(with("/destination/URI", json!("http://[::1]:9")).is_ok());
        for garbage in [&b""[..], b"[]", b"3", b"\xff"] {
            assert!(Subscription::parse(garbage).is_err());
        }
    }
}
