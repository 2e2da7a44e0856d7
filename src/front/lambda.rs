//! The Lambda API's part of the front: HTTP in, one [`Invoke`] out, by a pure function.
//!
//! Owns the wire contract of Invoke (spec/lambda §5). Every other operation of the API is answered with an error that
//! says so. Deliberately absent: sockets, and the checks of [`api`], which do not depend on HTTP.

use bytes::Bytes;
use router::name::unhex;
use scenarios::api::error::ApiError;
use scenarios::api::{self, InvocationType};

pub mod model;
pub mod name;
pub mod registry;

use name::Named;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The function, as the caller named it.
    pub function: Named,
    /// How.
    pub kind: InvocationType,
    /// Whether the log tail is wanted.
    pub tail: bool,
    /// The decoded client context.
    pub client_context: Option<String>,
    /// The caller's `X-Amzn-Trace-Id`.
    pub trace: Option<String>,
    /// The body, not looked at yet: [`api::check`] does.
    pub body: Bytes,
}

/// A request, as far as it matters here.
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as sent, still percent-encoded.
    pub path: &'a str,
    /// The query as sent.
    pub query: Option<&'a str>,
    /// Looks a header up by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Understands a request.
///
/// # Errors
/// The error to answer with, in AWS's form.
pub fn parse(request: &Request<'_>) -> Result<Invoke, ApiError> {
    let Some(name) = request
        .path
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"))
        .filter(|name| !name.contains('/'))
    else {
        return Err(ApiError::unsupported(&format!(
            "{} {}",
            request.method, request.path
        )));
    };
    if request.method != "POST" {
        return Err(ApiError::unsupported(&format!(
            "{} {}",
            request.method, request.path
        )));
    }
    let mut named = name::function(&decode(name))?;
    for (key, value) in request
        .query
        .unwrap_or("")
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        if key == "Qualifier" {
            named.qualify(&decode(value))?;
        }
    }
    let kind = match (request.header)("x-amz-invocation-type").as_deref() {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]";
            return Err(ApiError::constraint(other, "invocationType", rule));
        }
    };
    let tail = match (request.header)("x-amz-log-type").as_deref() {
        None | Some("None") => false,
        Some("Tail") => kind == InvocationType::RequestResponse,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [None, Tail]";
            return Err(ApiError::constraint(other, "logType", rule));
        }
    };
    if (request.header)("x-amz-tenant-id").is_some() {
        return Err(ApiError::unsupported("X-Amz-Tenant-Id (tenant isolation)"));
    }
    let client_context = (request.header)("x-amz-client-context")
        .map(|c| api::client_context(&c))
        .transpose()?;
    Ok(Invoke {
        function: named,
        kind,
        tail,
        client_context,
        trace: (request.header)("x-amzn-trace-id").filter(|trace| trace.contains("Root=")),
        body: request.body.clone(),
    })
}

/// Percent-decoding; a broken escape stays as it is.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%').then(|| after.split_at_checked(2)).flatten();
        let decoded = escaped.and_then(|(pair, after)| Some((unhex(pair)?, after)));
        match decoded {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Result<Invoke, ApiError> {
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        let find = |name: &str| {
            headers
                .iter()
                .find(|(k, _)| *k == name)
                .map(|(_, v)| (*v).to_owned())
        };
        parse(&Request {
            method: "POST",
            path,
            query,
            header: &find,
            body: Bytes::from_static(body),
        })
    }

    #[test]
    fn every_form_of_the_name_is_understood() {
        let arn =
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations";
        for path in [
            "/2015-03-31/functions/f/invocations",
            "/2015-03-31/functions/f%3A%24LATEST/invocations",
            arn,
        ] {
            assert_eq!(
                ask(path, &[], b"").map(|i| i.function.name),
                Ok("f".to_owned()),
                "{path}"
            );
        }
        let asked = ask(
            "/2015-03-31/functions/f/invocations?Qualifier=%24LATEST",
            &[],
            b"",
        );
        assert_eq!(
            asked.map(|i| i.function.qualifier),
            Ok(Some("$LATEST".to_owned()))
        );
    }

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        for (text, read) in [
            ("%41%2f", "A/"),
            ("%+1", "%+1"),
            ("%4", "%4"),
            ("%", "%"),
            ("%%41", "%A"),
            ("%-1%zz", "%-1%zz"),
        ] {
            assert_eq!(decode(text), read);
        }
    }

    #[test]
    fn words_nobody_knows_are_refused() {
        let path = "/2015-03-31/functions/f/invocations";
        for (header, value) in [("x-amz-log-type", "tail"), ("x-amz-invocation-type", "Later")] {
            let error = ask(path, &[(header, value)], b"").err();
            assert_eq!(error.map(|e| e.code), Some("ValidationException"), "{header}");
        }
        let tenant = ask(path, &[("x-amz-tenant-id", "t")], b"").err();
        assert_eq!(tenant.map(|e| e.status), Some(501));
    }

    #[test]
    fn what_is_not_supported_says_so() {
        let error = ask("/2015-03-31/functions", &[], b"").err();
        assert_eq!(
            error.map(|e| (e.status, e.code)),
            Some((501, "NotImplementedException"))
        );
        assert!(
            ask(
                "/2015-03-31/functions/f/invocations",
                &[("x-amz-client-context", "!")],
                b""
            )
            .is_err()
        );
    }
}
