//! Administration of rooms over HTTP: `docs/faces/rooms.md`, "Administration".

mod realms;
mod routes;

pub use routes::routes;
