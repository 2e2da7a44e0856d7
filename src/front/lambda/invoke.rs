//! Invoke: a request in, one [`Invoke`] out by a pure function, which is then carried out (spec/lambda §5).
//!
//! Owns the wire contract of Invoke. Deliberately absent: sockets, and the checks of [`api`], which do not depend on HTTP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use router::arrivals::Refused;
use router::event::{CallDetails, Event, Lane, Outcome};
use router::name::FunctionName;
use router::router::Input;
use scenarios::api::error::ApiError;
use scenarios::api::{self, Call, InvocationType};
use scenarios::assemble::{ACCOUNT, REGION};

use super::name::{self, Named};
use crate::front::gateway::{Gateway, call_name};
use crate::front::http::{Answer, Request, decode};

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

/// Answers a request.
pub async fn answer(gateway: &Gateway, request: Request) -> Answer {
    let invoked = match parse(&request) {
        Ok(invoke) => carry_out(gateway, invoke, request.number).await,
        Err(problem) => Err(problem),
    };
    invoked.unwrap_or_else(Answer::from)
}

/// Understands a request.
///
/// # Errors
/// The error to answer with, in AWS's form.
pub fn parse(request: &Request) -> Result<Invoke, ApiError> {
    let name = request
        .path
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"))
        .filter(|name| !name.contains('/') && request.method == hyper::Method::POST)
        .ok_or_else(|| ApiError::unsupported(&format!("{} {}", request.method, request.path)))?;
    let mut named = name::function(&decode(name))?;
    if let Some(qualifier) = request.parameter("Qualifier") {
        named.qualify(&qualifier)?;
    }
    let kind = match request.header("x-amz-invocation-type") {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]";
            return Err(ApiError::constraint(other, "invocationType", rule));
        }
    };
    let tail = match request.header("x-amz-log-type") {
        None | Some("None") => false,
        Some("Tail") => kind == InvocationType::RequestResponse,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [None, Tail]";
            return Err(ApiError::constraint(other, "logType", rule));
        }
    };
    if request.header("x-amz-tenant-id").is_some() {
        return Err(ApiError::unsupported("X-Amz-Tenant-Id (tenant isolation)"));
    }
    let client_context = request
        .header("x-amz-client-context")
        .map(api::client_context)
        .transpose()?;
    Ok(Invoke {
        function: named,
        kind,
        tail,
        client_context,
        trace: request
            .header("x-amzn-trace-id")
            .filter(|trace| trace.contains("Root="))
            .map(str::to_owned),
        body: request.body.clone(),
    })
}

async fn carry_out(gateway: &Gateway, invoke: Invoke, number: u64) -> Result<Answer, ApiError> {
    invoke.function.check_place(REGION, ACCOUNT)?;
    let function = FunctionName::new(invoke.function.name.as_str());
    let call = Call {
        kind: invoke.kind,
        function: &function,
        qualifier: invoke.function.qualifier.as_deref(),
        body: &invoke.body,
    };
    let payload = api::check(call, |function| gateway.functions.contains(function))?;
    let details = CallDetails {
        qualifier: invoke.function.qualifier,
        client_context: invoke.client_context,
        log_tail: invoke.tail,
        trace: invoke.trace,
    };
    let name = call_name(number);
    let event = |lane| api::event(gateway.seed, &name, &function, lane, details, payload);
    let status = invoke.kind.status();
    match invoke.kind {
        InvocationType::DryRun => Ok(Answer::empty(status)),
        InvocationType::Event => {
            send(gateway, event(Lane::Queue)).await?;
            Ok(Answer::empty(status))
        }
        InvocationType::RequestResponse => {
            let (tell, answer) = tokio::sync::oneshot::channel();
            let reply = gateway.replies.open(move |outcome| drop(tell.send(outcome)));
            send(gateway, event(Lane::Reply(reply))).await?;
            let outcome = answer
                .await
                .map_err(|_| ApiError::service("the fabric stopped"))?;
            reply_of(outcome, invoke.tail)
        }
    }
}

/// Hands an event to the fabric; where its inbox is full the caller waits, on a thread of its own. An event that is
/// not handed over is told so, and never runs.
async fn send(gateway: &Gateway, event: Event) -> Result<(), ApiError> {
    let closed = || ApiError::unavailable("triggerfish is stopping and takes no more calls");
    let input = match gateway.entrance.try_send(Input::Invoked(event)) {
        Ok(()) => return Ok(()),
        Err(Refused::Closed) => return Err(closed()),
        Err(Refused::Full(input)) => input,
    };
    let entrance = gateway.entrance.clone();
    let sent = tokio::task::spawn_blocking(move || entrance.send(*input)).await;
    match sent {
        Ok(true) => Ok(()),
        _ => Err(closed()),
    }
}

fn reply_of(outcome: Outcome, tail: bool) -> Result<Answer, ApiError> {
    let reply = api::answer(outcome)?;
    let mut answer = Answer::json(InvocationType::RequestResponse.status(), reply.payload)
        .with("x-amz-executed-version", "$LATEST");
    if tail {
        answer = answer.with("x-amz-log-result", STANDARD.encode(&reply.log));
    }
    Ok(match reply.function_error {
        Some(error) => answer.with("x-amz-function-error", error),
        None => answer,
    })
}

#[cfg(test)]
mod tests {
    use router::name::RequestId;

    use super::*;

    fn ask(uri: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Result<Invoke, ApiError> {
        let mut request = hyper::Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let id = RequestId::new("id");
        parse(&Request::new(head, Bytes::from_static(body), id, 1))
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
