//! One folder a protocol; each exposes its routes and nothing else.

pub mod admin;
pub mod console;
pub mod rooms;
mod shown;
