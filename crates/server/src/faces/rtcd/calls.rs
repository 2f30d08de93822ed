//! `/ws` and `/calls/…`: what a realm's servers reach their calls by.

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde::Serialize;
use wire::rtcd::MAX_MESSAGE;

use super::socket::talk;
use crate::app::App;
use crate::http::peer::Peer;
use crate::services::hosting::{Absent, SessionShown};
use crate::services::{Caller, NotBelieved};

/// `/ws`, `/calls/{call}/sessions` and `/calls/{call}/sessions/{session}`.
pub(super) fn routes(app: App) -> Router {
    Router::new()
        .route("/ws", any(open))
        .route("/calls/{call}/sessions", any(list))
        .route("/calls/{call}/sessions/{session}", any(show))
        .with_state(app)
}

async fn open(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let caller = match caller(&app, &headers, from).await {
        Ok(caller) => caller,
        Err(refused @ (NotBelieved::TooMany { .. } | NotBelieved::Unavailable)) => {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("{refused}\n"));
        }
        // rtcd says 200 and nothing; its client takes both for the same.
        Err(refused) => return text(StatusCode::UNAUTHORIZED, format!("{refused}\n")),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(WebSocketUpgradeRejection::MethodNotGet(_)) => return refuse(StatusCode::METHOD_NOT_ALLOWED),
        Err(_) => return refuse(StatusCode::BAD_REQUEST),
    };
    if !is_own_page(&headers) {
        return refuse(StatusCode::FORBIDDEN);
    }
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| talk(app, socket, caller))
}

/// As gorilla/websocket refuses a handshake.
fn refuse(status: StatusCode) -> Response {
    let mut response = text(status, format!("{}\n", status.canonical_reason().unwrap_or_default()));
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// Whether a request has no `Origin`, as those of servers have none, or that of the host that it names.
fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let authority = origin.map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some() && authority.zip(host).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

async fn list(
    State(app): State<App>,
    method: Method,
    from: Peer,
    headers: HeaderMap,
    Path(call): Path<String>,
) -> Response {
    let caller = match realm_only(&app, &method, &headers, from).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let Some(realm) = caller.realm() else { return unauthorized() };
    match app.hosting.sessions(realm, &call) {
        Ok(sessions) => json(&sessions.iter().map(Shown::of).collect::<Vec<_>>()),
        Err(absent) => not_found("failed to get session configs", absent),
    }
}

async fn show(
    State(app): State<App>,
    method: Method,
    from: Peer,
    headers: HeaderMap,
    Path((call, session)): Path<(String, String)>,
) -> Response {
    let caller = match realm_only(&app, &method, &headers, from).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let Some(realm) = caller.realm() else { return unauthorized() };
    match app.hosting.session(realm, &call, &session) {
        Ok(session) => json(&Shown::of(&session)),
        Err(absent) => not_found("failed to get session config", absent),
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

async fn caller(app: &App, headers: &HeaderMap, from: Peer) -> Result<Caller, NotBelieved> {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    app.realms.caller(authorization, from).await
}

/// Returns who asks by GET, if it is a realm.
async fn realm_only(app: &App, method: &Method, headers: &HeaderMap, from: Peer) -> Result<Caller, Response> {
    if method != Method::GET {
        return Err(text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned()));
    }
    match caller(app, headers, from).await {
        Ok(caller) => Ok(caller),
        Err(NotBelieved::TooMany { .. } | NotBelieved::Unavailable) => {
            // 401 or 404 would make a plugin end calls that go on.
            Err(text(StatusCode::SERVICE_UNAVAILABLE, "unavailable\n".to_owned()))
        }
        Err(_) => Err(unauthorized()),
    }
}

fn unauthorized() -> Response {
    text(StatusCode::UNAUTHORIZED, "unauthorized\n".to_owned())
}

fn not_found(what: &str, absent: Absent) -> Response {
    let absent = match absent {
        Absent::Realm => "group not found",
        Absent::Call => "call not found",
        Absent::Session => "session not found",
    };
    text(StatusCode::NOT_FOUND, format!("{what}: {absent}\n"))
}

/// As Go's `http.Error` answers.
fn text(status: StatusCode, body: String) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    (status, [kind, (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], body).into_response()
}

fn json(body: &impl Serialize) -> Response {
    // Cannot fail: texts and flags.
    let text = serde_json::to_string(body).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], format!("{text}\n")).into_response()
}
