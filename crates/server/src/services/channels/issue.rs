//! A visitor becomes a client, or gets another password (reference on verto, 8.4).

use std::time::Duration;

use backend::{Bearer, ChannelRecord, Issue, Issued, NotIssued, Outcome, StoreError};
use identity::{
    ChannelId, ClientId, Delivery, ProofKey, Secret, SessionName, TokenKind, hash, hash_hex, mint_hex,
};

use super::{Channels, Door, IceOffers};
use crate::ambient::{now, random, random_id};
use crate::audit::{Act, entry};
use crate::http::limits::Action;
use crate::services::Refusal;

/// As the audit record calls it.
pub(super) const ACTION: &str = "client.issue";

/// What a visitor says who wants a password.
#[derive(Debug, Default)]
pub struct Wish {
    /// What it calls its session, as it wrote it.
    pub session: Option<String>,
    /// An invitation.
    pub invitation: Option<Secret>,
    /// The key that it wants its password to be bound to.
    pub proof_key: Option<ProofKey>,
}

/// What a client gets.
#[derive(Debug)]
pub struct Given {
    /// Who it is.
    pub client: ClientId,
    /// Its password.
    pub password: Secret,
    /// The visitor's cookie; `None` for who has none.
    pub visitor: Option<Secret>,
    /// How long the password waits for its first login.
    pub good_for: Duration,
    /// Servers for ICE.
    pub ice: IceOffers,
}

/// Why a visitor gets no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueRefused {
    /// There is no such channel.
    NoChannel,
    /// The request comes from a page that may not ask for it.
    ForeignPage,
    /// The session has no name that could be one, or it is one of another channel.
    BadSession,
    /// Too many at once of this address.
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A client of this visitor was revoked.
    Barred,
    /// The session is not this visitor's.
    NotYours,
    /// It needs an invitation that is good.
    NotInvited,
    /// There are as many clients as there may be.
    Full,
    /// Something inside does not work; the log says what.
    Unavailable,
}

impl IssueRefused {
    /// For the audit record.
    const fn reason(self) -> &'static str {
        match self {
            Self::NoChannel => "no such channel",
            Self::ForeignPage => "a foreign page",
            Self::BadSession => "a bad session",
            Self::TooMany { .. } => "too many",
            Self::Barred => "barred",
            Self::NotYours => "another visitor's session",
            Self::NotInvited => "no invitation",
            Self::Full => "too many clients",
            Self::Unavailable => "not available",
        }
    }
}

impl From<NotIssued> for IssueRefused {
    fn from(refused: NotIssued) -> Self {
        match refused {
            NotIssued::NoChannel => Self::NoChannel,
            NotIssued::OtherChannel => Self::BadSession,
            NotIssued::Barred => Self::Barred,
            NotIssued::NotYours => Self::NotYours,
            NotIssued::NotAdmitted => Self::NotInvited,
            NotIssued::Full => Self::Full,
        }
    }
}

impl Channels {
    /// Finds the channel that a visitor asks for: the first rule of issuing, which pages follow too.
    ///
    /// # Errors
    /// `NoChannel`, `ForeignPage`, `Unavailable`.
    pub async fn find(&self, door: &Door) -> Result<ChannelRecord, IssueRefused> {
        let channel = door.channel.ok_or(IssueRefused::NoChannel)?;
        let found = self.store.channel(channel).await.map_err(unavailable)?;
        let found = found.ok_or(IssueRefused::NoChannel)?;
        if door.origin.is_not_foreign(&found.rules) { Ok(found) } else { Err(IssueRefused::ForeignPage) }
    }

    /// Gives a visitor of this channel a password, by the rules of the reference, 8.4, in their order.
    ///
    /// # Errors
    /// As [`IssueRefused`] says.
    pub async fn issue(&self, door: &Door, channel: ChannelId, wish: Wish) -> Result<Given, IssueRefused> {
        let given = self.try_issue(door, channel, wish).await;
        if let Err(refused) = given {
            let subject = channel.short();
            let act = Act { detail: refused.reason(), ..Act::by("", ACTION, &subject, door.from) };
            self.audit.counted(act, Outcome::Refused);
        }
        given
    }

