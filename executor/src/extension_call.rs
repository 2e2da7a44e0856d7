//! The Extensions API's words: what a request asks for (spec/runtime-api §11).
//!
//! Owns parsing of path, headers and the body of `register`. Pure. Deliberately absent: whether a call fits the
//! extension's state ([`extension`](crate::extension)).

use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::extension::{Denial, Events, Phase};
use crate::telemetry::Subscription;

/// The first part of every path.
pub const BASE: &str = "/2020-01-01/extension/";

/// A request's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Head {
    /// `POST /register`; its events are in the body.
    Register { name: String, account: bool },
    /// `PUT /2022-07-01/telemetry`; all else is in the body.
    Subscribe { identifier: String },
    /// A call whose body says nothing that is needed.
    Call(ExtensionCall),
}

/// What an extension asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExtensionCall {
    /// `POST /register`.
    Register {
        name: String,
        events: Events,
        /// The answer is to name the account.
        account: bool,
    },
    /// `GET /event/next`.
    Next { identifier: String },
    /// `PUT /2022-07-01/telemetry`.
    Subscribe {
        identifier: String,
        subscription: Subscription,
    },
    /// `POST /init/error` and `POST /exit/error`.
    Error {
        identifier: String,
        phase: Phase,
        kind: String,
    },
}

/// Why a head is not a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoCall {
    /// No such path.
    Unknown,
    /// The path takes another method.
    WrongMethod,
    /// A header is missing or wrong.
    Denied(Denial),
}

/// Reads what follows [`BASE`], and the headers.
pub fn parse(method: &Method, path: &str, headers: &HeaderMap) -> Result<Head, NoCall> {
    let wanted = match path {
        "register" | "init/error" | "exit/error" => Method::POST,
        "event/next" => Method::GET,
        _ => return Err(NoCall::Unknown),
    };
    if *method != wanted {
        return Err(NoCall::WrongMethod);
    }
    if path == "register" {
        let name = text(headers, "lambda-extension-name").to_owned();
        if name.is_empty() {
            let known = Vec::new();
            return Err(NoCall::Denied(Denial::Name { given: name, known }));
        }
        let features = text(headers, "lambda-extension-accept-feature");
        let account = features.split(',').any(|feature| feature.trim() == "accountId");
        return Ok(Head::Register { name, account });
    }
    let identifier = identifier(headers).map_err(NoCall::Denied)?;
    let phase = match path {
        "event/next" => return Ok(Head::Call(ExtensionCall::Next { identifier })),
        "init/error" => Phase::Init,
        _ => Phase::Exit,
    };
    let kind = text(headers, "lambda-extension-function-error-type").to_owned();
    if kind.is_empty() {
        let name = "Lambda-Extension-Function-Error-Type";
        return Err(NoCall::Denied(Denial::MissingHeader(name)));
    }
    Ok(Head::Call(ExtensionCall::Error {
        identifier,
        phase,
        kind,
    }))
}

/// Reads the headers of a subscription.
pub fn subscribe(method: &Method, headers: &HeaderMap) -> Result<Head, NoCall> {
    if *method != Method::PUT {
        return Err(NoCall::WrongMethod);
    }
    let identifier = identifier(headers).map_err(NoCall::Denied)?;
    Ok(Head::Subscribe { identifier })
}

/// Who calls.
fn identifier(headers: &HeaderMap) -> Result<String, Denial> {
    let given = text(headers, "lambda-extension-identifier");
    if given.is_empty() {
        return Err(Denial::MissingIdentifier);
    }
    let groups: Vec<&str> = given.split('-').collect();
    let sizes: Vec<usize> = groups.iter().map(|g| g.len()).collect();
    let hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
    if sizes != [8, 4, 4, 4, 12] || !groups.iter().all(hex) {
        return Err(Denial::InvalidIdentifier);
    }
    Ok(given.to_ascii_lowercase())
}

/// The whole call: a head, and what its body says.
pub fn with_body(head: Head, body: &[u8]) -> Result<ExtensionCall, Denial> {
    Ok(match head {
        Head::Call(call) => call,
        Head::Register { name, account } => ExtensionCall::Register {
            name,
            events: events(body)?,
            account,
        },
        Head::Subscribe { identifier } => ExtensionCall::Subscribe {
            identifier,
            subscription: Subscription::parse(body).map_err(Denial::Subscription)?,
        },
    })
}

