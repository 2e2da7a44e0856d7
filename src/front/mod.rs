//! The HTTP front: one loopback port that speaks AWS's protocols.
//!
//! ```text
//! gateway ── access ── service ── body ──── signature ──► Request ──► lambda, iam, sts ──► Answer ──► gateway
//! connection  who asks  for whom   how much  whose key                                     refusals tells of errors
//! ```
//!
//! A function's URL is chosen by its host, open to pages of any origin, and signed only where its configuration says so
//! ([`function_url`]). [`signature`] stands on [`credential`] (what is claimed), [`canonical`] (what was signed) and [`keys`]; IAM and STS on
//! [`query`], their protocol, with [`xml`] and [`given`].

pub mod access;
pub mod body;
mod canonical;
pub mod code;
mod connection;
mod credential;
mod fault;
mod function_url;
pub mod gateway;
mod given;
pub mod http;
pub mod iam;
pub mod keys;
pub mod lambda;
mod limits;
mod query;
pub mod refusals;
mod room;
pub mod secret;
mod service;
mod signature;
mod sts;
pub mod times;
mod xml;
