//! Who is in which call, of all realms. Held in memory: after a restart the plugins' users join again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::ConnectionId;
use identity::{RealmId, SessionId};
use sfu::{Command, Source, Sources};

use super::events::Written;
use super::line::{Line, News, Over, Said};
use super::orders::Orders;
use super::realm::Realm;
use super::session::{HeldOffer, Place, Session, Way};
use super::{Description, Joining, Quotas, Signal, Streams};
use crate::metrics::rtcd::RtcdFigures;

/// How long a session may go without its first offer (rtcd service/rtc/sfu.go).
const FIRST_OFFER: Duration = Duration::from_secs(10);
/// How long an offer waits for its map to arrive. What was lost is sent again after a second (RFC 9260 §6.3.1), and has a way to go then.
const MAP_PATIENCE: Duration = Duration::from_millis(1_500);

#[derive(Debug)]
pub(super) struct Table {
    pub(super) sessions: BTreeMap<SessionId, Session>,
    calls: BTreeMap<RealmId, BTreeMap<String, Call>>,
    realms: BTreeMap<RealmId, Realm>,
    pub(super) orders: Orders,
    /// Of the latest media connection; unique among those that can still have events on their way.
    incarnation: u32,
    /// Whether nobody may join any more.
    pub(super) draining: bool,
    quotas: Quotas,
    /// For data channels, not yet in bytes.
    pub(super) written: Vec<Written>,
    pub(super) figures: RtcdFigures,
}

/// The sessions of one call.
#[derive(Debug, Default)]
struct Call {
    /// In the order in which they came.
    members: Vec<SessionId>,
    /// Who announced a screen; the first has the call's only one, and the next has it after that.
    sharers: Vec<SessionId>,
}

impl Table {
    pub(super) fn new(orders: Orders, quotas: Quotas, figures: RtcdFigures) -> Self {
        Self {
            sessions: BTreeMap::new(),
            calls: BTreeMap::new(),
            realms: BTreeMap::new(),
            orders,
            incarnation: 0,
            draining: false,
            quotas,
            written: Vec::new(),
            figures,
        }
    }

    pub(super) fn open(&mut self, realm: &RealmId, connection: ConnectionId) -> Arc<Line> {
        let line = Arc::new(Line::new(realm.clone(), connection));
        self.realms.entry(realm.clone()).or_default().open(line.clone());
        line
    }

    pub(super) fn close(&mut self, line: &Line, at: Instant) {
        line.end(Over::Gone);
        if let Some(realm) = self.realms.get_mut(&line.realm) {
            realm.close(line, at, |said| self.sessions.contains_key(&said.place.session()));
        }
        self.forget(&line.realm, at);
    }

    /// Makes a session, or says why it ends before it began.
    pub(super) fn join(&mut self, line: &Line, joining: Joining, at: Instant) {
        if line.over() == Some(Over::Unregistered) {
            return;
        }
        let Joining { call, user, session: name, props } = joining;
        let place = Arc::new(Place { realm: line.realm.clone(), call, user, name });
        let session = place.session();
        if let Some(before) = self.sessions.get_mut(&session) {
            if before.place.call == place.call {
                // Once is enough; the plugin is another server now, perhaps.
                before.line = Some(line.id);
                return;
            }
            // A user's connection is in one call. Its end is not told: the name is that of the new session.
            self.end(session, Ending::Silent);
        }
        if self.is_full(&place) || self.draining {
            tracing::warn!(draining = self.draining, "a join was refused");
            self.say(&line.realm, Some(line.id), Said { place, news: News::Ended });
            return;
        }
        self.incarnation = self.incarnation.wrapping_add(1);
        let new = Session::new(place.clone(), props, self.incarnation, line.id, at);
        let (room, participant, profile) = (place.room(), place.participant(), new.profile());
        let (incarnation, muted) = (self.incarnation, Sources::default());
        self.orders.give(room, Command::Join { room, participant, incarnation, profile, muted });
        let calls = self.calls.entry(place.realm.clone()).or_default();
        calls.entry(place.call.clone()).or_default().members.push(session);
        self.realms.entry(place.realm.clone()).or_default().sessions += 1;
        self.figures.sessions(&place.realm, 1);
        self.sessions.insert(session, new);
    }

    /// Tells that a join has made no session, unless there is one of its name: that goes on.
    pub(super) fn refuse(&mut self, line: &Line, name: String) {
        let nameless = String::new;
        let place = Arc::new(Place { realm: line.realm.clone(), call: nameless(), user: nameless(), name });
        if line.over() != Some(Over::Unregistered) && !self.sessions.contains_key(&place.session()) {
            tracing::warn!("a join was refused: an id is in a form that no id has");
            self.say(&line.realm, Some(line.id), Said { place, news: News::Ended });
        }
    }

