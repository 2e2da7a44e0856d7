//! The gateway: accepts connections on loopback, checks who asks, reads what they ask and hands it to a service.
//!
//! Owns the sockets and the order: who may ask ([`access`](super::access)), whom ([`service`]), how much
//! ([`body`](super::body)), signed by whom ([`signature`]). Deliberately absent: what the calls mean, which each
//! service knows.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use router::name::{RequestId, Seed};
use scenarios::clock::system_now;
use scenarios::hands::{Entrance, Replies};
use scenarios::stop::Stop;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::access::Hosts;
use super::body::Bodies;
use super::connection::{self, Sent, Serving, Watch};
use super::credential::Credential;
use super::fault::{Fault, Form};
use super::given::Given;
use super::http::{Answer, Request};
use super::iam::{self, kept::Kept};
use super::keys::{Keys, Owner};
use super::lambda::plane::Plane;
use super::query::{self, Call};
use super::refusals::Refusals;
use super::secret::Secret;
use super::service::{self, Service};
use super::signature::{self, SignatureError};
use super::times::Times;
use super::{function_url, lambda, sts};

/// What every connection shares.
pub struct Gateway {
    /// The functions.
    pub plane: Plane,
    /// The way into the fabric.
    pub entrance: Entrance,
    /// Callers that wait.
    pub replies: Replies,
    /// Tells of the calls that are not taken.
    pub refusals: Refusals,
    /// The names that are answered to.
    pub hosts: Hosts,
    /// The keys that are known.
    pub keys: Keys,
    /// Whether a request must be signed with one of them.
    pub signed: bool,
    /// What the secrets of new keys derive from.
    pub secret: Secret,
    /// Memory for large bodies.
    pub bodies: Bodies,
    /// How long clients may take.
    pub times: Times,
    /// Roles and policies.
    pub iam: Kept,
    /// What request ids derive from.
    pub seed: Seed,
    /// Number of the next call.
    pub calls: AtomicU64,
}

/// Connections at the same time; further ones wait to be accepted.
const CONNECTIONS: usize = 4096;
/// After a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections until `stop` is asked for; ends when each has had its last answer.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, mut stop: Stop) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
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

async fn connection(gateway: Arc<Gateway>, stream: TcpStream, stop: Stop) {
    let _ = stream.set_nodelay(true);
    let watch = Watch::new(gateway.times);
    let serving = watch.clone();
    let service = service_fn(move |request| {
        let (gateway, serving) = (Arc::clone(&gateway), serving.asked());
        async move { Ok::<_, Infallible>(answer(&gateway, request, serving).await) }
    });
    connection::serve(stream, watch, service, stop).await;
}

async fn answer(gateway: &Gateway, request: hyper::Request<Incoming>, serving: Serving) -> Response<Sent> {
    let number = gateway.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let id = gateway.seed.request_id(&call_name(number));
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let answer = hand_over(gateway, head, body, &id, number).await;
    gateway.refusals.tell(method.as_str(), &path, &answer);
    respond(answer, &id, serving)
}

/// The causal name of a call, which its request id is a hash of.
pub fn call_name(number: u64) -> String {
    format!("evt:api/{number}")
}

async fn hand_over(gateway: &Gateway, head: Parts, body: Incoming, id: &RequestId, number: u64) -> Answer {
    let service = service::choose(&head);
    let form = service::form(&service, &head);
    let allowed = match &service {
        // Which pages may see its answers is for its own configuration to say.
        Service::FunctionUrl(_) => gateway.hosts.check_host(&head.headers),
        _ => gateway.hosts.check(&head.headers),
    };
    if let Err(why) = allowed {
        return Fault::new(403, "AccessDeniedException", why).told(form, id);
    }
    let read = gateway.bodies.read(&head, &service, body, &gateway.times).await;
    let (body, room) = match read {
        Ok(read) => read,
        Err(fault) => return fault.told(form, id),
    };
    let mut request = Request::new(head, body, id.clone(), number);
    request.room = room;
    let (service, form) = match service {
        Service::Unnamed => match service::by_form(&request) {
            Service::Unnamed => (Service::Unnamed, form),
            found => (found, Form::Query),
        },
        named => (named, form),
    };
    if let Service::FunctionUrl(url) = &service {
        return function_url::answer(gateway, url, &request).await;
    }
    if service == Service::Lambda && lambda::is_code(&request.path) {
        // Signed in a way of its own, as AWS's are: whoever has the URL may download.
        return lambda::answer(gateway, request).await;
    }
    let caller = match caller(gateway, &request) {
        Ok(caller) => caller,
        Err(error) => return refuse(&error, form, id),
    };
    match service {
        Service::Lambda => lambda::answer(gateway, request).await,
        Service::Iam => iam_answer(gateway, &request).await,
        Service::Sts => sts_answer(gateway, &request, caller.as_ref()),
        Service::FunctionUrl(_) | Service::Other(_) | Service::Unnamed => {
            service::not_here(&service, &request, form).told(form, id)
        }
    }
}

/// Who asks: proven where signatures are required, else whoever it says it is.
fn caller(gateway: &Gateway, request: &Request) -> Result<Option<Owner>, SignatureError> {
    if gateway.signed {
        return signature::verify(request, &gateway.keys, system_now()).map(|key| Some(key.owner));
    }
    let credential = Credential::of(&request.headers, request.query.as_deref());
    let key = credential.and_then(|credential| gateway.keys.find(&credential.id));
    Ok(key.map(|key| key.owner))
}

fn refuse(error: &SignatureError, form: Form, id: &RequestId) -> Answer {
    if let SignatureError::Mismatch(should) = error {
        tracing::debug!(canonical = %should, "a signature is not that of its request");
    }
    error.fault(form).told(form, id)
}

async fn iam_answer(gateway: &Gateway, request: &Request) -> Answer {
    let call = match Call::of(request) {
        Ok(call) => call,
        Err(fault) => return fault.told(Form::Query, &request.id),
    };
    let done = gateway.iam.act(&call, &given(gateway, request)).await;
    query::answer(&call, iam::NAMESPACE, done, &request.id)
}

fn sts_answer(gateway: &Gateway, request: &Request, caller: Option<&Owner>) -> Answer {
    let call = match Call::of(request) {
        Ok(call) => call,
        Err(fault) => return fault.told(Form::Query, &request.id),
    };
    let given = given(gateway, request);
    let role_id = |name: &str| gateway.iam.role_id(name);
    let done = sts::act(&call, caller, role_id, &given, &gateway.secret);
    let done = done.map(|done| {
        if let Some((id, key)) = done.issued {
            gateway.keys.issue(&id, key, given.now);
        }
        Some(done.result)
    });
    query::answer(&call, sts::NAMESPACE, done, &request.id)
}

fn given(gateway: &Gateway, request: &Request) -> Given {
    Given {
        now: system_now(),
        seed: gateway.seed,
        call: call_name(request.number),
    }
}

fn respond(answer: Answer, id: &RequestId, serving: Serving) -> Response<Sent> {
    let mut response = Response::new(Sent::new(answer.body, serving));
    let status = hyper::StatusCode::from_u16(answer.status);
    *response.status_mut() = status.unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let own = [("x-amzn-requestid", id.as_str())];
    let all = answer.headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.into_iter().chain(all) {
        // What a service puts into a header is text; one that cannot be sent is left out.
        match value.parse() {
            Ok(value) => drop(response.headers_mut().append(name, value)),
            Err(_) => tracing::error!(header = name, "a header cannot be sent"),
        }
    }
    for (name, value) in &answer.taken {
        response.headers_mut().append(name, value.clone());
    }
    response
}
