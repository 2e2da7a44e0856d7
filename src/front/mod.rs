//! The HTTP front: one loopback port that speaks AWS's protocols.
//!
//! [`lambda`] (with [`name`]) turns a request into an action by a pure function; [`gateway`] serves and carries it out;
//! [`refusals`] tells of those it does not take.

pub mod code;
pub mod gateway;
pub mod lambda;
mod name;
pub mod refusals;
