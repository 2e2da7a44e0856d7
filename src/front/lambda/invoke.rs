//! Invoke: a request in, one [`Invoke`] out by a pure function, which is then carried out (spec/lambda §5).
//!
//! Owns the wire contract of Invoke. Deliberately absent: sockets, and the checks of [`api`], which do not depend on HTTP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use router::event::{CallDetails, Lane};
use router::name::FunctionName;
use scenarios::api::error::ApiError;
use scenarios::api::{self, InvocationType};
use scenarios::hands::Answered;

use super::call::{self, Order};
use super::name::{self, Named};
use super::plane::send;
use super::streaming;
use crate::front::gateway::Gateway;
use crate::front::http::{Answer, Request, decode};

/// The largest body of InvokeAsync, in bytes (spec/lambda §5.5): it did not grow with `Event`.
const ASYNC_LIMIT: usize = 262_144;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The function, as the caller named it.
    pub function: Named,
    /// How.
    pub kind: InvocationType,
    /// In which form it is answered.
    pub form: Form,
    /// Whether the log tail is wanted.
    pub tail: bool,
    /// The decoded client context.
    pub client_context: Option<String>,
    /// The caller's `X-Amzn-Trace-Id`.
    pub trace: Option<String>,
    /// The body, not looked at yet: [`api::check`] does.
    pub body: Bytes,
}

/// The operations that run a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Invoke.
    Whole,
    /// InvokeAsync, which AWS has deprecated.
    Async,
    /// InvokeWithResponseStream.
    Stream,
}

/// The operation that a path asks for, and the function's name in it, still percent-encoded.
pub fn route(path: &str) -> Option<(Form, &str)> {
    let path = path.trim_end_matches('/');
    let forms = [
        ("/2015-03-31/functions/", "/invocations", Form::Whole),
        ("/2014-11-13/functions/", "/invoke-async", Form::Async),
        (
            "/2021-11-15/functions/",
            "/response-streaming-invocations",
            Form::Stream,
        ),
    ];
    forms.into_iter().find_map(|(start, end, form)| {
        let name = path.strip_prefix(start)?.strip_suffix(end)?;
        (!name.is_empty() && !name.contains('/')).then_some((form, name))
    })
}

/// Answers a request that [`route`] has found to be one.
pub async fn answer(gateway: &Gateway, form: Form, name: &str, request: &Request) -> Answer {
    let invoked = match parse(form, name, request) {
        Ok(invoke) => carry_out(gateway, invoke, request).await,
        Err(problem) => Err(problem),
    };
    invoked.unwrap_or_else(Answer::from)
}

