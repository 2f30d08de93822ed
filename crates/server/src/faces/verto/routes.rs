use axum::Router;

use super::upgrade;
use crate::app::App;

/// All paths of the verto listener: issue, sessions, pages, and the two sockets.
pub fn routes(app: App) -> Router {
    Router::new().with_state(app.clone()).merge(upgrade::routes(app))
}
