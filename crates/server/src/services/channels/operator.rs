//! What operators do with channels.

use std::sync::Arc;
use std::time::Duration;

use backend::{Bearer, ChannelRecord, ListedClient, NewInvitation, StoreError};
use identity::{
    ChannelId, ChannelRules, ClientId, Grant, Permission, RealmId, Secret, SessionName, TokenKind, hash, mint,
};

use super::issue::{Given, IssueRefused};
use super::{Channels, ClaimedOrigin, Door, News};
use crate::ambient::{now, random, random_id};
use crate::audit::{Act, entry};
use crate::http::peer::Peer;
use crate::services::Refusal;
use crate::services::accounts::actor;

/// A channel, and how many are in it.
#[derive(Debug)]
pub struct ChannelView {
    /// As stored.
    pub channel: ChannelRecord,
    /// Clients that are logged in.
    pub live: usize,
}

/// A client of a channel, as its operator sees it.
#[derive(Debug)]
pub struct ClientView {
    /// As stored.
    pub client: ListedClient,
    /// Whether it is logged in.
    pub is_connected: bool,
}

/// An invitation with its secret, which is known only at this moment.
#[derive(Debug)]
pub struct InvitedVisitors {
    /// Its secret.
    pub secret: Secret,
    /// What to open in a browser.
    pub link: String,
}

impl Channels {
    /// Returns what holds for a channel of which its operator says nothing.
    #[must_use]
    pub fn default_rules(&self) -> ChannelRules {
        let capacity = ChannelRules::DEFAULT_CAPACITY.min(self.config.limits.capacity_max);
        ChannelRules { capacity, ..ChannelRules::default() }
    }

    /// Makes a channel; under this id if there is one.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Conflict`] for an id that is taken, [`Refusal::Malformed`] for a capacity above the
    /// configuration's, [`Refusal::Unavailable`].
    pub async fn create(
        &self,
        grant: &Grant,
        id: Option<ChannelId>,
        rules: ChannelRules,
        from: Peer,
    ) -> Result<ChannelView, Refusal> {
        require(grant)?;
        self.check(&rules)?;
        let id = match id {
            Some(id) => id,
            None => ChannelId::from_random(random_id()?),
        };
        let channel = ChannelRecord { id, rules, created_at: now() };
        let (actor, subject) = (actor(grant), id.short());
        let line = entry(Act::by(&actor, "channel.create", &subject, from));
        self.store.create_channel(&channel, &line).await.inspect_err(|_| self.audit.refused(&line))?;
        Ok(self.view(channel))
    }

    /// Returns all channels, oldest first.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Unavailable`].
    pub async fn list(&self, grant: &Grant) -> Result<Vec<ChannelView>, Refusal> {
        require(grant)?;
        Ok(self.store.channels().await?.into_iter().map(|channel| self.view(channel)).collect())
    }

