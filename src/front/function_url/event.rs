//! The event that a request to a function URL becomes: API Gateway's payload 2.0 (spec/sources/api-gateway §5 and §6).
//!
//! Owns every field of it. Where AWS leaves a member out, so does this: `cookies`, `queryStringParameters` and `body` come
//! only if there is something in them. Pure: time and trace id come in. Deliberately absent: what is true of all HTTP, such
//! as decoding ([`http`](crate::front::http)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{COOKIE, HeaderName, HeaderValue};
use router::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::front::http::Request;

/// The only address that reaches us.
const PEER: &str = "127.0.0.1";

/// What a request becomes an event with.
pub struct Given<'a> {
    /// The request.
    pub request: &'a Request,
    /// What the URL's host begins with.
    pub id: &'a str,
    /// Who signed it, for URLs that want to know.
    pub caller: Option<&'a Caller>,
    /// The account, 12 digits.
    pub account: &'a str,
    /// The trace header.
    pub trace: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Who signed a request.
pub struct Caller {
    /// The id of the key.
    pub access_key: String,
}

/// The event, as JSON.
pub fn of(given: &Given<'_>) -> String {
    let request = given.request;
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
    put("version", json!("2.0"));
    put("routeKey", json!("$default"));
    put("rawPath", json!(request.path));
    put("rawQueryString", json!(request.query.as_deref().unwrap_or("")));
    let cookies = cookies(request);
    if !cookies.is_empty() {
        put("cookies", json!(cookies));
    }
    put("headers", headers(given).into());
    let parameters = joined(request.parameters());
    if !parameters.is_empty() {
        put("queryStringParameters", parameters.into());
    }
    put("requestContext", context(given));
    let text = text(request);
    if !request.body.is_empty() {
        let body = text.map_or_else(|| STANDARD.encode(&request.body), str::to_owned);
        put("body", body.into());
    }
    put("isBase64Encoded", json!(text.is_none()));
    Value::Object(event).to_string()
}

/// The trace header of a request: the client's, or one that its id makes (spec/sources/api-gateway §1).
pub fn trace(request: &Request, now: Timestamp) -> String {
    if let Some(given) = request
        .header("x-amzn-trace-id")
        .filter(|given| given.contains("Root="))
    {
        return given.to_owned();
    }
    let digits: String = request
        .id
        .as_str()
        .chars()
        .filter(|c| *c != '-')
        .take(24)
        .collect();
    format!("Root=1-{:08x}-{digits:0>24}", now.as_millis() / 1000)
}

fn context(given: &Given<'_>) -> Value {
    let request = given.request;
    let host = request.header("host").unwrap_or_default();
    let mut context = json!({
        "accountId": given.caller.map_or("anonymous", |_| given.account),
        "apiId": given.id,
        "domainName": host.split(':').next().unwrap_or_default(),
        "domainPrefix": given.id,
        "http": {
            "method": request.method.as_str(),
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": PEER,
            "userAgent": request.header("user-agent").unwrap_or(""),
        },
        "requestId": request.id.as_str(),
        "routeKey": "$default",
        "stage": "$default",
        "time": common_log_time(given.now),
        "timeEpoch": given.now.as_millis(),
    });
    if let Some(caller) = given.caller {
        let iam = json!({
            "accessKey": caller.access_key,
            "accountId": given.account,
            "callerId": caller.access_key,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": format!("arn:aws:iam::{}:root", given.account),
            "userId": caller.access_key,
        });
        context["authorizer"] = json!({ "iam": iam });
    }
    context
}

/// `25/Nov/2025:02:38:25 +0000`.
fn common_log_time(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let iso = at.iso_millis();
    let part = |range: std::ops::Range<usize>| iso.get(range).unwrap_or_default();
    let number = part(5..7).parse::<usize>().unwrap_or(1);
    let month = MONTHS.get(number.saturating_sub(1)).unwrap_or(&"Jan");
    format!("{}/{month}/{}:{} +0000", part(8..10), part(0..4), part(11..19))
}

/// Every header but cookies, those of one name joined; and what AWS's own end of the connection adds.
fn headers(given: &Given<'_>) -> Map<String, Value> {
    let request = given.request;
    let all = request.headers.iter().filter(|(name, _)| *name != COOKIE);
    let mut headers = joined(
        all.map(|(name, value)| (name.as_str().to_owned(), shown(value)))
            .collect(),
    );
    let host = request.header("host").unwrap_or_default();
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    let forwarded = match request.header("x-forwarded-for") {
        Some(before) => format!("{before}, {PEER}"),
        None => PEER.to_owned(),
    };
    for (name, value) in [
        ("x-amzn-trace-id", given.trace),
        ("x-forwarded-for", &forwarded),
        ("x-forwarded-port", port),
        ("x-forwarded-proto", "http"),
    ] {
        headers.insert(name.to_owned(), value.into());
    }
    for gone in [
        HeaderName::from_static("connection"),
        HeaderName::from_static("transfer-encoding"),
    ] {
        headers.remove(gone.as_str());
    }
    headers
}

