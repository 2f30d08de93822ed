//! Verto's clients in channels: `docs/faces/verto.md`. A listener of its own.

mod arrival;
mod connection;
mod issue;
mod page;
mod routes;
mod socket;
mod talk;
mod upgrade;

pub use routes::routes;
pub use talk::last_words;
