//! One folder a protocol; each exposes its routes and nothing else.

pub mod admin;
pub mod console;
pub mod rooms;
pub mod rtcd;
mod shown;

use axum::Router;

use crate::app::App;

/// The routes of the main listener: `/v1/rooms/`, `/v1/admin/`, `/v1/console/`, and the console's pages.
pub fn routes(app: App) -> Router {
    rooms::routes(app.clone())
        .merge(admin::routes(app.clone()))
        .merge(console::routes(app))
        .merge(console::assets::routes())
}
