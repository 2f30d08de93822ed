//! What the media engine says, and what clients say by their data channels.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use identity::SessionId;
use sfu::{Command, Event, EventKind, LeaveReason, Sending};

use super::line::News;
use super::session::{HeldOffer, MAX_READ, Place, Way};
use super::table::{Ending, Table};
use super::{Description, FromChannel, Mapped, Measured, Read, ToChannel};

impl Table {
    /// Takes an event of the engine. `None`: it was about a session of this service; one of an older media connection is of no matter.
    pub(super) fn take(&mut self, event: Event, at: Instant) -> Option<Event> {
        let id = SessionId(event.participant.0);
        let Some(session) = self.sessions.get_mut(&id) else {
            return Some(event);
        };
        if session.incarnation != event.incarnation {
            return None;
        }
        match event.kind {
            EventKind::Answer { id: offer, sdp } => self.answered(id, offer, sdp, at),
            EventKind::Offer { id: offer, sdp, sending, waited } => {
                // One that is said again was counted.
                if session.offered != Some(offer) {
                    self.figures.lock_grab_time(&session.place.realm, waited);
                    session.tally.offered(at);
                }
                self.offer(id, offer, sdp, &sending, at);
            }
            EventKind::Refused { id: described, refusal } => {
                // What its client can do about it: nothing, if it was the first.
                let first = session.refused(described) && session.answered.is_none();
                tracing::debug!(%refusal, first, "a description was refused");
                self.count_error(id, "signaling");
                if first {
                    self.end(id, Ending::Told);
                }
            }
            EventKind::TakenUp { id } => _ = session.answered_offer(id),
            EventKind::Connected => {
                self.figures.connection_state("connected");
                self.figures
                    .connection_time(&session.place.realm, at.saturating_duration_since(session.joined));
            }
            EventKind::Speaking(speaks) => self.tell(id, News::Speaks(speaks)),
            EventKind::DataOpen { label } => {
                if let (None, Some(answered)) = (&session.channel, session.answered) {
                    let took = at.saturating_duration_since(answered);
                    self.figures.channel_open_time(&session.place.realm, took);
                }
                session.channel.get_or_insert(label);
            }
            // It is read before: `may_hear`, `hear`.
            EventKind::Data { .. } | EventKind::ActiveSpeaker => (),
            EventKind::Lock { granted } => {
                if granted {
                    session.tally.locked(at);
                }
                if let Some(label) = session.channel.clone() {
                    self.write(id, label, ToChannel::Lock(granted));
                }
            }
            EventKind::Delivered { id: offer } => {
                if let Some(held) = session.held.take_if(|held| held.id == offer) {
                    self.release(id, held);
                }
            }
            EventKind::Tracks { incoming, outgoing } => {
                session.tally.tracks(&session.place.realm, incoming, outgoing, &self.figures);
            }
            EventKind::Left(reason) => {
                tracing::debug!(?reason, "a session's media has ended");
                if reason == LeaveReason::TransportLost {
                    self.figures.connection_state("failed");
                    self.count_error(id, "ice");
                }
                self.end(id, Ending::ByEngine);
            }
        }
        None
    }

    /// Brings our answer the way that the offer came; after the first one, our candidates, as clients of rtcd expect them.
    fn answered(&mut self, id: SessionId, offer: u32, sdp: String, at: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let first = session.answered.is_none();
        session.answered.get_or_insert(at);
        let Some(way) = session.answered_offer(offer) else { return };
        let candidates = if first { candidates(&sdp) } else { Vec::new() };
        let answer = Description::Answer(sdp);
        match way {
            Way::Line => self.tell(id, News::Described(answer)),
            Way::Channel(label) => self.write(id, label, ToChannel::Described(answer)),
        }
        for candidate in candidates {
            self.tell(id, News::Candidate(candidate));
        }
        // Something may have been announced meanwhile.
        self.rename(id);
    }

