//! How much of a body each operation takes.
//!
//! Owns the limits, and the error of a body above them. Deliberately absent: the reading ([`body`](super::body)), and limits
//! of what a body means, such as 1 MiB of an asynchronous event.

use hyper::Method;
use hyper::http::request::Parts;
use scenarios::api::SYNC_LIMIT;

use super::fault::Fault;
use super::service::Service;

/// The largest request that brings code, in bytes (spec/lambda §2): 50 MB of zip in base64.
pub const UPLOAD_LIMIT: usize = 70_167_211;
/// The largest request of any other operation but Invoke, in bytes.
pub const USUAL_LIMIT: usize = 1 << 20;
/// A body above the limit of Invoke is read this far, in bytes, for an error that names its size.
pub const INVOKE_LIMIT: usize = SYNC_LIMIT + (1 << 20);
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

/// The error of Lambda's Invoke names the payload; that of every other operation itself (spec/errors §7).
pub fn too_large(service: &Service, head: &Parts, told: Option<usize>, limit: usize) -> Fault {
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
