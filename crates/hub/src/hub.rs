use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use identity::{Principal, Session, SessionId};

use crate::membership::Membership;
use crate::{
    Channel, ConnectionId, Event, Input, Media, Output, Present, PuntReason, Refused, Standing, State,
};

/// What a hub allows, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a session outlives its socket.
    pub linger: Duration,
    /// The same, for a session without media.
    pub linger_without_media: Duration,
    /// Members of one channel.
    pub members: usize,
    /// Channels of one session.
    pub channels: usize,
}

/// Sessions, their connections and their channels.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    connections: BTreeMap<ConnectionId, Connection>,
    sessions: BTreeMap<SessionId, Member>,
    membership: Membership,
    /// Until when sessions without a connection are waited for.
    lingering: BTreeMap<SessionId, Instant>,
    /// Channels whose presence has changed within the current input.
    changed: BTreeSet<Channel>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
    principal: Principal,
    sessions: BTreeSet<SessionId>,
}

#[derive(Debug)]
struct Member {
    session: Arc<Session>,
    /// `None`: the session lingers.
    connection: Option<ConnectionId>,
    media: Media,
    state: State,
}

impl Hub {
    /// Returns a hub without anybody.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            membership: Membership::default(),
            lingering: BTreeMap::new(),
            changed: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input.
    ///
    /// # Errors
    /// The input does not fit what the hub knows; nothing has changed.
    pub fn handle_input(&mut self, now: Instant, input: Input) -> Result<(), Refused> {
        let done = match input {
            Input::Open { connection, principal } => self.open(connection, principal),
            Input::Attach { session, connection } => self.attach(now, session, connection),
            Input::Drop { connection } => {
                self.forget(now, connection);
                Ok(())
            }
            Input::SetMedia { session, media } => self.set_media(now, session, media),
            Input::Join { session, channel } => self.join(session, channel),
            Input::Leave { session, channel } => self.leave(session, channel),
            Input::Send { from, to, body } => self.send(from, &to, &body),
            Input::SetState { session, state } => self.set_state(session, state),
            Input::Punt { session, reason } => self.punt(now, session, reason),
            Input::Revoke { principal, reason } => {
                self.revoke(now, &principal, reason);
                Ok(())
            }
        };
        self.tell_presence();
        done
    }

