//! What ends somebody's session. The media and the socket end at once, however slow the store is; whoever asked hears of it when it is
//! written.

use std::time::Duration;

use backend::AuditEntry;
use hub::{Input, PuntReason, Refused};
use identity::{Grant, InviteId, Permission, RealmId, RoomKey, SessionId};
use sfu::Command;

use super::table::{participant_id, room_id};
use super::{Calls, Seat};
use crate::ambient::now;
use crate::audit::{Act, entry};
use crate::http::peer::Peer;
use crate::hub_driver::HubRefused;
use crate::services::accounts::actor;
use crate::services::{Admitted, Refusal};

/// When the engine's queue is full, how long until a command that must not be lost is tried again, and how often.
const RETRY: Duration = Duration::from_millis(5);
const TRIES: usize = 200;

impl Calls {
    /// Ends one's own session; its token is void.
    ///
    /// # Errors
    /// [`Refusal::Denied`] from a connection that is not the session's, [`Refusal::Unavailable`].
    pub async fn leave(&self, seat: Seat, from: Peer) -> Result<(), Refusal> {
        let room = self.table().current(seat)?.admitted.room;
        let id = seat.session.to_string();
        let detail = format!("room {room}");
        let act = entry(Act { detail: &detail, ..Act::by(&id, "session.leave", &id, from) });
        self.revoke(room, seat.session, PuntReason::Left, &act).await
    }

    /// Removes somebody from one's own room.
    ///
    /// # Errors
    /// [`Refusal::Denied`] from a connection that is not the session's, [`Refusal::Forbidden`] without the permission,
    /// [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn remove(&self, seat: Seat, session: SessionId, from: Peer) -> Result<(), Refusal> {
        let (grant, room) = self.place(seat)?;
        let act = removal(&grant, room, session, from);
        self.require(&grant, Permission::Moderate, &act)?;
        self.revoke(room, session, PuntReason::Removed, &act).await
    }

    /// Ends one's own room for everybody.
    ///
    /// # Errors
    /// As [`Calls::remove`].
    pub async fn end(&self, seat: Seat, from: Peer) -> Result<(), Refusal> {
        let (grant, room) = self.place(seat)?;
        let act = entry(Act::by(&actor(&grant), "room.end", &room.to_string(), from));
        self.require(&grant, Permission::Moderate, &act)?;
        self.close_room(room, &act).await
    }

    /// Removes a participant, as an operator.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn remove_as_operator(
        &self,
        grant: &Grant,
        room: RoomKey,
        session: SessionId,
        from: Peer,
    ) -> Result<(), Refusal> {
        let act = removal(grant, room, session, from);
        self.require(grant, Permission::ManageRealm, &act)?;
        self.revoke(room, session, PuntReason::Removed, &act).await
    }

    /// Ends a room, as an operator.
    ///
    /// # Errors
    /// As [`Calls::remove_as_operator`].
    pub async fn end_as_operator(&self, grant: &Grant, room: RoomKey, from: Peer) -> Result<(), Refusal> {
        let act = entry(Act::by(&actor(grant), "room.end", &room.to_string(), from));
        self.require(grant, Permission::ManageRealm, &act)?;
        self.close_room(room, &act).await
    }

    /// Takes an invite back, and the sessions that came by it.
    ///
    /// # Errors
    /// As [`Calls::remove_as_operator`].
    pub async fn revoke_invite(
        &self,
        grant: &Grant,
        room: RoomKey,
        invite: InviteId,
        from: Peer,
    ) -> Result<(), Refusal> {
        let act = entry(Act::by(&actor(grant), "invite.revoke", &invite.to_string(), from));
        self.require(grant, Permission::ManageRealm, &act)?;
        let came_by_it = |admitted: &Admitted| admitted.room == room && admitted.invite == invite;
        let write = self.store.revoke_invite(room, invite, now(), &act);
        let (written, ()) = tokio::join!(write, self.cut_those(came_by_it, PuntReason::Revoked));
        written.inspect_err(|_| self.audit.refused(&act))?;
        self.cut_those(came_by_it, PuntReason::Revoked).await;
        Ok(())
    }

    /// Returns what may be done on this seat, and in which room.
    fn place(&self, seat: Seat) -> Result<(Grant, RoomKey), Refusal> {
        let mut table = self.table();
        let admitted = &table.current(seat)?.admitted;
        Ok((admitted.session.grant.clone(), admitted.room))
    }

    /// Whoever tries what is not theirs to do is on record too.
    fn require(&self, grant: &Grant, permission: Permission, act: &AuditEntry) -> Result<(), Refusal> {
        let allowed = grant.require(permission, &RealmId::installation(), now());
        Ok(allowed.inspect_err(|_| self.audit.refused(act))?)
    }

    async fn revoke(
        &self,
        room: RoomKey,
        session: SessionId,
        reason: PuntReason,
        act: &AuditEntry,
    ) -> Result<(), Refusal> {
        let it = |admitted: &Admitted| admitted.room == room && admitted.session.id == session;
        let write = self.store.revoke_session(room, session, now(), act);
        let (written, ()) = tokio::join!(write, self.cut_those(it, reason));
        written.inspect_err(|_| self.audit.refused(act))?;
        // Again: it may have attached between the cut and the write.
        self.cut_those(it, reason).await;
        Ok(())
    }

    async fn close_room(&self, room: RoomKey, act: &AuditEntry) -> Result<(), Refusal> {
        let in_it = |admitted: &Admitted| admitted.room == room;
        let write = self.store.end_room(room, now(), act);
        let (written, ()) = tokio::join!(write, self.cut_those(in_it, PuntReason::Ended));
        written.inspect_err(|_| self.audit.refused(act))?;
        self.cut_those(in_it, PuntReason::Ended).await;
        Ok(())
    }

    pub(super) async fn cut_those(&self, which: impl Fn(&Admitted) -> bool, reason: PuntReason) {
        let sessions = self.table().sessions(which);
        for session in sessions {
            self.cut(session, reason).await;
        }
    }

    /// Ends a session's media, its socket and its presence.
    pub(super) async fn cut(&self, session: SessionId, reason: PuntReason) {
        let removed = self.table().remove(session);
        if let Some(member) = removed {
            member.outbox.close(reason);
            if member.media.is_some() {
                self.end_media(member.admitted.room, session).await;
            }
        }
        match self.hub.input(Input::Punt { session, reason }).await {
            Ok(()) | Err(HubRefused::Refused(Refused::NoSession)) => (),
            Err(refused) => tracing::warn!(?refused, "the hub did not punt a session"),
        }
    }

    /// Ends a session's media. The command must not be lost; the engine empties its queue within a millisecond unless it has ended.
    pub(super) async fn end_media(&self, room: RoomKey, session: SessionId) {
        for _ in 0..TRIES {
            let leave = Command::Leave { participant: participant_id(session) };
            if (self.media)(room_id(room), leave).is_ok() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
        tracing::error!("the media engine took no command for a second");
    }
}

fn removal(grant: &Grant, room: RoomKey, session: SessionId, from: Peer) -> AuditEntry {
    let (actor, subject, detail) = (actor(grant), session.to_string(), format!("room {room}"));
    entry(Act { detail: &detail, ..Act::by(&actor, "session.remove", &subject, from) })
}
