//! Verto channels kept: made, changed and ended by operators; clients issued, believed and revoked (reference on verto, 4.5, 5.4 and 8).
//!
//! What is live (who hears whom) is another service's. This is the order in which it asks here:
//!
//! 1. [`Channels::admit_socket`] before the upgrade.
//! 2. [`Channels::believe`] for a `login`. It changes nothing but counters of failures, also when it believes. On a connection that is
//!    logged in already this is all that is asked.
//! 3. The live side says `Session in use` or `Channel full`, if it has to, and nothing has changed.
//! 4. [`Channels::enter`]: the password is leased, in the store. It refuses what was revoked or issued anew in between.
//! 5. The live side attaches the member, punts the older connection of its client, and then asks [`Channels::is_in`]: who was revoked
//!    while it was being attached is not.
//! 6. [`Channels::leave`] at the end of every member's connection, however it ends: the lease's time begins, unless the client has entered
//!    by another connection since.

mod door;
mod login;

pub use door::{ClaimedOrigin, Door};
pub use login::{Believed, ClientProof, Login, LoginRefused, Member};

use std::sync::Arc;

use backend::Store;
use identity::{ChannelId, ClientId};

use super::Refusal;
use crate::audit::Audit;
use crate::config::{PublicUrl, VertoLimits};
use crate::http::limits::Limits;

/// What the live side has to be told, once the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The client is one no more: its connection is punted.
    Revoked {
        /// Of which channel.
        channel: ChannelId,
        /// Who.
        client: ClientId,
    },
    /// The channel is gone: every client of it is punted, and sockets on its path that have not logged in are closed.
    Ended {
        /// Which.
        channel: ChannelId,
    },
}

/// Is called with all [`News`], on whatever thread; it does not wait.
pub(crate) type Tell = Box<dyn Fn(News) + Send + Sync>;

/// What holds for all channels.
#[derive(Debug, Clone)]
pub struct ChannelsConfig {
    /// Where people find the verto face; its host is the domain in `userid`.
    pub public_url: PublicUrl,
    /// How much one may do.
    pub limits: VertoLimits,
}

/// Keeps channels and their clients.
pub struct Channels {
    store: Store,
    audit: Audit,
    limits: Arc<Limits>,
    config: ChannelsConfig,
    tell: Tell,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channels(..)")
    }
}

impl Channels {
    /// Makes the service. `tell` is told what the live side has to know.
    pub fn new(store: Store, audit: Audit, limits: Arc<Limits>, config: ChannelsConfig, tell: Tell) -> Self {
        Self { store, audit, limits, config, tell }
    }

    /// Where people find the verto face; its host is the domain in `userid`.
    #[must_use]
    pub fn public_url(&self) -> &PublicUrl {
        &self.config.public_url
    }

    /// Says whether a socket may be opened by this door.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for an unknown channel, [`Refusal::Forbidden`] for a page that may not ask, [`Refusal::Unavailable`].
    pub async fn admit_socket(&self, door: &Door) -> Result<(), Refusal> {
        _ = door;
        Err(Refusal::Unavailable)
    }

    /// Believes a login, or not; failures are counted.
    ///
    /// # Errors
    /// As [`LoginRefused`] says.
    pub async fn believe(&self, door: &Door, login: &Login<'_>) -> Result<Believed, LoginRefused> {
        _ = (door, login);
        Err(LoginRefused::Unavailable)
    }

    /// Makes a member of whoever was believed.
    ///
    /// # Errors
    /// As [`LoginRefused`] says.
    pub async fn enter(&self, door: &Door, believed: Believed) -> Result<Member, LoginRefused> {
        _ = (door, believed);
        Err(LoginRefused::Unavailable)
    }

    /// Returns whether the member is one still: it has not left and was not revoked.
    #[must_use]
    pub fn is_in(&self, member: &Member) -> bool {
        _ = member;
        false
    }

    /// Takes note that the member's connection is gone.
    pub async fn leave(&self, member: &Member) {
        _ = member;
    }

    /// Returns whether the channel has a client of that name that has been in it before, and is not revoked.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn has_been_in(&self, channel: ChannelId, client: ClientId) -> Result<bool, Refusal> {
        _ = (channel, client);
        Err(Refusal::Unavailable)
    }
}
