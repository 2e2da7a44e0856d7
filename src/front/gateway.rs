//! The gateway: accepts connections on loopback, checks who asks, hands calls to the fabric.
//!
//! Safe by default: only a loopback `Host` is answered, and a request from a page of another origin is not.
//! Deliberately absent: what the calls mean; that is in [`super::lambda`].

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use router::arrivals::Refused;
use router::event::{CallDetails, Event, Lane};
use router::name::{FunctionName, RequestId, Seed};
use router::router::Input;
use scenarios::api::error::ApiError;
use scenarios::api::{self, Call, InvocationType};
use scenarios::assemble::{ACCOUNT, REGION};
use scenarios::hands::{Answered, Entrance, Replies};
use scenarios::stop::Stop;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::lambda;
use super::refusals::Refusals;

/// What every connection shares.
pub struct Gateway {
    /// The functions.
    pub functions: BTreeSet<FunctionName>,
    /// The way into the fabric.
    pub entrance: Entrance,
    /// Callers that wait.
    pub replies: Replies,
    /// Tells of the calls that are not taken.
    pub refusals: Refusals,
    /// What request ids derive from.
    pub seed: Seed,
    /// Number of the next call.
    pub calls: AtomicU64,
}

/// After a connection that could not be accepted.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

type Answer = Response<Full<Bytes>>;

/// Accepts connections until `stop` is asked for; ends when each has had its last answer.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, mut stop: Stop) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(Arc::clone(&gateway), stream, stop.clone())); }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    // Most likely there are no descriptors left: the end of a connection gives one back, and so may others.
                    let _ = tokio::time::timeout(PAUSE, async {
                        if connections.join_next().await.is_none() {
                            std::future::pending::<()>().await;
                        }
                    })
                    .await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stop.asked() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(gateway: Arc<Gateway>, stream: TcpStream, mut stop: Stop) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(answer(&gateway, request).await) }
    });
    let mut http = std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = stop.asked() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the gateway ended early");
    }
}

/// Whether an address may be listened on: the fabric runs code for whoever can reach it.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

async fn answer(gateway: &Gateway, request: Request<Incoming>) -> Answer {
    let number = gateway.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let name = format!("evt:api/{number}");
    let id = gateway.seed.request_id(&name);
    let (head, body) = request.into_parts();
    let answered = match check_origin(&head.headers) {
        Ok(()) => call(gateway, &head, body, name, &id).await,
        Err(why) => Err(ApiError {
            status: 403,
            code: "AccessDeniedException",
            body: format!("{{\"message\":\"{why}\"}}"),
        }),
    };
    answered.unwrap_or_else(|problem| {
        gateway
            .refusals
            .tell(head.method.as_str(), head.uri.path(), &problem);
        error(&id, &problem)
    })
}

async fn call(
    gateway: &Gateway,
    head: &Parts,
    body: Incoming,
    name: String,
    id: &RequestId,
) -> Result<Answer, ApiError> {
    let limit = api::SYNC_LIMIT + 1024 * 1024;
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(why) => return Err(too_large(head, &*why)),
    };
    let find = |name: &str| {
        head.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
    };
    let invoke = lambda::parse(&lambda::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        header: &find,
        body,
    })?;
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
        client_context: invoke.client_context.clone(),
        log_tail: invoke.tail,
        trace: invoke.trace.clone(),
    };
    let qualifier = invoke.function.qualifier.as_deref().map(Into::into);
    let event = |lane| api::event(gateway.seed, &name, &function, qualifier, lane, details, payload);
    let status = invoke.kind.status();
    match invoke.kind {
        InvocationType::DryRun => Ok(respond(status, id, &[], Bytes::new())),
        InvocationType::Event => {
            send(gateway, event(Lane::Queue)).await?;
            Ok(respond(status, id, &[], Bytes::new()))
        }
        InvocationType::RequestResponse => {
            let (tell, answer) = tokio::sync::oneshot::channel();
            let reply = gateway.replies.open(move |answered| drop(tell.send(answered)));
            send(gateway, event(Lane::Reply(reply))).await?;
            let answered = answer
                .await
                .map_err(|_| ApiError::service("the fabric stopped"))?;
            reply_of(answered, id, invoke.tail)
        }
    }
}

fn too_large(head: &Parts, why: &(dyn std::error::Error + 'static)) -> ApiError {
    tracing::debug!(error = %why, "a body was not read");
    let size = head.headers.get("content-length").and_then(|v| v.to_str().ok());
    ApiError::too_large(size.unwrap_or("too many"), "RequestResponse", api::SYNC_LIMIT)
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

fn reply_of(answered: Answered, id: &RequestId, tail: bool) -> Result<Answer, ApiError> {
    let answer = api::answer(answered.outcome)?;
    let mut headers: Vec<(&'static str, String)> = Vec::new();
    if let Some(version) = answered.version {
        headers.push(("x-amz-executed-version", version.to_string()));
    }
    if tail {
        headers.push(("x-amz-log-result", STANDARD.encode(&answer.log)));
    }
    if let Some(error) = answer.function_error {
        headers.push(("x-amz-function-error", error.to_owned()));
    }
    Ok(respond(
        InvocationType::RequestResponse.status(),
        id,
        &headers,
        answer.payload,
    ))
}

fn error(id: &RequestId, problem: &ApiError) -> Answer {
    let headers = [("x-amzn-errortype", problem.code.to_owned())];
    respond(problem.status, id, &headers, problem.body.clone().into())
}

fn respond(status: u16, id: &RequestId, headers: &[(&'static str, String)], body: Bytes) -> Answer {
    let mut response = Response::builder()
        .status(status)
        .header("x-amzn-requestid", id.as_str());
    if !body.is_empty() {
        response = response.header("content-type", "application/json");
    }
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Full::new(body)).unwrap_or_default()
}

/// A name that resolves to loopback can be anyone's, so the `Host` must be a loopback one; a page of
/// another origin must not reach the fabric through a browser.
fn check_origin(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &hyper::header::HeaderValue| v.to_str().ok())
    };
    let Some(host) = text("host") else {
        return Err("a Host header is required");
    };
    if !is_local(host) {
        return Err("only loopback hosts are answered here");
    }
    match text("origin").map(|origin| origin.split_once("://").map_or("", |(_, host)| host)) {
        Some(origin) if !is_local(origin) => Err("requests from other origins are not answered"),
        _ => Ok(()),
    }
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let by_address = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    by_address || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_local() {
        for host in [
            "127.0.0.1:4566",
            "localhost",
            "[::1]:80",
            "lambda.localhost:4566",
            "LOCALHOST:1",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com:80",
            "",
            "192.168.1.1",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
