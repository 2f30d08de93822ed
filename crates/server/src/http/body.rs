//! JSON request bodies, with problems for answers when they are not what they should be.

use axum::{
    extract::{FromRequest, Json, Request, rejection::JsonRejection},
    http::StatusCode,
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Bodies above this many bytes are refused with 413.
pub const BODY_LIMIT: usize = 8 * 1024;

/// A JSON body of at most [`BODY_LIMIT`] bytes. Refused: 413 `too-large`, 415 `not-json`, 400 `malformed`.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::NOT_JSON),
            Err(rejected) if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::TOO_LARGE),
            Err(_) => Err(Problem::malformed("The body is not the JSON that this request takes.")),
        }
    }
}
