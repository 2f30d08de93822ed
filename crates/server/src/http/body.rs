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
        read(&self.0, decode)
    }
}

/// The bytes of a body, whatever it says it is, to be read once it is clear that somebody wants it. None at all are an empty object: every
/// member of such a request may be left out.
pub struct MaybeJson(Request);

impl MaybeJson {
    /// Reads the body with a decoder of `wire`.
    ///
    /// # Errors
    /// 400 `malformed`, 413 `too-large`.
    pub async fn read<T>(self, decode: impl Fn(&[u8]) -> Result<T, DecodeError>) -> Result<T, Problem> {
        let bytes = to_bytes(self.0.into_body(), BODY_LIMIT).await.map_err(|_| Problem::TOO_LARGE)?;
        read(if bytes.is_empty() { b"{}" } else { &bytes }, decode)
    }
}

impl<S: Send + Sync> FromRequest<S> for MaybeJson {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        Ok(Self(request))
    }
}

fn read<T>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, DecodeError>) -> Result<T, Problem> {
    decode(bytes).map_err(|error| match error {
        DecodeError::TooLarge { .. } => Problem::TOO_LARGE,
        DecodeError::Missing(member) => Problem::malformed("The body lacks a member.").about(member, "there"),
        DecodeError::Wrong { member, expected } => {
            Problem::malformed("A member of the body is not in its form or range.").about(member, expected)
        }
        DecodeError::NotJson
        | DecodeError::NotMsgpack
        | DecodeError::NotZlib
        | DecodeError::NotAnObject
        | DecodeError::TooDeep { .. }
        | DecodeError::DuplicateMember
        | DecodeError::UnknownMember
        | DecodeError::UnknownType => Problem::malformed("The body is not the JSON that this request takes."),
    })
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
