//! Why a client was not registered, unregistered or logged in, in rtcd's words (service/auth.go, service/auth/service.go).

use std::time::Duration;

use super::NotBelieved;

/// Why nobody was registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefused {
    /// The server wants a credential for this, and it is not good.
    #[error("{0}")]
    NotBelieved(NotBelieved),
    /// A client showed its own key: only the admin registers others.
    #[error("registration not enabled")]
    NotTheAdmin,
    /// Below 32 bytes.
    #[error("registration failed: key not long enough")]
    KeyTooShort,
    /// Above 72 bytes.
    #[error("registration failed: bcrypt: password length exceeds 72 bytes")]
    KeyTooLong,
    /// No id.
    #[error("registration failed: error: empty key")]
    EmptyId,
    /// Above 64 bytes.
    #[error("registration failed: failed to set key: error: key too large")]
    IdTooLong,
    /// The id is taken.
    #[error("registration failed: already registered")]
    Taken,
    /// Too many at once, or of this address.
    #[error("registration failed: too many requests")]
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Something inside does not work; the log says what.
    #[error("registration failed: not available")]
    Unavailable,
}

/// Why nobody was unregistered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnregisterRefused {
    /// Neither the admin nor self-registration is enabled.
    #[error("unregister not enabled")]
    NotEnabled,
    /// The credential is not good.
    #[error("{0}")]
    NotBelieved(NotBelieved),
    /// No id.
    #[error("client id should not be empty")]
    EmptyId,
    /// A client names another than itself.
    #[error("client id not valid")]
    NotItself,
    /// There is no such client.
    #[error("unregister failed: error: not found")]
    Unknown,
    /// Something inside does not work; the log says what.
    #[error("unregister failed: not available")]
    Unavailable,
}

/// Why nobody was logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// No id.
    #[error("login failed: authentication failed: error: empty key")]
    EmptyId,
    /// There is no such client.
    #[error("login failed: authentication failed: error: not found")]
    Unknown,
    /// Its key is another one.
    #[error("login failed: authentication failed")]
    WrongKey,
    /// Not believed, and there were too many failures before.
    #[error("login failed: authentication failed: too many failures")]
    TooMany {
        /// How long until a failure is answered again as such.
        retry_after: Duration,
    },
    /// Something inside does not work; the log says what.
    #[error("login failed: not available")]
    Unavailable,
}
