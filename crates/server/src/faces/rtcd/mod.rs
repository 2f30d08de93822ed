//! Mattermost's rtcd, as its clients see it: `docs/faces/rtcd.md`. A listener of its own.

pub(crate) mod answers;
mod calls;
mod connection;
mod data_channel;
mod machine;
mod registration;
mod routes;
mod socket;

pub use data_channel::DIALECT;
pub use registration::READ;
pub use routes::{PATIENCE, Settings, routes};
