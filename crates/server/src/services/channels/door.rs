use identity::{ChannelId, Secret};

use crate::http::peer::Peer;

/// By which door somebody comes, as far as it is known before the login. Nothing of it is believed yet.
#[derive(Debug, Clone)]
pub struct Door {
    /// The channel whose path it is; `None` for `/verto`.
    pub channel: Option<ChannelId>,
    /// Whose page it is.
    pub origin: ClaimedOrigin,
    /// The visitor's cookie, as it was sent with the upgrade.
    pub visitor: Option<Secret>,
    /// From where.
    pub from: Peer,
}

/// What the `Origin` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedOrigin {
    /// No header.
    Absent,
    /// A page of our own.
    Own,
    /// This page, in the canonical form of origins.
    Other(String),
    /// None that could be on a list.
    Unreadable,
}
