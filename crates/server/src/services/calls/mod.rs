//! Join, signal, leave; remove, revoke, end: whoever is in a call, from the first socket to the last packet.

mod channel;
mod ending;
mod news;
mod room;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use backend::Store;
use hub::{ConnectionId, Input, PuntReason};
use identity::SessionId;
use sfu::{Command, Event, EventKind, RoomId, Source, Tile};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::table::{Table, participant_id};
use super::rooms::channel;
use super::{Admitted, Refusal, Told};
use crate::ambient::now;
use crate::audit::Audit;
use crate::http::limits::Limits;
use crate::hub_driver::{HubHandle, HubRefused};
use crate::media::{Busy, MediaPool};
use crate::outbox::Outbox;

pub use channel::{Dialect, Said, Saying};
pub use news::{Described, MediaNews};
pub use room::Speakers;
pub use table::{Offer, muted};

/// How late a grant's end may be noticed.
const EXPIRY_TICK: Duration = Duration::from_secs(1);
/// Least time between two messages that tell a room who speaks.
const SPEAKERS_GAP: Duration = Duration::from_millis(200);
/// What a client is told to wait when the engine's queue is full.
const BUSY: Duration = Duration::from_secs(1);

/// The service.
pub struct Calls {
    store: Store,
    audit: Audit,
    hub: HubHandle,
    media: Engine,
    /// How much may be said by data channels.
    limits: Arc<Limits>,
    dialect: Dialect,
    table: Mutex<Table>,
    /// Held while a session takes its place in the hub and in the table: two sockets of one session must come in the same order to both.
    entering: tokio::sync::Mutex<()>,
}

/// The way to the media engine.
type Engine = Box<dyn Fn(RoomId, Command) -> Result<(), Busy> + Send + Sync>;

/// What the service works with.
pub struct Parts {
    /// The truth.
    pub store: Store,
    /// Who did what.
    pub audit: Audit,
    /// Who is where.
    pub hub: HubHandle,
    /// How much one session may say.
    pub limits: Arc<Limits>,
    /// How people say it.
    pub dialect: Dialect,
}

/// A session on the connection by which it speaks. What a connection says that has lost its session to another is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub session: SessionId,
    /// By which socket.
    pub connection: ConnectionId,
}

/// What a session hears first on a connection.
#[derive(Debug, Clone)]
pub struct Welcome {
    /// Who it is, and where.
    pub admitted: Admitted,
    /// The label of the media connection that is still up.
    pub media: Option<String>,
}

impl Calls {
    /// Makes the service.
    #[must_use]
    pub fn new(parts: Parts, media: MediaPool) -> Self {
        Self::with_engine(parts, Box::new(move |room, command| media.send(room, command)))
    }

    fn with_engine(parts: Parts, media: Engine) -> Self {
        let Parts { store, audit, hub, limits, dialect } = parts;
        let (table, entering) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { store, audit, hub, media, limits, dialect, table, entering }
    }

    /// Puts a session that was believed on a connection; what it is to be told goes to `outbox`. An older connection of the session is
    /// closed.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the room is full, [`Refusal::Denied`] when the session was revoked meanwhile, [`Refusal::Unavailable`].
    pub async fn attach(
        &self,
        admitted: Admitted,
        connection: ConnectionId,
        outbox: Outbox<Told>,
    ) -> Result<Seat, Refusal> {
        let (session, token) = (admitted.session.id, admitted.token);
        let principal = admitted.session.grant.principal().clone();
        self.hub.open(connection, principal, outbox.clone()).await?;
        let room = table::room_id(admitted.room);
        let entering = self.entering.lock().await;
        if let Err(refused) = self.enter(&admitted, connection).await {
            let _ = self.hub.input(Input::Drop { connection }).await;
            return Err(refused.into());
        }
        let media = self.table().seat(admitted, connection, outbox);
        drop(entering);
        // An offer of the engine that was lost with the old socket; if it takes no command now, the client's next one gets it going.
        let _ = (self.media)(room, Command::Repeat { participant: participant_id(session) });
        let _ = self.hub.input(Input::SetMedia { session, media }).await;
        // A revocation that was written after the session was believed has cut only what was seated by then.
        let seat = Seat { session, connection };
        let record =
            self.store.session_by_token(&token).await.inspect_err(|_| self.table().leave_seat(seat))?;
        if record.is_none_or(|record| record.participant.token.revoked.is_some()) {
            self.cut(session, PuntReason::Revoked).await;
            return Err(Refusal::Denied);
        }
        Ok(seat)
    }

    async fn enter(&self, admitted: &Admitted, connection: ConnectionId) -> Result<(), HubRefused> {
        let session = admitted.session.id;
        self.hub.input(Input::Attach { session: admitted.session.clone(), connection }).await?;
        self.hub.input(Input::Join { session, channel: channel(admitted.room) }).await
    }

