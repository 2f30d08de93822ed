use identity::{ChannelId, ChannelRules, CookieBinding, Secret};

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

/// What the `Origin` header says; texts are in the canonical form of origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedOrigin {
    /// No header.
    Absent,
    /// A page of our own.
    Own(String),
    /// Another page.
    Other(String),
    /// None that could be on a list.
    Unreadable,
}

impl ClaimedOrigin {
    /// Whether a page of this origin may ask for a channel; who names none may.
    pub(super) fn is_not_foreign(&self, rules: &ChannelRules) -> bool {
        match self {
            Self::Absent | Self::Own(_) => true,
            Self::Other(origin) => rules.origins.contains(origin),
            Self::Unreadable => false,
        }
    }

    /// Whether a page of this origin may open a socket. Who names none may where it needs no cookie: where it does, it is a browser, and
    /// browsers name it.
    pub(super) fn may_open(&self, rules: &ChannelRules) -> bool {
        match self {
            Self::Absent => rules.cookie_binding == CookieBinding::Optional,
            Self::Own(_) | Self::Other(_) | Self::Unreadable => self.is_not_foreign(rules),
        }
    }

    /// Returns the text; empty where there is none.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Own(origin) | Self::Other(origin) => origin,
            Self::Absent | Self::Unreadable => "",
        }
    }
}
