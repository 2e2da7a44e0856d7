//! The runtimes that AWS has or had, and what is said to one that cannot be used (spec/lambda §8.1, spec/errors §6).
//!
//! Owns the lists and AWS's texts. Deliberately absent: whether this machine can run one, which is asked of `Outside`.

use scenarios::api::error::ApiError;

use super::super::{Moment, invalid};

/// Runtimes that AWS takes for new functions, in the order in which its error lists them (spec/lambda §8.1).
pub const RUNTIMES: &[&str] = &[
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// Runtimes that AWS once took.
pub const RETIRED: &[&str] = &[
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
];

/// Refuses a runtime in AWS's words, or in ours if it is one that cannot be run here.
///
/// # Errors
/// As said.
pub fn check(moment: &Moment<'_>, runtime: &str) -> Result<(), ApiError> {
    if RETIRED.contains(&runtime) && !moment.outside.takes_retired() {
        return Err(invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        )));
    }
    if !RUNTIMES.contains(&runtime) && !RETIRED.contains(&runtime) {
        return Err(invalid(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
            RUNTIMES.join(", ")
        )));
    }
    match moment.outside.cannot_run(runtime) {
        Some(why) => Err(invalid(why)),
        None => Ok(()),
    }
}
