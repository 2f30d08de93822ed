//! What the shard does with who speaks: tells it, and forwards the voices that count.

use std::time::Instant;

use str0m::rtp::RtpPacket;

use crate::command::{Activity, EventKind, RoomId, Source};
use crate::shard::{Seat, Shard};
use crate::speaking::Change;

impl Shard {
    /// Takes note of a packet of somebody's voice. One without a level (RFC 6464) says nothing; a voice
    /// that never had one is always forwarded.
    pub(crate) fn hear(&mut self, now: Instant, seat: Seat, packet: &RtpPacket) {
        let Some(level) = packet.header.ext_vals.audio_level else { return };
        let Some(participant) = self.seats.get_mut(seat) else { return };
        let id = participant.room;
        if participant.profile.manners.activity == Activity::Variation
            && let Some(speaks) = participant.variation.hear(now, level)
        {
            self.tell_seat(seat, EventKind::Speaking(speaks));
        }
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.speaking.hear(now, seat, level, packet.header.ext_vals.voice_activity);
        self.follow_speakers(now, id);
    }

    /// A voice is silenced: where variation counts, that is told whether it spoke or not.
    pub(crate) fn reset_activity(&mut self, seat: Seat) {
        let Some(participant) = self.seats.get_mut(seat) else { return };
        if participant.profile.manners.activity == Activity::Variation {
            participant.variation.reset();
            self.tell_seat(seat, EventKind::Speaking(false));
        }
    }

    /// A voice that is published no more does not speak, either.
    pub(crate) fn settle_activity(&mut self, seat: Seat) {
        let Some(participant) = self.seats.get_mut(seat) else { return };
        let published = participant.published.iter().any(|track| track.source == Source::Voice);
        if !published && participant.variation.reset() {
            self.tell_seat(seat, EventKind::Speaking(false));
        }
    }

    /// Tells that somebody begins or ceases to be loud, where that is what counts.
    fn tell_loudness(&mut self, seat: Seat, loud: bool) {
        if self.seats.get(seat).is_some_and(|had| had.profile.manners.activity == Activity::Loudness) {
            self.tell_seat(seat, EventKind::Speaking(loud));
        }
    }

    /// A voice is silenced.
    pub(crate) fn hush(&mut self, now: Instant, seat: Seat) {
        let Some(id) = self.seats.get(seat).map(|participant| participant.room) else { return };
        if let Some(room) = self.rooms.get_mut(&id) {
            room.speaking.hush(seat);
            self.follow_speakers(now, id);
        }
    }

    pub(crate) fn wake_room(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.scheduled = None;
        room.speaking.handle_timeout(now);
        self.follow_speakers(now, id);
    }

    /// Does what follows from a change among the speakers.
    pub(crate) fn follow_speakers(&mut self, now: Instant, id: RoomId) {
        while let Some(change) = self.rooms.get_mut(&id).and_then(|room| room.speaking.poll_change()) {
            match change {
                Change::Began(seat) => self.tell_loudness(seat, true),
                Change::Ceased(seat) => self.tell_loudness(seat, false),
                Change::Active(Some(seat)) => self.tell_seat(seat, EventKind::ActiveSpeaker),
                // Who had the floor has left, or has a new connection: both are known where they are told.
                Change::Active(None) => {}
                Change::Voices => self.rank_voices(id),
                Change::Speakers => self.follow_cameras(now, id),
            }
        }
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if let Some(deadline) = room.speaking.next_deadline()
            && room.scheduled.is_none_or(|scheduled| deadline < scheduled)
        {
            room.scheduled = Some(deadline);
            self.room_timers.push(deadline, id);
        }
    }

    pub(crate) fn rank_voices(&mut self, id: RoomId) {
        let Self { rooms, seats, .. } = self;
        let Some(room) = rooms.get(&id) else { return };
        for (rank, seat) in room.speaking.loudest(usize::MAX).enumerate() {
            let tracks = seats.get_mut(seat).into_iter().flat_map(|found| &mut found.published);
            tracks.filter(|track| track.source == Source::Voice).for_each(|track| track.rank = rank);
        }
    }

    /// Where more cameras are on than a viewer is sent that does not say what it shows, those of the latest speakers count.
    fn follow_cameras(&mut self, now: Instant, id: RoomId) {
        let Some(members) = self.rooms.get(&id).map(|room| room.members.clone()) else { return };
        for viewer in &members {
            let Some(participant) = self.seats.get_mut(*viewer) else { continue };
            if participant.view.is_none() && members.len() > participant.profile.max_cameras {
                participant.adapt_at = Some(now);
                self.schedule(*viewer);
            }
        }
    }
}