    /// Lets sessions expire whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        let waited_for = self.lingering.iter();
        let over: Vec<_> =
            waited_for.filter(|(_, until)| **until <= now).map(|(session, _)| *session).collect();
        for session in over {
            self.end(session);
            self.outputs.push_back(Output::Expired(session));
        }
        self.tell_presence();
    }

    /// Takes what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Hub::handle_timeout`] is due, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.lingering.values().min().map(|until| (*until, "a session lingers"))
    }

    /// Returns who is in a channel, in order of joining.
    #[must_use]
    pub fn present(&self, channel: &Channel) -> Arc<[Present]> {
        let members = self.membership.members(channel).iter();
        members.filter_map(|session| self.sessions.get(session)).map(Member::show).collect()
    }

    fn open(&mut self, connection: ConnectionId, principal: Principal) -> Result<(), Refused> {
        if self.connections.contains_key(&connection) {
            return Err(Refused::AlreadyOpen);
        }
        self.connections.insert(connection, Connection { principal, sessions: BTreeSet::new() });
        Ok(())
    }

    fn attach(&mut self, now: Instant, session: Session, connection: ConnectionId) -> Result<(), Refused> {
        let id = session.id;
        let principal = session.grant.principal();
        let holder = &self.connections.get(&connection).ok_or(Refused::NotOpen)?.principal;
        let known = self.sessions.get(&id);
        let known_principal = known.map_or(principal, |member| member.session.grant.principal());
        if holder != principal || known_principal != principal {
            return Err(Refused::OtherPrincipal);
        }
        let older = known.and_then(|member| member.connection).filter(|older| *older != connection);
        if let Some(older) = older {
            self.close(now, older, PuntReason::Replaced);
        }
        let (media, state) = self
            .sessions
            .get(&id)
            .map_or((Media::Gone, State::default()), |member| (member.media, member.state));
        let session = Arc::new(session);
        self.sessions.insert(id, Member { session, connection: Some(connection), media, state });
        self.lingering.remove(&id);
        if let Some(carrier) = self.connections.get_mut(&connection) {
            carrier.sessions.insert(id);
        }
        self.mark(id);
        Ok(())
    }

    fn join(&mut self, session: SessionId, channel: Channel) -> Result<(), Refused> {
        let member = self.sessions.get(&session).ok_or(Refused::NoSession)?;
        if member.session.grant.principal().realm != *channel.realm() {
            return Err(Refused::OtherRealm);
        }
        if !self.membership.contains(session, &channel) {
            self.membership.join(session, channel.clone(), self.limits.members, self.limits.channels)?;
            self.changed.insert(channel);
        }
        Ok(())
    }

    fn leave(&mut self, session: SessionId, channel: Channel) -> Result<(), Refused> {
        self.membership.leave(session, &channel)?;
        self.changed.insert(channel);
        Ok(())
    }

    fn send(&mut self, from: SessionId, to: &Channel, body: &Arc<str>) -> Result<(), Refused> {
        let sender = self.sessions.get(&from).ok_or(Refused::NoSession)?;
        if !self.membership.contains(from, to) {
            return Err(Refused::NotAMember);
        }
        let principal = sender.session.grant.principal().clone();
        let others: Vec<_> = self.listeners(to).filter(|(session, _)| *session != from).collect();
        for (session, connection) in others {
            let event = Event::Message { from: principal.clone(), channel: to.clone(), body: body.clone() };
            self.outputs.push_back(Output::Deliver { connection, session, event });
        }
        Ok(())
    }

    fn set_state(&mut self, session: SessionId, state: State) -> Result<(), Refused> {
        let member = self.sessions.get_mut(&session).ok_or(Refused::NoSession)?;
        if member.state != state {
            member.state = state;
            self.mark(session);
        }
        Ok(())
    }

    fn set_media(&mut self, now: Instant, session: SessionId, media: Media) -> Result<(), Refused> {
        let member = self.sessions.get_mut(&session).ok_or(Refused::NoSession)?;
        member.media = media;
        if let (Some(until), Media::Gone) = (self.lingering.get_mut(&session), media) {
            *until = (*until).min(now + self.limits.linger_without_media);
        }
        Ok(())
    }

    fn punt(&mut self, now: Instant, session: SessionId, reason: PuntReason) -> Result<(), Refused> {
        let place = self.sessions.get(&session).ok_or(Refused::NoSession)?.connection;
        self.end(session);
        let Some(connection) = place else {
            return Ok(());
        };
        if self.connections.get(&connection).is_some_and(|carrier| carrier.sessions.is_empty()) {
            self.close(now, connection, reason);
        } else {
            let event = Event::Punted(reason);
            self.outputs.push_back(Output::Deliver { connection, session, event });
        }
        Ok(())
    }

    fn revoke(&mut self, now: Instant, principal: &Principal, reason: PuntReason) {
        let of_sessions = self.sessions.iter();
        let sessions: Vec<_> = of_sessions
            .filter(|(_, member)| member.session.grant.principal() == principal)
            .map(|(session, _)| *session)
            .collect();
        for session in sessions {
            self.end(session);
        }
        let of_connections = self.connections.iter();
        let connections: Vec<_> = of_connections
            .filter(|(_, connection)| connection.principal == *principal)
            .map(|(connection, _)| *connection)
            .collect();
        for connection in connections {
            self.close(now, connection, reason);
        }
    }

    fn close(&mut self, now: Instant, connection: ConnectionId, reason: PuntReason) {
        self.forget(now, connection);
        self.outputs.push_back(Output::Close { connection, reason });
    }

    /// Takes a connection away; whatever it carried lingers.
    fn forget(&mut self, now: Instant, connection: ConnectionId) {
        let Some(gone) = self.connections.remove(&connection) else {
            return;
        };
        for session in gone.sessions {
            if let Some(member) = self.sessions.get_mut(&session) {
                let patience = match member.media {
                    Media::Up => self.limits.linger,
                    Media::Gone => self.limits.linger_without_media,
                };
                member.connection = None;
                self.lingering.insert(session, now + patience);
            }
            self.mark(session);
        }
    }

    /// Takes a session away from everywhere; its connection stays.
    fn end(&mut self, session: SessionId) {
        let Some(member) = self.sessions.remove(&session) else {
            return;
        };
        self.lingering.remove(&session);
        if let Some(connection) = member.connection
            && let Some(carrier) = self.connections.get_mut(&connection)
        {
            carrier.sessions.remove(&session);
        }
        let channels: Vec<_> = self.membership.channels(session).cloned().collect();
        for channel in channels {
            // It is a member: the channel came from the membership itself.
            let _ = self.membership.leave(session, &channel);
            self.changed.insert(channel);
        }
    }

    fn mark(&mut self, session: SessionId) {
        self.changed.extend(self.membership.channels(session).cloned());
    }

    fn tell_presence(&mut self) {
        for channel in std::mem::take(&mut self.changed) {
            let present = self.present(&channel);
            let listeners: Vec<_> = self.listeners(&channel).collect();
            for (session, connection) in listeners {
                let event = Event::Presence { channel: channel.clone(), present: present.clone() };
                self.outputs.push_back(Output::Deliver { connection, session, event });
            }
        }
    }

    fn listeners(&self, channel: &Channel) -> impl Iterator<Item = (SessionId, ConnectionId)> {
        let members = self.membership.members(channel).iter();
        members.filter_map(|session| Some((*session, self.sessions.get(session)?.connection?)))
    }
}

impl Member {
    fn show(&self) -> Present {
        let standing = if self.connection.is_some() { Standing::Attached } else { Standing::Lingering };
        Present { session: self.session.clone(), standing, state: self.state }
    }
}
