//! Our own face for browsers: `docs/faces/rooms.md`.

mod connection;
mod routes;
mod socket;
#[cfg(test)]
mod tests;

pub use routes::routes;
