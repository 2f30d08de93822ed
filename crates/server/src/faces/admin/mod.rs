//! Administration of rooms over HTTP: `docs/faces/rooms.md`, "Administration".

mod routes;

pub use routes::routes;
