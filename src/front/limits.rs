//! How much of a body is read, and how many bytes of bodies at once.
//!
//! Owns the limits and the reading. A body that is too large is thrown away as it comes: a client writes first and reads
//! then, and would lose the answer. Deliberately absent: limits of what a body means, such as 1 MiB of an asynchronous event.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use scenarios::api::SYNC_LIMIT;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::fault::Fault;
use super::service::Service;

/// The largest request that brings code, in bytes (spec/lambda §2): 50 MB of zip in base64.
pub const UPLOAD_LIMIT: usize = 70_167_211;
/// The largest request of any other operation but Invoke, in bytes.
pub const USUAL_LIMIT: usize = 1 << 20;
/// A body above the limit of Invoke is read this far, in bytes, for an error that names its size.
const INVOKE_LIMIT: usize = SYNC_LIMIT + (1 << 20);
/// Uploads that fit into memory at once; further ones wait.
const UPLOADS: usize = 4;
/// Bytes of a body that is too large which are thrown away before the connection is given up.
const DISCARDED: usize = 4 * UPLOAD_LIMIT;

/// How long the next piece of a body may take: a slow body is read, one that stands still is not.
const NEXT_PIECE: Duration = Duration::from_secs(20);

/// The most bytes that a body of this operation may have.
pub fn body_limit(service: &Service, method: &Method, path: &str) -> usize {
    match service {
        Service::FunctionUrl(_) => SYNC_LIMIT,
        Service::Lambda if uploads(method, path).is_some() => UPLOAD_LIMIT,
        Service::Lambda if method == Method::POST && path.ends_with("/invocations") => INVOKE_LIMIT,
        Service::Lambda if method == Method::POST && path.ends_with("/invoke-async/") => INVOKE_LIMIT,
        Service::Lambda if method == Method::POST && path.ends_with("/response-streaming-invocations") => {
            INVOKE_LIMIT
        }
        _ => USUAL_LIMIT,
    }
}

/// The operation of Lambda that brings code with this method and path, if one does.
fn uploads(method: &Method, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["2015-03-31", "functions"]) => Some("CreateFunction"),
        ("PUT", ["2015-03-31", "functions", _, "code"]) => Some("UpdateFunctionCode"),
        ("POST", ["2018-10-31", "layers", _, "versions"]) => Some("PublishLayerVersion"),
        _ => None,
    }
}

/// Memory for bodies above [`USUAL_LIMIT`]: many clients with 70 MB each would be more than a machine has, so whoever
/// comes when it is taken waits.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

/// A body; an upload has its room until this is dropped.
#[derive(Debug)]
pub struct Held {
    /// The body.
    pub body: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Room(Arc::new(Semaphore::new(
            UPLOADS * kibibytes(UPLOAD_LIMIT) as usize,
        )))
    }
}

impl Room {
    /// Reads a body to its end.
    ///
    /// # Errors
    /// It is too large (413), stood still (408), or ended early (400).
    pub async fn read(&self, head: &Parts, service: &Service, body: Incoming) -> Result<Held, Fault> {
        let limit = body_limit(service, &head.method, head.uri.path());
        let told = body
            .size_hint()
            .exact()
            .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        if told.is_some_and(|told| told > limit) && head.headers.contains_key("expect") {
            // The client waits for leave to send it.
            return Err(too_large(service, head, told, limit));
        }
        // What is not told may be as large as is allowed; what is too large is not kept.
        let expected = told.unwrap_or(limit);
        let expected = if expected > limit { 0 } else { expected };
        let room = match expected > USUAL_LIMIT {
            true => Arc::clone(&self.0)
                .acquire_many_owned(kibibytes(expected))
                .await
                .ok(),
            false => None,
        };
        // What is large has its room, and is not moved as it grows.
        let ahead = told.filter(|_| room.is_some()).unwrap_or_default();
        match collect(body, limit, ahead).await? {
            Some(body) => Ok(Held {
                body,
                // What Invoke brings is the fabric's from here on, which has a bound of its own.
                _room: room.filter(|_| limit == UPLOAD_LIMIT),
            }),
            None => Err(too_large(service, head, told, limit)),
        }
    }
}

