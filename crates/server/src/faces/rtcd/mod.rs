//! The rtcd face: `docs/faces/rtcd.md`.

mod calls;
mod connection;
mod data_channel;
mod socket;

use axum::Router;

use crate::app::App;

pub use data_channel::DIALECT;

/// Its routes.
pub fn routes(app: App) -> Router {
    calls::routes(app)
}
