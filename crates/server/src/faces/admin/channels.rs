use axum::Router;

use crate::app::App;

/// `/v1/admin/channels`: the channels of the verto face.
pub(crate) fn routes(app: App) -> Router {
    Router::new().with_state(app)
}
