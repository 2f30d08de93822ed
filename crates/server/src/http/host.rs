//! Whom a request is for.

use axum::{
    extract::Request,
    http::{
        HeaderMap, StatusCode, Version,
        header::{CONNECTION, HOST},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Middleware: gives 400 to a request of HTTP/1.1 that names no host, several, or something that can be none (RFC 9112, 3.2), in the
/// words of Go's server. A host that is empty is one.
pub(super) async fn named(request: Request, next: Next) -> Response {
    match fault(request.version(), request.headers()) {
        None => next.run(request).await,
        Some(fault) => {
            (StatusCode::BAD_REQUEST, [(CONNECTION, "close")], format!("400 Bad Request: {fault}"))
                .into_response()
        }
    }
}

fn fault(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version >= Version::HTTP_11 => Some("missing required Host header"),
        (None, _) => None,
        (_, Some(_)) => Some("too many Host headers"),
        (Some(host), None) => {
            let valid = host.is_empty() || Authority::try_from(host.as_bytes()).is_ok();
            (!valid).then_some("malformed Host header")
        }
    }
}
