//! Refusals that many operations have, in AWS's words (spec/errors §4, §6).

use scenarios::api::error::ApiError;
use serde_json::json;

/// A client's mistake that its model could not show (spec/errors §6).
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::user(400, "InvalidParameterValueException", message)
}

/// As [`invalid`], for the texts that AWS sends without a `Type` (spec/errors §6).
pub fn untyped(message: impl Into<String>) -> ApiError {
    let message: String = message.into();
    ApiError {
        body: json!({ "message": message }).to_string(),
        ..invalid("")
    }
}

/// A parameter or value that exists at AWS and is not offered here: said rather than ignored.
pub fn not_offered(what: &str) -> ApiError {
    invalid(format!("{what} is not supported by this version of triggerfish"))
}

/// A call or a change of a function that is in a state other than `Active` (spec/errors §4).
pub fn hindered(state: &str) -> ApiError {
    conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the following state: {state}"
    ))
}

/// Something that stands in the way (spec/errors §4).
pub fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::user(409, "ResourceConflictException", message)
}
