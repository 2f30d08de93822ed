//! Who is in a call, and what is under way with their media. Held in memory: a restart forgets it, and the clients come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hub::{ConnectionId, Media as MediaStanding, State};
use identity::{Fingerprint, Permission, Permissions, RoomKey, SessionId};
use sfu::{
    Codec, Command, Event, EventKind, LeaveReason, Manners, ParticipantId, Profile, RoomId, SignalRefusal,
    Source, Sources,
};

use super::news::{Described, MediaNews};
use super::room::Room;
use super::{Seat, Welcome};
use crate::media::Busy;
use crate::outbox::Outbox;
use crate::services::{Admitted, Refusal, Told};

/// All members of all rooms.
#[derive(Debug, Default)]
pub(super) struct Table {
    members: BTreeMap<SessionId, Member>,
    /// Those with members.
    rooms: BTreeMap<RoomKey, Room>,
    /// Rooms whose members have not been told who speaks.
    untold: BTreeSet<RoomKey>,
    /// Of the latest media connection; unique among those that can still have events on their way.
    incarnation: u32,
}

/// A session that is attached or lingers.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) admitted: Admitted,
    /// `None` while it lingers.
    connection: Option<ConnectionId>,
    pub(super) outbox: Outbox<Told>,
    pub(super) media: Option<Media>,
    muted: Sources,
}

/// A media connection.
#[derive(Debug)]
pub(super) struct Media {
    label: String,
    incarnation: u32,
    connected: bool,
    /// The client's offer that waits for the engine.
    waiting: Option<u32>,
    /// Whether its data channel is open.
    channel: bool,
    /// Whether it was told that it says too much at once, and has said nothing since that was heard.
    hushed: bool,
    /// The last answer; a client that lost its socket may not have heard it.
    answered: Option<(u32, String)>,
}

/// A description that a client offers.
#[derive(Debug)]
pub struct Offer {
    /// The media connection.
    pub label: String,
    /// Comes back in the answer.
    pub id: u32,
    /// RFC 8866 text.
    pub sdp: String,
    /// Mid → source of every m-line that sends.
    pub sources: BTreeMap<String, Source>,
}

impl Table {
    /// Seats a session on a connection, and tells it who it is and the last answer, which it may have missed. Returns what the hub has to
    /// know.
    pub(super) fn seat(
        &mut self,
        admitted: Admitted,
        connection: ConnectionId,
        outbox: Outbox<Told>,
    ) -> MediaStanding {
        let session = admitted.session.id;
        let before = self.members.remove(&session);
        let room = self.rooms.entry(admitted.room).or_default();
        room.members.insert(session);
        let (media, muted) = before.map_or((None, Sources::default()), |member| (member.media, member.muted));
        let label = media.as_ref().map(|media| media.label.clone());
        outbox.say(Told::Welcome(Box::new(Welcome { admitted: admitted.clone(), media: label })));
        if let Some(media) = &media {
            media.tell_answer(&outbox);
        }
        if !room.is_silent() {
            outbox.say(Told::Speakers(room.speakers()));
        }
        let connected = media.as_ref().is_some_and(|media| media.connected);
        let member = Member { admitted, connection: Some(connection), outbox, media, muted };
        self.members.insert(session, member);
        if connected { MediaStanding::Up } else { MediaStanding::Gone }
    }

    /// Returns the member that speaks on this connection.
    pub(super) fn current(&mut self, seat: Seat) -> Result<&mut Member, Refusal> {
        let member = self.members.get_mut(&seat.session).ok_or(Refusal::Denied)?;
        if member.connection == Some(seat.connection) { Ok(member) } else { Err(Refusal::Denied) }
    }

    /// Notes that a connection is gone.
    pub(super) fn leave_seat(&mut self, seat: Seat) {
        if let Ok(member) = self.current(seat) {
            member.connection = None;
        }
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, session: SessionId) -> Option<Member> {
        let member = self.members.remove(&session)?;
        let key = member.admitted.room;
        self.in_room(key, |room| {
            room.members.remove(&session);
            room.falls_silent(session)
        });
        if self.rooms.get(&key).is_some_and(|room| room.members.is_empty()) {
            self.rooms.remove(&key);
            self.untold.remove(&key);
        }
        Some(member)
    }

    /// Takes a member out unless it has come back on a connection in the meantime.
    pub(super) fn remove_lingering(&mut self, session: SessionId) -> Option<Member> {
        let lingers = self.members.get(&session)?.connection.is_none();
        if lingers { self.remove(session) } else { None }
    }

    /// Returns the sessions of which `is` holds.
    pub(super) fn sessions(&self, is: impl Fn(&Admitted) -> bool) -> Vec<SessionId> {
        let members = self.members.iter();
        members.filter(|(_, member)| is(&member.admitted)).map(|(session, _)| *session).collect()
    }

