//! The Lambda API (spec/lambda §1, §7): which operation a request is, and its answer.
//!
//! ```text
//!   request ─► model: operation, input, constraints ─► registry: what it does ─► plane: kept, and told to router and executor
//!      └─────► invoke: the one operation that runs a function
//! ```
//!
//! Deliberately absent: sockets.

pub mod invoke;
pub mod model;
pub mod name;
pub mod registry;

use super::gateway::Gateway;
use super::http::{Answer, Request};

/// Answers a request.
pub async fn answer(gateway: &Gateway, request: Request) -> Answer {
    invoke::answer(gateway, request).await
}