    fn is_full(&self, place: &Place) -> bool {
        let realm = self.realms.get(&place.realm).map_or(0, |realm| realm.sessions);
        self.sessions.len() >= self.quotas.sessions
            || realm >= self.quotas.sessions_of_realm
            || self.members(&place.realm, &place.call).len() >= self.quotas.sessions_of_call
    }

    /// Returns the session of this name, heard of by this connection, unless that is of a realm of before.
    fn heard(&mut self, line: &Line, name: &str) -> Option<&mut Session> {
        if line.over() == Some(Over::Unregistered) {
            return None;
        }
        let session = self.sessions.get_mut(&SessionId::named(&line.realm, name))?;
        session.line = Some(line.id);
        Some(session)
    }

    pub(super) fn reconnect(&mut self, line: &Line, name: &str) {
        let Some(session) = self.heard(line, name) else { return };
        let (room, participant) = (session.place.room(), session.place.participant());
        // An offer that went by a connection that is gone may be lost.
        if session.props.by_channel != Some(true) {
            self.orders.give(room, Command::Repeat { participant });
        }
    }

    pub(super) fn leave(&mut self, line: &Line, name: &str) {
        if self.heard(line, name).is_some() {
            self.end(SessionId::named(&line.realm, name), Ending::Told);
        }
    }

    pub(super) fn signal(&mut self, line: &Line, name: &str, signal: Signal, streams: Streams, at: Instant) {
        let Some(session) = self.heard(line, name) else {
            tracing::debug!("a signal for a session that there is not");
            return;
        };
        let (room, participant) = (session.place.room(), session.place.participant());
        let id = session.place.session();
        let mute = |muted| Command::Mute { participant, source: Source::Voice, muted };
        match signal {
            Signal::Candidate(text) if text.is_empty() => (),
            Signal::Candidate(candidate) => {
                self.orders.give(room, Command::Candidate { participant, candidate });
            }
            Signal::Described(description) => self.describe(id, Way::Line, description, streams, at),
            // As long as there is no voice it is of no matter: one that comes is heard.
            Signal::Mute if !session.has_voice() => (),
            Signal::Mute => self.orders.give(room, mute(true)),
            Signal::Unmute => self.orders.give(room, mute(false)),
            Signal::ScreenOn(stream) => {
                session.shares(Some(stream));
                let place = session.place.clone();
                if let Some(call) = self.call(&place).filter(|call| !call.sharers.contains(&id)) {
                    call.sharers.push(id);
                }
                self.rename(id);
            }
            Signal::ScreenOff => {
                session.shares(None);
                let place = session.place.clone();
                self.stop_sharing(&place, id);
                self.rename(id);
            }
            Signal::VideoOn(stream) => {
                session.shows(stream);
                self.rename(id);
            }
            // The track goes with the offer that takes it away.
            Signal::VideoOff => (),
        }
    }

