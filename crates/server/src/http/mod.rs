//! The doors: what every request passes before a face sees it, in this order: whom it is for (`host`), the peer's address (`peer`), its
//! record (`record`), the security headers (`headers`), a time limit, a body limit, then the route.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use crate::{
    config::{Proxy, PublicUrl},
    metrics::Metrics,
};

pub mod bearer;
pub mod body;
pub mod connections;
pub mod crowd;
mod headers;
pub mod health;
mod host;
pub mod limits;
pub mod listener;
pub mod operator;
pub mod origin;
pub mod path;
pub mod peer;
pub mod problem;
pub mod pump;
mod record;
pub mod tls;

use problem::Problem;

/// For how long a request is worked on before it is given up, and what it is answered then. An upgraded connection is not counted.
#[derive(Clone, Copy)]
pub struct Patience {
    /// From the end of its headers.
    pub limit: Duration,
    /// The answer.
    pub late: fn() -> Response,
}

/// On the main listener, and wherever answers have its form.
const PATIENCE: Patience =
    Patience { limit: Duration::from_secs(30), late: || Problem::TIMEOUT.into_response() };

/// Puts the doors before the routes of a face with a listener and a manner of its own: as [`doors`], without the headers that browsers
/// need, and with 404 left to the face.
pub fn plain_doors(routes: Router, patience: Patience, proxy: Proxy, metrics: Arc<Metrics>) -> Router {
    routes
        .layer(DefaultBodyLimit::max(body::BODY_LIMIT))
        .layer(middleware::from_fn_with_state(patience, give_up))
        .layer(middleware::from_fn_with_state(metrics, record::record))
        .layer(middleware::from_fn(record::unmarked))
        .layer(middleware::from_fn_with_state(proxy, peer::identify))
}

/// Puts the doors before the routes of the main listener. What matches no route gets 404 as a problem.
pub fn doors(routes: Router, public_url: &PublicUrl, proxy: Proxy, metrics: Arc<Metrics>) -> Router {
    let security = headers::SecurityHeaders::new(public_url);
    routes
        .fallback(async || Problem::NOT_FOUND)
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(body::BODY_LIMIT))
        .layer(middleware::from_fn_with_state(PATIENCE, give_up))
        .layer(middleware::from_fn_with_state(security, headers::secure))
        .layer(middleware::from_fn_with_state(metrics, record::record))
        .layer(middleware::from_fn_with_state(proxy, peer::identify))
}

async fn give_up(State(patience): State<Patience>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(patience.limit, next.run(request)).await;
    answered.unwrap_or_else(|_| (patience.late)())
}

#[cfg(test)]
mod tests;
