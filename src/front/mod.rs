//! The HTTP front: one loopback port that speaks AWS's protocols.
//!
//! [`lambda`] (with [`name`] and [`error`]) turns a request into an action by a pure function; [`gateway`] serves and carries it out.

mod error;
pub mod gateway;
pub mod lambda;
mod name;