fn cookies(request: &Request) -> Vec<String> {
    let all = request.headers.get_all(COOKIE).iter().map(shown);
    let pairs = all.flat_map(|line| {
        line.split(';')
            .map(|pair| pair.trim().to_owned())
            .collect::<Vec<_>>()
    });
    pairs.filter(|pair| !pair.is_empty()).collect()
}

/// The values of one name with commas between.
fn joined(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        let before = all.get(&name).and_then(Value::as_str);
        let value = before.map_or(value.clone(), |before| format!("{before},{value}"));
        all.insert(name, value.into());
    }
    all
}

fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The body, if it is text by its type and its bytes; one without a type counts as JSON.
fn text(request: &Request) -> Option<&str> {
    let kind = request.header("content-type").unwrap_or("application/json");
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let textual = kind.starts_with("text/")
        || ["json", "xml", "javascript"]
            .iter()
            .any(|word| kind.ends_with(word));
    let text = std::str::from_utf8(&request.body).ok();
    text.filter(|_| textual || request.body.is_empty())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use router::name::RequestId;

    use super::*;

    const HOST: (&str, &str) = ("host", "abc.lambda-url.us-east-1.localhost:4566");

    fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Request {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(uri)
            .header(HOST.0, HOST.1);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let id = RequestId::new("11111111-2222-4333-8444-555555555555");
        Request::new(head, Bytes::from_static(body), id, 1)
    }

    fn event(request: &Request, caller: Option<&Caller>) -> Value {
        let now = Timestamp::parse_iso("2025-11-25T02:38:25.123Z").unwrap_or_default();
        let trace = trace(request, now);
        let given = Given {
            request,
            id: "abc",
            caller,
            account: "123456789012",
            trace: &trace,
            now,
        };
        serde_json::from_str(&of(&given)).unwrap_or_default()
    }

    #[test]
    fn a_request_without_anything_has_no_empty_members() {
        let event = event(&request("GET", "/", &[], b""), None);
        let expected = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/",
            "rawQueryString": "",
            "headers": {
                "host": HOST.1,
                "x-amzn-trace-id": "Root=1-692516a1-111111112222433384445555",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": "4566",
                "x-forwarded-proto": "http",
            },
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "abc",
                "domainName": "abc.lambda-url.us-east-1.localhost",
                "domainPrefix": "abc",
                "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "" },
                "requestId": "11111111-2222-4333-8444-555555555555",
                "routeKey": "$default",
                "stage": "$default",
                "time": "25/Nov/2025:02:38:25 +0000",
                "timeEpoch": 1_764_038_305_123_u64,
            },
            "isBase64Encoded": false,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn values_of_one_name_are_joined_and_the_path_stays_as_sent() {
        let headers = [
            ("x-a", "1"),
            ("x-a", "2"),
            ("cookie", "a=1; b=2"),
            ("cookie", "c=3"),
        ];
        let event = event(&request("GET", "/a%20b?q=foo&q=%2Fbar&r", &headers, b""), None);
        assert_eq!(event["rawPath"], "/a%20b");
        assert_eq!(event["rawQueryString"], "q=foo&q=%2Fbar&r");
        assert_eq!(
            event["queryStringParameters"],
            json!({ "q": "foo,/bar", "r": "" })
        );
        assert_eq!(event["headers"]["x-a"], "1,2");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(event["cookies"], json!(["a=1", "b=2", "c=3"]));
    }

    #[test]
    fn only_text_arrives_as_text() {
        let body = |kind: &str, body: &'static [u8]| {
            let event = event(&request("POST", "/", &[("content-type", kind)], body), None);
            (
                event["body"].as_str().unwrap_or_default().to_owned(),
                event["isBase64Encoded"] == true,
            )
        };
        assert_eq!(body("text/plain; charset=utf-8", b"hi"), ("hi".to_owned(), false));
        assert_eq!(body("application/problem+json", b"{}"), ("{}".to_owned(), false));
        assert_eq!(
            body("application/x-www-form-urlencoded", b"hi"),
            ("aGk=".to_owned(), true)
        );
        assert_eq!(
            body("multipart/form-data; boundary=x", b"hi"),
            ("aGk=".to_owned(), true)
        );
        assert_eq!(body("text/plain", b"\xff"), ("/w==".to_owned(), true));
        let bare = event(&request("POST", "/", &[], b"[1]"), None);
        assert_eq!(
            (&bare["body"], &bare["isBase64Encoded"]),
            (&json!("[1]"), &json!(false))
        );
    }

    #[test]
    fn who_signed_is_told() {
        let caller = Caller {
            access_key: "AKIA".to_owned(),
        };
        let event = event(&request("GET", "/", &[], b""), Some(&caller));
        assert_eq!(event["requestContext"]["accountId"], "123456789012");
        assert_eq!(event["requestContext"]["authorizer"]["iam"]["accessKey"], "AKIA");
    }
}
