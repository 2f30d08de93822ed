//! What every answer tells the browser to forbid.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::config::{PublicUrl, Scheme};

/// Our pages load nothing from other hosts, run no inline script, and stand in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self' blob: mediastream:; font-src 'self'; manifest-src 'self'; form-action 'none'; \
     frame-ancestors 'none'; base-uri 'none'; connect-src 'self'";

const FIXED: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The headers of every answer, made once.
#[derive(Debug, Clone)]
pub(super) struct SecurityHeaders(HeaderMap);

impl SecurityHeaders {
    /// Returns the headers of a server that is seen at this address.
    #[must_use]
    pub(super) fn new(public_url: &PublicUrl) -> Self {
        let mut headers: HeaderMap =
            FIXED.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
        // Older browsers do not count WebSockets as 'self'.
        let sockets = public_url.to_string().replacen("http", "ws", 1);
        let policy = HeaderValue::try_from(format!("{POLICY} {sockets}"))
            .unwrap_or_else(|_| HeaderValue::from_static(POLICY));
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        if public_url.scheme() == Scheme::Https {
            let year = HeaderValue::from_static("max-age=31536000");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        Self(headers)
    }
}

/// Middleware: adds the security headers; what no face marked otherwise is not kept by caches.
pub(super) async fn secure(
    State(security): State<SecurityHeaders>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &security.0 {
        headers.insert(name, value.clone());
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