    /// Returns a channel and its clients, oldest first.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn show(
        &self,
        grant: &Grant,
        channel: ChannelId,
    ) -> Result<(ChannelView, Vec<ClientView>), Refusal> {
        require(grant)?;
        let found = self.store.channel(channel).await?.ok_or(Refusal::NotFound)?;
        let viewed =
            |client: ListedClient| ClientView { is_connected: self.inside.has(channel, client.id), client };
        let clients = self.store.clients_of(channel).await?.into_iter().map(viewed).collect();
        Ok((self.view(found), clients))
    }

    /// Changes what holds for a channel. Who is logged in stays; what is said at a login holds until its end.
    ///
    /// # Errors
    /// As [`Channels::create`], [`Refusal::NotFound`], and that of `change`.
    pub async fn change(
        &self,
        grant: &Grant,
        channel: ChannelId,
        change: impl FnOnce(ChannelRules) -> Result<ChannelRules, Refusal>,
        from: Peer,
    ) -> Result<ChannelView, Refusal> {
        require(grant)?;
        let mut found = self.store.channel(channel).await?.ok_or(Refusal::NotFound)?;
        let capacity = found.rules.capacity;
        found.rules = change(found.rules)?;
        // A capacity that was set under another configuration stays until it is set again.
        if found.rules.capacity != capacity {
            self.check(&found.rules)?;
        }
        let (actor, subject) = (actor(grant), channel.short());
        let line = entry(Act::by(&actor, "channel.change", &subject, from));
        let changed = self.store.change_channel(channel, &found.rules, &line).await;
        changed.inspect_err(|_| self.audit.refused(&line))?;
        Ok(self.view(found))
    }

    /// Ends a channel and revokes its clients.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn end(self: &Arc<Self>, grant: &Grant, channel: ChannelId, from: Peer) -> Result<(), Refusal> {
        require(grant)?;
        let (actor, subject) = (actor(grant), channel.short());
        let line = entry(Act::by(&actor, "channel.delete", &subject, from));
        let channels = Arc::clone(self);
        // To the end, even when the asker goes away meanwhile.
        let ending = tokio::spawn(async move {
            channels
                .store
                .delete_channel(channel, &line)
                .await
                .inspect_err(|_| channels.audit.refused(&line))?;
            channels.inside.forget_channel(channel);
            (channels.tell)(News::Ended { channel });
            Ok(())
        });
        done(ending.await)
    }

    /// Revokes a client: it is one no more, and its visitor becomes none again.
    ///
    /// # Errors
    /// As [`Channels::end`].
    pub async fn revoke(
        self: &Arc<Self>,
        grant: &Grant,
        channel: ChannelId,
        client: ClientId,
        from: Peer,
    ) -> Result<(), Refusal> {
        require(grant)?;
        let (actor, subject, detail) = (actor(grant), client.short(), format!("channel {}", channel.short()));
        let line = entry(Act { detail: &detail, ..Act::by(&actor, "client.revoke", &subject, from) });
        let channels = Arc::clone(self);
        let revoking = tokio::spawn(async move {
            let revoked = channels.store.revoke_client(channel, client, now(), &line).await;
            revoked.inspect_err(|_| channels.audit.refused(&line))?;
            channels.inside.forget_client(channel, client);
            (channels.tell)(News::Revoked { channel, client });
            Ok(())
        });
        done(revoking.await)
    }

    /// Makes an invitation to a channel.
    ///
    /// # Errors
    /// As [`Channels::end`].
    pub async fn invite(
        &self,
        grant: &Grant,
        channel: ChannelId,
        uses: u32,
        good_for: Duration,
        from: Peer,
    ) -> Result<InvitedVisitors, Refusal> {
        require(grant)?;
        let secret = mint(TokenKind::Invitation, random()?);
        let created_at = now();
        let invitation = NewInvitation {
            channel,
            token: hash(TokenKind::Invitation, &secret).map_err(|_| Refusal::Unavailable)?,
            uses,
            created_at,
            expires_at: created_at.saturating_add(good_for),
        };
        let (actor, subject, detail) = (actor(grant), channel.short(), format!("uses {uses}"));
        let line = entry(Act { detail: &detail, ..Act::by(&actor, "channel.invite", &subject, from) });
        self.store.create_invitation(&invitation, &line).await.inspect_err(|_| self.audit.refused(&line))?;
        let link = format!("{}/join/{channel}#{}", self.config.public_url, secret.expose());
        Ok(InvitedVisitors { secret, link })
    }

    /// Gives a client without cookies a password; one whose session is known keeps its id.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] unless the channel takes clients without cookies, has room for it, and the session is not another's; and as
    /// [`Channels::end`].
    pub async fn issue_headless(
        &self,
        grant: &Grant,
        channel: ChannelId,
        session: Option<SessionName>,
        from: Peer,
    ) -> Result<Given, Refusal> {
        require(grant)?;
        let door = Door { channel: Some(channel), origin: ClaimedOrigin::Absent, visitor: None, from };
        let given = self.give(&door, channel, session, Bearer::Headless, None).await;
        let (issued, password) = given.map_err(|refused| match refused {
            IssueRefused::NoChannel => Refusal::NotFound,
            IssueRefused::Unavailable => Refusal::Unavailable,
            IssueRefused::TooMany { retry_after } => Refusal::Busy { retry_after },
            IssueRefused::ForeignPage
            | IssueRefused::BadSession
            | IssueRefused::Barred
            | IssueRefused::NotYours
            | IssueRefused::NotInvited
            | IssueRefused::Full => Refusal::Conflict,
        })?;
        Ok(self.given(issued.client, password, None))
    }

    fn check(&self, rules: &ChannelRules) -> Result<(), Refusal> {
        if (1..=self.config.limits.capacity_max).contains(&rules.capacity) {
            Ok(())
        } else {
            Err(Refusal::Malformed("The capacity is 1 to the capacity_max of the configuration."))
        }
    }

    fn view(&self, channel: ChannelRecord) -> ChannelView {
        ChannelView { live: self.inside.count(channel.id), channel }
    }
}

fn done(ended: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Result<(), Refusal> {
    match ended {
        Ok(done) => Ok(done?),
        Err(error) => {
            tracing::error!(%error, "a change of channels has failed");
            Err(Refusal::Unavailable)
        }
    }
}

fn require(grant: &Grant) -> Result<(), Refusal> {
    Ok(grant.require(Permission::ManageRealm, &RealmId::installation(), now())?)
}
