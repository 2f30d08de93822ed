//! What participants of a room mean to each other: joining, leaving, and who sees whose tracks.

use std::collections::BTreeSet;
use std::time::Instant;

use rand::Rng;
use str0m::channel::ChannelData;
use str0m::stats::PeerStats;
use str0m::{Event as RtcEvent, IceConnectionState};

use crate::command::{Command, EventKind, LeaveReason, ParticipantId, RoomId, Source};
use crate::data::Flood;
use crate::names::Name;
use crate::negotiate::{HeldOffer, OurOffer};
use crate::participant::{Joining, Link, Participant, Setup, build_rtc};
use crate::shard::{Seat, Shard};
use crate::speaking::Speaking;
use crate::track::Outgoing;
use crate::{sdp, ufrag};

/// Those who share a call's media.
#[derive(Debug)]
pub(crate) struct Room {
    pub members: Vec<Seat>,
    pub speaking: Speaking<Seat>,
    /// The earliest entry for this room in the shard's timers.
    pub scheduled: Option<Instant>,
}

impl Default for Room {
    fn default() -> Self {
        Self { members: Vec::new(), speaking: Speaking::new(), scheduled: None }
    }
}

impl Shard {
    pub(crate) fn obey(&mut self, now: Instant, command: Command) {
        match command {
            Command::Join { room, participant, incarnation, profile, muted } => {
                self.join(now, Joining { room, participant, incarnation, profile, muted });
            }
            Command::Offer { participant, id, sdp, sources } => {
                self.take_offer(now, participant, HeldOffer { id, sdp, sources });
            }
            Command::Answer { participant, id, sdp } => {
                self.signal(now, participant, id, |member| member.accept_answer(now, id, &sdp));
                if let Some(seat) = self.by_id.get(&participant).copied() {
                    let mut taken_up = None;
                    if let Some(member) = self.seats.get_mut(seat) {
                        member.negotiation.is_answered(now);
                        taken_up = member.negotiation.taken_up.take();
                    }
                    if let Some(id) = taken_up {
                        self.tell_seat(seat, EventKind::TakenUp { id });
                        self.settle_activity(seat);
                        self.rewire_room_of(now, seat);
                    }
                    self.adapt(now, seat);
                    self.offer(now, seat);
                }
            }
            Command::Repeat { participant } => {
                if let Some(seat) = self.by_id.get(&participant).copied() {
                    self.repeat_offer(now, seat, true);
                }
            }
            // ICE-lite: the other side checks and we answer.
            Command::Candidate { .. } => {}
            Command::Name { participant, sources } => self.name(now, participant, &sources),
            Command::Lock { participant } => self.lock(now, participant),
            Command::Unlock { participant } => self.unlock(now, participant),
            Command::Mute { participant, source, muted } => self.mute(now, participant, source, muted),
            Command::View { participant, tiles } => self.view(now, participant, tiles),
            Command::Data { participant, label, binary, bytes } => {
                self.write_data(now, participant, &label, binary, bytes);
            }
            Command::Deliver { participant, label, id } => self.deliver(now, participant, &label, id),
            Command::Leave { participant } => {
                if let Some(seat) = self.by_id.get(&participant).copied() {
                    self.leaving.push((seat, LeaveReason::Asked));
                }
            }
            Command::CloseRoom(room) => {
                let members = self.rooms.get(&room).into_iter().flat_map(|room| &room.members);
                self.leaving.extend(members.map(|seat| (*seat, LeaveReason::Asked)));
            }
        }
    }

