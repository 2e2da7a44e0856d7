//! The HTTP front: one loopback port that speaks AWS's protocols.
//!
//! ```text
//! gateway ── access ── service ── limits ──► Request ──► lambda             ──► Answer ──► gateway
//!  sockets   who asks   for whom   how much                                     refusals tells of errors
//! ```

pub mod access;
pub mod code;
pub mod gateway;
pub mod http;
pub mod lambda;
pub mod limits;
pub mod refusals;
pub mod service;
