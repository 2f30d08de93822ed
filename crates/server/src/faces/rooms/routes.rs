use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http::header};
use identity::{Fingerprint, PublicKey, Secret};
use wire::rooms::{Id, MAX_MESSAGE, Redeem, Redeemed};

use super::socket::talk;
use crate::app::App;
use crate::faces::shown::rights;
use crate::http::body::JsonBytes;
use crate::http::limits::Action;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::services::{Joining, Refusal};

/// Messages above the limit are still read, to be answered with `too-large`; those above this end the socket.
const READ_LIMIT: usize = MAX_MESSAGE * 2;
/// 403: unknown, expired, used up, revoked, or of an ended room.
const INVITE_REFUSED: Problem =
    Problem::new(StatusCode::FORBIDDEN, "invite-refused", "This invite is not good, or not any more.");

/// `POST /v1/rooms/redeem` and `GET /v1/rooms/ws`.
pub fn routes(app: App) -> Router {
    Router::new().route("/v1/rooms/redeem", post(redeem)).route("/v1/rooms/ws", get(open)).with_state(app)
}

async fn redeem(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, Problem> {
    app.origin.refuse_foreign(&headers)?;
    app.limits.check(Action::Redeem, from)?;
    let joining = joining(body.read(Redeem::decode)?)?;
    let name = joining.name.clone();
    let joined = app.rooms.redeem(joining, from).await.map_err(|refusal| match refusal {
        Refusal::Denied => INVITE_REFUSED,
        other => other.into(),
    })?;
    let body = Redeemed {
        participant_id: Id(joined.session.0),
        session_token: joined.token.expose().to_owned(),
        room_id: Id(joined.room.0),
        room_name: joined.room_name,
        name,
        permissions: rights(joined.permissions),
        expires_at: joined.expires_at.0,
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

fn joining(body: Redeem) -> Result<Joining, Problem> {
    let fingerprint = Fingerprint::parse(&body.fingerprint)
        .map_err(|_| Problem::malformed("The fingerprint is not sha-256 and 32 pairs of hex digits."))?;
    let key = PublicKey::parse(&body.public_key)
        .map_err(|_| Problem::malformed("The public key is not base64url of an uncompressed P-256 point."))?;
    Ok(Joining { invite: Secret::new(body.invite.0), name: body.name, fingerprint, key })
}

async fn open(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| Problem::malformed("This path takes WebSockets only."))?;
    app.origin.refuse_foreign(&headers)?;
    app.limits.check(Action::OpenSocket, from)?;
    let place = app.waiting.enter(from.block()).ok_or(Problem::busy(Duration::from_secs(1)))?;
    Ok(upgrade
        .max_message_size(READ_LIMIT)
        .max_frame_size(READ_LIMIT)
        .on_upgrade(move |socket| talk(app, socket, from, place)))
}
