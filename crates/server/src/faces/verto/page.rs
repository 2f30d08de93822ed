//! The page of a channel: one of the console's, which finds out by its address what it is.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use identity::ChannelId;

use super::arrival::door;
use super::issue::{channel_id, problem};
use crate::app::App;
use crate::faces::console::assets::page_text;
use crate::http::path::Named;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::services::{ChannelRecord, ClaimedOrigin, Door, Given};

/// `GET /join/{channelId}`.
pub(super) async fn join(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    Named(channel): Named<String>,
) -> Result<Response, Problem> {
    find(&app, from, &headers, &channel).await?;
    Ok(answer(page_text()))
}

/// `GET /peers/{channelId}`. Where the channel's pages carry passwords, one is in it for a visitor who is known by its cookie.
pub(super) async fn peers(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    Named(channel): Named<String>,
) -> Result<Response, Problem> {
    let found = find(&app, from, &headers, &channel).await?;
    let door = door(&app, Some(found.id), &headers, from);
    let given = app.channels.issue_for_page(&door, &found).await.map_err(problem)?;
    let text = page_text();
    Ok(answer(match given {
        Some(given) => carrying(&text, found.id, &given),
        None => text,
    }))
}

/// Whose link led here makes no difference: the page is the same for all.
async fn find(app: &App, from: Peer, headers: &HeaderMap, channel: &str) -> Result<ChannelRecord, Problem> {
    let door = Door { origin: ClaimedOrigin::Absent, ..door(app, Some(channel_id(channel)?), headers, from) };
    app.channels.find(&door).await.map_err(problem)
}

fn answer(text: String) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Html(text)).into_response()
}

/// Puts the inputs that an existing page script reads at the end of the body.
fn carrying(page: &str, channel: ChannelId, given: &Given) -> String {
    let input = |id, value: &str| format!("<input type=\"hidden\" id=\"{id}\" value=\"{value}\">\n");
    let inputs = [
        input("channelId", &channel.to_string()),
        input("clientId", &given.client.to_string()),
        input("password", given.password.expose()),
    ];
    match page.rsplit_once("</body>") {
        Some((before, after)) => format!("{before}{}</body>{after}", inputs.concat()),
        None => format!("{page}{}", inputs.concat()),
    }
}