    /// Returns the number of members, and of rooms with members.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.members.len(), self.rooms.len())
    }

    /// Brings an offer to the engine, after a join when its label is not the current one. An offer that the engine has already, as a
    /// client repeats it that lost its socket, is answered from memory.
    pub(super) fn offer(
        &mut self,
        seat: Seat,
        offer: Offer,
        send: impl Fn(RoomId, Command) -> Result<(), Busy>,
    ) -> Result<(), Refusal> {
        self.incarnation = self.incarnation.wrapping_add(1);
        let incarnation = self.incarnation;
        let member = self.current(seat)?;
        let (room, participant) = (member.room(), participant_id(seat.session));
        match member.media.as_ref().filter(|media| media.label == offer.label) {
            Some(media) if media.waiting == Some(offer.id) => return Ok(()),
            Some(media) if media.answered.as_ref().is_some_and(|(id, _)| *id == offer.id) => {
                media.tell_answer(&member.outbox);
                return Ok(());
            }
            Some(_) => (),
            // The engine would refuse it too, but only after the join has put an end to the media that there is.
            None if !is_bound(&member.admitted, &offer.sdp) => {
                member.outbox.say(Told::Media(MediaNews::Refused {
                    label: offer.label,
                    described: Described::Offer,
                    refusal: SignalRefusal::Fingerprint,
                }));
                return Ok(());
            }
            None => {
                let profile = profile(&member.admitted);
                let muted = member.muted;
                send(room, Command::Join { room, participant, incarnation, profile, muted })?;
                member.media = Some(Media::new(offer.label, incarnation));
                // The engine tells nothing more of the connection before, not even that somebody ceased to speak.
                let key = member.admitted.room;
                self.in_room(key, |room| room.falls_silent(seat.session));
            }
        }
        let Offer { id, sdp, sources, .. } = offer;
        send(room, Command::Offer { participant, id, sdp, sources })?;
        if let Some(media) = &mut self.current(seat)?.media {
            media.waiting = Some(id);
        }
        Ok(())
    }

    /// Takes an event of the engine, and returns what the hub has to know. Events of a media connection that is not the current one are
    /// of no matter.
    pub(super) fn take(&mut self, event: Event) -> Option<(SessionId, MediaStanding)> {
        let session = SessionId(event.participant.0);
        let member = self.members.get_mut(&session)?;
        let media = member.media.as_mut().filter(|media| media.incarnation == event.incarnation)?;
        let label = media.label.clone();
        match event.kind {
            EventKind::Answer { id, sdp } => {
                media.waiting = None;
                media.answered = Some((id, sdp));
                media.tell_answer(&member.outbox);
                None
            }
            EventKind::Offer { id, sdp, sending, .. } => {
                member.outbox.say(Told::Media(MediaNews::Offer { label, id, sdp, sending }));
                None
            }
            EventKind::Refused { id, refusal } => {
                let offer = media.waiting.take_if(|waiting| *waiting == id).is_some();
                let described = if offer { Described::Offer } else { Described::Answer };
                member.outbox.say(Told::Media(MediaNews::Refused { label, described, refusal }));
                None
            }
            EventKind::Connected => {
                media.connected = true;
                Some((session, MediaStanding::Up))
            }
            EventKind::Speaking(speaks) => {
                let room = member.admitted.room;
                self.in_room(room, |room| room.speaks(session, speaks));
                None
            }
            EventKind::ActiveSpeaker => {
                let room = member.admitted.room;
                self.in_room(room, |room| room.listens_to(session));
                None
            }
            EventKind::DataOpen { .. }
            | EventKind::Data { .. }
            | EventKind::Lock { .. }
            | EventKind::Tracks { .. }
            | EventKind::TakenUp { .. }
            | EventKind::Delivered { .. } => None,
            EventKind::Left(reason) => {
                member.media = None;
                if reason != LeaveReason::Asked {
                    member.outbox.say(Told::Media(MediaNews::Lost { label, reason }));
                }
                let room = member.admitted.room;
                self.in_room(room, |room| room.falls_silent(session));
                Some((session, MediaStanding::Gone))
            }
        }
    }
}

/// Who speaks, and whose data channels are open.
impl Table {
    /// Tells everybody in the rooms where it has changed who speaks.
    pub(super) fn tell_speakers(&mut self) {
        for room in std::mem::take(&mut self.untold).iter().filter_map(|room| self.rooms.get(room)) {
            let speakers = room.speakers();
            for member in room.members.iter().filter_map(|session| self.members.get(session)) {
                member.outbox.say(Told::Speakers(speakers.clone()));
            }
        }
    }

    /// Returns whether [`Table::tell_speakers`] has something to tell.
    pub(super) fn has_speakers_to_tell(&self) -> bool {
        !self.untold.is_empty()
    }

    fn in_room(&mut self, key: RoomKey, change: impl FnOnce(&mut Room) -> bool) {
        if self.rooms.get_mut(&key).is_some_and(change) {
            self.untold.insert(key);
        }
    }

    /// Notes that a data channel is open.
    pub(super) fn open_channel(&mut self, session: SessionId, incarnation: u32) {
        if let Some(media) = self.media(session, incarnation) {
            media.channel = true;
        }
    }

