//! Which service a request is for.
//!
//! One port answers for all of AWS, so the choice is read from the head: the scope of the signature, `X-Amz-Target`, the
//! path, `Action`. Owns that order. Deliberately absent: whether the signature is right
//! ([`signature`](super::signature)), and what the services answer.

use hyper::http::request::Parts;

use super::http::header;

/// A service, by the name its signatures carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Lambda.
    Lambda,
    /// One that is not here, by the name in the signature or the target.
    Other(String),
    /// The head does not say.
    Unnamed,
}

/// What Lambda's paths continue with after their date; other services have dated paths too.
const LAMBDA_PATHS: [&str; 10] = [
    "account-settings",
    "capacity-providers",
    "code-signing-configs",
    "durable-execution-callbacks",
    "durable-executions",
    "event-source-mappings",
    "functions",
    "layers",
    "layers-by-arn",
    "tags",
];

/// Chooses by the head of a request: a service that is here by the scope, by the target, by the path; else whatever
/// name was found first.
pub fn choose(head: &Parts) -> Service {
    let scope = scope(head);
    let target = header(&head.headers, "x-amz-target").and_then(|target| target.split(['_', '.']).next());
    let served = [scope.as_deref(), target].into_iter().flatten().find_map(named);
    if let Some(service) = served {
        return service;
    }
    if is_lambda(head.uri.path()) {
        return Service::Lambda;
    }
    match scope.as_deref().or(target) {
        Some(other) => Service::Other(other.to_owned()),
        None => Service::Unnamed,
    }
}

fn named(name: &str) -> Option<Service> {
    match name {
        "lambda" => Some(Service::Lambda),
        _ => None,
    }
}

/// The service in `Credential=AKID/date/region/service/aws4_request`, of the header or of a presigned query.
fn scope(head: &Parts) -> Option<String> {
    let in_header = header(&head.headers, "authorization")
        .filter(|text| text.starts_with("AWS4-"))
        .and_then(|text| text.split_once("Credential="))
        .and_then(|(_, rest)| rest.split([',', ' ']).next())
        .map(str::to_owned);
    let credential = in_header.or_else(|| {
        let query = super::http::parameters(head.uri.query()?);
        let credential = query.into_iter().find(|(key, _)| key == "X-Amz-Credential");
        credential.map(|(_, value)| value)
    })?;
    // A key's id may hold a slash, the rest may not.
    let mut parts = credential.rsplit('/');
    let service = (parts.next() == Some("aws4_request"))
        .then(|| parts.next())
        .flatten();
    service.filter(|name| !name.is_empty()).map(str::to_owned)
}

fn is_lambda(path: &str) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    let date = parts.next().unwrap_or("");
    let digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    let dated = match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => digits(year, 4) && digits(month, 2) && digits(day, 2),
        _ => false,
    };
    dated && parts.next().is_some_and(|word| LAMBDA_PATHS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn chosen(uri: &str, headers: &[(&str, &str)]) -> Service {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        choose(&head)
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=00"
        )
    }

    #[test]
    fn lambdas_paths_need_no_signature() {
        for path in [
            "/2015-03-31/functions/f/invocations",
            "/2018-10-31/layers",
            "/2017-03-31/tags/x",
        ] {
            assert_eq!(chosen(path, &[]), Service::Lambda, "{path}");
        }
        for path in [
            "/",
            "/2013-04-01/hostedzone",
            "/2015-3-31/functions",
            "/functions",
            "//",
        ] {
            assert_eq!(chosen(path, &[]), Service::Unnamed, "{path}");
        }
    }

    #[test]
    fn a_signature_names_its_service() {
        let route53 = Service::Other("route53".to_owned());
        assert_eq!(
            chosen("/x", &[("authorization", &signed("lambda"))]),
            Service::Lambda
        );
        assert_eq!(chosen("/x", &[("authorization", &signed("route53"))]), route53);
        let query = "/?X-Amz-Credential=A%2FK%2F20260101%2Fus-east-1%2Froute53%2Faws4_request";
        assert_eq!(chosen(query, &[]), route53);
        assert_eq!(chosen("/", &[("authorization", "Basic eDp5")]), Service::Unnamed);
        // Whoever signs with a scope of their own for a path of Lambda's means Lambda.
        let path = "/2015-03-31/functions/f/invocations";
        assert_eq!(
            chosen(path, &[("authorization", &signed("execute-api"))]),
            Service::Lambda
        );
    }

    #[test]
    fn a_target_names_its_service() {
        let target = [("x-amz-target", "DynamoDB_20120810.ListTables")];
        assert_eq!(chosen("/", &target), Service::Other("DynamoDB".to_owned()));
    }
}
