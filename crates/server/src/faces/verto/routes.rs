use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use super::issue::{issue, session};
use super::page::{join, peers};
use super::upgrade;
use crate::app::App;
use crate::faces::console::assets;
use crate::http::problem::Problem;

/// All paths of the verto listener: issue, sessions, pages and their files, and the two sockets. A `GET` that gives a password away answers
/// no `HEAD`: nobody would see the password, and the one before it would be dead.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/channels/{channel}/clients", post(issue))
        .route("/peers/{channel}/sessions", get(session).head(without_answer))
        .route("/peers/{channel}", get(peers).head(join))
        .route("/join/{channel}", get(join))
        .with_state(app.clone())
        .merge(assets::files())
        .merge(upgrade::routes(app))
}

async fn without_answer() -> impl IntoResponse {
    ([(header::ALLOW, "GET")], Problem::METHOD_NOT_ALLOWED)
}
