//! Function URLs: plain HTTP in, a function's answer out (spec/lambda §10, spec/sources/api-gateway §6).
//!
//! ```text
//!   Host ─► url ─► preflight? cors answers
//!                  signed, where it must be ─► event ─► call ─┬─► response: the whole answer      (BUFFERED)
//!                                                             └─► streaming: prelude, then pieces (RESPONSE_STREAM)
//!                                                                            cors adds its headers to both
//! ```
//!
//! Owns who may ask and the order. A page of any origin may: whether it sees the answer, its URL's CORS configuration says,
//! as on AWS. Only where a signature is wanted and none is checked, a page of elsewhere could make one up, and may not.
//! Deliberately absent: the configurations, which Lambda's API keeps
//! ([`url`](super::lambda::registry::url)), and resource policies, which are kept and not enforced.

mod cors;
mod event;
mod response;
mod streaming;

use hyper::HeaderMap;
use router::event::CallDetails;
use scenarios::api::error::ApiError;
use scenarios::api::{self, InvocationType};
use scenarios::clock::system_now;

use super::credential::Credential;
use super::gateway::Gateway;
use super::http::{Answer, ERROR_TYPE, Request, header};
use super::lambda::call::{self, Order};
use super::lambda::directory::Target;
use super::signature;
use event::Caller;

/// What a URL's host begins with, if this is the host of one: `<id>.lambda-url.<region>.localhost`, with or without a port.
pub fn id(headers: &HeaderMap) -> Option<String> {
    let host = header(headers, "host")?.to_ascii_lowercase();
    let name = host.split(':').next().unwrap_or_default();
    match name.split('.').collect::<Vec<_>>().as_slice() {
        [id, "lambda-url", _, "localhost"] if !id.is_empty() => Some((*id).to_owned()),
        _ => None,
    }
}

/// Answers a request to the URL whose host begins with `id`.
pub async fn answer(gateway: &Gateway, id: &str, request: &Request) -> Answer {
    let Some(target) = gateway.plane.directory.url(id) else {
        return nobodys(id);
    };
    let cors = target.config.cors.as_ref();
    if let Some(cors) = cors
        && let Some(answer) = cors::preflight(cors, request)
    {
        return answer;
    }
    let served = serve(gateway, id, &target, request).await;
    let mut answer = served.unwrap_or_else(Answer::from);
    if let (Some(cors), Some(origin)) = (cors, request.header("origin")) {
        // Beside what the function says itself, as on AWS: a browser that sees both complains of it there as here.
        for (name, value) in cors::headers(cors, origin) {
            answer.taken.append(name, value);
        }
    }
    answer
}

async fn serve(gateway: &Gateway, id: &str, target: &Target, request: &Request) -> Result<Answer, ApiError> {
    let caller = caller(gateway, target, request)?;
    let now = system_now();
    let trace = event::trace(request, now);
    let event = event::of(&event::Given {
        request,
        id,
        caller: caller.as_ref(),
        account: &gateway.plane.place.account,
        trace: &trace,
        now,
    });
    let (function, alias) = (&target.function, target.alias.as_deref());
    let payload = call::admit(
        gateway,
        InvocationType::RequestResponse,
        function,
        alias,
        &event.into(),
    )
    .await?;
    let order = Order {
        function,
        qualifier: alias,
        details: CallDetails {
            client_context: None,
            log_tail: false,
            trace: Some(trace),
        },
        payload,
    };
    let streams = target.config.streams;
    let call = call::begin(gateway, request.number, order, streams, &request.room).await?;
    match streams {
        true => streaming::answer(call).await,
        false => {
            let reply = api::answer(call.end().await?.outcome)?;
            Ok(match reply.function_error {
                None => response::of(&reply.payload),
                Some(_) => response::failed(),
            })
        }
    }
}

/// Who asks, where the URL wants to know.
///
/// # Errors
/// It is not signed; or not by a key that counts, where that is asked for (`up --require-signature`). Where it is not,
/// any page could write a credential into a query, so pages of elsewhere are refused as the APIs refuse them.
fn caller(gateway: &Gateway, target: &Target, request: &Request) -> Result<Option<Caller>, ApiError> {
    if target.config.auth_type != "AWS_IAM" {
        return Ok(None);
    }
    let credential = Credential::of(&request.headers, request.query.as_deref());
    let Some(credential) = credential.filter(|credential| credential.service == "lambda") else {
        return Err(forbidden("Forbidden"));
    };
    if !gateway.signed {
        gateway.hosts.check_origin(&request.headers).map_err(forbidden)?;
    } else if let Err(error) = signature::verify(request, &gateway.keys, system_now()) {
        return Err(forbidden(&error.fault(super::fault::Form::RestJson).message));
    }
    Ok(Some(Caller {
        access_key: credential.id,
    }))
}

fn forbidden(message: &str) -> ApiError {
    ApiError {
        status: 403,
        code: "AccessDeniedException",
        body: serde_json::json!({ "Message": message }).to_string(),
    }
}

fn nobodys(id: &str) -> Answer {
    let message = format!(
        "no function has the URL whose host begins with {id}: GetFunctionUrlConfig and ListFunctionUrlConfigs tell those that there are"
    );
    let body = serde_json::json!({ "Message": message }).to_string();
    Answer::json(404, body).with(ERROR_TYPE, "ResourceNotFoundException")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_a_url() {
        let id = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().expect("a value"));
            id(&headers)
        };
        let abc = Some("abc".to_owned());
        assert_eq!(id("abc.lambda-url.us-east-1.localhost:4566"), abc);
        assert_eq!(id("ABC.lambda-url.us-east-1.LOCALHOST"), abc);
        for other in [
            "localhost:4566",
            "lambda-url.us-east-1.localhost",
            ".lambda-url.us-east-1.localhost",
            "a.abc.lambda-url.us-east-1.localhost",
            "abc.lambda-url.us-east-1.on.aws",
            "abc.lambda.us-east-1.localhost",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
        assert_eq!(super::id(&HeaderMap::new()), None);
    }
}
