//! Verto's clients in channels: `docs/faces/verto.md`. A listener of its own.

mod arrival;
mod issue;
mod page;
mod routes;

pub use routes::routes;
