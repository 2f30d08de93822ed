//! The two paths on which sockets open: `/peers/{channel}/clients` and `/verto`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use identity::ChannelId;
use wire::verto::FIRST_PUSH;

use super::arrival::door;
use super::socket::talk;
use crate::app::App;
use crate::http::peer::Peer;
use crate::http::problem::Problem;

/// What one socket buffers to read and to write; a message that is larger makes it grow for a moment. Thousands of sockets are idle.
const BUFFER: usize = 2 * 1024;

/// What every socket knows.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) app: App,
    /// What stands behind the `@` of a client's name.
    pub(super) domain: Arc<str>,
    /// Numbers of what was said without being asked; for the whole process.
    pushes: Arc<AtomicU64>,
}

impl Face {
    pub(super) fn next_push(&self) -> u64 {
        self.pushes.fetch_add(1, Ordering::Relaxed)
    }
}

pub(super) fn routes(app: App) -> Router {
    let domain = app.channels.public_url().host().into();
    let face = Face { app, domain, pushes: Arc::new(AtomicU64::new(FIRST_PUSH)) };
    Router::new()
        .route("/peers/{channel}/clients", get(open_channel))
        .route("/verto", get(open_any))
        .with_state(face)
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

async fn open_channel(
    State(face): State<Face>,
    Path(channel): Path<String>,
    from: Peer,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    match channel.parse() {
        Ok(channel) => open(face, Some(channel), from, &headers, upgrade).await,
        Err(_) => Problem::NOT_FOUND.into_response(),
    }
}

async fn open_any(State(face): State<Face>, from: Peer, headers: HeaderMap, upgrade: Upgrade) -> Response {
    open(face, None, from, &headers, upgrade).await
}

async fn open(
    face: Face,
    channel: Option<ChannelId>,
    from: Peer,
    headers: &HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let door = door(&face.app, channel, headers, from);
    if let Err(refusal) = face.app.channels.admit_socket(&door).await {
        return Problem::from(refusal).into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(WebSocketUpgradeRejection::MethodNotGet(_)) => {
            return Problem::METHOD_NOT_ALLOWED.into_response();
        }
        Err(_) => return Problem::malformed("This path takes WebSockets only.").into_response(),
    };
    let Some(seat) = face.app.verto_sockets.enter(from.block()) else {
        return Problem::UNAVAILABLE.into_response();
    };
    let most = face.app.verto_limits.message_bytes;
    upgrade
        .max_message_size(most)
        .max_frame_size(most)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .on_upgrade(move |socket| async move {
            talk(face, socket, door).await;
            drop(seat);
        })
}