    /// Brings our offer, behind the map of what it carries: a client that does not know what a picture is, when that comes, shows none, and
    /// takes a sound of which it does not know for a voice. Where the offer goes another way than its map it may overtake it: one that
    /// brings a new m-line waits.
    fn offer(&mut self, id: SessionId, number: u32, sdp: String, sending: &[Sending], at: Instant) {
        let name = |sending: &Sending| {
            let publisher = self.sessions.get(&SessionId(sending.publisher.0))?;
            let sender = publisher.place.name.clone();
            Some(Mapped { mid: sending.mid.clone(), source: sending.source, sender })
        };
        let map: Vec<Mapped> = sending.iter().filter_map(name).collect();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.offered = Some(number);
        let by_channel = session.props.by_channel == Some(true);
        let offer = Description::Offer(sdp);
        let Some(label) = session.channel.clone() else {
            return self.tell(id, News::Described(offer));
        };
        let mids: BTreeSet<String> = map.iter().map(|mapped| mapped.mid.clone()).collect();
        let is_new = !mids.is_subset(&session.mapped);
        let before = session.held.take().filter(|held| held.id == number);
        self.write(id, label.clone(), ToChannel::Map(map));
        if by_channel {
            return self.write(id, label, ToChannel::Described(offer));
        }
        let held = HeldOffer { id: number, offer, mids, since: before.map_or(at, |held| held.since) };
        if !is_new {
            return self.release(id, held);
        }
        if let Some(written) = self.written.last_mut() {
            written.awaited = Some(number);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.held = Some(held);
        }
    }

    /// Brings an offer of ours whose map need not be waited for any longer.
    pub(super) fn release(&mut self, id: SessionId, held: HeldOffer) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.mapped = held.mids;
        self.tell(id, News::Described(held.offer));
    }

    /// Says whether a message of a data channel is to be read; `dear`: it is a description, whose size shows when it is read.
    pub(super) fn may_hear(&mut self, event: &Event, dear: bool, at: Instant) -> Hearing {
        let Some(session) = self.sessions.get_mut(&SessionId(event.participant.0)) else {
            return Hearing::NotOurs;
        };
        let is_current = session.incarnation == event.incarnation;
        if is_current && !(dear && session.is_too_much(at)) { Hearing::Read } else { Hearing::PassOver }
    }

    /// Takes what a client says by a data channel. What could not be read is of no matter to anybody.
    pub(super) fn hear(&mut self, id: SessionId, label: String, said: Option<Read>, at: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (room, participant) = (session.place.room(), session.place.participant());
        let Some(Read { said, size, streams }) = said else {
            session.has_described(MAX_READ);
            return;
        };
        match said {
            FromChannel::Ping => self.write(id, label, ToChannel::Pong),
            FromChannel::OldPing => self.write(id, label, ToChannel::OldPong),
            FromChannel::Described(description) => {
                session.has_described(size);
                self.describe(id, Way::Channel(label), description, streams, at);
            }
            FromChannel::Lock => self.orders.give(room, Command::Lock { participant }),
            FromChannel::Unlock => {
                if let Some(held) = session.tally.unlocked(at) {
                    self.figures.lock_held_time(&session.place.realm, held);
                }
                self.orders.give(room, Command::Unlock { participant });
            }
            FromChannel::Measured(measured) => {
                let (realm, figures) = (&session.place.realm, &self.figures);
                match measured {
                    Measured::Loss(share) => figures.client_loss_rate(realm, share),
                    Measured::RoundTrip(seconds) => figures.client_round_trip(realm, seconds),
                    Measured::Jitter(seconds) => figures.client_jitter(realm, seconds),
                }
            }
        }
    }

    /// Notes what is to be written to a data channel, in order; it is put into bytes elsewhere, since that takes time.
    fn write(&mut self, id: SessionId, label: String, words: ToChannel) {
        if let Some(session) = self.sessions.get(&id) {
            self.written.push(Written { place: session.place.clone(), label, words, awaited: None });
        }
    }
}

/// What to do with a message of a data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It is none of our sessions'.
    NotOurs,
    PassOver,
    Read,
}

/// Something for a data channel.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) place: Arc<Place>,
    pub(super) label: String,
    pub(super) words: ToChannel,
    /// The engine is to tell when it has arrived, by this number.
    pub(super) awaited: Option<u32>,
}

/// Returns the candidates of the first m-line, which carries everything.
fn candidates(sdp: &str) -> Vec<String> {
    let lines = sdp.lines().map(str::trim_end).skip_while(|line| !line.starts_with("m=")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("m="));
    lines
        .filter_map(|line| line.strip_prefix("a="))
        .filter(|line| line.starts_with("candidate:"))
        .map(str::to_owned)
        .collect()
}
