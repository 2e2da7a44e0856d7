//! The Runtime API's words: what a request asks for and what the answers say (spec/runtime-api §2 to §5).
//!
//! Owns parsing of method, path and headers into one [`RuntimeCall`], and every answer body. Pure: sockets are
//! in [`runtime_api`](crate::runtime_api). Deliberately absent: whether a call fits the environment's state.

use hyper::{HeaderMap, Method};

use crate::extension::Denial;
use crate::extension_call::{self, Head, NoCall};
use crate::telemetry;

/// The largest result (spec/runtime-api §3).
pub const RESPONSE_LIMIT: usize = 6_291_556;
/// The largest result in streaming mode for a caller that takes it as it comes, in bytes: 200 MB (spec/lambda §5.2).
pub const STREAM_LIMIT: usize = 209_715_200;

const BASE: &str = "/2018-06-01/";

/// What a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuntimeCall {
    /// `GET /ping`.
    Ping,
    /// `GET /runtime/invocation/next`.
    Next,
    /// `POST /runtime/invocation/{id}/response`.
    Response { id: String, mode: Mode },
    /// `POST /runtime/invocation/{id}/error`.
    Error { id: String, kind: String },
    /// `POST /runtime/init/error`.
    InitError { kind: String },
    /// A call of the Extensions API.
    Extension(Head),
    /// A subscription to the old Logs API.
    Logs,
    /// A call of an extension that its head already refuses.
    Denied(Denial),
    /// A part of the API that this tool does not offer.
    NotSupported(&'static str),
    /// A known path with another method.
    WrongMethod,
    /// No such path.
    Unknown,
    /// A request that no runtime of ours sends.
    Forbidden(&'static str),
}

/// How a response comes, as `Lambda-Runtime-Function-Response-Mode` says (spec/runtime-api §3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Without that header: as a whole.
    Whole,
    /// Piece by piece; with the `Content-Type` that the runtime gave it.
    Streaming { content_type: Option<String> },
    /// In a mode nobody knows.
    Unknown,
}

