use axum::Router;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use identity::{Secret, Subject};
use wire::rooms::{Me, SignIn};

use crate::app::App;
use crate::http::body::JsonBytes;
use crate::http::limits::Action;
use crate::http::operator::{Operator, console_cookie, console_token};
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::services::{Refusal, SignedIn};

/// 403: the link is unknown, used or expired. Not 401, which would say that the request lacks a credential.
const LINK_REFUSED: Problem =
    Problem::new(StatusCode::FORBIDDEN, "denied", "This link is not good any more.");

/// `POST /v1/console/sign-in`, `POST /v1/console/sign-out`, `GET /v1/console/me`.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/console/sign-in", post(sign_in))
        .route("/v1/console/sign-out", post(sign_out))
        .route("/v1/console/me", get(me))
        .with_state(app)
}

async fn sign_in(
    State(app): State<App>,
    from: Peer,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, Problem> {
    app.origin.refuse_foreign(&headers)?;
    app.limits.check(Action::SignIn, from)?;
    let SignIn { link } = body.read(SignIn::decode)?;
    let session =
        app.accounts.sign_in(&Secret::new(link.0), from).await.map_err(|refusal| match refusal {
            Refusal::Denied => LINK_REFUSED,
            other => other.into(),
        })?;
    Ok(with_cookie(&app, Some(&session)))
}

async fn sign_out(State(app): State<App>, from: Peer, headers: HeaderMap) -> Result<Response, Problem> {
    app.origin.refuse_foreign(&headers)?;
    if let Some(token) = console_token(&headers) {
        app.limits.check(Action::SignIn, from)?;
        app.accounts.sign_out(&token, from).await?;
    }
    Ok(with_cookie(&app, None))
}

async fn me(Operator(grant): Operator) -> Json<Me> {
    let operator = match &grant.principal().subject {
        Subject::Operator(user) => user.as_str().to_owned(),
        Subject::Guest(session) => session.to_string(),
        Subject::Client(client) => client.to_string(),
        Subject::Service => grant.principal().realm.as_str().to_owned(),
    };
    Json(Me { operator, expires_at: grant.expires().0 })
}

fn with_cookie(app: &App, session: Option<&SignedIn>) -> Response {
    let cookie = console_cookie(session, app.public_url.scheme());
    let cookie = cookie.map(|cookie| (header::SET_COOKIE, cookie));
    (StatusCode::NO_CONTENT, axum::response::AppendHeaders(cookie)).into_response()
}
