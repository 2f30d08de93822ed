//! The words of a path that a route names.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// What the route's pattern matched. Refused: 404 `not-found`, for what is not UTF-8 names nothing of ours.
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(matched) = Path::from_request_parts(parts, state).await.map_err(|_| Problem::NOT_FOUND)?;
        Ok(Self(matched))
    }
}
