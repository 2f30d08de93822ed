//! The doors, the services, the sockets.
#![allow(clippy::disallowed_methods, reason = "a shell reads the clock")]

pub mod ambient;
pub mod app;
pub mod audit;
pub mod config;
pub mod faces;
pub mod http;
pub mod hub_driver;
pub mod media;
pub mod metrics;
pub mod outbox;
pub mod services;
pub mod whereabouts;
