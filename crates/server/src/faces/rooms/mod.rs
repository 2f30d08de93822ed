//! Our own face for browsers: `docs/faces/rooms.md`.

mod channel;
mod connection;
mod routes;
mod socket;
#[cfg(test)]
mod tests;

pub use channel::DIALECT;
pub use routes::routes;