    async fn try_issue(&self, door: &Door, channel: ChannelId, wish: Wish) -> Result<Given, IssueRefused> {
        let session = wish.session.as_deref().map(SessionName::parse).transpose();
        let session = session.map_err(|_| IssueRefused::BadSession)?;
        if let Some(session) = &session
            && self
                .store
                .channel_of_session(session)
                .await
                .map_err(unavailable)?
                .is_some_and(|of| of != channel)
        {
            return Err(IssueRefused::BadSession);
        }
        if let Err(Refusal::Busy { retry_after }) = self.limits.check(Action::Issue, door.from) {
            return Err(IssueRefused::TooMany { retry_after });
        }
        let visitor = mint_hex(random().map_err(|_| IssueRefused::Unavailable)?);
        let bearer = Bearer::Visitor {
            shown: door.visitor.as_ref().map(hash_hex),
            fresh: hash_hex(&visitor),
            invitation: wish.invitation.and_then(|shown| hash(TokenKind::Invitation, &shown).ok()),
        };
        let (issued, password) = self.give(door, channel, session, bearer, wish.proof_key).await?;
        let visitor = if issued.is_new_visitor { Some(visitor) } else { door.visitor.clone() };
        Ok(self.given(issued.client, password, visitor))
    }

    pub(super) fn given(&self, client: ClientId, password: Secret, visitor: Option<Secret>) -> Given {
        let ice = self.ice(client);
        Given { client, password, visitor, good_for: self.config.limits.fresh, ice }
    }

    /// Gives a visitor who is known by its cookie what a page of this channel carries for it (`delivery`): the password of its one client
    /// that has no other name for its session. `None` where the channel's pages carry nothing, and for a visitor who would get nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn issue_for_page(
        &self,
        door: &Door,
        channel: &ChannelRecord,
    ) -> Result<Option<Given>, IssueRefused> {
        let Some(visitor) = &door.visitor else { return Ok(None) };
        let visitor = hash_hex(visitor);
        if channel.rules.delivery != Delivery::Page
            || !door.origin.is_not_foreign(&channel.rules)
            || !self.store.knows_visitor(&visitor).await.map_err(unavailable)?
        {
            return Ok(None);
        }
        let client = self.store.nameless_client(channel.id, &visitor).await.map_err(unavailable)?;
        let session = client.map(|client| client.to_string());
        match self.issue(door, channel.id, Wish { session, ..Wish::default() }).await {
            Ok(given) => Ok(Some(given)),
            Err(IssueRefused::Unavailable) => Err(IssueRefused::Unavailable),
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn give(
        &self,
        door: &Door,
        channel: ChannelId,
        session: Option<SessionName>,
        bearer: Bearer,
        proof_key: Option<ProofKey>,
    ) -> Result<(Issued, Secret), IssueRefused> {
        let no_chance = |_| IssueRefused::Unavailable;
        let password = mint_hex(random().map_err(no_chance)?);
        let issue = Issue {
            channel,
            session,
            bearer,
            client: ClientId::from_random(random_id().map_err(no_chance)?),
            password: hash_hex(&password),
            proof_key,
            most: self.config.limits.clients_per_channel,
            at: now(),
        };
        let subject = channel.short();
        let line = |issued: &Issued| {
            let actor = issued.client.short();
            entry(Act::by(&actor, ACTION, &subject, door.from))
        };
        match self.store.issue_client(&issue, line).await {
            Ok(Ok(issued)) => Ok((issued, password)),
            Ok(Err(refused)) => Err(refused.into()),
            // Another request has named its session so at the same moment.
            Err(StoreError::Conflict) => Err(IssueRefused::NotYours),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: StoreError) -> IssueRefused {
    // The conversion writes the line.
    let _ = Refusal::from(error);
    IssueRefused::Unavailable
}
