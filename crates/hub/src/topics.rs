//! Sessions of one connection each, and the topics that they hear.
//!
//! A [`Topics`] is a core beside [`crate::Hub`], for a face whose sessions have another life: one connection each and none without, nobody
//! is told who is present, a speaker hears itself and need not listen, and a topic may be a part of another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use identity::{RealmId, SessionId};

use crate::{ConnectionId, PuntReason};

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct TopicLimits {
    /// Topics that one session hears.
    pub topics: usize,
    /// How long after one takeover of a session there is no other.
    pub takeover_pause: Duration,
    /// Takeovers of a session within a minute.
    pub takeovers_per_minute: usize,
}

const MINUTE: Duration = Duration::from_secs(60);

/// Who is connected, and who hears what.
///
/// Contract: every act that may make something be said leaves it to be taken by [`Topics::poll_output`], until there is nothing more. An
/// act that is refused has changed nothing. Nothing crosses from one realm to another.
#[derive(Debug)]
pub struct Topics {
    limits: TopicLimits,
    realms: BTreeMap<RealmId, Realm>,
    places: BTreeMap<ConnectionId, (RealmId, SessionId)>,
    outputs: VecDeque<TopicOutput>,
}

#[derive(Debug, Default)]
struct Realm {
    sessions: BTreeMap<SessionId, Attached>,
    /// Those who are about to attach, some of them in place of themselves.
    seats: BTreeSet<SessionId>,
    listeners: BTreeMap<Arc<str>, BTreeMap<SessionId, Listener>>,
}

#[derive(Debug)]
struct Attached {
    connection: ConnectionId,
    topics: BTreeSet<Arc<str>>,
    /// When the session went over to another connection, within the last minute.
    takeovers: VecDeque<Instant>,
}

#[derive(Debug)]
struct Listener {
    connection: ConnectionId,
    heard: u64,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicOutput {
    /// To be said on a socket.
    Hear {
        /// The socket.
        connection: ConnectionId,
        /// What.
        heard: Heard,
    },
    /// A socket is to be closed; it is forgotten already, and hears nothing more.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: PuntReason,
    },
}

/// Something that was said on a topic, as one listener hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The topic that the listener subscribed to: that on which it was said, or the one of which that is a part.
    pub topic: Arc<str>,
    /// How much was heard by this subscription before.
    pub serial: u64,
    /// Whose it is.
    pub speaker: Speaker,
    /// What was said; every listener has the same text.
    pub body: Arc<str>,
}

/// Whose words a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Its own.
    Itself,
    /// Those of this session.
    Other(SessionId),
}

/// Why a session may not attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSeat {
    /// It is attached, and went to another connection a moment ago.
    #[error("the session is in use")]
    InUse,
    /// The realm has as many sessions as it may.
    #[error("the realm is full")]
    Full,
    /// It had a seat, which was taken back.
    #[error("the seat was taken back")]
    TakenBack,
}

/// What became of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    /// It begins.
    Newly,
    /// It was there.
    Already,
    /// The session hears as many topics as it may.
    TooMany,
    /// The connection has no session.
    NotAttached,
}

