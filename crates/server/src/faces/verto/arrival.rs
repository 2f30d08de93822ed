//! What a request says of where it comes from.

use axum::http::{HeaderMap, HeaderValue, header};
use identity::{ChannelId, Secret};

use crate::app::App;
use crate::config::PublicUrl;
use crate::http::origin::Origin;
use crate::http::peer::Peer;
use crate::services::{ClaimedOrigin, Door};

/// The visitor's cookie. Browsers take such a name only with `Secure`, `Path=/` and no domain.
const COOKIE: &str = "__Host-countersign-visitor";

/// Reads the door by which a request comes; `channel` is that of its path.
pub(super) fn door(app: &App, channel: Option<ChannelId>, headers: &HeaderMap, from: Peer) -> Door {
    Door { channel, origin: claimed_origin(app, headers), visitor: visitor(headers), from }
}

fn claimed_origin(app: &App, headers: &HeaderMap) -> ClaimedOrigin {
    let judged = app.verto_origin.judge(headers);
    let claimed = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).map(PublicUrl::parse);
    match (judged, claimed) {
        (Origin::Absent, _) => ClaimedOrigin::Absent,
        (Origin::Own, Some(Ok(page))) => ClaimedOrigin::Own(page.to_string()),
        (Origin::Foreign, Some(Ok(page))) if headers.get_all(header::ORIGIN).iter().count() == 1 => {
            ClaimedOrigin::Other(page.to_string())
        }
        (Origin::Own | Origin::Foreign, _) => ClaimedOrigin::Unreadable,
    }
}

fn visitor(headers: &HeaderMap) -> Option<Secret> {
    let lines = headers.get_all(header::COOKIE).iter();
    // Each for itself: another cookie of this host may be no ASCII.
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut cookies = cookies.filter_map(|cookie| std::str::from_utf8(cookie).ok()?.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE).map(|(_, value)| Secret::new(value))
}

/// Returns the `Set-Cookie` of a visitor: one cookie for all channels, until the browser closes.
pub(super) fn set_visitor(visitor: &Secret) -> Option<HeaderValue> {
    let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict", visitor.expose());
    let mut value = HeaderValue::from_str(&cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}
