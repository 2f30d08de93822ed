//! Calls that a realm's own servers host here: its plugin says who joins which call, and carries what its users' clients and we say to
//! each other. Nothing of one realm is reached from another: sessions and calls are found by the realm and their name together.

mod events;
mod line;
mod orders;
mod realm;
mod session;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hub::ConnectionId;
use identity::{RealmId, SessionId};
use sfu::{Command, Event, EventKind, Source, Stream};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::events::{Hearing, Written};
use self::orders::{Engine, Orders};
use self::session::Session;
use self::table::Table;
use crate::media::MediaPool;
use crate::metrics::rtcd::RtcdFigures;

pub use line::{Line, News, Next, Over, Said};
pub use session::{Place, Props};

/// How late a deadline may be noticed.
const TICK: Duration = Duration::from_millis(250);
/// When an order waits for the engine, how soon it is offered again.
const RETRY: Duration = Duration::from_millis(5);

/// How many sessions there may be.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Of all realms.
    pub sessions: usize,
    /// Of one realm.
    pub sessions_of_realm: usize,
    /// Of one call.
    pub sessions_of_call: usize,
}

impl Default for Quotas {
    /// As many as rtcd was measured with, and some. The first is above what one machine carries: it bounds what many realms that are made
    /// for the purpose can fill.
    fn default() -> Self {
        Self { sessions: 20_000, sessions_of_realm: 4_000, sessions_of_call: 1_000 }
    }
}

/// Who joins what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Which call.
    pub call: String,
    /// Which user.
    pub user: String,
    /// The session's name: a token of at most 64 characters (RFC 8830).
    pub session: String,
    /// What its client can do.
    pub props: Props,
}

/// What a session's servers say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A candidate of the client, or the end of them.
    Candidate(String),
    /// The client's offer or answer.
    Described(Description),
    /// The voice is not to be forwarded.
    Mute,
    /// It is.
    Unmute,
    /// This stream of the client is a screen.
    ScreenOn(String),
    /// It is no more.
    ScreenOff,
    /// This stream of the client is a camera.
    VideoOn(String),
    /// It is no more.
    VideoOff,
}

/// A description, RFC 8866 text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Description {
    /// Wants an answer.
    Offer(String),
    /// Answers one.
    Answer(String),
}

/// What a client says by its data channel.
#[derive(Debug, Clone, PartialEq)]
pub enum FromChannel {
    /// Are we there?
    Ping,
    /// The same, as old clients ask.
    OldPing,
    /// An offer or an answer.
    Described(Description),
    /// May it offer?
    Lock,
    /// It is done with that.
    Unlock,
    /// How it fares.
    Measured(Measured),
}

/// How a client fares, as it measures itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// Share of packets that it lost, 0 to 1.
    Loss(f64),
    /// Of its pings, in seconds.
    RoundTrip(f64),
    /// Of what it hears, in seconds.
    Jitter(f64),
}

/// What a client hears by its data channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToChannel {
    /// We are there.
    Pong,
    /// The same, for old clients.
    OldPong,
    /// Our offer or answer.
    Described(Description),
    /// Whether it may offer.
    Lock(bool),
    /// Everything that it is sent after the next offer.
    Map(Vec<Mapped>),
}

/// A track that a client is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// By which m-line.
    pub mid: String,
    /// What it carries.
    pub source: Source,
    /// The name of the session that publishes it.
    pub sender: String,
}

/// How a face writes this on a data channel.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Whether a message is a description, which is dear to read.
    pub is_description: fn(&[u8]) -> bool,
    /// Reads what a client says, if it can be read.
    pub read: fn(&[u8]) -> Option<FromChannel>,
    /// Writes what a client hears; the flag tells whether it is bytes instead of a text.
    pub write: fn(&ToChannel) -> (Vec<u8>, bool),
}

/// Mid → stream, of what somebody sends.
type Streams = BTreeMap<String, Stream>;

/// A message of a data channel that was read.
#[derive(Debug)]
struct Read {
    said: FromChannel,
    /// Of a description, in bytes.
    size: usize,
    streams: Streams,
}

impl Read {
    fn new(said: FromChannel) -> Self {
        let (size, streams) = match &said {
            FromChannel::Described(description) => (description.size(), description.streams()),
            _ => (0, Streams::new()),
        };
        Self { said, size, streams }
    }
}

impl Description {
    fn size(&self) -> usize {
        match self {
            Self::Offer(sdp) | Self::Answer(sdp) => sdp.len(),
        }
    }

    /// What an offer's author sends. What is wrong with it the engine says.
    fn streams(&self) -> Streams {
        match self {
            Self::Offer(sdp) => sfu::streams(sdp).unwrap_or_default(),
            Self::Answer(_) => Streams::new(),
        }
    }
}

/// A session, as its own realm may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionShown {
    /// Who.
    pub place: Arc<Place>,
    /// What its client said of itself.
    pub props: Props,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The realm has no call.
    Realm,
    /// It has not this one.
    Call,
    /// The call has not this session.
    Session,
}

/// The service.
#[derive(Debug)]
pub struct Hosting {
    table: Mutex<Table>,
    dialect: Dialect,
}

impl Hosting {
    /// Makes the service.
    #[must_use]
    pub fn new(media: MediaPool, dialect: Dialect, figures: RtcdFigures) -> Self {
        Self::with_engine(
            Box::new(move |room, command| media.send(room, command)),
            dialect,
            Quotas::default(),
            figures,
        )
    }

