//! The pure heart of triggerfish.
//!
//! Events and outcomes go in with the time, actions come out. Words ([`time`], [`name`], [`event`]),
//! checked settings, the delivery machines and the [`journal`] live here. Deliberately absent: sockets,
//! files, processes, threads, clocks, randomness and hash order (held by `clippy.toml`).

pub mod arrivals;
pub mod capacity;
pub mod destination;
pub mod event;
pub mod fabric;
pub mod journal;
pub mod name;
pub mod observed;
pub mod pattern;
pub mod retry;
pub mod router;
pub mod settings;
pub mod stream;
pub mod time;
mod version;