    /// Returns in which room somebody is who speaks by that media connection.
    pub(super) fn room_of(&mut self, session: SessionId, incarnation: u32) -> Option<RoomKey> {
        self.media(session, incarnation)?;
        Some(self.members.get(&session)?.admitted.room)
    }

    /// Notes whether somebody says too much at once; returns whether that is so and was so already.
    pub(super) fn hush(&mut self, session: SessionId, busy: bool) -> bool {
        let media = self.members.get_mut(&session).and_then(|member| member.media.as_mut());
        media.is_some_and(|media| std::mem::replace(&mut media.hushed, busy) && busy)
    }

    /// Returns everybody in a room whose data channel is open.
    pub(super) fn listeners(&self, room: RoomKey) -> impl Iterator<Item = SessionId> {
        let listens = |session: &SessionId| {
            let media = self.members.get(session).and_then(|member| member.media.as_ref());
            media.is_some_and(|media| media.channel)
        };
        self.rooms.get(&room).into_iter().flat_map(|room| &room.members).copied().filter(listens)
    }

    fn media(&mut self, session: SessionId, incarnation: u32) -> Option<&mut Media> {
        let media = self.members.get_mut(&session)?.media.as_mut()?;
        Some(media).filter(|media| media.incarnation == incarnation)
    }
}

impl Member {
    /// Returns where its media is.
    pub(super) fn room(&self) -> RoomId {
        room_id(self.admitted.room)
    }

    /// Notes whether a source is silent; returns what the others are shown.
    pub(super) fn mute(&mut self, source: Source, muted: bool) -> State {
        self.muted = if muted { self.muted.with(source) } else { self.muted.without(source) };
        let bits = Source::ALL.into_iter().enumerate().filter(|(_, source)| self.muted.contains(*source));
        State(bits.fold(0, |state, (bit, _)| state | 1 << bit))
    }

    /// Returns whether the label is that of its media connection.
    pub(super) fn has_media(&self, label: &str) -> bool {
        self.media.as_ref().is_some_and(|media| media.label == label)
    }
}

/// Returns which sources a [`State`] says are silent.
pub fn muted(state: State) -> impl Iterator<Item = Source> {
    let sources = Source::ALL.into_iter().enumerate();
    sources.filter(move |(bit, _)| state.0 & (1 << bit) != 0).map(|(_, source)| source)
}

impl Media {
    fn new(label: String, incarnation: u32) -> Self {
        let (waiting, answered) = (None, None);
        Self { label, incarnation, connected: false, waiting, channel: false, hushed: false, answered }
    }

    fn tell_answer(&self, outbox: &Outbox<Told>) {
        if let Some((id, sdp)) = self.answered.clone() {
            outbox.say(Told::Media(MediaNews::Answer { label: self.label.clone(), id, sdp }));
        }
    }
}

/// Voices that one hears at once; more are noise to a listener.
const MAX_VOICES: usize = 8;
/// Cameras sent to a client that does not say what it shows: a grid of 5 × 5.
const MAX_CAMERAS: usize = 25;
/// A key frame costs a publisher many times an ordinary one, and one serves all viewers.
const KEYFRAME_GAP: Duration = Duration::from_millis(500);

pub(super) fn room_id(room: RoomKey) -> RoomId {
    RoomId(room.0)
}

pub(super) fn participant_id(session: SessionId) -> ParticipantId {
    ParticipantId(session.0)
}

fn profile(admitted: &Admitted) -> Profile {
    Profile {
        fingerprint: admitted.session.grant.bound_to().first().map(|fingerprint| *fingerprint.as_bytes()),
        may_send: may_send(admitted.session.grant.permissions()),
        codecs: Codec::ALL.to_vec(),
        red: true,
        stream: admitted.session.id.to_string(),
        adapts: true,
        reports_sound: false,
        max_voices: MAX_VOICES,
        max_cameras: MAX_CAMERAS,
        keyframe_gap: KEYFRAME_GAP,
        manners: Manners::default(),
    }
}

/// Returns whether a description has a fingerprint, and none but the bound one (RFC 8122 §5).
fn is_bound(admitted: &Admitted, sdp: &str) -> bool {
    let bound = admitted.session.grant.bound_to();
    let mut claimed =
        sdp.lines().filter_map(|line| line.trim_end().strip_prefix("a=fingerprint:")).peekable();
    claimed.peek().is_some()
        && claimed.all(|text| Fingerprint::parse(text).is_ok_and(|claimed| bound.contains(&claimed)))
}

fn may_send(permissions: Permissions) -> Sources {
    let sources = permissions.iter().flat_map(|permission| match permission {
        Permission::Speak => [Some(Source::Voice), None],
        Permission::UseCamera => [Some(Source::Camera), None],
        Permission::ShareScreen => [Some(Source::Screen), Some(Source::ScreenAudio)],
        Permission::Moderate | Permission::ManageRealm | Permission::HostCalls | Permission::Signal => {
            [None, None]
        }
    });
    sources.flatten().collect()
}
