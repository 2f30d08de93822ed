//! `POST /register`, `/unregister` and `/login` (rtcd service/auth.go). The order of the checks is rtcd's, since it decides which fault is named.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use identity::Secret;
use wire::Masked;
use wire::rtcd::envelope::{Answer, Credentials, MAX_BODY};

use super::answers::{envelope, login_refused, refused, register_refused, unregister_refused};
use crate::app::App;
use crate::http::peer::Peer;
use crate::services::UnregisterRefused;

/// How long headers may take, a body after them, and how long a kept connection may be idle (rtcd service/api/server.go: ReadTimeout,
/// IdleTimeout).
pub const READ: Duration = Duration::from_secs(30);

/// Returns the bytes of `Authorization`, the first if there are several, as Go takes it.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes)
}

pub(super) async fn register(State(app): State<App>, from: Peer, request: Request) -> Response {
    let registrar = match app.realms.registrar(authorization(request.headers()), from).await {
        Ok(registrar) => registrar,
        Err(refused) => return register_refused(&refused),
    };
    let said = match read(request).await {
        Ok(said) => said,
        Err(answer) => return answer,
    };
    match app.realms.register(&registrar, said.client_id, Secret::new(said.auth_key.0), from).await {
        Ok(realm) => {
            let client_id = Some(realm.as_str().to_owned());
            envelope(StatusCode::CREATED, Answer { client_id, ..Answer::default() })
        }
        Err(refused) => register_refused(&refused),
    }
}

pub(super) async fn unregister(State(app): State<App>, from: Peer, request: Request) -> Response {
    if let Err(refused) = app.realms.may_unregister() {
        return unregister_refused(&refused);
    }
    let caller = match app.realms.caller(authorization(request.headers()), from).await {
        Ok(caller) => caller,
        Err(not_believed) => return unregister_refused(&UnregisterRefused::NotBelieved(not_believed)),
    };
    let said = match read(request).await {
        Ok(said) => said,
        Err(answer) => return answer,
    };
    match app.realms.unregister(&caller, said.client_id, from).await {
        Ok(()) => envelope(StatusCode::OK, Answer::default()),
        Err(refused) => unregister_refused(&refused),
    }
}

pub(super) async fn log_in(State(app): State<App>, from: Peer, request: Request) -> Response {
    let said = match read(request).await {
        Ok(said) => said,
        Err(answer) => return answer,
    };
    match app.realms.log_in(said.client_id, &Secret::new(said.auth_key.0), from).await {
        Ok(token) => {
            let bearer_token = Some(Masked(token.expose().to_owned()));
            envelope(StatusCode::OK, Answer { bearer_token, ..Answer::default() })
        }
        Err(refused) => login_refused(&refused),
    }
}

async fn read(request: Request) -> Result<Credentials, Response> {
    let body = tokio::time::timeout(READ, collect(request.into_body())).await;
    let body = body.unwrap_or(Err("i/o timeout"));
    let body = body.map_err(|fault| refused(StatusCode::BAD_REQUEST, &fault))?;
    let status = if body.len() > MAX_BODY { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
    Credentials::decode(&body).map_err(|fault| refused(status, &fault))
}

/// Reads a body, or so much of it that the decoder finds it too large. A fault is told as Go tells it.
async fn collect(body: Body) -> Result<Vec<u8>, &'static str> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_BODY
        && let Some(chunk) = chunks.next().await
    {
        bytes.extend_from_slice(&chunk.map_err(|_| "unexpected EOF")?);
    }
    Ok(bytes)
}
