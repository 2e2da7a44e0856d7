//! The stream lane from outside: its documented rules, and every path of it.

#[path = "../odometer/mod.rs"]
mod odometer;
mod paths;
mod rules;
mod world;