    fn with_engine(engine: Engine, dialect: Dialect, quotas: Quotas, figures: RtcdFigures) -> Self {
        Self { table: Mutex::new(Table::new(Orders::new(engine), quotas, figures)), dialect }
    }

    /// Adds a connection of a realm, which may have any number of them. What waited for one is said on it.
    #[must_use]
    pub fn open(&self, realm: &RealmId, connection: ConnectionId) -> Arc<Line> {
        self.table().open(realm, connection)
    }

    /// Notes that a connection is gone. Its sessions go on, and what it was not told is said on another.
    pub fn close(&self, line: &Line) {
        self.table().close(line, Instant::now());
    }

    /// Makes a session. One that is in this call already stays as it is, one in another call of the realm ends there. Where there are too
    /// many, or the server is about to stop, it ends at once.
    pub fn join(&self, line: &Line, joining: Joining) {
        self.table().join(line, joining, Instant::now());
    }

    /// Answers a join that can make no session, since an id of it is in a form that no id has.
    pub fn refuse(&self, line: &Line, session: String) {
        self.table().refuse(line, session);
    }

    /// Reaches a session by this connection from now on.
    pub fn reconnect(&self, line: &Line, session: &str) {
        self.table().reconnect(line, session);
    }

    /// Ends a session.
    pub fn leave(&self, line: &Line, session: &str) {
        self.table().leave(line, session);
    }

    /// Brings what a session's client says, or what is said about it. Of a session that there is not it is of no matter.
    pub fn signal(&self, line: &Line, session: &str, signal: Signal) {
        // Read before the table is taken: that is for all realms.
        let streams = match &signal {
            Signal::Described(description) => description.streams(),
            _ => Streams::new(),
        };
        self.table().signal(line, session, signal, streams, Instant::now());
    }

    /// Waits until the engine has time for more.
    pub async fn ready(&self) {
        while self.table().orders.are_many() {
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Ends every call of a realm, and its connections.
    pub fn end_realm(&self, realm: &RealmId) {
        self.table().end_realm(realm, Instant::now());
    }

    /// Lets nobody join any more.
    pub fn drain(&self) {
        self.table().draining = true;
    }

    /// Whether nobody may join any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.table().draining
    }

    /// Returns the sessions of a call of the realm.
    ///
    /// # Errors
    /// What is absent.
    pub fn sessions(&self, realm: &RealmId, call: &str) -> Result<Vec<SessionShown>, Absent> {
        let table = self.table();
        let members = table.members(realm, call).iter().filter_map(|id| table.sessions.get(id));
        let shown: Vec<_> = members.map(shown).collect();
        if !shown.is_empty() {
            return Ok(shown);
        }
        Err(if table.hosts(realm) { Absent::Call } else { Absent::Realm })
    }

    /// Returns a session of a call of the realm.
    ///
    /// # Errors
    /// What is absent.
    pub fn session(&self, realm: &RealmId, call: &str, session: &str) -> Result<SessionShown, Absent> {
        let sessions = self.sessions(realm, call)?;
        sessions.into_iter().find(|shown| shown.place.name == session).ok_or(Absent::Session)
    }

    /// Returns how many sessions there are, and how many calls.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let table = self.table();
        (table.sessions.len(), table.calls())
    }

    /// Takes what the engine says of its sessions, hands the rest on, and ends what is due. Runs until the engine has ended.
    pub async fn run(&self, mut events: mpsc::Receiver<Event>, rest: mpsc::Sender<Event>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let waiting = self.table().orders.are_waiting();
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { return };
                    if let Some(event) = self.take(event, Instant::now()) {
                        // Nobody listens when the server stops.
                        let _ = rest.send(event).await;
                    }
                }
                () = tokio::time::sleep(RETRY), if waiting => self.table().orders.retry(),
                _ = tick.tick() => self.table().tick(Instant::now()),
            }
        }
    }

    /// Takes an event of the engine, or returns that of others. The table is not held while descriptions are put into bytes, or read.
    fn take(&self, event: Event, at: Instant) -> Option<Event> {
        let other = match &event.kind {
            EventKind::Data { label, bytes, .. } => {
                let dear = (self.dialect.is_description)(bytes);
                let hearing = self.table().may_hear(&event, dear, at);
                if hearing == Hearing::Read {
                    let said = (self.dialect.read)(bytes).map(Read::new);
                    if dear || said.is_some() {
                        self.table().hear(SessionId(event.participant.0), label.clone(), said, at);
                    }
                }
                (hearing == Hearing::NotOurs).then_some(event)
            }
            _ => self.table().take(event, at),
        };
        let written = std::mem::take(&mut self.table().written);
        let commands = written.into_iter().flat_map(|Written { place, label, words, awaited }| {
            let (room, participant) = (place.room(), place.participant());
            let (bytes, binary) = (self.dialect.write)(&words);
            let deliver = awaited.map(|id| Command::Deliver { participant, label: label.clone(), id });
            let write = Command::Data { participant, label, binary, bytes };
            [Some(write), deliver].into_iter().flatten().map(move |command| (room, command))
        });
        for (room, command) in commands.collect::<Vec<_>>() {
            self.table().orders.give(room, command);
        }
        other
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(session: &Session) -> SessionShown {
    SessionShown { place: session.place.clone(), props: session.props.clone() }
}
