//! Which service a request is for.
//!
//! One port answers for all of AWS, so the choice is read from the head: the scope of the signature, `X-Amz-Target`, the
//! path; a form without any of them says its `Version` in the body. Owns that order, and in which form each service
//! tells errors. Deliberately absent: whether the signature is right ([`signature`](super::signature)), and the answers.

use hyper::http::request::Parts;

use super::credential::Credential;
use super::fault::{Fault, Form};
use super::http::{Request, header};
use super::{function_url, iam, lambda, query, sts};

/// A service, by the name its signatures carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// The URL of a function, by what its host begins with.
    FunctionUrl(String),
    /// IAM.
    Iam,
    /// Lambda.
    Lambda,
    /// STS.
    Sts,
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

/// Services that speak the query protocol, by the names in their signatures.
const QUERY_SERVICES: [&str; 15] = [
    "autoscaling",
    "cloudformation",
    "cloudfront",
    "elasticache",
    "elasticbeanstalk",
    "elasticloadbalancing",
    "email",
    "iam",
    "monitoring",
    "rds",
    "redshift",
    "route53",
    "ses",
    "sns",
    "sts",
];

/// Chooses by the head of a request: a function URL by its host, a service that is here by the scope, by the target, by the path; else whatever
/// name was found first.
pub fn choose(head: &Parts) -> Service {
    // Signed or not, and whatever its path: this host is no other's.
    if let Some(id) = function_url::id(&head.headers) {
        return Service::FunctionUrl(id);
    }
    let scope = Credential::of(&head.headers, head.uri.query()).map(|credential| credential.service);
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

/// Chooses by the form of a request that nothing else is known of: each service of the query protocol has its version.
pub fn by_form(request: &Request) -> Service {
    let parameters = query::parameters(request);
    match parameters.get("Version").map(String::as_str) {
        Some(sts::VERSION) => Service::Sts,
        Some(iam::VERSION) => Service::Iam,
        _ => Service::Unnamed,
    }
}

/// How this service tells errors. Services have moved from the query protocol to JSON, so a target decides first.
pub fn form(service: &Service, head: &Parts) -> Form {
    match service {
        Service::FunctionUrl(_) => Form::RestJson,
        _ if head.headers.contains_key("x-amz-target") => Form::Json,
        Service::Lambda | Service::Unnamed => Form::RestJson,
        Service::Iam | Service::Sts => Form::Query,
        Service::Other(name) => match name.as_str() {
            "s3" => Form::S3,
            "ec2" => Form::Ec2,
            name if QUERY_SERVICES.contains(&name) => Form::Query,
            _ => Form::Json,
        },
    }
}

/// The error for a service that is not here.
pub fn not_here(service: &Service, request: &Request, form: Form) -> Fault {
    let code = if form.is_json() {
        "NotImplementedException"
    } else {
        "NotImplemented"
    };
    let message = match service {
        Service::Other(name) => format!(
            "the service `{name}` is not supported by this version of triggerfish; iam, lambda and sts are"
        ),
        _ => format!(
            "{} {} names no service of triggerfish: Lambda is chosen by its paths, iam and sts by a signature or the \
             Version of a form",
            request.method, request.path
        ),
    };
    Fault::new(501, code, message)
}

fn named(name: &str) -> Option<Service> {
    match name {
        "iam" => Some(Service::Iam),
        "lambda" => Some(Service::Lambda),
        "sts" => Some(Service::Sts),
        _ => None,
    }
}

/// Whether a path is one of Lambda's API, or of the code whose URLs it gives.
fn is_lambda(path: &str) -> bool {
    if lambda::is_code(path) {
        return true;
    }
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

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn chosen(uri: &str, headers: &[(&str, &str)]) -> Service {
        choose(&head(uri, headers))
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
            "/_triggerfish/code/f/1",
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
        assert_eq!(chosen("/", &[("authorization", &signed("sts"))]), Service::Sts);
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

    #[test]
    fn a_form_is_told_by_its_version() {
        let form = |uri: &str, body: &'static [u8]| {
            let kind = [("content-type", "application/x-www-form-urlencoded")];
            let id = router::name::RequestId::new("id");
            by_form(&Request::new(
                head(uri, &kind),
                bytes::Bytes::from_static(body),
                id,
                1,
            ))
        };
        assert_eq!(form("/", b"Action=GetRole&Version=2010-05-08"), Service::Iam);
        assert_eq!(form("/?Action=X&Version=2011-06-15", b""), Service::Sts);
        assert_eq!(form("/", b"Action=GetRole"), Service::Unnamed);
    }

    #[test]
    fn each_service_tells_errors_in_its_form() {
        let of = |name: &str| form(&Service::Other(name.to_owned()), &head("/", &[]));
        assert_eq!(
            (of("s3"), of("ec2"), of("sns"), of("sqs")),
            (Form::S3, Form::Ec2, Form::Query, Form::Json)
        );
        let target = head("/", &[("x-amz-target", "AmazonSQS.X")]);
        assert_eq!(
            form(&Service::Other("monitoring".to_owned()), &target),
            Form::Json
        );
    }
}
