//! JSON request bodies, with problems for answers when they are not what they should be.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::header,
};
use wire::DecodeError;

use super::problem::Problem;

/// Bodies above this many bytes are refused with 413.
pub const BODY_LIMIT: usize = 8 * 1024;

/// The bytes of a body that says it is JSON, at most [`BODY_LIMIT`] of them. Refused: 413 `too-large`, 415 `not-json`.
pub struct JsonBytes(pub Bytes);

impl JsonBytes {
    /// Reads the bytes with a decoder of `wire`.
    ///
    /// # Errors
    /// 400 `malformed`, 413 `too-large`.
    pub fn read<T>(&self, decode: impl Fn(&[u8]) -> Result<T, DecodeError>) -> Result<T, Problem> {
        decode(&self.0).map_err(|error| match error {
            DecodeError::TooLarge { .. } => Problem::TOO_LARGE,
            DecodeError::Missing(_) => Problem::malformed("The body lacks a member."),
            DecodeError::Wrong { .. } => {
                Problem::malformed("A member of the body is not in its form or range.")
            }
            DecodeError::NotJson
            | DecodeError::NotMsgpack
            | DecodeError::NotZlib
            | DecodeError::NotAnObject
            | DecodeError::TooDeep { .. }
            | DecodeError::DuplicateMember
            | DecodeError::UnknownType => {
                Problem::malformed("The body is not the JSON that this request takes.")
            }
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let claimed = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = claimed.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::NOT_JSON);
        }
        match to_bytes(request.into_body(), BODY_LIMIT).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(Problem::TOO_LARGE),
        }
    }
}
