//! The live side of verto channels: who is connected, who hears what, and which two may call each other.
//!
//! Who may be a client of which channel is [`super::Channels`]' to say; the order in which the two are asked stands there.

mod kept;
mod line;
mod pace;
mod topic;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backend::{Outcome, Store};
use hub::{
    ConnectionId, Dialogs, Heard, OutOfTurn, Passage, PuntReason, Step, Subscribed, TopicLimits, TopicOutput,
    Topics,
};
use identity::{ChannelId, ClientId, RealmId, RecordKey, Relayed};

use super::{Door, Refusal};
use crate::ambient::now;
use crate::audit::{Act, Audit, RELAY_KEY};
use crate::http::peer::Peer;

pub use hub::NoSeat;
pub use line::{Line, Next, Over, Said, Told};
pub use pace::{Pace, Rate};

/// Event channels that one connection hears (`docs/faces/verto.md`, "Limits").
const TOPICS: usize = 16;

/// The live side; one for all channels.
#[derive(Debug)]
pub struct Exchange {
    live: Mutex<Live>,
    /// Held by whoever writes down what has become of a dialog.
    keeping: tokio::sync::Mutex<()>,
    store: Store,
    audit: Audit,
    key: RecordKey,
}

#[derive(Debug)]
struct Live {
    topics: Topics,
    lines: HashMap<ConnectionId, Arc<Line>>,
    /// Those on a channel's own path that have not logged in.
    strangers: BTreeMap<ChannelId, BTreeSet<ConnectionId>>,
    dialogs: BTreeMap<ChannelId, Dialogs>,
}

/// A place for a client that was believed, kept while the store makes it a member; dropping it gives the place up.
#[derive(Debug)]
pub struct Seat<'a> {
    exchange: &'a Exchange,
    channel: ChannelId,
    client: ClientId,
    is_taken: bool,
}

/// What became of the event channels that a client named; each list in the order in which they were named.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// It hears them from now on; in their canonical spelling.
    pub newly: Vec<String>,
    /// It heard them before.
    pub already: Vec<String>,
    /// It may not hear them, or no more of them.
    pub refused: Vec<String>,
}

/// A client of a channel, as it speaks.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Its connection.
    pub line: &'a Line,
    /// Of which channel.
    pub channel: ChannelId,
    /// Who.
    pub client: ClientId,
}

impl Exchange {
    /// Returns an exchange where nobody is, and nobody has agreed to anything until [`Self::recall`]. `seed` is chance for the key of its records, whose public half is in the audit record from now
    /// on.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when no key can be made.
    pub fn new(
        store: Store,
        audit: Audit,
        seed: &[u8; 32],
        takeover_pause: Duration,
        takeovers_per_minute: usize,
    ) -> Result<Self, Refusal> {
        let key = RecordKey::from_seed(seed).map_err(|_| Refusal::Unavailable)?;
        let detail = key.public();
        let act = Act { actor: "", action: RELAY_KEY, subject: "", from: None, detail: &detail };
        audit.counted(act, Outcome::Accepted);
        let topics = Topics::new(TopicLimits { topics: TOPICS, takeover_pause, takeovers_per_minute });
        let live =
            Live { topics, lines: HashMap::new(), strangers: BTreeMap::new(), dialogs: BTreeMap::new() };
        Ok(Self { live: Mutex::new(live), keeping: tokio::sync::Mutex::default(), store, audit, key })
    }

    /// Opens a connection of nobody yet; `channel` is the one whose path it came by.
    #[must_use]
    pub fn open(&self, id: ConnectionId, channel: Option<ChannelId>) -> Arc<Line> {
        let line = Arc::new(Line::new(id));
        let mut live = self.live();
        live.lines.insert(id, line.clone());
        if let Some(channel) = channel {
            live.strangers.entry(channel).or_default().insert(id);
        }
        line
    }

    /// Forgets a connection. Its client is in the channel no more, and hears nothing; an agreement to call survives.
    pub fn close(&self, line: &Line, channel: Option<ChannelId>) {
        let mut live = self.live();
        live.lines.remove(&line.id);
        live.know(line.id, channel);
        live.topics.drop_connection(line.id);
    }