/// The bytes of a body, or nothing where it has more than `limit`; memory for `ahead` bytes is taken at once.
async fn collect(mut body: Incoming, limit: usize, ahead: usize) -> Result<Option<Bytes>, Fault> {
    let mut all = BytesMut::new();
    let mut first = None;
    let mut size = 0;
    while let Some(frame) = timeout(NEXT_PIECE, body.frame())
        .await
        .map_err(|_| stood_still())?
    {
        let frame = frame.map_err(|error| ended_early(&error))?;
        let Ok(piece) = frame.into_data() else { continue };
        size += piece.len();
        if size > DISCARDED.max(limit) {
            break;
        }
        match (size <= limit, &first) {
            (false, _) => (all, first) = (BytesMut::new(), None),
            // Most bodies are one piece, which is not copied.
            (true, None) if all.is_empty() => first = Some(piece),
            (true, _) => {
                all.reserve(ahead.saturating_sub(all.len()));
                all.extend_from_slice(&first.take().unwrap_or_default());
                all.extend_from_slice(&piece);
            }
        }
    }
    let whole = first.unwrap_or_else(|| all.freeze());
    Ok((size <= limit).then_some(whole))
}

fn stood_still() -> Fault {
    let seconds = NEXT_PIECE.as_secs();
    let message = format!(
        "no byte of the body came for {seconds} s, and it is not whole: send it all, or its true length"
    );
    Fault::new(408, "RequestTimeoutException", message)
}

fn ended_early(error: &hyper::Error) -> Fault {
    tracing::debug!(%error, "a body was not read");
    Fault::new(400, "RequestAbortedException", "the body ended before its length")
}

/// The error of Lambda's Invoke names the payload; that of every other operation itself (spec/errors §7).
fn too_large(service: &Service, head: &Parts, told: Option<usize>, limit: usize) -> Fault {
    let path = head.uri.path();
    let message = if limit == INVOKE_LIMIT {
        let size = told.map_or("too many".to_owned(), |size| size.to_string());
        format!(
            "{size} byte payload is too large for the RequestResponse invocation type (limit {SYNC_LIMIT} bytes)"
        )
    } else {
        let upload = match service {
            Service::FunctionUrl(_) => Some("InvokeFunction"),
            Service::Lambda => uploads(&head.method, path),
            _ => None,
        };
        let operation = upload.map_or_else(|| format!("{} {path}", head.method), str::to_owned);
        format!("Request must be smaller than {limit} bytes for the {operation} operation")
    };
    Fault::new(413, "RequestEntityTooLargeException", message)
}

/// Room is counted in KiB, because a semaphore counts to 4 G at most.
fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_its_limit() {
        let limit = |method: Method, path: &str| body_limit(&Service::Lambda, &method, path);
        for (method, path, most) in [
            (Method::POST, "/2015-03-31/functions/f/invocations", INVOKE_LIMIT),
            (Method::POST, "/2015-03-31/functions", UPLOAD_LIMIT),
            (Method::POST, "/2015-03-31/functions/", UPLOAD_LIMIT),
            (Method::GET, "/2015-03-31/functions", USUAL_LIMIT),
            (Method::PUT, "/2015-03-31/functions/f/code", UPLOAD_LIMIT),
            (Method::PUT, "/2015-03-31/functions/f/configuration", USUAL_LIMIT),
            (Method::POST, "/2018-10-31/layers/l/versions", UPLOAD_LIMIT),
            (Method::POST, "/2018-10-31/layers/l", USUAL_LIMIT),
        ] {
            assert_eq!(limit(method, path), most, "{path}");
        }
        let url = Service::FunctionUrl("abc".to_owned());
        assert_eq!(
            body_limit(&url, &Method::PUT, "/2015-03-31/functions"),
            SYNC_LIMIT
        );
        let other = Service::Other("s3".to_owned());
        assert_eq!(
            body_limit(&other, &Method::POST, "/2015-03-31/functions"),
            USUAL_LIMIT
        );
    }

    #[test]
    fn an_upload_that_is_too_large_names_its_operation() {
        let request = hyper::Request::post("/2015-03-31/functions")
            .body(())
            .expect("a request");
        let error = too_large(&Service::Lambda, &request.into_parts().0, None, UPLOAD_LIMIT);
        assert_eq!(
            (error.status, error.code),
            (413, "RequestEntityTooLargeException")
        );
        let text = "Request must be smaller than 70167211 bytes for the CreateFunction operation";
        assert_eq!(error.message, text);
    }
}