/// The events that `register`'s body names.
fn events(body: &[u8]) -> Result<Events, Denial> {
    let form = r#"the body must be like {"events": ["INVOKE", "SHUTDOWN"]}"#;
    let wrong = |why: String| Denial::Format(format!("{form}: {why}"));
    let body: Value = serde_json::from_slice(body).map_err(|e| wrong(e.to_string()))?;
    let list = match body.get("events") {
        Some(Value::Array(list)) => list.as_slice(),
        None if body.is_object() => &[],
        _ => return Err(wrong("`events` is no list".to_owned())),
    };
    let mut events = Events::default();
    for event in list {
        match event.as_str() {
            Some("INVOKE") => events.invoke = true,
            Some("SHUTDOWN") => events.shutdown = true,
            Some(other) => return Err(Denial::Event(other.to_owned())),
            None => return Err(wrong(format!("{event:.50} is no text"))),
        }
    }
    Ok(events)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    const ID: &str = "8476a536-e9f4-41e8-a5ff-2c6f0a3c2a11";

    fn head(method: Method, path: &str, pairs: &[(&'static str, &str)]) -> Result<Head, NoCall> {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(*name, value.parse().unwrap());
        }
        parse(&method, path, &map)
    }

    fn denied(result: Result<Head, NoCall>) -> &'static str {
        match result {
            Err(NoCall::Denied(denial)) => denial.write().1,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_four_calls_parse() {
        let name = [
            ("lambda-extension-name", "a.sh"),
            ("lambda-extension-accept-feature", "x, accountId"),
        ];
        let register = Head::Register {
            name: "a.sh".into(),
            account: true,
        };
        assert_eq!(head(Method::POST, "register", &name), Ok(register));
        let id = ("lambda-extension-identifier", ID);
        let next = ExtensionCall::Next {
            identifier: ID.into(),
        };
        assert_eq!(head(Method::GET, "event/next", &[id]), Ok(Head::Call(next)));
        let kind = ("lambda-extension-function-error-type", "Extension.Mine");
        for (path, phase) in [("init/error", Phase::Init), ("exit/error", Phase::Exit)] {
            let error = ExtensionCall::Error {
                identifier: ID.into(),
                phase,
                kind: "Extension.Mine".into(),
            };
            assert_eq!(head(Method::POST, path, &[id, kind]), Ok(Head::Call(error)));
        }
    }

    #[test]
    fn what_is_missing_or_wrong_has_its_type() {
        assert_eq!(
            denied(head(Method::POST, "register", &[])),
            "Extension.InvalidExtensionName"
        );
        assert_eq!(
            denied(head(Method::GET, "event/next", &[])),
            "Extension.MissingExtensionIdentifier"
        );
        for wrong in [
            "x",
            "8476a536e9f441e8a5ff2c6f0a3c2a11",
            "8476a536-e9f4-41e8-a5ff-2c6f0a3c2a1g",
        ] {
            assert_eq!(
                denied(head(
                    Method::GET,
                    "event/next",
                    &[("lambda-extension-identifier", wrong)]
                )),
                "Extension.InvalidExtensionIdentifier"
            );
        }
        assert_eq!(
            denied(head(
                Method::POST,
                "exit/error",
                &[("lambda-extension-identifier", ID)]
            )),
            "Extension.MissingHeader"
        );
        assert_eq!(head(Method::GET, "register", &[]), Err(NoCall::WrongMethod));
        assert_eq!(head(Method::GET, "nothing", &[]), Err(NoCall::Unknown));
    }

    #[test]
    fn a_body_names_its_events_or_says_what_is_wrong() {
        let both = Events {
            invoke: true,
            shutdown: true,
        };
        assert_eq!(events(br#"{"events": ["SHUTDOWN", "INVOKE"]}"#), Ok(both));
        assert_eq!(events(br#"{"events": []}"#), Ok(Events::default()));
        assert_eq!(events(b"{}"), Ok(Events::default()));
        for (body, status, kind) in [
            (
                &b"{\"events\": [\"RESTORE\"]}"[..],
                403,
                "Extension.InvalidEventType",
            ),
            (b"", 400, "InvalidRequestFormat"),
            (b"[]", 400, "InvalidRequestFormat"),
            (b"{\"events\": [1]}", 400, "InvalidRequestFormat"),
            (b"{\"events\": \"INVOKE\"}", 400, "InvalidRequestFormat"),
            (b"\xff", 400, "InvalidRequestFormat"),
        ] {
            let (is, what, _) = events(body).unwrap_err().write();
            assert_eq!((is, what), (status, kind));
        }
    }
}