    /// Keeps a seat in a channel of so many; whoever holds the client now notices nothing yet.
    ///
    /// # Errors
    /// As [`NoSeat`] says.
    pub fn reserve(&self, channel: ChannelId, client: ClientId, capacity: usize) -> Result<Seat<'_>, NoSeat> {
        let realm = channel.realm();
        self.live().topics.reserve(Instant::now(), &realm, client.session(), capacity)?;
        Ok(Seat { exchange: self, channel, client, is_taken: false })
    }

    /// Makes a client hear those of the named event channels that are its channel's own.
    pub fn subscribe(&self, party: Party<'_>, names: Vec<String>, longest: usize) -> Subscriptions {
        let mut subscriptions = Subscriptions::default();
        let mut live = self.live();
        for name in names {
            let own = topic::own(party.channel, &name).filter(|own| own.len() <= longest);
            let Some(topic) = own else {
                subscriptions.refused.push(name);
                continue;
            };
            match live.topics.subscribe(party.line.id, &topic) {
                Subscribed::Newly => subscriptions.newly.push(topic.to_string()),
                Subscribed::Already => subscriptions.already.push(topic.to_string()),
                Subscribed::TooMany | Subscribed::NotAttached => subscriptions.refused.push(name),
            }
        }
        subscriptions
    }

    /// Makes a client hear event channels no more; returns those that it heard, and those that it did not.
    pub fn unsubscribe(&self, party: Party<'_>, names: Vec<String>) -> (Vec<String>, Vec<String>) {
        let mut live = self.live();
        names
            .into_iter()
            .map(|name| topic::own(party.channel, &name).map_or(name, |own| own.to_string()))
            .partition(|name| live.topics.unsubscribe(party.line.id, name))
    }

    /// Returns the canonical name of an event channel on which a client may speak.
    #[must_use]
    pub fn topic(&self, channel: ChannelId, name: &str) -> Option<Arc<str>> {
        topic::own(channel, name)
    }

    /// Says something to all who hear the event channel.
    pub fn broadcast(&self, party: Party<'_>, topic: &str, body: &Arc<str>) {
        let mut live = self.live();
        live.topics.publish(party.line.id, topic, body);
        live.settle();
    }

    /// Returns whether the client is in the channel at this moment.
    #[must_use]
    pub fn is_here(&self, channel: ChannelId, client: ClientId) -> bool {
        self.live().topics.find(&channel.realm(), client.session()).is_some()
    }

    /// Takes a step of one client towards a call with another.
    ///
    /// # Errors
    /// As [`OutOfTurn`] says.
    pub fn step(&self, party: Party<'_>, to: ClientId, step: Step<'_>) -> Result<Passage, OutOfTurn> {
        let (from, to) = (party.client.session(), to.session());
        let mut live = self.live();
        live.dialogs.entry(party.channel).or_default().handle_step(Instant::now(), from, to, step)
    }

    /// Writes into the audit record that a step towards a call was handed on; signed, and without what was said.
    pub fn record(&self, party: Party<'_>, to: ClientId, step: &'static str, body: &str) {
        let (channel, from) = (party.channel, party.client);
        let record = self.key.seal(&Relayed { channel, from, to, step, body, at: now() });
        let (actor, subject) = (from.short(), to.short());
        let act = Act { actor: &actor, action: "call.relay", subject: &subject, from: None, detail: &record };
        self.audit.counted(act, Outcome::Accepted);
    }

    /// Writes into the audit record what befell a client of a channel.
    pub fn note(&self, action: &'static str, channel: ChannelId, client: ClientId, from: Peer) {
        let (actor, subject) = (client.short(), channel.short());
        self.audit.counted(Act::by(&actor, action, &subject, from), Outcome::Accepted);
    }

    /// Writes into the audit record that a client was believed, and found no seat.
    pub fn note_no_seat(&self, no_seat: NoSeat, channel: ChannelId, client: ClientId, from: Peer) {
        let (actor, subject, detail) = (client.short(), channel.short(), no_seat.to_string());
        let act = Act { detail: &detail, ..Act::by(&actor, "client.login", &subject, from) };
        self.audit.counted(act, Outcome::Refused);
    }

    /// Says something to one client of the speaker's channel; returns whether it is there to be told.
    pub fn tell(&self, party: Party<'_>, to: ClientId, message: Arc<str>) -> bool {
        let live = self.live();
        let from = party.client.session();
        let realm = party.channel.realm();
        // Who was revoked a moment ago says nothing more.
        let speaks = live.topics.find(&realm, from) == Some(party.line.id);
        let listener = live.topics.find(&realm, to.session()).filter(|_| speaks);
        let listener = listener.and_then(|connection| live.lines.get(&connection));
        listener.is_some_and(|line| line.say(Said::Told(Told { from, message })))
    }

    /// Punts a client that was revoked; nothing that it has said is heard any more, but the last words that are put into its mouth.
    pub fn revoke(&self, channel: ChannelId, client: ClientId, last_words: Option<&Arc<str>>) {
        let (realm, session) = (channel.realm(), client.session());
        let mut live = self.live();
        live.topics.revoke(&realm, session);
        live.dialogs.get_mut(&channel).into_iter().for_each(|dialogs| dialogs.forget(session));
        live.settle();
        let others: Vec<_> =
            live.topics.attached(&realm).filter_map(|other| live.topics.find(&realm, other)).collect();
        others.iter().filter_map(|other| live.lines.get(other)).for_each(|line| line.unsay(session));
        if let Some(body) = last_words {
            live.topics.publish_for(&realm, session, &channel.to_string(), body);
            live.settle();
        }
    }

    /// Punts every client of a channel that has ended, and closes who was about to log in there.
    pub fn end(&self, channel: ChannelId) {
        let mut live = self.live();
        live.topics.revoke_realm(&channel.realm());
        live.dialogs.remove(&channel);
        live.settle();
        let strangers = live.strangers.remove(&channel).unwrap_or_default();
        strangers.iter().filter_map(|id| live.lines.get(id)).for_each(|line| line.end(Over::Revoked));
    }

    /// Returns how many clients are in all channels, and how many sockets are open.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let live = self.live();
        (live.topics.count(), live.lines.len())
    }

    /// Returns the clients of a channel that are in it.
    #[must_use]
    pub fn attached(&self, channel: ChannelId) -> usize {
        self.live().topics.attached(&channel.realm()).count()
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// Puts the client on its connection and welcomes it there with these words. The connection that it had is punted, and hears nothing
    /// more.
    ///
    /// # Errors
    /// [`NoSeat::TakenBack`]: the client was revoked meanwhile.
    pub fn attach(mut self, line: &Line, door: &Door, welcome: Vec<Said>) -> Result<(), NoSeat> {
        let realm: RealmId = self.channel.realm();
        let mut live = self.exchange.live();
        let is_takeover = live.topics.find(&realm, self.client.session()).is_some();
        live.topics.attach(Instant::now(), &realm, self.client.session(), line.id)?;
        self.is_taken = true;
        live.settle();
        live.know(line.id, door.channel);
        // Before anybody else can say something to it.
        for said in welcome {
            line.say(said);
        }
        drop(live);
        if is_takeover {
            self.exchange.note("client.takeover", self.channel, self.client, door.from);
        }
        Ok(())
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if !self.is_taken {
            self.exchange.live().topics.release(&self.channel.realm(), self.client.session());
        }
    }
}

impl Live {
    /// A connection is a stranger no more.
    fn know(&mut self, id: ConnectionId, path: Option<ChannelId>) {
        let Some(channel) = path else { return };
        if let Some(strangers) = self.strangers.get_mut(&channel) {
            strangers.remove(&id);
            if strangers.is_empty() {
                self.strangers.remove(&channel);
            }
        }
    }

    fn settle(&mut self) {
        while let Some(output) = self.topics.poll_output() {
            match output {
                TopicOutput::Hear { connection, heard } => self.hear(connection, heard),
                TopicOutput::Close { connection, reason } => {
                    if let Some(line) = self.lines.get(&connection) {
                        line.end(if reason == PuntReason::Replaced { Over::Replaced } else { Over::Revoked });
                    }
                }
            }
        }
    }

    fn hear(&mut self, connection: ConnectionId, heard: Heard) {
        let is_said = self.lines.get(&connection).is_some_and(|line| line.say(Said::Heard(heard)));
        if !is_said {
            // It does not read: nobody speaks to it any more.
            self.topics.drop_connection(connection);
        }
    }
}
