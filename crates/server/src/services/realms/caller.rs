use identity::{Grant, Permission, Permissions, Principal, RealmId, UnixMillis};
use std::time::Duration;
use tokio::sync::watch;

/// Whom a request or a connection speaks for.
#[derive(Debug, Clone)]
pub struct Caller {
    grant: Option<Grant>,
    registered: Option<watch::Receiver<()>>,
}

impl Caller {
    /// Who showed the admin key: it may manage clients, and hosts no calls.
    pub(super) fn admin() -> Self {
        Self { grant: None, registered: None }
    }

    /// The servers of a realm. `registered` ends when the realm does.
    pub(super) fn of(realm: RealmId, registered: watch::Receiver<()>) -> Self {
        let may = Permissions::NONE.with(Permission::HostCalls);
        let grant = Grant::new(Principal::service(realm), may, UnixMillis::MAX);
        Self { grant: Some(grant), registered: Some(registered) }
    }

    /// The realm that it speaks for; none for the admin.
    #[must_use]
    pub fn realm(&self) -> Option<&RealmId> {
        self.grant.as_ref().map(|grant| &grant.principal().realm)
    }

    /// What it may do: to host calls of its realm. None for the admin.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// Waits until the realm is registered no more, which may be never; may be dropped and called again.
    pub async fn ended(&mut self) {
        match &mut self.registered {
            Some(registered) => while registered.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}

/// Why a credential was not believed. The texts are rtcd's (service/auth.go), which its clients log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// There is no `Authorization`, or it is not Basic in its form.
    #[error("authentication failed: invalid auth header")]
    NoCredential,
    /// No client was named, and it is not the admin.
    #[error("authentication failed: unauthorized")]
    Nameless,
    /// The client is unknown, or its key is another one.
    #[error("authentication failed")]
    WrongKey,
    /// Nobody has this bearer token, or not any more.
    #[error("authentication failed: token is invalid")]
    BadToken,
    /// The bearer token was good once.
    #[error("authentication failed: session is expired")]
    ExpiredToken,
    /// Not believed, and there were too many failures before: of this address, or with this client's id.
    #[error("authentication failed: too many failures")]
    TooMany {
        /// How long until a failure is answered again as such.
        retry_after: Duration,
    },
    /// Nothing can be believed at the moment; the log says why.
    #[error("authentication failed: not available")]
    Unavailable,
}
