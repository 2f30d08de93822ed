//! One line and one count for each request.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use super::{peer::Peer, problem::Problem};
use crate::metrics::Metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Middleware: takes the request's id off the answer again, for protocols that have none.
pub(super) async fn unmarked(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().remove(REQUEST_ID);
    response
}

/// Middleware: gives the request an id, which stands in the answer and in every log line of it, and counts it. Only the route is logged,
/// never the path, the query or a header.
pub(super) async fn record(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".into(), |path| path.as_str().to_owned());
    let peer = request.extensions().get::<Peer>().map_or_else(String::new, |peer| peer.masked());
    let span = tracing::info_span!("request", id, %method, route, peer);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let problem = response.extensions().get::<Problem>().copied();
    span.in_scope(|| tracing::debug!(status = status.as_u16(), took = ?begun.elapsed(), "answered"));
    metrics.request(&method, route, status);
    if let Some(problem) = problem {
        metrics.refused(problem.code());
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
