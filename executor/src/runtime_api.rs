//! The Runtime API's sockets: one loopback listener for each execution environment.
//!
//! Owns HTTP/1.1: writing replies, keeping count of connections, those of extensions apart. Every call
//! goes to the environment's actor and waits for its reply. Deliberately absent: what a call means in which
//! state ([`environment`](crate::environment)), timeouts (an idle `next` may wait for hours).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use router::name::Version;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::audience::{Audience, Began};
use crate::body::{self, Read, read, read_aloud};
use crate::environment::Answer;
use crate::extension_call::{self, ExtensionCall, Head};
use crate::runtime_call::{self, Mode, RESPONSE_LIMIT, Reply, RuntimeCall, STREAM_LIMIT};
use crate::unfinished;

/// A call that needs the environment.
#[derive(Debug)]
pub enum Call {
    /// The runtime asks for an event.
    Next {
        reply: oneshot::Sender<Handout>,
        /// What our bootstraps say still runs after the answer before.
        unfinished: Option<String>,
    },
    /// The runtime begins to answer an invocation piece by piece: who wants to hear it, if anybody does.
    Begins {
        id: String,
        reply: oneshot::Sender<Option<(Audience, Version)>>,
    },
    /// The runtime answers an invocation.
    Answer {
        id: String,
        answer: Answer,
        reply: oneshot::Sender<Reply>,
    },
    /// The runtime cannot start.
    InitError {
        kind: String,
        body: Bytes,
        reply: oneshot::Sender<Reply>,
    },
    /// An extension calls.
    Extension {
        call: ExtensionCall,
        reply: oneshot::Sender<Handout>,
    },
}

/// Whose connections are waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The runtime's: extensions still run.
    Runtime,
    /// All.
    Anybodys,
}

/// What answers `next`, and an extension's call.
#[derive(Debug)]
pub enum Handout {
    /// An event with its headers.
    Event {
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    },
    /// Not now.
    Refused(Reply),
}

/// One environment's endpoint; gone when dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    /// `host:port`, the value of `AWS_LAMBDA_RUNTIME_API`.
    pub address: String,
    connections: Arc<Connections>,
    listener: JoinHandle<()>,
}

/// How many connections are open.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicUsize,
    /// Those among them that an extension has used.
    extensions: AtomicUsize,
    closed: Notify,
}

impl Connections {
    /// Waits until every connection has ended, so that all a dead process sent was heard, and lets `answer`
    /// serve the calls among it; not longer than `limit`, because a stranger may keep one open.
    pub async fn settled(&self, whose: Whose, limit: Duration, mut answer: impl FnMut()) {
        let quiet = async {
            loop {
                // What the listener and the connections have to say comes before the look at the count.
                tokio::task::yield_now().await;
                answer();
                let others = match whose {
                    Whose::Runtime => self.extensions.load(Ordering::SeqCst),
                    Whose::Anybodys => 0,
                };
                if self.open.load(Ordering::SeqCst) <= others {
                    return;
                }
                let _ = tokio::time::timeout(Duration::from_millis(1), self.closed.notified()).await;
            }
        };
        let _ = tokio::time::timeout(limit, quiet).await;
    }
}

/// Counts one connection for as long as it lives.
struct Open {
    connections: Arc<Connections>,
    extension: AtomicBool,
}

impl Open {
    fn new(connections: Arc<Connections>) -> Self {
        connections.open.fetch_add(1, Ordering::SeqCst);
        Open {
            connections,
            extension: AtomicBool::new(false),
        }
    }

    /// An extension has used it.
    fn mark(&self) {
        if !self.extension.swap(true, Ordering::SeqCst) {
            self.connections.extensions.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::SeqCst);
        if *self.extension.get_mut() {
            self.connections.extensions.fetch_sub(1, Ordering::SeqCst);
        }
        self.connections.closed.notify_waiters();
    }
}

