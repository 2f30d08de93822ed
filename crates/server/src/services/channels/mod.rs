//! Verto channels kept: made, changed and ended by operators; clients issued, believed and revoked (reference on verto, 4.5, 5.4 and 8).
//!
//! What is live (who hears whom) is another service's. This is the order in which it asks here:
//!
//! 1. [`Channels::admit_socket`] before the upgrade.
//! 2. [`Channels::believe`] for a `login`. It changes nothing but counters of failures, also when it believes. On a connection that is
//!    logged in already this is all that is asked.
//! 3. The live side says `Session in use` or `Channel full`, if it has to, and nothing has changed.
//! 4. [`Channels::enter`]: the password is leased, in the store. It refuses what was revoked or issued anew in between.
//! 5. The live side attaches the member, punts the older connection of its client, and then asks [`Member::is_in`]: who was revoked
//!    while it was being attached is not.
//! 6. The [`Member`] is dropped with its connection, however that ends: this is leaving.

mod door;
mod ice;
mod inside;
mod issue;
mod login;
mod operator;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use backend::{Leaving, Store, StoreError};
use identity::{ChannelId, ClientId, Terms, UnixMillis};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

pub use door::{ClaimedOrigin, Door};
pub use ice::{IceOffer, IceOffers, IceServers, RelayAccess};
pub use issue::{Given, IssueRefused, Wish};
pub use login::{Believed, ClientProof, Login, LoginRefused, Member};
pub use operator::{ChannelView, ClientView, InvitedVisitors};

use super::Refusal;
use crate::ambient::now;
use crate::audit::{Act, Audit, entry};
use crate::config::{PublicUrl, VertoLimits};
use crate::http::limits::Limits;
use inside::Inside;

/// How many leavings are written in one change.
const LEAVINGS: usize = 256;
/// How often it is looked for clients and channels that nobody uses.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// What holds for all channels.
#[derive(Debug, Clone)]
pub struct ChannelsConfig {
    /// Where people find the verto face; its host is the domain in `userid`.
    pub public_url: PublicUrl,
    /// How much one may do.
    pub limits: VertoLimits,
    /// What clients are told for ICE.
    pub ice: IceServers,
    /// After how long without use a client is forgotten.
    pub client_idle: Duration,
    /// After how long without use a channel is ended; `None`: never.
    pub channel_idle: Option<Duration>,
    /// Whether the others of a channel are told that a client has left when it was revoked.
    pub gone_on_revoke: bool,
    /// After how long without a message a client is sent `verto.ping`; `None`: never.
    pub server_ping: Option<Duration>,
}

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

/// Keeps channels and their clients.
pub struct Channels {
    store: Store,
    audit: Audit,
    limits: Arc<Limits>,
    config: ChannelsConfig,
    inside: Arc<Inside>,
    tickets: AtomicU64,
    tell: Tell,
}

/// What the service does beside its requests; to be run.
pub struct ChannelsTask {
    channels: Weak<Channels>,
    store: Store,
    leavings: UnboundedReceiver<Leaving>,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channels(..)")
    }
}

impl Channels {
    /// Makes the service. `tell` is told what the live side has to know.
    #[must_use]
    pub fn new(
        store: Store,
        audit: Audit,
        limits: Arc<Limits>,
        config: ChannelsConfig,
        tell: Tell,
    ) -> (Arc<Self>, ChannelsTask) {
        let (leaving, leavings) = unbounded_channel();
        let inside = Inside::new(leaving);
        let tickets = AtomicU64::new(0);
        let channels = Arc::new(Self { store: store.clone(), audit, limits, config, inside, tickets, tell });
        let task = ChannelsTask { channels: Arc::downgrade(&channels), store, leavings };
        (channels, task)
    }

    /// Where people find the verto face; its host is the domain in `userid`.
    #[must_use]
    pub fn public_url(&self) -> &PublicUrl {
        &self.config.public_url
    }

    /// After how long without a message a client is sent `verto.ping`; `None`: never.
    #[must_use]
    pub fn server_ping(&self) -> Option<Duration> {
        self.config.server_ping
    }

    /// Says whether a socket may be opened by this door.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for an unknown channel, [`Refusal::Forbidden`] for a page that may not ask, [`Refusal::Unavailable`].
    pub async fn admit_socket(&self, door: &Door) -> Result<(), Refusal> {
        let may_open = match (door.channel, &door.origin) {
            (Some(channel), origin) => {
                let channel = self.store.channel(channel).await?.ok_or(Refusal::NotFound)?;
                origin.may_open(&channel.rules)
            }
            (None, ClaimedOrigin::Other(origin)) => self.store.is_origin_of_a_channel(origin).await?,
            // Whoever comes without is asked for more at the login, by the channel that it names then.
            (None, ClaimedOrigin::Absent | ClaimedOrigin::Own(_)) => true,
            (None, ClaimedOrigin::Unreadable) => false,
        };
        if may_open { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Returns whether the member is one still, and was not revoked.
    #[must_use]
    pub fn is_in(&self, member: &Member) -> bool {
        member.is_in()
    }

    /// Returns what a client is told for ICE at this moment.
    #[must_use]
    pub fn ice(&self, client: ClientId) -> IceOffers {
        self.config.ice.offer(client, now())
    }

    /// Returns whether the channel has a client of that name that has been in it before, and is not revoked.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn has_been_in(&self, channel: ChannelId, client: ClientId) -> Result<bool, Refusal> {
        Ok(self.inside.has(channel, client) || self.store.has_entered(channel, client).await?)
    }

    /// Forgets clients, and ends channels, that nobody has used for long.
    async fn sweep(&self) -> Result<(), StoreError> {
        let at = now();
        let since = |idle: Duration| {
            UnixMillis(at.0.saturating_sub(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)))
        };
        let forgotten = self.store.forget_idle_clients(since(self.config.client_idle)).await?;
        if forgotten > 0 {
            tracing::info!(forgotten, "clients of channels were forgotten: nobody used them");
        }
        self.store.forget_dialogs(since(hub::GOOD_FOR)).await?;
        let Some(idle) = self.config.channel_idle else { return Ok(()) };
        let line = |channel: ChannelId| {
            let (subject, action) = (channel.short(), "channel.expire");
            entry(Act { actor: "", action, subject: &subject, from: None, detail: "" })
        };
        for channel in self.store.forget_idle_channels(since(idle), line).await? {
            self.inside.forget_channel(channel);
            (self.tell)(News::Ended { channel });
        }
        Ok(())
    }

    fn terms(&self) -> Terms {
        Terms { fresh: self.config.limits.fresh, lease: self.config.limits.lease }
    }
}

impl ChannelsTask {
    /// Writes down who has left, and forgets what nobody uses. Ends when the service is gone, with everything written.
    pub async fn run(mut self) {
        let mut sweeps = interval(SWEEP);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut left = Vec::new();
        loop {
            tokio::select! {
                count = self.leavings.recv_many(&mut left, LEAVINGS) => {
                    if count == 0 {
                        return;
                    }
                    if let Err(error) = self.store.leave_clients(&left).await {
                        // They count as connected until the next start, which is longer than their lease would be.
                        tracing::error!(%error, count, "it was not written down that clients have left");
                    }
                    left.clear();
                }
                _ = sweeps.tick() => {
                    let Some(channels) = self.channels.upgrade() else { continue };
                    if let Err(error) = channels.sweep().await {
                        tracing::error!(%error, "clients that nobody uses were not forgotten");
                    }
                }
            }
        }
    }
}
