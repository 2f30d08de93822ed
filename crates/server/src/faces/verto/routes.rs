use axum::Router;
use axum::routing::{get, post};

use super::issue::{issue, session};
use super::page::{join, peers};
use super::upgrade;
use crate::app::App;
use crate::faces::console::assets;

/// All paths of the verto listener: issue, sessions, pages and their files, and the two sockets.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/channels/{channel}/clients", post(issue))
        .route("/peers/{channel}/sessions", get(session))
        .route("/peers/{channel}", get(peers))
        .route("/join/{channel}", get(join))
        .with_state(app.clone())
        .merge(assets::files())
        .merge(upgrade::routes(app))
}
