//! Administration of rooms over HTTP: `docs/faces/rooms.md`, "Administration".

pub(super) mod channels;
mod realms;
mod routes;

pub use routes::routes;
