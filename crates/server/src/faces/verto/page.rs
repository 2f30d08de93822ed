//! The page of a channel: one of the console's, which finds out by its address what it is.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};

use super::arrival::door;
use super::issue::{channel_id, problem};
use crate::app::App;
use crate::faces::console::assets::page_text;
use crate::http::path::Named;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::services::{ClaimedOrigin, Door};

/// `GET /peers/{channelId}` and `GET /join/{channelId}`.
pub(super) async fn page(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    Named(channel): Named<String>,
) -> Result<Response, Problem> {
    // Whose link led here makes no difference: the page is the same for all.
    let door =
        Door { origin: ClaimedOrigin::Absent, ..door(&app, Some(channel_id(&channel)?), &headers, from) };
    app.channels.find(&door).await.map_err(problem)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(page_text())).into_response())
}
