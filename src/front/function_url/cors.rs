//! What browsers are told of other origins, by a URL's CORS configuration.
//!
//! Owns the answer to a preflight, which no function sees, and the headers of every other answer. An origin that is not
//! listed gets its answer without them, and its page does not see it. Deliberately absent: refusing anybody.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};

use crate::front::http::{Answer, Request};
use crate::front::lambda::registry::url::Cors;

type Headers = Vec<(HeaderName, HeaderValue)>;

const ORIGIN: &str = "access-control-allow-origin";
const CREDENTIALS: &str = "access-control-allow-credentials";

/// The answer to a preflight, if the request is one.
pub fn preflight(cors: &Cors, request: &Request) -> Option<Answer> {
    let origin = request.header("origin")?;
    let method = request.header("access-control-request-method")?;
    if request.method != Method::OPTIONS {
        return None;
    }
    let mut answer = Answer::empty(200);
    let mut told = Headers::new();
    if allows(cors, origin) {
        told.extend(headers(cors, origin));
        let wanted = request.header("access-control-request-headers");
        tell(
            &mut told,
            "access-control-allow-methods",
            listed(cors, cors.allow_methods.as_deref(), Some(method)),
        );
        tell(
            &mut told,
            "access-control-allow-headers",
            listed(cors, cors.allow_headers.as_deref(), wanted),
        );
        tell(
            &mut told,
            "access-control-max-age",
            cors.max_age.map(|seconds| seconds.to_string()),
        );
    }
    answer.taken = told.into_iter().collect::<HeaderMap>();
    Some(answer)
}

/// What the answer to a request of a page of `origin` says beside the function's own headers.
pub fn headers(cors: &Cors, origin: &str) -> Headers {
    let mut told = Headers::new();
    if !allows(cors, origin) {
        return told;
    }
    let any = cors.allow_origins.iter().flatten().any(|allowed| allowed == "*");
    let with_cookies = cors.allow_credentials == Some(true);
    // A browser takes no `*` where cookies are sent along.
    let shown = if any && !with_cookies { "*" } else { origin };
    tell(&mut told, ORIGIN, Some(shown.to_owned()));
    tell(&mut told, CREDENTIALS, with_cookies.then(|| "true".to_owned()));
    let exposed = cors.expose_headers.as_ref().map(|names| names.join(","));
    tell(&mut told, "access-control-expose-headers", exposed);
    tell(&mut told, "vary", Some("Origin".to_owned()));
    told
}

fn allows(cors: &Cors, origin: &str) -> bool {
    let mut allowed = cors.allow_origins.iter().flatten();
    allowed.any(|pattern| matches(pattern, origin))
}

/// An origin, or a pattern with a star in it: `*`, `https://*`, `https://*.example.com`.
fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            let middle = origin.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            middle.is_some()
        }
        None => pattern == origin,
    }
}

/// The names of a list; where it has a star and cookies are sent along, what was asked for stands for it.
fn listed(cors: &Cors, names: Option<&[String]>, wanted: Option<&str>) -> Option<String> {
    let names = names.filter(|names| !names.is_empty())?;
    let star = names.iter().any(|name| name == "*");
    match (star && cors.allow_credentials == Some(true), wanted) {
        (true, Some(wanted)) => Some(wanted.to_owned()),
        _ => Some(names.join(",")),
    }
}

fn tell(headers: &mut Headers, name: &'static str, value: Option<String>) {
    let value = value.and_then(|value| HeaderValue::try_from(value).ok());
    headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use router::name::RequestId;

    use super::*;

    fn list(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    fn cors(origins: &[&str], credentials: bool) -> Cors {
        Cors {
            allow_credentials: Some(credentials),
            allow_headers: list(&["x-a", "x-b"]),
            allow_methods: list(&["*"]),
            allow_origins: list(origins),
            expose_headers: list(&["x-c"]),
            max_age: Some(60),
        }
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = hyper::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        Request::new(head, Bytes::new(), RequestId::new("id"), 1)
    }

    fn told(answer: &Answer, name: &str) -> Option<String> {
        let value = answer.taken.get(name)?;
        value.to_str().ok().map(str::to_owned)
    }

    #[test]
    fn an_origin_is_compared_with_patterns() {
        for (pattern, origin) in [
            ("*", "null"),
            ("https://*", "https://a.b"),
            ("https://a.b", "https://a.b"),
            ("http://*.a.b", "http://x.a.b"),
        ] {
            assert!(matches(pattern, origin), "{pattern}");
        }
        for (pattern, origin) in [
            ("https://a.b", "http://a.b"),
            ("https://a.b", "https://a.b.c"),
            ("https://*.a", "https://.b"),
            ("aa*aa", "aaa"),
        ] {
            assert!(!matches(pattern, origin), "{pattern}");
        }
    }

    #[test]
    fn a_preflight_is_answered_by_the_configuration() {
        let asked = [
            ("origin", "http://a"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-a"),
        ];
        let answer = preflight(&cors(&["http://a"], true), &request("OPTIONS", &asked)).expect("it is one");
        assert_eq!(answer.status, 200);
        for (name, value) in [
            (ORIGIN, "http://a"),
            (CREDENTIALS, "true"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "x-a,x-b"),
            ("access-control-max-age", "60"),
        ] {
            assert_eq!(told(&answer, name).as_deref(), Some(value), "{name}");
        }
        let answer = preflight(&cors(&["http://b"], true), &request("OPTIONS", &asked)).expect("it is one");
        assert!(answer.status == 200 && answer.taken.is_empty());
        assert!(preflight(&cors(&["*"], false), &request("GET", &asked)).is_none());
        assert!(preflight(&cors(&["*"], false), &request("OPTIONS", &asked[..1])).is_none());
    }

    #[test]
    fn a_star_is_told_only_without_cookies() {
        let origin = |credentials| {
            let told = headers(&cors(&["*"], credentials), "http://a");
            told.into_iter()
                .find(|(name, _)| name == ORIGIN)
                .map(|(_, value)| value)
        };
        assert_eq!(origin(false), Some(HeaderValue::from_static("*")));
        assert_eq!(origin(true), Some(HeaderValue::from_static("http://a")));
        assert!(headers(&cors(&["http://b"], false), "http://a").is_empty());
        assert!(headers(&Cors::default(), "http://a").is_empty());
    }
}
