//! Errors over HTTP: `application/problem+json` (RFC 9457). The caller learns the type, never the failing check.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::services::Refusal;

/// An error answer: `{"type":"urn:countersign:<code>","title":"…","status":n}`, and `detail` where a member of the body is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    retry_after: Option<Duration>,
    wrong: Option<Member>,
}

/// A member of a body, and what it must be, as a noun phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    name: &'static str,
    expected: &'static str,
}

impl Problem {
    /// Returns the error answer of this status; `code` is lower-case words joined by hyphens.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, retry_after: None, wrong: None }
    }

    /// Returns the same answer with `Retry-After`, in whole seconds rounded up.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the same answer, which says in its `detail` what a member of the body must be. Neither text is the caller's.
    #[must_use]
    pub const fn about(mut self, name: &'static str, expected: &'static str) -> Self {
        self.wrong = Some(Member { name, expected });
        self
    }

    /// The code, which is also the label in the metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    fn body(&self, namespace: &str) -> Body {
        let mut body = serde_json::json!({
            "type": format!("{namespace}:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
        });
        if let (Some(Member { name, expected }), Some(members)) = (self.wrong, body.as_object_mut()) {
            members.insert("detail".to_owned(), format!("{name} must be {expected}.").into());
        }
        Body::from(body.to_string())
    }

    /// 401: no credential, or not a good one.
    pub const DENIED: Self = Self::new(StatusCode::UNAUTHORIZED, "denied", "This needs a valid credential.");
    /// 403: the `Origin` is not the server's own.
    pub const ORIGIN_REFUSED: Self =
        Self::new(StatusCode::FORBIDDEN, "origin-refused", "This request comes from a foreign page.");
    /// 403: known, but not allowed.
    pub const FORBIDDEN: Self = Self::new(StatusCode::FORBIDDEN, "forbidden", "This is not permitted.");
    /// 404: no such thing.
    pub const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing.");
    /// 405: the path exists, the method does not.
    pub const METHOD_NOT_ALLOWED: Self =
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path has no such method.");
    /// 408: the request did not arrive whole, or was not done, in time.
    pub const TIMEOUT: Self =
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request was not done in time.");
    /// 413: above the size limit.
    pub const TOO_LARGE: Self =
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large.");
    /// 415: the body is not JSON.
    pub const NOT_JSON: Self =
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "The body must be application/json.");
    /// 503: something inside does not work, or the server is stopping.
    pub const UNAVAILABLE: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The server cannot do this at the moment.");

    /// 400: the request says something that cannot be.
    #[must_use]
    pub const fn malformed(title: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", title)
    }

    /// 429: too much at once.
    #[must_use]
    pub const fn busy(wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too many requests.").retry_after(wait)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied => Self::DENIED,
            Refusal::Forbidden => Self::FORBIDDEN,
            Refusal::NotFound => Self::NOT_FOUND,
            Refusal::Conflict => {
                Self::new(StatusCode::CONFLICT, "conflict", "This is not possible in its present state.")
            }
            Refusal::Malformed(what) => Self::malformed(what),
            Refusal::TooLarge => Self::TOO_LARGE,
            Refusal::Busy { retry_after } => Self::busy(retry_after),
            Refusal::Unavailable => Self::UNAVAILABLE,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body("urn:countersign"));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The metrics layer counts refusals by this.
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware: problems of the routes inside have a `type` of `urn:countersign:problem:<code>`, as the contract of verto channels wants it
/// (reference on verto, 8.1).
pub async fn in_problem_namespace(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions().get::<Problem>().copied() {
        *response.body_mut() = problem.body("urn:countersign:problem");
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status_and_code() {
        let busy = Refusal::Busy { retry_after: Duration::from_millis(1_200) };
        let table = [
            (Refusal::Denied, 401, "denied"),
            (Refusal::NotFound, 404, "not-found"),
            (Refusal::Conflict, 409, "conflict"),
            (Refusal::Malformed("name: 1 to 64 characters"), 400, "malformed"),
            (Refusal::TooLarge, 413, "too-large"),
            (busy, 429, "busy"),
            (Refusal::Unavailable, 503, "unavailable"),
        ];
        for (refusal, status, code) in table {
            let problem = Problem::from(refusal.clone());
            assert_eq!((problem.status().as_u16(), problem.code()), (status, code), "{refusal:?}");
        }
    }

    #[test]
    fn the_answer_is_problem_json_and_says_when_to_come_back() {
        let response = Problem::busy(Duration::from_millis(1_200)).into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