/// Understands a request.
///
/// # Errors
/// The error to answer with, in AWS's form.
pub fn parse(form: Form, name: &str, request: &Request) -> Result<Invoke, ApiError> {
    if form == Form::Async && request.body.len() > ASYNC_LIMIT {
        return Err(ApiError::too_large(
            &request.body.len().to_string(),
            "Event",
            ASYNC_LIMIT,
        ));
    }
    let mut named = name::function(&decode(name))?;
    if let Some(qualifier) = request.parameter("Qualifier") {
        named.qualify(&qualifier)?;
    }
    let kind = match request.header("x-amz-invocation-type") {
        _ if form == Form::Async => InvocationType::Event,
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") if form == Form::Whole => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => {
            let known = match form {
                Form::Stream => "RequestResponse, DryRun",
                _ => "Event, RequestResponse, DryRun",
            };
            let rule = format!("Member must satisfy enum value set: [{known}]");
            return Err(ApiError::constraint(other, "invocationType", &rule));
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
    for (header, what) in [
        ("x-amz-tenant-id", "X-Amz-Tenant-Id (tenant isolation)"),
        (
            "x-amz-durable-execution-name",
            "X-Amz-Durable-Execution-Name (durable functions)",
        ),
    ] {
        if request.header(header).is_some() {
            return Err(super::registry::not_offered(what));
        }
    }
    let client_context = request
        .header("x-amz-client-context")
        .map(api::client_context)
        .transpose()?;
    let trace = request
        .header("x-amzn-trace-id")
        .filter(|trace| trace.contains("Root="));
    Ok(Invoke {
        function: named,
        kind,
        form,
        tail,
        client_context,
        trace: trace.map(str::to_owned),
        body: request.body.clone(),
    })
}

async fn carry_out(gateway: &Gateway, invoke: Invoke, request: &Request) -> Result<Answer, ApiError> {
    let (number, room) = (request.number, &request.room);
    let plane = &gateway.plane;
    invoke
        .function
        .check_place(&plane.place.region, &plane.place.account)?;
    let function = FunctionName::new(invoke.function.name.as_str());
    let qualifier = invoke.function.qualifier.as_deref();
    let payload = call::admit(gateway, invoke.kind, &function, qualifier, &invoke.body).await?;
    let order = Order {
        function: &function,
        qualifier,
        details: CallDetails {
            client_context: invoke.client_context,
            log_tail: invoke.tail,
            trace: invoke.trace,
        },
        payload,
    };
    let status = invoke.kind.status();
    match (invoke.kind, invoke.form) {
        (InvocationType::DryRun, _) => Ok(Answer::empty(status)),
        (InvocationType::Event, _) => {
            let input = call::input(gateway, number, Lane::Queue, order);
            send(&gateway.entrance, input).await?;
            Ok(Answer::empty(status))
        }
        (InvocationType::RequestResponse, Form::Stream) => {
            let call = call::begin(gateway, number, order, true, room).await?;
            streaming::answer(call, invoke.tail).await
        }
        (InvocationType::RequestResponse, _) => {
            let call = call::begin(gateway, number, order, false, room).await?;
            whole(call.end().await?, invoke.tail)
        }
    }
}

/// `X-Amz-Executed-Version`: the version that was chosen for a call.
pub(super) fn executed_version(answered: &Answered) -> String {
    let version = answered.version.map(|version| version.to_string());
    version.unwrap_or_else(|| "$LATEST".to_owned())
}

fn whole(answered: Answered, tail: bool) -> Result<Answer, ApiError> {
    let version = executed_version(&answered);
    let reply = api::answer(answered.outcome)?;
    let mut answer = Answer::json(200, reply.payload);
    if tail {
        answer = answer.with("x-amz-log-result", STANDARD.encode(&reply.log));
    }
    if let Some(error) = reply.function_error {
        answer = answer.with("x-amz-function-error", error);
    }
    Ok(answer.with("x-amz-executed-version", version))
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
        let request = Request::new(head, Bytes::from_static(body), RequestId::new("id"), 1);
        let (form, name) = route(&request.path).ok_or_else(|| ApiError::unsupported(&request.path))?;
        parse(form, name, &request)
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
        assert_eq!(tenant.map(|e| e.status), Some(400));
        let stream = "/2021-11-15/functions/f/response-streaming-invocations";
        assert!(ask(stream, &[("x-amz-invocation-type", "Event")], b"").is_err());
    }

    #[test]
    fn invoke_async_takes_less_than_event() {
        static BODY: [u8; ASYNC_LIMIT + 1] = [b'1'; ASYNC_LIMIT + 1];
        let path = "/2014-11-13/functions/f/invoke-async/";
        assert!(ask(path, &[], &BODY[..ASYNC_LIMIT]).is_ok());
        let error = ask(path, &[], &BODY).err();
        let text = r#"{"message":"262145 byte payload is too large for the Event invocation type (limit 262144 bytes)"}"#;
        assert_eq!(error.map(|e| (e.status, e.body)), Some((413, text.to_owned())));
        let event = [("x-amz-invocation-type", "Event")];
        assert!(ask("/2015-03-31/functions/f/invocations", &event, &BODY).is_ok());
    }

    #[test]
    fn three_operations_run_functions() {
        let form = |path| route(path).map(|(form, name)| (form, name.to_owned()));
        assert_eq!(
            form("/2015-03-31/functions/f/invocations"),
            Some((Form::Whole, "f".to_owned()))
        );
        assert_eq!(
            form("/2014-11-13/functions/f/invoke-async/"),
            Some((Form::Async, "f".to_owned()))
        );
        let stream = "/2021-11-15/functions/f/response-streaming-invocations";
        assert_eq!(form(stream), Some((Form::Stream, "f".to_owned())));
        for other in [
            "/2015-03-31/functions",
            "/2015-03-31/functions//invocations",
            "/2015-03-31/functions/a/b/invocations",
        ] {
            assert_eq!(form(other), None, "{other}");
        }
        let client = [("x-amz-client-context", "!")];
        assert!(ask("/2015-03-31/functions/f/invocations", &client, b"").is_err());
    }
}
