//! Mattermost's rtcd, as its clients see it: `docs/faces/rtcd.md`. A listener of its own.

pub(crate) mod answers;
mod machine;
mod registration;
mod routes;

pub use routes::{Settings, routes};
