use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};

use super::answers::{json, not_found, text, unauthorized};
use super::calls;
use super::machine::{self, Load};
use super::registration::{authorization, log_in, register, unregister};
use crate::app::App;
use crate::http::Patience;
use crate::http::peer::Peer;

/// rtcd service/api/server.go: WriteTimeout. Whoever waits for a body is answered before.
pub const PATIENCE: Patience = Patience {
    limit: Duration::from_secs(60),
    late: || text(StatusCode::SERVICE_UNAVAILABLE, "not available"),
};

/// What holds for the face besides the rules of `Realms`.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether the metrics need no admin key.
    pub open_metrics: bool,
}

/// What is asked of the machine, beside the [`App`].
#[derive(Clone)]
struct Machine {
    app: App,
    load: Arc<Load>,
    settings: Settings,
}

/// All of rtcd's paths: `/version`, `/system`, `/metrics`, `/register`, `/unregister`, `/login`, and those of
/// [`calls`]. Everything else, a wrong method and the
/// profiles of `/debug/pprof/` are 404. Starts the task that measures the load; it ends with the routes.
pub fn routes(app: App, settings: Settings) -> Router {
    let load = Load::new();
    tokio::spawn(Load::measure(Arc::downgrade(&load)));
    let machine = Router::new()
        .route("/version", only(Method::GET, async || json(StatusCode::OK, machine::version())))
        .route("/system", only(Method::GET, system))
        .route("/metrics", any(metrics))
        .with_state(Machine { app: app.clone(), load, settings });
    Router::new()
        .route("/register", only(Method::POST, register))
        .route("/unregister", only(Method::POST, unregister))
        .route("/login", only(Method::POST, log_in))
        .merge(calls::routes())
        .with_state(app)
        .merge(machine)
        .fallback(async || not_found())
        .layer(middleware::from_fn(clean_path))
}

/// Takes one method; all others, HEAD included, are 404.
pub(super) fn only<H, T, S>(method: Method, handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let handled = async move |State(state): State<S>, request: Request| {
        if request.method() == method { handler.clone().call(request, state).await } else { not_found() }
    };
    any(handled)
}

async fn system(State(machine): State<Machine>) -> Response {
    let draining = machine.app.hosting.is_draining();
    json(StatusCode::OK, if draining { machine::body(machine::DRAINING) } else { machine.load.body() })
}

async fn metrics(State(machine): State<Machine>, from: Peer, headers: HeaderMap) -> Response {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    if !machine.settings.open_metrics {
        match machine.app.realms.caller(authorization(&headers), from).await {
            Ok(caller) if caller.realm().is_none() => {}
            Ok(_) => return unauthorized(&crate::services::NotBelieved::Nameless),
            Err(not_believed) => return unauthorized(&not_believed),
        }
    }
    ([(header::CONTENT_TYPE, TEXT)], machine.app.figures.text()).into_response()
}

/// Redirects a path with empty or dotted segments to the one without them, as Go's router does.
async fn clean_path(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let cleaned = cleaned(path);
    if cleaned == path {
        return next.run(request).await;
    }
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let place = format!("{cleaned}{query}");
    let told = [&Method::GET, &Method::HEAD].contains(&request.method());
    let body = if told {
        format!("<a href=\"{}\">Temporary Redirect</a>.\n\n", escaped(&place))
    } else {
        String::new()
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if told {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    match HeaderValue::try_from(place) {
        Ok(place) => _ = response.headers_mut().insert(header::LOCATION, place),
        Err(_) => return not_found(),
    }
    response
}

/// Returns a path as Go's `path.Clean` has it, with the slash at its end kept.
fn cleaned(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_does() {
        let rows = [
            ("/version", "/version"),
            ("//version", "/version"),
            ("//", "/"),
            ("/", "/"),
            ("/a/", "/a/"),
            ("/calls//sessions", "/calls/sessions"),
            ("/a/../../b/./c", "/b/c"),
            ("///evil.example/..//", "/"),
            ("/a/..", "/"),
            ("*", "/*"),
        ];
        for (path, expected) in rows {
            assert_eq!(cleaned(path), expected, "{path}");
        }
        assert_eq!(escaped("/<a>\"&'"), "/&lt;a&gt;&#34;&amp;&#39;");
    }
}
