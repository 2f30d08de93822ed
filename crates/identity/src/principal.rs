use crate::{ChannelId, ClientId, RealmId, SessionId, UserId};

/// Who it is, once believed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// The tenant it belongs to.
    pub realm: RealmId,
    /// Who it is within that realm.
    pub subject: Subject,
}

impl Principal {
    /// Returns the principal of an operator of this installation.
    #[must_use]
    pub fn operator(user: UserId) -> Self {
        Self { realm: RealmId::installation(), subject: Subject::Operator(user) }
    }

    /// Returns the principal of whoever redeemed an invite and got this session.
    #[must_use]
    pub fn guest(session: SessionId) -> Self {
        Self { realm: RealmId::installation(), subject: Subject::Guest(session) }
    }

    /// Returns the principal of a tenant's own servers.
    #[must_use]
    pub fn service(realm: RealmId) -> Self {
        Self { realm, subject: Subject::Service }
    }

    /// Returns the principal of a client of a verto channel.
    #[must_use]
    pub fn client(channel: ChannelId, client: ClientId) -> Self {
        Self { realm: channel.realm(), subject: Subject::Client(client) }
    }
}

/// Who a principal is within its realm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A person who runs this installation.
    Operator(UserId),
    /// Whoever redeemed an invite: known by the keys that its session is bound to, and by nothing else.
    Guest(SessionId),
    /// The servers of a tenant: they speak for its users.
    Service,
    /// A client of a verto channel: known by its password, and by the cookie and the key that it is bound to.
    Client(ClientId),
}