    /// Takes an offer of the participant: answers it, keeps it until the data channel is open, or lets it give way to ours.
    fn take_offer(&mut self, now: Instant, participant: ParticipantId, offer: HeldOffer) {
        let Some(seat) = self.by_id.get(&participant).copied() else { return };
        if let Some(member) = self.seats.get_mut(seat) {
            if member.negotiation.awaits_channel && offer.sdp.len() <= sdp::MAX_SDP {
                member.negotiation.held = Some(offer);
                return;
            }
            if member.negotiation.insists(now, member.profile.manners.glare) {
                return member.pass_over(now, &offer);
            }
        }
        let HeldOffer { id, sdp, sources } = offer;
        self.fit_to_first_offer(now, participant, &sdp);
        let mut answer = None;
        self.signal(now, participant, id, |member| {
            answer = Some(member.accept_offer(&sdp, &sources)?);
            Ok(())
        });
        if let Some(sdp) = answer {
            let sdp = self.keep_ufrag_ours(seat, sdp);
            self.tell_seat(seat, EventKind::Answer { id, sdp });
            self.settle_activity(seat);
            self.rewire_room_of(now, seat);
        } else {
            // While its own was under way the participant ignored ours.
            self.repeat_offer(now, seat, true);
        }
    }

    /// A data channel of the participant is open: what has waited for that goes on.
    fn channel_is_open(&mut self, now: Instant, seat: Seat) {
        let Some(member) = self.seats.get_mut(seat) else { return };
        if std::mem::take(&mut member.negotiation.awaits_channel) {
            let (id, held) = (member.id, member.negotiation.held.take());
            if let Some(offer) = held {
                self.take_offer(now, id, offer);
            }
            self.schedule(seat);
        }
    }