impl RuntimeApi {
    /// Listens on a free loopback port and sends what it hears to `calls`.
    pub async fn listen(calls: mpsc::UnboundedSender<Call>) -> std::io::Result<RuntimeApi> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let connections = Arc::new(Connections::default());
        let listener = tokio::spawn(accept(listener, calls, connections.clone()));
        Ok(RuntimeApi {
            address,
            connections,
            listener,
        })
    }

    /// The count of its connections.
    pub fn connections(&self) -> Arc<Connections> {
        self.connections.clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, calls: mpsc::UnboundedSender<Call>, connections: Arc<Connections>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let open = Open::new(connections.clone());
                tokio::spawn(connection(stream, calls.clone(), open));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection of a runtime");
                // No descriptors, most likely: the end of a connection gives one back, and so may others.
                let freed = connections.closed.notified();
                let _ = tokio::time::timeout(Duration::from_millis(10), freed).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, calls: mpsc::UnboundedSender<Call>, open: Open) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| serve(request, &calls, &open));
    let http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = http.await {
        tracing::debug!(%error, "a runtime's connection ended");
    }
    drop(open);
}

async fn serve(
    request: Request<Incoming>,
    calls: &mpsc::UnboundedSender<Call>,
    open: &Open,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let call = runtime_call::parse(request.method(), request.uri().path(), request.headers());
    let unfinished = match call {
        RuntimeCall::Next => unfinished::told(request.headers()),
        _ => None,
    };
    let body = request.into_body();
    let reply = match call {
        RuntimeCall::Next => return Ok(next(calls, unfinished).await),
        RuntimeCall::Response {
            id,
            mode: Mode::Streaming { content_type },
        } => match listener(calls, &id, content_type).await {
            Some(listener) => streamed(calls, id, body, listener).await,
            None => response(calls, id, read(body).await).await,
        },
        RuntimeCall::Response {
            id,
            mode: Mode::Whole,
        } => response(calls, id, read(body).await).await,
        RuntimeCall::Response {
            id,
            mode: Mode::Unknown,
        } => {
            let _ = read(body).await;
            let reply = post(calls, |reply| Call::Answer {
                id,
                answer: Answer::BadMode,
                reply,
            })
            .await;
            if reply == Reply::Accepted {
                Reply::BadMode
            } else {
                reply
            }
        }
        RuntimeCall::Error { id, kind } => match read(body).await {
            Read::Whole(body) | Read::Failed { document: body, .. } => {
                let answer = Answer::Error { kind, body };
                post(calls, |reply| Call::Answer { id, answer, reply }).await
            }
            Read::TooLarge => too_large(calls, id, RESPONSE_LIMIT).await,
            Read::Broken => broken(calls, id).await,
        },
        RuntimeCall::InitError { kind } => match read(body).await {
            Read::Whole(body) | Read::Failed { document: body, .. } => {
                post(calls, |reply| Call::InitError { kind, body, reply }).await
            }
            Read::TooLarge => Reply::TooLarge {
                limit: RESPONSE_LIMIT,
            },
            Read::Broken => Reply::Internal,
        },
        RuntimeCall::Extension(head) => {
            open.mark();
            return Ok(extension(calls, head, body).await);
        }
        RuntimeCall::Denied(denial) => {
            open.mark();
            let _ = read(body).await;
            Reply::Denied(denial)
        }
        RuntimeCall::Logs => {
            open.mark();
            let _ = read(body).await;
            Reply::NoLogs
        }
        RuntimeCall::Ping => Reply::Pong,
        RuntimeCall::NotSupported(what) => Reply::NotSupported(what),
        RuntimeCall::Unknown => Reply::Unknown,
        RuntimeCall::WrongMethod => Reply::WrongMethod,
        RuntimeCall::Forbidden(why) => Reply::Forbidden(why),
    };
    Ok(plain(&reply))
}

async fn next(calls: &mpsc::UnboundedSender<Call>, unfinished: Option<String>) -> Response<Full<Bytes>> {
    handed(calls, |reply| Call::Next { reply, unfinished }).await
}

/// Asks, and waits for what is handed out.
async fn handed(
    calls: &mpsc::UnboundedSender<Call>,
    call: impl FnOnce(oneshot::Sender<Handout>) -> Call,
) -> Response<Full<Bytes>> {
    let (sender, receiver) = oneshot::channel();
    if calls.send(call(sender)).is_err() {
        return plain(&Reply::Internal);
    }
    match receiver.await {
        Ok(Handout::Event { headers, body }) => {
            let mut response = Response::new(Full::new(body));
            response.headers_mut().extend(headers);
            response
        }
        Ok(Handout::Refused(reply)) => plain(&reply),
        Err(_) => plain(&Reply::Internal),
    }
}

