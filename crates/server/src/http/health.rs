//! Whether the server is well, and its counters.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    bearer::bearer,
    limits::{Action, Limits},
    peer::Peer,
    problem::Problem,
};
use crate::{metrics::Metrics, services::Accounts};

/// Whether the server takes on work.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// From here on `/healthz` answers 503.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns `/healthz`: 200 `ok`, or 503 `stopping`.
pub fn health_routes(health: Health) -> Router {
    Router::new().route("/healthz", get(healthz)).with_state(health)
}

async fn healthz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

#[derive(Clone)]
struct Guarded {
    metrics: Arc<Metrics>,
    accounts: Arc<Accounts>,
    limits: Arc<Limits>,
}

/// Returns `/metrics` of the main listener, for the admin token.
pub fn guarded_metrics_routes(metrics: Arc<Metrics>, accounts: Arc<Accounts>, limits: Arc<Limits>) -> Router {
    Router::new().route("/metrics", get(guarded_metrics)).with_state(Guarded { metrics, accounts, limits })
}

async fn guarded_metrics(
    State(guarded): State<Guarded>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if bearer(&headers).is_some_and(|token| guarded.accounts.admin(&token, peer).is_ok()) {
        return Ok(exposition(&guarded.metrics));
    }
    guarded.limits.check(Action::AdminDenied, peer)?;
    Err(Problem::DENIED)
}

/// Returns `/metrics` of the metrics listener, for whoever can reach it.
pub fn open_metrics_routes(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(async |State(metrics): State<Arc<Metrics>>| exposition(&metrics)))
        .with_state(metrics)
}

fn exposition(metrics: &Metrics) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => Problem::UNAVAILABLE.into_response(),
    }
}
