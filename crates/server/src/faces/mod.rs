//! One folder a protocol; each exposes its routes and nothing else.

pub mod admin;
pub mod console;
pub mod rooms;
pub mod rtcd;
mod shown;
pub mod verto;

use axum::Router;

pub(crate) use admin::channels::in_their_namespace as channels_in_their_namespace;

use crate::app::App;

/// The routes of the main listener: `/v1/rooms/`, `/v1/admin/`, `/v1/console/`, and the console's pages. Where there is no verto face,
/// there are no channels to administer.
pub fn routes(app: App, has_verto: bool) -> Router {
    let channels = if has_verto { admin::channels::routes(app.clone()) } else { Router::new() };
    rooms::routes(app.clone())
        .merge(admin::routes(app.clone()))
        .merge(channels)
        .merge(console::routes(app))
        .merge(console::assets::routes())
}