async fn extension(calls: &mpsc::UnboundedSender<Call>, head: Head, body: Incoming) -> Response<Full<Bytes>> {
    let call = match read(body).await {
        Read::TooLarge => {
            return plain(&Reply::TooLarge {
                limit: RESPONSE_LIMIT,
            });
        }
        Read::Broken => return plain(&Reply::Internal),
        Read::Whole(body) | Read::Failed { document: body, .. } => extension_call::with_body(head, &body),
    };
    let call = match call {
        Ok(call) => call,
        Err(denial) => return plain(&Reply::Denied(denial)),
    };
    handed(calls, |reply| Call::Extension { call, reply }).await
}

/// Whoever waits for the pieces of this invocation's response, told that they come.
async fn listener(
    calls: &mpsc::UnboundedSender<Call>,
    id: &str,
    content_type: Option<String>,
) -> Option<Audience> {
    let (sender, receiver) = oneshot::channel();
    let asked = Call::Begins {
        id: id.to_owned(),
        reply: sender,
    };
    calls.send(asked).ok()?;
    let (audience, version) = receiver.await.ok().flatten()?;
    let began = Began {
        version,
        content_type,
    };
    // One that is gone already is the same to the runtime.
    let _ = audience.begin(began).await;
    Some(audience)
}

async fn streamed(
    calls: &mpsc::UnboundedSender<Call>,
    id: String,
    body: Incoming,
    audience: Audience,
) -> Reply {
    match read_aloud(body, audience).await {
        body::Heard::Whole { first, total } => {
            let answer = Answer::Streamed { first, total };
            post(calls, |reply| Call::Answer { id, answer, reply }).await
        }
        body::Heard::Otherwise(Read::TooLarge) => too_large(calls, id, STREAM_LIMIT).await,
        body::Heard::Otherwise(read) => response(calls, id, read).await,
    }
}

async fn response(calls: &mpsc::UnboundedSender<Call>, id: String, body: Read) -> Reply {
    match body {
        Read::Whole(body) => {
            post(calls, |reply| Call::Answer {
                id,
                answer: Answer::Response(body),
                reply,
            })
            .await
        }
        Read::Failed { kind, document } => {
            let answer = Answer::Error { kind, body: document };
            post(calls, |reply| Call::Answer { id, answer, reply }).await
        }
        Read::TooLarge => too_large(calls, id, RESPONSE_LIMIT).await,
        Read::Broken => broken(calls, id).await,
    }
}

async fn too_large(calls: &mpsc::UnboundedSender<Call>, id: String, limit: usize) -> Reply {
    let answer = Answer::TooLarge { limit };
    let reply = post(calls, |reply| Call::Answer { id, answer, reply }).await;
    if reply == Reply::Accepted {
        Reply::TooLarge { limit }
    } else {
        reply
    }
}

async fn broken(calls: &mpsc::UnboundedSender<Call>, id: String) -> Reply {
    post(calls, |reply| Call::Answer {
        id,
        answer: Answer::Truncated,
        reply,
    })
    .await
}

async fn post(
    calls: &mpsc::UnboundedSender<Call>,
    call: impl FnOnce(oneshot::Sender<Reply>) -> Call,
) -> Reply {
    let (sender, receiver) = oneshot::channel();
    if calls.send(call(sender)).is_err() {
        return Reply::Internal;
    }
    let reply = receiver.await.unwrap_or(Reply::Internal);
    if reply == Reply::Accepted {
        // The fabric takes its turn at the first of these, and the caller's connection at the second: whoever
        // waits for the answer gets it before the runtime hears that it was taken.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    reply
}

fn plain(reply: &Reply) -> Response<Full<Bytes>> {
    let (status, body) = reply.write();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if *reply == Reply::Pong {
        "text/plain"
    } else {
        "application/json"
    };
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