    /// Notes that a connection is gone, whether or not it ever carried a session.
    pub async fn disconnected(&self, connection: ConnectionId, seat: Option<Seat>) {
        if let Some(seat) = seat {
            self.table().leave_seat(seat);
        }
        let _ = self.hub.input(Input::Drop { connection }).await;
    }

    /// Brings an offer to the engine; a label that is not the current one makes a media connection in the place of the current one.
    ///
    /// # Errors
    /// [`Refusal::Denied`] from a connection that is not the session's, [`Refusal::Busy`]. What the engine refuses comes later, as
    /// [`MediaNews::Refused`].
    pub fn offer(&self, seat: Seat, offer: Offer) -> Result<(), Refusal> {
        self.table().offer(seat, offer, &self.media)
    }

    /// Brings an answer to the engine; one of an old media connection is ignored.
    ///
    /// # Errors
    /// As [`Calls::offer`].
    pub fn answer(&self, seat: Seat, label: &str, id: u32, sdp: String) -> Result<(), Refusal> {
        let participant = participant_id(seat.session);
        self.describe(seat, label, Command::Answer { participant, id, sdp })
    }

    /// Brings a candidate to the engine; one of an old media connection is ignored, and so is the end of the list.
    ///
    /// # Errors
    /// As [`Calls::offer`].
    pub fn candidate(&self, seat: Seat, label: &str, candidate: String) -> Result<(), Refusal> {
        if candidate.is_empty() {
            return Ok(());
        }
        let participant = participant_id(seat.session);
        self.describe(seat, label, Command::Candidate { participant, candidate })
    }

    /// Tells the engine what a participant shows, all of it, the most important first; of no matter without a media connection.
    ///
    /// # Errors
    /// As [`Calls::offer`].
    pub fn view(&self, seat: Seat, tiles: Option<Vec<Tile>>) -> Result<(), Refusal> {
        let mut table = self.table();
        let member = table.current(seat)?;
        if member.media.is_some() {
            (self.media)(member.room(), Command::View { participant: participant_id(seat.session), tiles })?;
        }
        Ok(())
    }

    fn describe(&self, seat: Seat, label: &str, command: Command) -> Result<(), Refusal> {
        let mut table = self.table();
        let member = table.current(seat)?;
        if member.has_media(label) {
            (self.media)(member.room(), command)?;
        }
        Ok(())
    }

    /// Stops or resumes the forwarding of one's own source, and shows it to the others.
    ///
    /// # Errors
    /// As [`Calls::offer`].
    pub async fn mute(&self, seat: Seat, source: Source, muted: bool) -> Result<(), Refusal> {
        let state = {
            let mut table = self.table();
            let member = table.current(seat)?;
            if member.media.is_some() {
                let participant = participant_id(seat.session);
                (self.media)(member.room(), Command::Mute { participant, source, muted })?;
            }
            member.mute(source, muted)
        };
        Ok(self.hub.input(Input::SetState { session: seat.session, state }).await?)
    }

    /// Takes what the engine says, and ends what has expired. Runs until the engine has ended.
    pub async fn run(&self, mut events: mpsc::Receiver<Event>) {
        let mut tick = tokio::time::interval(EXPIRY_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = tokio::time::interval(SPEAKERS_GAP);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let speakers_changed = self.table().has_speakers_to_tell();
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else {
                        self.table().tell_speakers();
                        return;
                    };
                    self.take(event).await;
                }
                _ = beat.tick(), if speakers_changed => self.table().tell_speakers(),
                _ = tick.tick() => {
                    let at = now();
                    self.cut_those(|admitted| admitted.session.grant.is_expired(at), PuntReason::Expired).await;
                }
            }
        }
    }

    async fn take(&self, event: Event) {
        if matches!(event.kind, EventKind::DataOpen { .. } | EventKind::Data { .. }) {
            self.take_data(event);
            return;
        }
        let news = self.table().take(event);
        if let Some((session, media)) = news {
            let _ = self.hub.input(Input::SetMedia { session, media }).await;
        }
    }

    /// Ends the media of sessions that lingered too long. Runs until the hub has ended, which does not end while this holds the
    /// service: so only while there is something to do. Never waits for the hub, which waits for it.
    pub async fn forget(calls: Weak<Self>, mut expired: mpsc::Receiver<SessionId>) {
        while let Some(session) = expired.recv().await {
            let Some(calls) = calls.upgrade() else { return };
            let gone = calls.table().remove_lingering(session);
            if let Some(member) = gone.filter(|member| member.media.is_some()) {
                calls.end_media(member.admitted.room, session).await;
            }
        }
    }

    /// Returns how many sessions are attached or linger, and in how many rooms.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.table().count()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Busy> for Refusal {
    fn from(_: Busy) -> Self {
        Self::Busy { retry_after: BUSY }
    }
}
