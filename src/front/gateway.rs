//! The gateway: accepts connections on loopback, checks who asks, reads what they ask and hands it to a service.
//!
//! Owns the sockets and the order: who may ask ([`access`]), whom ([`service`](super::service)), how much
//! ([`limits`](super::limits)). Deliberately absent: what the calls mean, which each service knows.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Response;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use router::name::{RequestId, Seed};
use scenarios::api::error::ApiError;
use scenarios::hands::{Entrance, Replies};
use scenarios::stop::Stop;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::http::{Answer, Body, Request};
use super::lambda::plane::Plane;
use super::limits::Room;
use super::refusals::Refusals;
use super::service::{self, Service};
use super::{access, lambda};

/// What every connection shares.
pub struct Gateway {
    /// The functions.
    pub plane: Arc<Plane>,
    /// The way into the fabric.
    pub entrance: Entrance,
    /// Callers that wait.
    pub replies: Replies,
    /// Tells of the calls that are not taken.
    pub refusals: Refusals,
    /// Memory for large bodies.
    pub room: Room,
    /// What request ids derive from.
    pub seed: Seed,
    /// Number of the next call.
    pub calls: AtomicU64,
}

/// After a connection that could not be accepted.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

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

async fn answer(gateway: &Gateway, request: hyper::Request<Incoming>) -> Response<Body> {
    let number = gateway.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let id = gateway.seed.request_id(&call_name(number));
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let answered = hand_over(gateway, head, body, &id, number).await;
    let answer = answered.unwrap_or_else(Answer::from);
    if let Some(error) = answer.error() {
        gateway
            .refusals
            .tell(method.as_str(), &path, answer.status, error);
    }
    respond(answer, &id)
}

/// The causal name of a call, which its request id is a hash of.
pub fn call_name(number: u64) -> String {
    format!("evt:api/{number}")
}

async fn hand_over(
    gateway: &Gateway,
    head: Parts,
    body: Incoming,
    id: &RequestId,
    number: u64,
) -> Result<Answer, ApiError> {
    access::check(&head.headers).map_err(|why| ApiError {
        status: 403,
        code: "AccessDeniedException",
        body: serde_json::json!({ "message": why }).to_string(),
    })?;
    let service = service::choose(&head);
    let held = gateway.room.read(&head, &service, body).await?;
    let request = Request::new(head, held.body.clone(), id.clone(), number);
    Ok(match service {
        Service::Lambda | Service::Unnamed => lambda::answer(gateway, request).await,
        Service::Other(name) => ApiError::unsupported(&format!("the service `{name}`")).into(),
    })
}

fn respond(answer: Answer, id: &RequestId) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.status)
        .header("x-amzn-requestid", id.as_str());
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    // A header that cannot be sent is our mistake; whoever waits is told at least that.
    response.body(answer.body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be sent");
        let mut empty = Response::new(Answer::empty(500).body);
        *empty.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        empty
    })
}