impl Topics {
    /// Returns a core without anybody.
    #[must_use]
    pub fn new(limits: TopicLimits) -> Self {
        Self { limits, realms: BTreeMap::new(), places: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// Keeps a seat for a session that is about to attach, in a realm of at most `capacity` sessions. Whoever holds the session now keeps
    /// it meanwhile.
    ///
    /// # Errors
    /// [`NoSeat::InUse`], also while somebody else has a seat for the same session; [`NoSeat::Full`].
    pub fn reserve(
        &mut self,
        now: Instant,
        realm: &RealmId,
        session: SessionId,
        capacity: usize,
    ) -> Result<(), NoSeat> {
        if let Some(known) = self.realms.get(realm) {
            if known.seats.contains(&session) {
                return Err(NoSeat::InUse);
            }
            match known.sessions.get(&session) {
                Some(holder) if !self.limits.allow_takeover(now, &holder.takeovers) => {
                    return Err(NoSeat::InUse);
                }
                Some(_) => (),
                None if known.taken() >= capacity => return Err(NoSeat::Full),
                None => (),
            }
        } else if capacity == 0 {
            return Err(NoSeat::Full);
        }
        self.realms.entry(realm.clone()).or_default().seats.insert(session);
        Ok(())
    }

    /// Gives a seat back.
    pub fn release(&mut self, realm: &RealmId, session: SessionId) {
        if let Some(known) = self.realms.get_mut(realm) {
            known.seats.remove(&session);
        }
        self.tidy(realm);
    }

    /// Puts a session on a connection, without subscriptions. The connection that it was on is closed with [`PuntReason::Replaced`].
    ///
    /// # Errors
    /// [`NoSeat::TakenBack`]: it has no seat, since it was revoked meanwhile.
    pub fn attach(
        &mut self,
        now: Instant,
        realm: &RealmId,
        session: SessionId,
        connection: ConnectionId,
    ) -> Result<(), NoSeat> {
        let known = self.realms.get_mut(realm).ok_or(NoSeat::TakenBack)?;
        if !known.seats.remove(&session) {
            return Err(NoSeat::TakenBack);
        }
        let mut takeovers = VecDeque::new();
        if let Some(holder) = known.end(session) {
            self.places.remove(&holder.connection);
            takeovers = holder.takeovers;
            takeovers.retain(|at| now.saturating_duration_since(*at) < MINUTE);
            takeovers.push_back(now);
            let (connection, reason) = (holder.connection, PuntReason::Replaced);
            self.outputs.push_back(TopicOutput::Close { connection, reason });
        }
        known.sessions.insert(session, Attached { connection, topics: BTreeSet::new(), takeovers });
        self.places.insert(connection, (realm.clone(), session));
        Ok(())
    }

    /// Forgets a connection, and its session with everything that it heard; returns the session if it had one.
    pub fn drop_connection(&mut self, connection: ConnectionId) -> Option<SessionId> {
        let (realm, session) = self.places.remove(&connection)?;
        self.realms.get_mut(&realm)?.end(session);
        self.tidy(&realm);
        Some(session)
    }

    /// Makes the session of a connection hear a topic.
    pub fn subscribe(&mut self, connection: ConnectionId, topic: &Arc<str>) -> Subscribed {
        let most = self.limits.topics;
        let Some((known, session)) = self.place(connection) else { return Subscribed::NotAttached };
        let Some(attached) = known.sessions.get_mut(&session) else { return Subscribed::NotAttached };
        if attached.topics.contains(topic) {
            return Subscribed::Already;
        }
        if attached.topics.len() >= most {
            return Subscribed::TooMany;
        }
        attached.topics.insert(topic.clone());
        let listeners = known.listeners.entry(topic.clone()).or_default();
        listeners.insert(session, Listener { connection, heard: 0 });
        Subscribed::Newly
    }

    /// Makes the session of a connection hear a topic no more; returns whether it did.
    pub fn unsubscribe(&mut self, connection: ConnectionId, topic: &str) -> bool {
        let Some((known, session)) = self.place(connection) else { return false };
        let was = known.sessions.get_mut(&session).is_some_and(|attached| attached.topics.remove(topic));
        if was {
            known.forget_listener(session, topic);
        }
        was
    }

    /// Says something on a topic: to its listeners, and to those of the topic of which it is a part (the name up to the first dot) who do
    /// not listen to this one. The speaker is among them if it listens.
    pub fn publish(&mut self, connection: ConnectionId, topic: &str, body: &Arc<str>) {
        let Some((realm, speaker)) = self.places.get(&connection) else { return };
        let (Some(known), speaker) = (self.realms.get_mut(realm), *speaker) else { return };
        self.outputs.extend(known.tell_all(topic, speaker, body));
    }

    /// Says something in the name of a session, which need not be attached.
    pub fn publish_for(&mut self, realm: &RealmId, session: SessionId, topic: &str, body: &Arc<str>) {
        let Some(known) = self.realms.get_mut(realm) else { return };
        self.outputs.extend(known.tell_all(topic, session, body));
    }

    /// Returns the connection of a session of this realm.
    #[must_use]
    pub fn find(&self, realm: &RealmId, session: SessionId) -> Option<ConnectionId> {
        self.realms.get(realm)?.sessions.get(&session).map(|attached| attached.connection)
    }

    /// Ends a session and takes back its seat; its connection is closed.
    pub fn revoke(&mut self, realm: &RealmId, session: SessionId) {
        let Some(known) = self.realms.get_mut(realm) else { return };
        known.seats.remove(&session);
        if let Some(Attached { connection, .. }) = known.end(session) {
            self.places.remove(&connection);
            self.outputs.push_back(TopicOutput::Close { connection, reason: PuntReason::Revoked });
        }
        self.tidy(realm);
    }

    /// Ends every session of a realm.
    pub fn revoke_realm(&mut self, realm: &RealmId) {
        for Attached { connection, .. } in
            self.realms.remove(realm).unwrap_or_default().sessions.into_values()
        {
            self.places.remove(&connection);
            self.outputs.push_back(TopicOutput::Close { connection, reason: PuntReason::Revoked });
        }
    }

    /// Takes what is to be done next.
    pub fn poll_output(&mut self) -> Option<TopicOutput> {
        self.outputs.pop_front()
    }

    /// Returns the sessions of a realm that are attached.
    pub fn attached(&self, realm: &RealmId) -> impl Iterator<Item = SessionId> {
        self.realms.get(realm).into_iter().flat_map(|known| known.sessions.keys().copied())
    }

    /// Returns how many sessions are attached in all realms.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    fn place(&mut self, connection: ConnectionId) -> Option<(&mut Realm, SessionId)> {
        let (realm, session) = self.places.get(&connection)?;
        Some((self.realms.get_mut(realm)?, *session))
    }

    fn tidy(&mut self, realm: &RealmId) {
        if self.realms.get(realm).is_some_and(|known| known.sessions.is_empty() && known.seats.is_empty()) {
            self.realms.remove(realm);
        }
    }
}

impl TopicLimits {
    fn allow_takeover(&self, now: Instant, before: &VecDeque<Instant>) -> bool {
        let since = |at: &Instant| now.saturating_duration_since(*at);
        let in_minute = before.iter().filter(|at| since(at) < MINUTE).count();
        let paused = before.back().is_none_or(|last| since(last) >= self.takeover_pause);
        paused && in_minute < self.takeovers_per_minute
    }
}

impl Realm {
    /// Sessions that are attached or have a seat.
    fn taken(&self) -> usize {
        let coming = self.seats.iter().filter(|session| !self.sessions.contains_key(session));
        self.sessions.len() + coming.count()
    }

