//! A stage for tests: a simulated network and clock, a real server on a free port, and clients of each protocol.
//!
//! Never part of a release build.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

pub mod certificate;
pub mod clients;
pub mod measure;
pub mod server;
pub mod stage;
