//! A visitor gets a password (reference on verto, 8.4).

use axum::extract::rejection::QueryRejection;
use axum::extract::{Json, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use identity::{ChannelId, Secret};
use wire::Masked;
use wire::channels::{IssueClient, SessionGiven};

use super::arrival::{door, set_visitor};
use crate::app::App;
use crate::faces::shown::client_issued;
use crate::http::body::MaybeJson;
use crate::http::path::Named;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::services::{Given, IssueRefused, Wish};

/// `POST /v1/channels/{channelId}/clients`.
pub(super) async fn issue(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    Named(channel): Named<String>,
    body: MaybeJson,
) -> Result<Response, Problem> {
    let channel = channel_id(&channel)?;
    let door = door(&app, Some(channel), &headers, from);
    let found = app.channels.find(&door).await.map_err(problem)?;
    let said = body.read(IssueClient::decode).await?;
    let proof_key = said.proof_key.map(|text| text.parse()).transpose();
    let wish = Wish {
        session: said.session_id.map(|text| text.0),
        invitation: said.invitation.map(|text| Secret::new(text.0)),
        proof_key: proof_key.map_err(|_| Problem::malformed("proofKey is base64url of an Ed25519 key."))?,
    };
    let given = app.channels.issue(&door, channel, wish).await.map_err(problem)?;
    let mut body = client_issued(channel, &given);
    body.topic = found.rules.topic;
    Ok((StatusCode::CREATED, handed_to(&given), Json(body)).into_response())
}

/// `GET /peers/{channelId}/sessions?sessionId=<uuid>`, as tessercat's pages ask.
pub(super) async fn session(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    Named(channel): Named<String>,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let channel = channel_id(&channel)?;
    let door = door(&app, Some(channel), &headers, from);
    app.channels.find(&door).await.map_err(problem)?;
    let asked = asked.map(|Query(pairs)| pairs).unwrap_or_default();
    let mut named = asked.into_iter().filter(|(name, _)| name == "sessionId").map(|(_, value)| value);
    // A query without it, or with several, names no session.
    let session = named.next().filter(|_| named.next().is_none()).unwrap_or_default();
    let wish = Wish { session: Some(session), ..Wish::default() };
    let given = app.channels.issue(&door, channel, wish).await.map_err(problem)?;
    let body = SessionGiven {
        client_id: given.client.to_string(),
        password: Masked(given.password.expose().to_owned()),
    };
    Ok((handed_to(&given), Json(body)).into_response())
}

/// What is not an id names nothing.
pub(super) fn channel_id(text: &str) -> Result<ChannelId, Problem> {
    text.parse().map_err(|_| Problem::NOT_FOUND)
}

/// Nobody but the visitor may keep the answer. `Referrer-Policy` is set for every answer of the listener.
pub(super) fn handed_to(given: &Given) -> impl axum::response::IntoResponseParts + use<> {
    let cookie = given.visitor.as_ref().and_then(set_visitor).map(|cookie| (header::SET_COOKIE, cookie));
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    AppendHeaders([Some(no_store), cookie].into_iter().flatten().collect::<Vec<_>>())
}

pub(super) fn problem(refused: IssueRefused) -> Problem {
    const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
    match refused {
        IssueRefused::NoChannel => Problem::NOT_FOUND,
        IssueRefused::ForeignPage => Problem::ORIGIN_REFUSED,
        IssueRefused::BadSession => {
            Problem::new(FORBIDDEN, "session-refused", "This session is none of this channel.")
        }
        IssueRefused::TooMany { retry_after } => Problem::busy(retry_after),
        IssueRefused::Barred => {
            Problem::new(FORBIDDEN, "barred", "This visitor was put out of this channel.")
        }
        IssueRefused::NotYours => {
            Problem::new(StatusCode::NOT_FOUND, "session-unknown", "This visitor has no such session.")
        }
        IssueRefused::NotInvited => {
            Problem::new(FORBIDDEN, "invitation-required", "This needs an invitation that is good.")
        }
        IssueRefused::Full => Problem::new(FORBIDDEN, "channel-full", "This channel has no room for more."),
        IssueRefused::Unavailable => Problem::UNAVAILABLE,
    }
}
