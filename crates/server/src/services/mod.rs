//! One file a use case: the only place where the cores meet the store, the hub and the media shards.

use std::time::Duration;

/// The one error of services; each face maps it to its own codes in one `match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The credential is not good. Which check failed is never said.
    Denied,
    /// The principal is known, but may not do this.
    Forbidden,
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// It exists already, or is in a state that does not allow this.
    Conflict,
    /// The request says something that cannot be; the text names what.
    Malformed(&'static str),
    /// The request is larger than the limit.
    TooLarge,
    /// Too much at once; worth another try after this time.
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Something inside does not work; the log says what.
    Unavailable,
}
