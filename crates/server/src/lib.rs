//! The doors, the services, the sockets.
#![allow(clippy::disallowed_methods, reason = "a shell reads the clock")]

pub mod config;
pub mod http;
pub mod media;
pub mod services;
