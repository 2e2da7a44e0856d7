//! The Lambda API (spec/lambda §1, §7): which operation a request is, and its answer.
//!
//! ```text
//!   request ─┬─► invoke: the operations that run a function
//!            └─► model: operation, input, constraints ─► plane ─► registry: what it does
//!                                                          └─► store, router, executor: what has changed
//! ```
//!
//! Deliberately absent: sockets.

mod bring;
pub mod call;
mod declared;
mod desired;
pub mod directory;
mod download;
mod event_stream;
pub mod invoke;
mod keeper;
#[cfg(test)]
mod keeper_tests;
mod model;
mod name;
pub mod plane;
pub mod registry;
pub mod start;
mod store;
mod streaming;
pub mod world;

use scenarios::api::error::ApiError;

use super::gateway::Gateway;
use super::http::{Answer, Request};
use model::MODEL;
use registry::{CODE_PATH, Told, served};

/// Bytes of a body that are read at once.
const LARGE: usize = 64 * 1024;

/// Whether a path is that of a `Code.Location`, whose signature is in its query and not one of AWS's requests.
pub fn is_code(path: &str) -> bool {
    path.starts_with(CODE_PATH)
}

/// Answers a request.
pub async fn answer(gateway: &Gateway, request: Request) -> Answer {
    if let Some((form, name)) = invoke::route(&request.path).filter(|_| request.method == hyper::Method::POST)
    {
        return invoke::answer(gateway, form, name, &request).await;
    }
    if let Some(what) = request.path.strip_prefix(CODE_PATH) {
        return download::answer(gateway, what, &request).await;
    }
    control(gateway, request).await.unwrap_or_else(Answer::from)
}

/// An operation of the control plane.
async fn control(gateway: &Gateway, request: Request) -> Result<Answer, ApiError> {
    let (method, path) = (request.method.as_str(), request.path.as_str());
    let Some(operation) = MODEL.route(method, path, request.query.as_deref()) else {
        return Err(ApiError {
            status: 404,
            code: "UnknownOperationException",
            body: serde_json::json!({ "message": format!("Lambda has no operation at {method} {path}") })
                .to_string(),
        });
    };
    let name = operation.name();
    let served = served::find(name).ok_or_else(|| ApiError::unsupported(&format!("Lambda's {name}")))?;
    let input = match request.body.len() > LARGE {
        false => MODEL.input(operation, &request)?,
        // Everybody's calls go through this thread; reading 70 MB takes a while.
        true => {
            let read = move || MODEL.input(operation, &request);
            let read = tokio::task::spawn_blocking(read).await;
            read.unwrap_or_else(|error| Err(ApiError::service(&format!("failed to read a body: {error}"))))?
        }
    };
    if let Some(member) = input.keys().find(|member| !served.reads(member)) {
        return Err(registry::not_offered(&format!("{member} of {name}")));
    }
    match gateway.plane.run(served, input).await? {
        Told::Answer {
            status,
            body: Some(body),
        } => Ok(Answer::json(status, body.to_string())),
        Told::Answer { status, body: None } => Ok(Answer::empty(status)),
        Told::Wants(_) => Err(ApiError::service("an operation was not finished")),
    }
}