    fn end(&mut self, session: SessionId) -> Option<Attached> {
        let ended = self.sessions.remove(&session)?;
        for topic in &ended.topics {
            self.forget_listener(session, topic);
        }
        Some(ended)
    }

    fn forget_listener(&mut self, session: SessionId, topic: &str) {
        if let Some(listeners) = self.listeners.get_mut(topic) {
            listeners.remove(&session);
            if listeners.is_empty() {
                self.listeners.remove(topic);
            }
        }
    }

    /// Tells the listeners of the topic, and those of the one of which it is a part.
    fn tell_all(&mut self, topic: &str, speaker: SessionId, body: &Arc<str>) -> Vec<TopicOutput> {
        let mut told = self.tell(topic, speaker, body, None);
        if let Some((whole, _)) = topic.split_once('.') {
            let exact = self.listeners.remove(topic);
            told.extend(self.tell(whole, speaker, body, exact.as_ref()));
            if let Some(exact) = exact {
                self.listeners.insert(Arc::from(topic), exact);
            }
        }
        told
    }

    /// Tells every listener of the topic but these.
    fn tell(
        &mut self,
        topic: &str,
        speaker: SessionId,
        body: &Arc<str>,
        but: Option<&BTreeMap<SessionId, Listener>>,
    ) -> Vec<TopicOutput> {
        let Some((topic, _)) = self.listeners.get_key_value(topic) else { return Vec::new() };
        let topic = topic.clone();
        let listeners = self.listeners.get_mut(&topic).into_iter().flatten();
        let listeners = listeners.filter(|(session, _)| but.is_none_or(|but| !but.contains_key(session)));
        listeners
            .map(|(session, listener)| {
                let serial = listener.heard;
                listener.heard = serial.saturating_add(1);
                let speaker = if *session == speaker { Speaker::Itself } else { Speaker::Other(speaker) };
                let heard = Heard { topic: topic.clone(), serial, speaker, body: body.clone() };
                TopicOutput::Hear { connection: listener.connection, heard }
            })
            .collect()
    }
}
