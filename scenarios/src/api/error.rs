//! Errors as AWS spells them on the wire (spec/errors §1 to §3).
//!
//! Owns status, `x-amzn-ErrorType` and body. Deliberately absent: when which is due.

use serde_json::json;

/// An error as AWS spells it.
#[derive(Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `x-amzn-ErrorType`.
    pub code: &'static str,
    /// The JSON body.
    pub body: String,
}

impl ApiError {
    /// A client's mistake whose body has `message` and `Type`.
    pub fn user(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        ApiError {
            status,
            code,
            body: json!({ "Type": "User", "message": message }).to_string(),
        }
    }

    /// A value that breaks its shape (spec/errors §2).
    pub fn constraint(value: &str, path: &str, rule: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {rule}"
        );
        ApiError {
            status: 400,
            code: "ValidationException",
            body: json!({ "message": message }).to_string(),
        }
    }

    /// A function that does not exist.
    pub fn not_found(arn: &str) -> Self {
        ApiError::missing(&format!("Function not found: {arn}"))
    }

    /// Something that is not here.
    pub fn missing(message: &str) -> Self {
        let body = json!({ "Type": "User", "Message": message }).to_string();
        ApiError {
            status: 404,
            code: "ResourceNotFoundException",
            body,
        }
    }

    /// Another account's, or a caller that must not ask.
    pub fn denied() -> Self {
        ApiError {
            status: 403,
            code: "AccessDeniedException",
            body: json!({ "Message": null }).to_string(),
        }
    }

    /// A body above the limit of its invocation type.
    pub fn too_large(size: &str, word: &str, limit: usize) -> Self {
        let message =
            format!("{size} byte payload is too large for the {word} invocation type (limit {limit} bytes)");
        ApiError {
            status: 413,
            code: "RequestEntityTooLargeException",
            body: json!({ "message": message }).to_string(),
        }
    }

    /// No capacity.
    pub fn throttled(reason: &str) -> Self {
        let body = json!({ "Reason": reason, "Type": "User", "message": "Rate Exceeded." }).to_string();
        ApiError {
            status: 429,
            code: "TooManyRequestsException",
            body,
        }
    }

    /// Our side failed.
    pub fn service(message: &str) -> Self {
        let body = json!({ "Type": "Service", "Message": message }).to_string();
        ApiError {
            status: 500,
            code: "ServiceException",
            body,
        }
    }

    /// Nobody serves the call, and nothing of it was begun: clients may try again.
    pub fn unavailable(message: &str) -> Self {
        let body = json!({ "Type": "Service", "Message": message }).to_string();
        ApiError {
            status: 503,
            code: "ServiceUnavailableException",
            body,
        }
    }

    /// An operation that this version does not have.
    pub fn unsupported(what: &str) -> Self {
        let message = format!("{what} is not supported by this version of triggerfish");
        ApiError {
            status: 501,
            code: "NotImplementedException",
            body: json!({ "message": message }).to_string(),
        }
    }
}