    /// Brings a description to the engine.
    pub(super) fn describe(
        &mut self,
        id: SessionId,
        way: Way,
        description: Description,
        streams: Streams,
        at: Instant,
    ) {
        let shares = self.holds_screen(id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (room, participant) = (session.place.room(), session.place.participant());
        match description {
            // By the data channel it has been counted before it was inflated.
            Description::Offer(sdp) if way == Way::Line && !session.may_describe(sdp.len(), at) => {
                tracing::debug!("offers of a session that are too much are dropped");
            }
            Description::Offer(sdp) => {
                let (id, sources) = session.offers(way, streams, shares);
                self.orders.give(room, Command::Offer { participant, id, sdp, sources });
            }
            Description::Answer(sdp) => {
                if let Some(held) = session.tally.answered(at) {
                    self.figures.lock_held_time(&session.place.realm, held);
                }
                if let Some(id) = session.offered {
                    self.orders.give(room, Command::Answer { participant, id, sdp });
                }
            }
        }
    }

    /// Tells the engine what has changed in what a session's m-lines carry.
    pub(super) fn rename(&mut self, id: SessionId) {
        let shares = self.holds_screen(id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let sources = session.renamed(shares);
        if !sources.is_empty() {
            let (room, participant) = (session.place.room(), session.place.participant());
            self.orders.give(room, Command::Name { participant, sources });
        }
    }

    fn holds_screen(&self, id: SessionId) -> bool {
        let place = self.sessions.get(&id).map(|session| &session.place);
        let call = place.and_then(|place| self.calls.get(&place.realm)?.get(&place.call));
        call.is_some_and(|call| call.sharers.first() == Some(&id))
    }

    fn stop_sharing(&mut self, place: &Place, id: SessionId) {
        let Some(call) = self.call(place) else { return };
        call.sharers.retain(|sharer| *sharer != id);
        if let Some(next) = call.sharers.first().copied() {
            self.rename(next);
        }
    }

    fn call(&mut self, place: &Place) -> Option<&mut Call> {
        self.calls.get_mut(&place.realm)?.get_mut(&place.call)
    }

    /// Ends a session, if it has not ended.
    pub(super) fn end(&mut self, id: SessionId, ending: Ending) {
        let Some(session) = self.sessions.remove(&id) else { return };
        let place = session.place.clone();
        if ending != Ending::ByEngine {
            self.orders.give(place.room(), Command::Leave { participant: place.participant() });
        }
        self.stop_sharing(&place, id);
        if let Some(call) = self.call(&place) {
            call.members.retain(|member| *member != id);
            if call.members.is_empty()
                && let Some(calls) = self.calls.get_mut(&place.realm)
            {
                calls.remove(&place.call);
                if calls.is_empty() {
                    self.calls.remove(&place.realm);
                }
            }
        }
        if let Some(realm) = self.realms.get_mut(&place.realm) {
            realm.sessions = realm.sessions.saturating_sub(1);
        }
        session.tally.end(&place.realm, &self.figures);
        self.figures.sessions(&place.realm, -1);
        self.figures.connection_state("closed");
        if ending != Ending::Silent {
            let realm = place.realm.clone();
            self.say(&realm, session.line, Said { place, news: News::Ended });
        }
    }

    /// Ends everything of a realm.
    pub(super) fn end_realm(&mut self, realm: &RealmId, at: Instant) {
        if let Some(realm) = self.realms.get_mut(realm) {
            realm.end();
        }
        let members = self.calls.get(realm).into_iter().flat_map(BTreeMap::values);
        let members: Vec<_> = members.flat_map(|call| &call.members).copied().collect();
        for session in members {
            self.end(session, Ending::Silent);
        }
        self.forget(realm, at);
    }

    /// Tells a session's servers something.
    pub(super) fn tell(&mut self, id: SessionId, news: News) {
        let Some(session) = self.sessions.get(&id) else { return };
        let (place, line) = (session.place.clone(), session.line);
        let realm = place.realm.clone();
        self.say(&realm, line, Said { place, news });
    }

    pub(super) fn count_error(&self, id: SessionId, kind: &'static str) {
        if let Some(session) = self.sessions.get(&id) {
            self.figures.error(&session.place.realm, kind);
        }
    }

    fn say(&mut self, realm: &RealmId, line: Option<ConnectionId>, said: Said) {
        self.realms.entry(realm.clone()).or_default().say(line, said);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, at: Instant) {
        self.orders.retry();
        let late = |session: &Session| {
            session.is_new() && at.saturating_duration_since(session.joined) >= FIRST_OFFER
        };
        let late: Vec<_> =
            self.sessions.iter().filter(|(_, session)| late(session)).map(|(id, _)| *id).collect();
        for session in late {
            tracing::debug!("a session made no offer");
            self.count_error(session, "signaling");
            self.end(session, Ending::Told);
        }
        self.realms.retain(|_, realm| !realm.is_over(at));
        let mut overdue = Vec::new();
        for (id, session) in &mut self.sessions {
            let is_overdue = |held: &mut HeldOffer| at.saturating_duration_since(held.since) >= MAP_PATIENCE;
            overdue.extend(session.held.take_if(is_overdue).map(|held| (*id, held)));
        }
        for (id, held) in overdue {
            self.release(id, held);
        }
    }

    fn forget(&mut self, realm: &RealmId, at: Instant) {
        if self.realms.get(realm).is_some_and(|realm| realm.is_over(at)) {
            self.realms.remove(realm);
        }
    }

    /// Returns the sessions of a call.
    pub(super) fn members(&self, realm: &RealmId, call: &str) -> &[SessionId] {
        let call = self.calls.get(realm).and_then(|calls| calls.get(call));
        call.map_or(&[], |call| call.members.as_slice())
    }

    /// Whether a realm has any call.
    pub(super) fn hosts(&self, realm: &RealmId) -> bool {
        self.calls.contains_key(realm)
    }

    /// Returns how many calls there are.
    pub(super) fn calls(&self) -> usize {
        self.calls.values().map(BTreeMap::len).sum()
    }
}

/// How a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The engine must end its media, and the realm's servers are told.
    Told,
    /// The realm's servers are not told.
    Silent,
    /// Its media has ended; the realm's servers are told.
    ByEngine,
}
