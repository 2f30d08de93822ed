//! Answers in the forms of rtcd and of Go's net/http: texts with a line end, flat JSON objects of texts.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use wire::rtcd::envelope::Answer;

use crate::services::{LoginRefused, NotBelieved, RegisterRefused, UnregisterRefused};

/// 404 for whatever is not there, wrong methods included.
pub(crate) fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found")
}

/// Returns an error as `http.Error` writes it.
pub(crate) fn text(status: StatusCode, text: &str) -> Response {
    let mut response = typed(status, "text/plain; charset=utf-8", format!("{text}\n"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Returns what a request without a good credential gets where rtcd answers with text: 401 `unauthorized`, or 429 or 503.
pub(crate) fn unauthorized(not_believed: &NotBelieved) -> Response {
    let (status, wait) = not_believed_status(not_believed);
    let words = match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::TOO_MANY_REQUESTS => "too many failures",
        _ => "not available",
    };
    retry_after(text(status, words), wait)
}

/// Returns a JSON text.
pub(crate) fn json(status: StatusCode, body: String) -> Response {
    typed(status, "application/json", body)
}

/// Returns the JSON of `/register`, `/unregister` and `/login`; its code is the status.
pub(super) fn envelope(status: StatusCode, answer: Answer) -> Response {
    json(status, Answer { code: status.as_u16(), ..answer }.encode())
}

/// The same, when it is an error.
pub(super) fn refused(status: StatusCode, error: &impl ToString) -> Response {
    envelope(status, Answer { error: Some(error.to_string()), ..Answer::default() })
}

pub(super) fn register_refused(refused_: &RegisterRefused) -> Response {
    let (status, wait) = match refused_ {
        RegisterRefused::NotBelieved(not_believed) => not_believed_status(not_believed),
        RegisterRefused::NotTheAdmin => (StatusCode::FORBIDDEN, None),
        RegisterRefused::KeyTooShort
        | RegisterRefused::KeyTooLong
        | RegisterRefused::EmptyId
        | RegisterRefused::IdTooLong
        | RegisterRefused::Taken => (StatusCode::BAD_REQUEST, None),
        RegisterRefused::TooMany { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
        RegisterRefused::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    retry_after(refused(status, refused_), wait)
}

pub(super) fn unregister_refused(refused_: &UnregisterRefused) -> Response {
    let (status, wait) = match refused_ {
        UnregisterRefused::NotBelieved(not_believed) => not_believed_status(not_believed),
        UnregisterRefused::NotEnabled | UnregisterRefused::NotItself => (StatusCode::FORBIDDEN, None),
        UnregisterRefused::EmptyId | UnregisterRefused::Unknown => (StatusCode::BAD_REQUEST, None),
        UnregisterRefused::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    retry_after(refused(status, refused_), wait)
}

/// 400 for a wrong key, as rtcd has it.
pub(super) fn login_refused(refused_: &LoginRefused) -> Response {
    let (status, wait) = match refused_ {
        LoginRefused::EmptyId | LoginRefused::Unknown | LoginRefused::WrongKey => {
            (StatusCode::BAD_REQUEST, None)
        }
        LoginRefused::TooMany { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
        LoginRefused::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    retry_after(refused(status, refused_), wait)
}

fn not_believed_status(not_believed: &NotBelieved) -> (StatusCode, Option<Duration>) {
    match not_believed {
        NotBelieved::NoCredential
        | NotBelieved::Nameless
        | NotBelieved::WrongKey
        | NotBelieved::BadToken
        | NotBelieved::ExpiredToken => (StatusCode::UNAUTHORIZED, None),
        NotBelieved::TooMany { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
        NotBelieved::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
    }
}

fn retry_after(mut response: Response, wait: Option<Duration>) -> Response {
    if let Some(wait) = wait {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response {
    const KIND: HeaderName = header::CONTENT_TYPE;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(KIND, HeaderValue::from_static(kind));
    response
}
