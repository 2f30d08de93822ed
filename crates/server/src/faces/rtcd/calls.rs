//! `/ws` and `/calls/…`: what a realm's servers reach their calls by.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::RealmId;
use serde::Serialize;
use wire::rtcd::MAX_MESSAGE;

use super::answers::{json, text, unauthorized};
use super::registration::authorization;
use super::routes::only;
use super::socket::talk;
use crate::app::App;
use crate::http::peer::Peer;
use crate::services::NotBelieved;
use crate::services::hosting::{Absent, SessionShown};

/// `/ws`, `/calls/{call}/sessions` and `/calls/{call}/sessions/{session}`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/ws", any(open))
        .route("/calls/{call}/sessions", only(Method::GET, list))
        .route("/calls/{call}/sessions/{session}", only(Method::GET, show))
}

async fn open(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    // rtcd says 200 and nothing where nobody is believed; its client takes both for the same.
    let caller = match app.realms.caller(authorization(&headers), from).await {
        Ok(caller) => caller,
        Err(not_believed) => return unauthorized(&not_believed),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(WebSocketUpgradeRejection::MethodNotGet(_)) => return refuse(StatusCode::METHOD_NOT_ALLOWED),
        Err(_) => return refuse(StatusCode::BAD_REQUEST),
    };
    if !is_own_page(&headers) {
        return refuse(StatusCode::FORBIDDEN);
    }
    if !has_good_key(&headers) {
        return refuse(StatusCode::BAD_REQUEST);
    }
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| talk(app, socket, caller))
}

/// As gorilla/websocket refuses a handshake.
fn refuse(status: StatusCode) -> Response {
    let mut response = text(status, status.canonical_reason().unwrap_or_default());
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// Whether the key of the handshake is one: 16 bytes (RFC 6455 §4.2.1).
fn has_good_key(headers: &HeaderMap) -> bool {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key).ok());
    key.is_some_and(|key| key.len() == 16)
}

/// Whether a request has no `Origin`, as those of servers have none, or that of the host that it names.
fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let authority = origin.map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some() && authority.zip(host).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// What a path names. What is no UTF-8 is no name of a call, and no fault of the asker's: who it is comes first.
type Named<T> = Result<Path<T>, PathRejection>;

async fn list(State(app): State<App>, from: Peer, headers: HeaderMap, named: Named<String>) -> Response {
    let realm = match realm(&app, &headers, from).await {
        Ok(realm) => realm,
        Err(refusal) => return refusal,
    };
    let call = named.map(|Path(call)| call).unwrap_or_default();
    match app.hosting.sessions(&realm, &call) {
        Ok(sessions) => shown(&sessions.iter().map(Shown::of).collect::<Vec<_>>()),
        Err(absent) => missing("failed to get session configs", absent),
    }
}

async fn show(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    named: Named<(String, String)>,
) -> Response {
    let realm = match realm(&app, &headers, from).await {
        Ok(realm) => realm,
        Err(refusal) => return refusal,
    };
    let (call, session) = named.map(|Path(names)| names).unwrap_or_default();
    match app.hosting.session(&realm, &call, &session) {
        Ok(session) => shown(&Shown::of(&session)),
        Err(absent) => missing("failed to get session config", absent),
    }
}

/// Returns whose calls are asked for. A failure that is not the asker's is neither 401 nor 404: a plugin would end calls that go on.
async fn realm(app: &App, headers: &HeaderMap, from: Peer) -> Result<RealmId, Response> {
    match app.realms.caller(authorization(headers), from).await {
        Ok(caller) => caller.realm().cloned().ok_or_else(|| unauthorized(&NotBelieved::Nameless)),
        Err(not_believed) => Err(unauthorized(&not_believed)),
    }
}

/// A session as rtcd writes it (service/session.go).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    #[serde(rename = "GroupID")]
    group: &'a str,
    #[serde(rename = "CallID")]
    call: &'a str,
    #[serde(rename = "UserID")]
    user: &'a str,
    #[serde(rename = "SessionID")]
    session: &'a str,
    props: ShownProps<'a>,
}

#[derive(Serialize)]
struct ShownProps<'a> {
    #[serde(rename = "av1Support")]
    av1: Option<bool>,
    #[serde(rename = "channelID")]
    channel: Option<&'a str>,
    #[serde(rename = "dcSignaling")]
    by_channel: Option<bool>,
}

impl<'a> Shown<'a> {
    fn of(shown: &'a SessionShown) -> Self {
        let SessionShown { place, props } = shown;
        Self {
            group: place.realm.as_str(),
            call: &place.call,
            user: &place.user,
            session: &place.name,
            props: ShownProps {
                av1: props.av1,
                channel: props.channel.as_deref(),
                by_channel: props.by_channel,
            },
        }
    }
}

fn missing(what: &str, absent: Absent) -> Response {
    let absent = match absent {
        Absent::Realm => "group not found",
        Absent::Call => "call not found",
        Absent::Session => "session not found",
    };
    text(StatusCode::NOT_FOUND, &format!("{what}: {absent}"))
}

fn shown(body: &impl Serialize) -> Response {
    // Cannot fail: texts and flags.
    json(StatusCode::OK, serde_json::to_string(body).unwrap_or_default() + "\n")
}
