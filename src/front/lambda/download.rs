//! The code of functions and layers, at the URLs that GetFunction and GetLayerVersion give (spec/lambda §8.2).
//!
//! Owns the check of a URL, which is good for ten minutes, and the reading. A folder is packed when it is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use scenarios::api::error::ApiError;
use scenarios::clock::system_now;

use super::registry::code::Code;
use crate::front::gateway::Gateway;
use crate::front::http::{Answer, Request, decode};

/// Answers a request for code; `what` is the rest of its path.
pub async fn answer(gateway: &Gateway, what: &str, request: &Request) -> Answer {
    fetch(gateway, &decode(what), request)
        .await
        .unwrap_or_else(Answer::from)
}

async fn fetch(gateway: &Gateway, what: &str, request: &Request) -> Result<Answer, ApiError> {
    let plane = &gateway.plane;
    let until = request
        .parameter("expires")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let signature = request.parameter("signature").unwrap_or_default();
    if request.method != hyper::Method::GET || !plane.place.is_code_url(system_now(), what, until, &signature)
    {
        return Err(ApiError {
            status: 403,
            code: "AccessDenied",
            body: serde_json::json!({ "message": "Request has expired, or was not signed here" }).to_string(),
        });
    }
    // What nothing names may be removed at any time, but not while this reads it.
    let reading = Arc::clone(&plane.bringing).read_owned().await;
    let code = plane
        .code_of(what)
        .await
        .ok_or_else(|| ApiError::missing("The code is no longer there."))?;
    let store = Arc::clone(&plane.code);
    let read = move || {
        let _reading = reading;
        let path: PathBuf = match code {
            Code::Package(package) => store.zip(&package),
            Code::Folder(folder) => store
                .pack(&folder)
                .map(|package| store.zip(&package))
                .map_err(|e| e.to_string())?,
        };
        std::fs::read(path).map_err(|error| error.to_string())
    };
    let bytes = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| ApiError::service(&error.to_string()))?;
    let bytes = bytes.map_err(|why| ApiError::service(&format!("failed to read the code: {why}")))?;
    Ok(Answer::of(200, "application/zip", bytes))
}