/// Reads a request's head.
pub fn parse(method: &Method, path: &str, headers: &HeaderMap) -> RuntimeCall {
    if headers.contains_key("origin") {
        return RuntimeCall::Forbidden("requests of web pages are refused");
    }
    if !headers
        .get("host")
        .and_then(|h| h.to_str().ok())
        .is_some_and(is_loopback)
    {
        return RuntimeCall::Forbidden("the Host header must name the loopback address");
    }
    let Some(rest) = path.strip_prefix(BASE) else {
        return of_an_extension(method, path, headers);
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let (wanted, call) = match parts.as_slice() {
        ["ping"] => (Method::GET, RuntimeCall::Ping),
        ["runtime", "invocation", "next"] => (Method::GET, RuntimeCall::Next),
        ["runtime", "invocation", id, "response"] => {
            let (id, mode) = ((*id).to_owned(), mode(headers));
            (Method::POST, RuntimeCall::Response { id, mode })
        }
        ["runtime", "invocation", id, "error"] => (
            Method::POST,
            RuntimeCall::Error {
                id: (*id).to_owned(),
                kind: kind(headers, "Function.Unknown"),
            },
        ),
        ["runtime", "init", "error"] => (
            Method::POST,
            RuntimeCall::InitError {
                kind: kind(headers, "Runtime.Unknown"),
            },
        ),
        ["runtime", "restore", _] => return RuntimeCall::NotSupported("SnapStart"),
        _ => return RuntimeCall::Unknown,
    };
    if *method == wanted {
        call
    } else {
        RuntimeCall::WrongMethod
    }
}

/// The calls of the other APIs (spec/runtime-api §11 and §12).
fn of_an_extension(method: &Method, path: &str, headers: &HeaderMap) -> RuntimeCall {
    let head = match path.strip_prefix(extension_call::BASE) {
        Some(rest) => extension_call::parse(method, rest, headers),
        None if path == telemetry::PATH => extension_call::subscribe(method, headers),
        None if path == "/2020-08-15/logs" => return RuntimeCall::Logs,
        None => Err(NoCall::Unknown),
    };
    match head {
        Ok(head) => RuntimeCall::Extension(head),
        Err(NoCall::Denied(denial)) => RuntimeCall::Denied(denial),
        Err(NoCall::WrongMethod) => RuntimeCall::WrongMethod,
        Err(NoCall::Unknown) => RuntimeCall::Unknown,
    }
}

fn mode(headers: &HeaderMap) -> Mode {
    match text(headers, "lambda-runtime-function-response-mode") {
        "" => Mode::Whole,
        mode if mode.eq_ignore_ascii_case("streaming") => {
            let kind = Some(text(headers, "content-type")).filter(|kind| !kind.is_empty());
            Mode::Streaming {
                content_type: kind.map(str::to_owned),
            }
        }
        _ => Mode::Unknown,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The error type for logs: kept if it reads `Runtime.Word` or `Function.Word` (spec/runtime-api §4).
pub fn kind(headers: &HeaderMap, otherwise: &str) -> String {
    let given = text(headers, "lambda-runtime-function-error-type");
    let word = given
        .strip_prefix("Runtime.")
        .or_else(|| given.strip_prefix("Function."));
    let fits = word.is_some_and(|w| {
        w.len() > 1
            && w.starts_with(|c: char| c.is_ascii_uppercase())
            && w.bytes().all(|b| b.is_ascii_alphabetic())
    });
    if fits {
        given.to_owned()
    } else {
        otherwise.to_owned()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// What the runtime is told; a status and a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// 200 `pong`.
    Pong,
    /// 202.
    Accepted,
    /// 413, with the limit in bytes.
    TooLarge { limit: usize },
    /// 400, an id that is not the running one's.
    WrongId,
    /// 403, not now.
    WrongState { from: &'static str, to: &'static str },
    /// 400, a response mode nobody knows.
    BadMode,
    /// 202, which is how AWS says that there is no Logs API.
    NoLogs,
    /// 403 or 400, an extension's call.
    Denied(Denial),
    /// 500, we are going away.
    Internal,
    /// 404, a part that is not offered.
    NotSupported(&'static str),
    /// 404, no such path.
    Unknown,
    /// 405.
    WrongMethod,
    /// 403, not from a runtime.
    Forbidden(&'static str),
}

impl Reply {
    /// The status and the body.
    pub fn write(&self) -> (u16, String) {
        match self {
            Reply::Pong => (200, "pong".to_owned()),
            Reply::Accepted => (202, "{\"status\":\"OK\"}\n".to_owned()),
            Reply::TooLarge { limit } => {
                let text = format!("Exceeded maximum allowed payload size ({limit} bytes).");
                (413, error(&text, "RequestEntityTooLarge"))
            }
            Reply::WrongId => (400, error("Invalid request ID", "InvalidRequestID")),
            Reply::WrongState { from, to } => {
                let text = format!(
                    "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
                );
                (403, error(&text, "InvalidStateTransition"))
            }
            Reply::BadMode => (
                400,
                error("Invalid function response mode", "InvalidFunctionResponseMode"),
            ),
            Reply::NoLogs => (202, error("Logs API is not supported", "Logs.NotSupported")),
            Reply::Denied(denial) => {
                let (status, kind, why) = denial.write();
                (status, error(&why, kind))
            }
            Reply::Internal => (500, error("Internal Server Error", "InternalServerError")),
            Reply::NotSupported(what) => (
                404,
                error(&format!("{what} is not supported by triggerfish"), "NotSupported"),
            ),
            Reply::Unknown => {
                let text = "no such path in the Runtime API: try GET /2018-06-01/runtime/invocation/next";
                (404, error(text, "NotFound"))
            }
            Reply::WrongMethod => (405, error("this path takes another method", "MethodNotAllowed")),
            Reply::Forbidden(why) => (403, error(why, "Forbidden")),
        }
    }
}

fn error(message: &str, kind: &str) -> String {
    format!(
        "{{\"errorMessage\":{},\"errorType\":\"{kind}\"}}\n",
        serde_json::Value::from(message)
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn heads(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert("host", "127.0.0.1:9001".parse().unwrap());
        for (name, value) in pairs {
            map.insert(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn the_five_calls_parse() {
        let call = |m: Method, p: &str| parse(&m, p, &heads(&[]));
        assert_eq!(call(Method::GET, "/2018-06-01/ping"), RuntimeCall::Ping);
        assert_eq!(
            call(Method::GET, "/2018-06-01/runtime/invocation/next"),
            RuntimeCall::Next
        );
        assert_eq!(
            call(Method::POST, "/2018-06-01/runtime/invocation/ab-1/response"),
            RuntimeCall::Response {
                id: "ab-1".into(),
                mode: Mode::Whole
            }
        );
        assert_eq!(
            call(Method::POST, "/2018-06-01/runtime/invocation/ab-1/error"),
            RuntimeCall::Error {
                id: "ab-1".into(),
                kind: "Function.Unknown".into()
            }
        );
        let kind = "Runtime.Unknown".to_owned();
        assert_eq!(
            call(Method::POST, "/2018-06-01/runtime/init/error"),
            RuntimeCall::InitError { kind }
        );
    }

    #[test]
    fn the_rest_is_refused_with_a_reason() {
        let call = |m: Method, p: &str| parse(&m, p, &heads(&[]));
        assert_eq!(
            call(Method::POST, "/2018-06-01/runtime/invocation/next"),
            RuntimeCall::WrongMethod
        );
        assert_eq!(
            call(Method::GET, "/2018-06-01/runtime/invocation//"),
            RuntimeCall::Unknown
        );
        assert_eq!(call(Method::GET, "/"), RuntimeCall::Unknown);
        assert!(matches!(
            call(Method::GET, "/2018-06-01/runtime/restore/next"),
            RuntimeCall::NotSupported(_)
        ));
        assert!(matches!(
            call(Method::POST, "/2020-01-01/extension/register"),
            RuntimeCall::Denied(Denial::Name { .. })
        ));
    }

    #[test]
    fn web_pages_and_foreign_hosts_are_refused() {
        let next = "/2018-06-01/runtime/invocation/next";
        let origin = heads(&[("origin", "http://evil.example")]);
        assert!(matches!(
            parse(&Method::GET, next, &origin),
            RuntimeCall::Forbidden(_)
        ));
        assert!(matches!(
            parse(&Method::GET, next, &heads(&[("host", "evil.example:80")])),
            RuntimeCall::Forbidden(_)
        ));
        assert!(matches!(
            parse(&Method::GET, next, &HeaderMap::new()),
            RuntimeCall::Forbidden(_)
        ));
        assert_eq!(
            parse(&Method::GET, next, &heads(&[("host", "[::1]:9")])),
            RuntimeCall::Next
        );
        assert_eq!(
            parse(&Method::GET, next, &heads(&[("host", "localhost")])),
            RuntimeCall::Next
        );
    }

    #[test]
    fn error_types_are_kept_only_in_their_documented_form() {
        let of = |v: &str| {
            kind(
                &heads(&[("lambda-runtime-function-error-type", v)]),
                "Function.Unknown",
            )
        };
        assert_eq!(of("Runtime.ImportModuleError"), "Runtime.ImportModuleError");
        assert_eq!(of("Exception"), "Function.Unknown");
        assert_eq!(of("Runtime."), "Function.Unknown");
        assert_eq!(of("Runtime.lower"), "Function.Unknown");
    }

    #[test]
    fn a_response_mode_is_streaming_or_absent() {
        let path = "/2018-06-01/runtime/invocation/a/response";
        let mode = |v: &str| {
            let headers = heads(&[
                ("lambda-runtime-function-response-mode", v),
                ("content-type", "text/plain"),
            ]);
            match parse(&Method::POST, path, &headers) {
                RuntimeCall::Response { mode, .. } => Some(mode),
                _ => None,
            }
        };
        let content_type = Some("text/plain".to_owned());
        assert_eq!(mode("Streaming"), Some(Mode::Streaming { content_type }));
        assert_eq!(mode("carrier-pigeon"), Some(Mode::Unknown));
    }
}
