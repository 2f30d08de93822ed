//! One file a use case: the only place where the cores meet the store, the hub and the media shards.

mod accounts;
mod calls;
mod channels;
pub mod exchange;
pub mod hosting;
mod realms;
mod rooms;

use std::time::Duration;

use backend::StoreError;
/// Records of the store, as services hand them on.
pub use backend::{AuditRecord, ChannelRecord, InviteRecord, RealmRecord, RoomRecord};

pub use accounts::{Accounts, Admitted, SignedIn};
pub use calls::{
    Calls, Described, Dialect, MediaNews, Offer, Parts as CallsParts, Said, Saying, Seat, Speakers, Welcome,
    muted,
};
pub(crate) use channels::Tell;
pub use channels::{
    Believed, ChannelView, Channels, ChannelsConfig, ClaimedOrigin, ClientProof, ClientView, Door, Given,
    IceOffer, IceOffers, IceServers, InvitedVisitors, IssueRefused, Login, LoginRefused as ClientRefused,
    Member, News, RelayAccess, Wish,
};
pub use realms::{
    Caller, LoginRefused, NotBelieved, Realms, RegisterRefused, Registrar, Registration, Rules as RealmRules,
    UnregisterRefused,
};
pub use rooms::{Invited, Joined, Joining, RoomView, Rooms};

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

/// What a connection is told, whatever its face calls it.
#[derive(Debug, Clone)]
pub enum Told {
    /// The session is on this connection.
    Welcome(Box<Welcome>),
    /// From the hub.
    Event(hub::Event),
    /// From the media engine, by way of the calls.
    Media(MediaNews),
    /// Who speaks in its room.
    Speakers(Speakers),
    /// Something that the connection said was refused.
    Refused(Complaint),
    /// It asked whether we are there.
    Pong,
}

/// What was wrong with something that a connection said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Why it was refused.
    pub refusal: Refusal,
    /// The kind of message, when it was one of ours.
    pub about: Option<&'static str>,
    /// What was wrong, for the developer of a client.
    pub said: String,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Conflict => Self::Conflict,
            StoreError::Unavailable(_) | StoreError::Corrupt(_) => {
                tracing::error!(%error, "the store did not answer");
                Self::Unavailable
            }
        }
    }
}

impl From<identity::Forbidden> for Refusal {
    fn from(_: identity::Forbidden) -> Self {
        Self::Forbidden
    }
}
