//! The console: its pages and its own requests.

mod api;
pub mod assets;

pub use api::routes;
