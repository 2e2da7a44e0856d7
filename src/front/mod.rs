//! The HTTP front: one loopback port that speaks AWS's protocols.
//!
//! [`lambda`] turns a request into an action by a pure function; [`gateway`] serves and carries it out;
//! [`refusals`] tells of those it does not take.

pub mod code;
pub mod gateway;
pub mod http;
pub mod lambda;
pub mod refusals;
