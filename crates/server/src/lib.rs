//! The doors, the services, the sockets.
//!
//! [`Server::start`] makes a [`Running`] server of a checked configuration; [`Running::stop`] ends it. A request passes `http/` (doors),
//! reaches a folder of `faces/` (one a protocol), which asks a file of `services/` (one a use case); those speak to the store, to the hub
//! (`hub_driver.rs`) and to the media threads (`media/`).
#![allow(clippy::disallowed_methods, reason = "a shell reads the clock")]

pub mod ambient;
pub mod app;
pub mod audit;
pub mod config;
pub mod faces;
mod folder_lock;
pub mod http;
pub mod hub_driver;
pub mod import;
pub mod media;
pub mod metrics;
pub mod outbox;
pub mod services;
mod start;
pub mod whereabouts;

pub use backend::folder::keep_new_files_private;
pub use start::{Addresses, Running, Server, StartError};