    fn lock(&mut self, now: Instant, id: ParticipantId) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let Some(member) = self.seats.get_mut(seat) else { return };
        let ours = member.negotiation.is_ours(now);
        let granted = member.negotiation.lock.ask(now, ours);
        self.tell_seat(seat, EventKind::Lock { granted });
        self.schedule(seat);
    }

    fn unlock(&mut self, now: Instant, id: ParticipantId) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        if let Some(member) = self.seats.get_mut(seat) {
            member.negotiation.lock.release(now);
        }
        self.schedule(seat);
    }

    pub(crate) fn handle_event(&mut self, now: Instant, seat: Seat, event: RtcEvent) {
        match event {
            RtcEvent::RtpPacket(packet) => self.forward(now, seat, &packet),
            RtcEvent::KeyframeRequest(request) => {
                self.keyframe_wanted(now, seat, |track| track.mid == Some(request.mid));
            }
            RtcEvent::Connected => self.connected(now, seat),
            RtcEvent::IceConnectionStateChange(state) => {
                let Some(participant) = self.seats.get_mut(seat) else { return };
                match state {
                    IceConnectionState::Disconnected => participant.went_silent(now),
                    IceConnectionState::Connected | IceConnectionState::Completed => participant.came_back(),
                    IceConnectionState::New | IceConnectionState::Checking => {}
                }
            }
            RtcEvent::ChannelOpen(id, label) => {
                let mut open = Ok(None);
                self.change(seat, |participant| {
                    open = participant.channels.opened(now, &mut participant.rtc, id, label);
                    Ok(())
                });
                match open {
                    Ok(Some(open)) => {
                        self.tell_seat(seat, open);
                        self.channel_is_open(now, seat);
                    }
                    Ok(None) => {}
                    Err(Flood) => self.leaving.push((seat, LeaveReason::Flooding)),
                }
            }
            RtcEvent::ChannelData(ChannelData { id, binary, data }) => {
                let Some(participant) = self.seats.get_mut(seat) else { return };
                match participant.channels.received(now, id, binary, data) {
                    Ok(Some(message)) => self.tell_seat(seat, message),
                    Ok(None) => {}
                    Err(Flood) => self.leaving.push((seat, LeaveReason::Flooding)),
                }
            }
            RtcEvent::ChannelBufferedAmountLow(_) => {
                let mut delivered = Vec::new();
                self.change(seat, |participant| {
                    participant.channels.pump(&mut participant.rtc);
                    delivered = participant.channels.delivered(&mut participant.rtc);
                    participant.tick(now)
                });
                delivered.into_iter().for_each(|kind| self.tell_seat(seat, kind));
            }
            RtcEvent::ChannelClose(id) => self.change(seat, |participant| {
                participant.channels.closed(&mut participant.rtc, id);
                participant.tick(now)
            }),
            RtcEvent::PeerStats(PeerStats { bwe_tx: Some(estimate), .. }) => {
                self.estimated(now, seat, estimate.as_u64());
            }
            RtcEvent::Closed => self.leaving.push((seat, LeaveReason::Closed)),
            _ => {}
        }
    }

    fn join(&mut self, now: Instant, joining: Joining) {
        let (id, room, incarnation) = (joining.participant, joining.room, joining.incarnation);
        if let Some(refusal) = self.join_refusal(room, id) {
            return self.tell(id, incarnation, EventKind::Left(LeaveReason::Refused(refusal)));
        }
        let before = self.by_id.get(&id).copied().and_then(|seat| self.take_out(seat));
        let creds = ufrag::mint(self.config.index, &mut self.rng);
        let text = creds.ufrag.clone();
        let setup = Setup {
            candidates: &self.candidates,
            certificate: &self.config.certificate,
            dtls_1_3: self.config.dtls_1_3,
            crypto: &self.crypto,
        };
        let participant = Participant::new(joining, creds, &setup, now);
        let seat = self.seats.insert(participant);
        self.by_id.insert(id, seat);
        self.rooms.entry(room).or_default().members.push(seat);
        self.demux.expect(seat, &text);
        self.change(seat, |participant| participant.tick(now));
        if let Some(before) = before {
            // The others lose the old connection's tracks until the new one publishes.
            self.rewire(now, before.room);
        }
    }

    /// Ends a participant's media at once and tells both sides.
    pub(crate) fn remove(&mut self, now: Instant, seat: Seat, reason: LeaveReason) {
        let Some(participant) = self.take_out(seat) else { return };
        self.tell(participant.id, participant.incarnation, EventKind::Left(reason));
        self.follow_speakers(now, participant.room);
        self.rewire(now, participant.room);
    }

    fn take_out(&mut self, seat: Seat) -> Option<Participant> {
        // The other side learns of it by DTLS close_notify.
        self.change(seat, |participant| participant.rtc.close());
        self.leaving.retain(|(leaving, _)| *leaving != seat);
        let participant = self.seats.remove(seat)?;
        self.demux.forget(seat);
        self.by_id.remove(&participant.id);
        if let Some(room) = self.rooms.get_mut(&participant.room) {
            room.members.retain(|member| *member != seat);
            room.speaking.leave(seat);
            if room.members.is_empty() {
                self.rooms.remove(&participant.room);
            }
        }
        Some(participant)
    }

    /// Applies a description, and tells the participant if it is refused.
    fn signal(
        &mut self,
        now: Instant,
        id: ParticipantId,
        of: u32,
        apply: impl FnOnce(&mut Participant) -> Result<(), crate::command::SignalRefusal>,
    ) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let mut refusal = None;
        self.change(seat, |participant| {
            refusal = apply(participant).err();
            participant.tick(now)
        });
        if let Some(refusal) = refusal {
            self.tell_seat(seat, EventKind::Refused { id: of, refusal });
        }
        self.leave_if_spent(seat);
    }

    fn leave_if_spent(&mut self, seat: Seat) {
        if self.seats.get(seat).is_some_and(|participant| participant.spent) {
            self.leaving.push((seat, LeaveReason::Spent));
        }
    }

    pub(crate) fn tell_seat(&mut self, seat: Seat, kind: EventKind) {
        if let Some((id, incarnation)) = self.seats.get(seat).map(|found| (found.id, found.incarnation)) {
            self.tell(id, incarnation, kind);
        }
    }

    /// An offer with new ICE credentials (an ICE restart) makes str0m choose new ones for us, which do not name the shard. They give way
    /// to some that do, in the answer too.
    fn keep_ufrag_ours(&mut self, seat: Seat, answer: String) -> String {
        let Some(participant) = self.seats.get_mut(seat) else { return answer };
        let chosen = participant.rtc.direct_api().local_ice_credentials();
        if self.demux.expects(seat, &chosen.ufrag) {
            return answer;
        }
        let ours = ufrag::mint(self.config.index, &mut self.rng);
        self.demux.expect(seat, &ours.ufrag);
        let answer = sdp::with_credentials(&answer, &ours);
        participant.rtc.direct_api().set_local_ice_credentials(ours);
        answer
    }

    /// An estimate of what a participant can take needs reports of arrivals (TWCC). Without them its pacer would hold packets back for
    /// nothing. An offer of nothing but a data channel does not say; who begins with that is taken at its profile's word.
    fn fit_to_first_offer(&mut self, now: Instant, id: ParticipantId, offer: &str) {
        let Some(participant) = self.by_id.get(&id).and_then(|seat| self.seats.get_mut(*seat)) else {
            return;
        };
        let says = |offer: &str| offer.contains("\nm=audio") || offer.contains("\nm=video");
        let decides = participant.profile.adapts
            && !participant.negotiation.has_started()
            && !offer.contains("transport-cc")
            && says(offer)
            && participant.check(offer).is_ok();
        if !decides {
            return;
        }
        participant.profile.adapts = false;
        let creds = participant.rtc.direct_api().local_ice_credentials();
        let setup = Setup {
            candidates: &self.candidates,
            certificate: &self.config.certificate,
            dtls_1_3: self.config.dtls_1_3,
            crypto: &self.crypto,
        };
        participant.rtc = build_rtc(&participant.profile, creds, &setup, now);
    }

    fn mute(&mut self, now: Instant, id: ParticipantId, source: Source, muted: bool) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let Some(participant) = self.seats.get_mut(seat) else { return };
        participant.muted =
            if muted { participant.muted.with(source) } else { participant.muted.without(source) };
        let Some(track) = participant.published.iter_mut().find(|track| track.source == source) else {
            return;
        };
        if !muted {
            track.layers.iter_mut().for_each(|layer| layer.keyframe.want());
        }
        for (viewer, index) in track.viewers.clone() {
            let outgoing = self.seats.get_mut(viewer).and_then(|found| found.outgoing.get_mut(index));
            if let Some(outgoing) = outgoing {
                _ = outgoing.rewriter.restart();
            }
        }
        if muted && source == Source::Voice {
            self.hush(now, seat);
            self.reset_activity(seat);
        }
        self.ask_keyframes(now, seat);
    }

    fn write_data(&mut self, now: Instant, id: ParticipantId, label: &str, binary: bool, bytes: Vec<u8>) {
        let mut taken = false;
        if let Some(seat) = self.by_id.get(&id).copied() {
            self.change(seat, |participant| {
                taken = participant.channels.write(&mut participant.rtc, label, binary, bytes);
                participant.tick(now)
            });
        }
        self.stats.data_dropped += u64::from(!taken);
    }

    fn deliver(&mut self, now: Instant, id: ParticipantId, label: &str, question: u32) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let mut delivered = Vec::new();
        self.change(seat, |participant| {
            delivered = participant.channels.deliver(&mut participant.rtc, label, question);
            participant.tick(now)
        });
        delivered.into_iter().for_each(|kind| self.tell_seat(seat, kind));
    }

    fn connected(&mut self, now: Instant, seat: Seat) {
        let Some(participant) = self.seats.get_mut(seat) else { return };
        let presented =
            participant.rtc.direct_api().remote_dtls_fingerprint().map(|found| found.bytes.clone());
        let promised = participant.profile.fingerprint.map(|bytes| bytes.to_vec());
        if presented.is_none() || presented != promised {
            return self.leaving.push((seat, LeaveReason::CertificateMismatch));
        }
        participant.link = Link::Up;
        participant.written_at = now;
        self.tell_seat(seat, EventKind::Connected);
        self.adapt(now, seat);
    }

    pub(crate) fn rewire_room_of(&mut self, now: Instant, seat: Seat) {
        if let Some(room) = self.seats.get(seat).map(|participant| participant.room) {
            self.rewire(now, room);
        }
    }

    /// Brings who-sees-what in line with what is published. Where that changes something an offer follows, when the viewer is woken: the
    /// offers of a large room take long enough to keep packets waiting.
    fn rewire(&mut self, now: Instant, room: RoomId) {
        let Some(members) = self.rooms.get(&room).map(|room| room.members.clone()) else { return };
        let (mut tracks, mut present) = (Vec::new(), BTreeSet::new());
        for seat in &members {
            let Some(publisher) = self.seats.get_mut(*seat) else { continue };
            present.insert(publisher.id);
            for track in &mut publisher.published {
                track.viewers.clear();
                tracks.push((*seat, publisher.id, track.source, publisher.profile.stream.clone()));
            }
        }
        for viewer in &members {
            self.rewire_viewer(*viewer, &tracks, &present);
        }
        self.rank_voices(room);
        for viewer in &members {
            if let Some(participant) = self.seats.get_mut(*viewer) {
                participant.negotiation.offer_soon(now);
                participant.adapt_at = Some(now);
            }
            self.schedule(*viewer);
        }
    }

    fn rewire_viewer(
        &mut self,
        viewer: Seat,
        tracks: &[(Seat, ParticipantId, Source, String)],
        present: &BTreeSet<ParticipantId>,
    ) {
        let Self { seats, by_id, rng, .. } = self;
        let Some(participant) = seats.get_mut(viewer) else { return };
        participant.outgoing.iter_mut().for_each(|track| track.wanted = false);
        for (_, publisher, source, stream) in tracks.iter().filter(|(seat, ..)| *seat != viewer) {
            let had = participant.outgoing.iter().position(|track| {
                (track.publisher, track.source, track.stopped) == (*publisher, *source, false)
            });
            let index = had.unwrap_or_else(|| {
                // Half the range: the first roll-over is some time away, as RFC 3711 §3.3.1 advises.
                let first_seq = rng.random_range(0..0x8000);
                let name = Name::new(participant.profile.manners.names, stream, *source, rng);
                participant.outgoing.push(Outgoing::new(*publisher, name, *source, first_seq));
                participant.outgoing.len() - 1
            });
            if let Some(track) = participant.outgoing.get_mut(index) {
                (track.wanted, track.gone) = (true, false);
            }
        }
        // What has no m-line yet is forgotten; what has one keeps it for when its publisher sends that again.
        participant.outgoing.retain(|track| track.wanted || track.mid.is_some());
        for track in participant.outgoing.iter_mut().filter(|track| !track.wanted) {
            track.declined = false;
            track.gone = !present.contains(&track.publisher);
            // str0m forgets which numbers of a withdrawn track it has seen. If it is published again, none may reach the viewer twice:
            // equal numbers over different bytes give AES-GCM's authentication key away.
            _ = track.rewriter.restart();
        }
        let seen: Vec<_> = participant
            .outgoing
            .iter()
            .enumerate()
            .filter(|(_, track)| track.wanted)
            .filter_map(|(index, track)| Some((*by_id.get(&track.publisher)?, track.source, index)))
            .collect();
        for (seat, source, index) in seen {
            let published = seats
                .get_mut(seat)
                .and_then(|found| found.published.iter_mut().find(|track| track.source == source));
            if let Some(published) = published {
                published.viewers.push((viewer, index));
            }
        }
    }

    pub(crate) fn offer(&mut self, now: Instant, seat: Seat) {
        let mut offer = None;
        self.change(seat, |participant| {
            offer = participant.make_offer(now);
            Ok(())
        });
        self.send_offer(seat, offer);
        self.leave_if_spent(seat);
    }

    pub(crate) fn repeat_offer(&mut self, now: Instant, seat: Seat, at_once: bool) {
        let offer = self.seats.get_mut(seat).and_then(|participant| participant.repeat_offer(now, at_once));
        self.send_offer(seat, offer);
    }

    fn send_offer(&mut self, seat: Seat, offer: Option<OurOffer>) {
        if let Some(OurOffer { id, sdp, sending, waited }) = offer {
            self.tell_seat(seat, EventKind::Offer { id, sdp, sending, waited });
        }
    }
}
