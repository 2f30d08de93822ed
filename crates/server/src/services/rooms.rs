//! Rooms and invites: made, shown and redeemed. What ends somebody's session is in `calls`.

use std::sync::Arc;
use std::time::Duration;

use backend::{
    AuditRecord, InviteRecord, NewInvite, NewRoom, NewSession, Outcome, RoomRecord, Store, StoreError,
};
use hub::{Channel, Present};
use identity::{
    Fingerprint, Grant, InviteId, Permission, Permissions, PublicKey, RealmId, RoomKey, Secret, SessionId,
    TokenKind, UnixMillis, hash, mint,
};

use super::Refusal;
use super::accounts::actor;
use crate::ambient::{now, random, random_id};
use crate::audit::{Act, Audit, entry};
use crate::config::PublicUrl;
use crate::http::peer::Peer;
use crate::hub_driver::HubHandle;

/// How long a session token is good (`docs/faces/rooms.md`, "Reconnecting").
const SESSION_GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What operators and holders of invites do with rooms.
#[derive(Debug)]
pub struct Rooms {
    store: Store,
    audit: Audit,
    hub: HubHandle,
    public_url: PublicUrl,
}

/// What a browser says when it redeems an invite.
#[derive(Debug)]
pub struct Joining {
    /// The invite's secret.
    pub invite: Secret,
    /// As the others will see it.
    pub name: String,
    /// Of the certificate that will carry the media.
    pub fingerprint: Fingerprint,
    /// Of the key that will sign the first messages.
    pub key: PublicKey,
}

/// What it gets.
#[derive(Debug)]
pub struct Joined {
    /// Who it now is.
    pub session: SessionId,
    /// Its secret.
    pub token: Secret,
    /// Where.
    pub room: RoomKey,
    /// As people see it.
    pub room_name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// An invite with its secret, which is known only at this moment.
#[derive(Debug)]
pub struct Invited {
    /// The invite.
    pub invite: NewInvite,
    /// What to open in a browser.
    pub url: String,
}

/// A room as its operator sees it.
#[derive(Debug)]
pub struct RoomView {
    /// As stored.
    pub room: RoomRecord,
    /// Who is there, in order of joining.
    pub present: Arc<[Present]>,
    /// Newest first.
    pub invites: Vec<InviteRecord>,
}

impl Rooms {
    /// Makes the service. Links begin with `public_url`.
    #[must_use]
    pub fn new(store: Store, audit: Audit, hub: HubHandle, public_url: PublicUrl) -> Self {
        Self { store, audit, hub, public_url }
    }

    /// Makes a room.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Unavailable`].
    pub async fn create(&self, grant: &Grant, name: String, from: Peer) -> Result<NewRoom, Refusal> {
        require(grant)?;
        let room = NewRoom { id: RoomKey(random_id()?), name, created_at: now() };
        let subject = room.id.to_string();
        let actor = actor(grant);
        let act = entry(Act::by(&actor, "room.create", &subject, from));
        self.store.create_room(&room, &act).await.inspect_err(|_| self.audit.refused(&act))?;
        Ok(room)
    }

    /// Returns the rooms that have not ended, newest first, and how many are in each.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Unavailable`].
    pub async fn list(&self, grant: &Grant) -> Result<Vec<(RoomRecord, usize)>, Refusal> {
        require(grant)?;
        let mut rooms = Vec::new();
        for room in self.store.rooms().await? {
            let present = self.hub.present(channel(room.id)).await?.len();
            rooms.push((room, present));
        }
        Ok(rooms)
    }

    /// Returns a room that has not ended.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn show(&self, grant: &Grant, room: RoomKey) -> Result<RoomView, Refusal> {
        require(grant)?;
        let found = self.store.room(room).await?.filter(|room| room.ended_at.is_none());
        let room = found.ok_or(Refusal::NotFound)?;
        let present = self.hub.present(channel(room.id)).await?;
        let invites = self.store.invites_of(room.id).await?;
        Ok(RoomView { room, present, invites })
    }

    /// Makes an invite to a room.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn invite(
        &self,
        grant: &Grant,
        room: RoomKey,
        uses: u32,
        good_for: Duration,
        permissions: Permissions,
        from: Peer,
    ) -> Result<Invited, Refusal> {
        require(grant)?;
        let secret = mint(TokenKind::Invite, random()?);
        let created_at = now();
        let invite = NewInvite {
            id: InviteId(random_id()?),
            room,
            token: hash(TokenKind::Invite, &secret).map_err(|_| Refusal::Unavailable)?,
            uses,
            permissions,
            created_at,
            expires_at: created_at.saturating_add(good_for),
        };
        let subject = invite.id.to_string();
        let detail = format!("room {room}, uses {uses}, may {permissions}");
        let actor = actor(grant);
        let act = entry(Act { detail: &detail, ..Act::by(&actor, "invite.create", &subject, from) });
        self.store.create_invite(&invite, &act).await.inspect_err(|_| self.audit.refused(&act))?;
        let url = format!("{}/r/{room}#{}", self.public_url, secret.expose());
        Ok(Invited { invite, url })
    }

    /// Redeems an invite for a session that is bound to two keys of the browser.
    ///
    /// # Errors
    /// [`Refusal::Denied`] for an invite that is unknown, expired, used up, revoked, or of an ended room; [`Refusal::Unavailable`].
    pub async fn redeem(&self, joining: Joining, from: Peer) -> Result<Joined, Refusal> {
        let id = SessionId(random_id()?);
        let token = mint(TokenKind::Session, random()?);
        let at = now();
        let expires_at = at.saturating_add(SESSION_GOOD_FOR);
        let session = NewSession {
            id,
            token: hash(TokenKind::Session, &token).map_err(|_| Refusal::Unavailable)?,
            name: joining.name,
            fingerprint: joining.fingerprint,
            key: joining.key,
            expires_at,
        };
        let actor = id.to_string();
        // A secret in another form is looked up all the same, under a hash that no invite has: it costs what an unknown one costs.
        let invite = hash(TokenKind::Invite, &joining.invite).unwrap_or(session.token);
        let accepted = |redeemed: &backend::Redeemed| {
            let subject = redeemed.invite.to_string();
            entry(Act::by(&actor, "invite.redeem", &subject, from))
        };
        let redeemed = match self.store.redeem_invite(&invite, &session, at, accepted).await {
            Ok(redeemed) => redeemed,
            Err(StoreError::Conflict) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(redeemed) = redeemed else {
            self.audit.counted(Act::by("", "invite.redeem", "", from), Outcome::Refused);
            return Err(Refusal::Denied);
        };
        Ok(Joined {
            session: id,
            token,
            room: redeemed.room,
            room_name: redeemed.room_name,
            permissions: redeemed.permissions,
            expires_at,
        })
    }

    /// Returns a page of the audit record, newest first; with `about` only what concerns this room, whether there is one or not.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Unavailable`].
    pub async fn audit_page(
        &self,
        grant: &Grant,
        about: Option<RoomKey>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, Refusal> {
        require(grant)?;
        Ok(match about {
            Some(room) => self.store.audit_page_of_room(room, before, limit).await?,
            None => self.store.audit_page(before, limit).await?,
        })
    }
}

/// Returns the hub's address of those who are in a room.
pub(super) fn channel(room: RoomKey) -> Channel {
    Channel::call(&RealmId::installation(), &room.to_string())
}

fn require(grant: &Grant) -> Result<(), Refusal> {
    Ok(grant.require(Permission::ManageRealm, &RealmId::installation(), now())?)
}
