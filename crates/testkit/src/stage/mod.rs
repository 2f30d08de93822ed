//! Whole calls in virtual time from one seed: a real shard, str0m clients, and a network that is as bad as asked for.
//!
//! DTLS keys are real and random, so tests compare events and what was delivered, never bytes. Everything else follows from the seed, as long
//! as the story has a thread of its own in a process whose chance is seeded ([`chance`]).

pub mod chance;
mod client;
mod crypto;
pub mod hostile;
pub mod net;
mod publish;
mod restless;
mod signals;
pub mod story;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sfu::{
    Activity, Certificate, Command, Datagram, Event, EventKind, Extensions, Glare, Manners, Names, Output,
    ParticipantId, Profile, RoomId, Shard, ShardConfig, ShardIndex, Source, Sources, Transport,
};
use str0m::config::CryptoProvider;

pub use client::{Client, Delivered, Heard, Say};
pub use crypto::Backdoor;
pub use net::{Net, Weather};
pub use publish::{Encoding, Loudness, Stamp};
use signals::{Lane, Word};

/// Where the server is.
pub const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 8443);
/// The one room of most stories.
pub const ROOM: RoomId = RoomId(1);
/// Manners of a client that wants everything that the house's own does without.
pub const DEMANDING: Manners = Manners {
    names: Names::Telling,
    glare: Glare::Insist,
    waits_for_channel: true,
    late_sources: true,
    prefers_its_codecs: true,
    extensions: Extensions::Few,
    activity: Activity::Variation,
    tells_tracks: true,
};
const AHEAD: Duration = Duration::from_secs(100_000);
/// Nobody has so much to do in one instant.
const MANY_TURNS: usize = 100_000;
/// How long a signalling message takes at least, and where nobody is slow.
const SIGNAL_DELAY: Duration = Duration::from_millis(20);

/// The stage.
pub struct Stage {
    /// Virtual time.
    pub now: Instant,
    /// The shard on trial.
    pub shard: Shard,
    /// The network between all.
    pub net: Net,
    /// By order of appearance; a client that joins again replaces its place.
    pub clients: Vec<Client>,
    /// All events of the shard, and when.
    pub events: Vec<(Duration, Event)>,
    /// Whether the shard looks at each client's bandwidth. str0m then paces, and which of two packets goes first, or which is sent again to
    /// fill a probe, depends on the order of its hash maps.
    pub adapts: bool,
    /// Most offers that one input of the shard made.
    pub most_offers_at_once: usize,
    start: Instant,
    crypto: Arc<CryptoProvider>,
    to_server: Lane<Command>,
    to_client: Lane<Event>,
    /// How long slow words take.
    slowness: fastrand::Rng,
    incarnations: u32,
    forge: Option<(SocketAddr, SocketAddr, usize)>,
    backdoors: BTreeMap<usize, Backdoor>,
    /// Destinations of what the shard sends, if somebody wants them.
    sent_to: Option<Vec<SocketAddr>>,
}

impl Stage {
    /// An empty room.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Self {
        crypto::seed(seed);
        let now = beginning();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let config = ShardConfig {
            index: ShardIndex(0),
            candidates: vec![SERVER],
            tcp_candidates: Vec::new(),
            dtls_1_3: false,
            certificate: server_certificate(),
            max_participants: 1_000,
            max_in_room: 200,
        };
        Self {
            now,
            shard: Shard::with_crypto(config, crypto::provider(), bytes, now).unwrap(),
            net: Net::new(seed, weather),
            clients: Vec::new(),
            events: Vec::new(),
            adapts: true,
            most_offers_at_once: 0,
            start: now,
            crypto: crypto::provider(),
            to_server: Lane::new(),
            to_client: Lane::new(),
            slowness: fastrand::Rng::with_seed(seed ^ 0x5109),
            incarnations: 0,
            forge: None,
            backdoors: BTreeMap::new(),
            sent_to: None,
        }
    }

    /// A new client that publishes `sources`; returns its index.
    pub fn join(&mut self, sources: &[Source]) -> usize {
        let index = self.prepare();
        self.enter(index, sources);
        index
    }

    /// A client that has not yet joined; returns its index.
    pub fn prepare(&mut self) -> usize {
        let index = self.clients.len();
        let client = self.make_client(index);
        self.clients.push(client);
        index
    }

    /// The client at `index` comes again with a new connection, as after a reload.
    pub fn rejoin(&mut self, index: usize, sources: &[Source]) {
        self.clients[index] = self.make_client(index);
        self.enter(index, sources);
    }

    /// Somebody else comes in the place of the client at `index`.
    pub fn reincarnate(&mut self, index: usize, participant: u128, sources: &[Source]) {
        self.clients[index] = self.make_client(index);
        self.clients[index].id = ParticipantId(participant);
        self.enter(index, sources);
    }

    /// A client in nobody's place, to make descriptions with.
    #[must_use]
    pub fn spare_client(&self, index: usize) -> Client {
        let client = &self.clients[index];
        Client::new(client.id, client.address, &self.crypto, self.now)
    }

    /// As a join, but bound to another certificate, and with an altered offer.
    pub fn enter_with(
        &mut self,
        index: usize,
        sources: &[Source],
        bound: [u8; 32],
        alter: impl Fn(&str) -> String,
    ) {
        let profile = profile(&self.clients[index], bound);
        let (participant, incarnation) = (self.clients[index].id, self.incarnations);
        let room = self.clients[index].room;
        let muted = self.clients[index].muted;
        self.say(Command::Join { room, participant, incarnation, profile, muted });
        let now = self.now;
        if let Say::Offer { id, sdp, sources } = self.clients[index].offer(now, sources) {
            self.say(Command::Offer { participant, id, sdp: alter(&sdp), sources });
        }
    }

    /// For a while, all that comes from one address to the server comes once more under another. Returns how many datagrams did.
    pub fn copy_datagrams(&mut self, from: SocketAddr, under: SocketAddr, time: Duration) -> usize {
        self.forge = Some((from, under, 0));
        self.run(time);
        self.forge.take().map_or(0, |(.., count)| count)
    }

    /// The client at `index` begins anew, with a new connection and at a new address, before it says anything.
    pub fn remake(&mut self, index: usize) {
        self.clients[index] = self.make_client(index);
    }

    /// Sends what a client has to send.
    pub fn flush_client(&mut self, index: usize) {
        self.drain_client(index);
    }

    /// The client at `index` gets at its own keys from its next connection on.
    pub fn corrupt(&mut self, index: usize) -> Backdoor {
        self.backdoors.entry(index).or_default().clone()
    }

    fn make_client(&mut self, index: usize) -> Client {
        let host = u8::try_from(index + 1).unwrap();
        self.incarnations += 1;
        let port = 5_000 + u16::try_from(self.incarnations).unwrap();
        let address = SocketAddr::from(([203, 0, 113, host], port));
        let crypto = self.backdoors.get(&index).map_or_else(|| Arc::clone(&self.crypto), Backdoor::provider);
        let mut client = Client::new(ParticipantId(index as u128 + 1), address, &crypto, self.now);
        client.start = self.start;
        if let Some(before) = self.clients.get(index) {
            client.id = before.id;
            client.room = before.room;
            client.slowness = before.slowness;
            client.wants_channel = before.wants_channel || before.channel.is_some();
            client.sent_lately.clone_from(&before.sent_lately);
            client.pictures_every = before.pictures_every;
            client.encodings.clone_from(&before.encodings);
            client.loudness = before.loudness;
            client.muted = before.muted;
            client.manners = before.manners;
            client.codecs.clone_from(&before.codecs);
            client.screen_codecs.clone_from(&before.screen_codecs);
            client.camera_codecs.clone_from(&before.camera_codecs);
            client.screen_encodings.clone_from(&before.screen_encodings);
            client.unnamed = before.unnamed;
            client.keyframe_gap = before.keyframe_gap;
            (client.max_voices, client.max_cameras) = (before.max_voices, before.max_cameras);
            client.trace.clone_from(&before.trace);
        }
        client
    }

    /// As [`Stage::enter`], with an altered offer.
    pub fn enter_altered(&mut self, index: usize, sources: &[Source], alter: impl Fn(&str) -> String) {
        let bound = self.clients[index].fingerprint;
        self.enter_with(index, sources, bound, alter);
    }

    /// A prepared client joins its room and offers `sources`.
    pub fn enter(&mut self, index: usize, sources: &[Source]) {
        let client = &self.clients[index];
        let command = Command::Join {
            room: client.room,
            participant: client.id,
            incarnation: self.incarnations,
            profile: Profile { adapts: self.adapts, ..profile(client, client.fingerprint) },
            muted: client.muted,
        };
        self.say(command);
        self.offer(index, sources);
    }

    /// The client publishes more.
    pub fn offer(&mut self, index: usize, sources: &[Source]) {
        let now = self.now;
        let said = self.clients[index].offer(now, sources);
        self.say_for(index, said);
    }

    /// The client sends a source on an m-line that the server opened.
    pub fn send_on(&mut self, index: usize, mid: &str, source: Source) {
        let now = self.now;
        let said = self.clients[index].offer_on(now, mid, source);
        self.say_for(index, said);
    }

    /// The client stops publishing a source.
    pub fn withdraw(&mut self, index: usize, source: Source) {
        let said = self.clients[index].withdraw(source);
        self.say_for(index, said);
    }

    /// The client goes to another address, and begins ICE anew from there.
    pub fn restart(&mut self, index: usize, address: SocketAddr) {
        let said = self.clients[index].restart(address);
        self.say_for(index, said);
    }

    /// Puts a command on its way to the server.
    pub fn say(&mut self, command: Command) {
        if let Command::Mute { participant, source, muted } = &command
            && let Some(client) = self.clients.iter_mut().find(|client| client.id == *participant)
        {
            client.muted = if *muted { client.muted.with(*source) } else { client.muted.without(*source) };
        }
        if let Command::Join { participant, incarnation, .. } = &command
            && let Some(client) = self.clients.iter_mut().find(|client| client.id == *participant)
        {
            client.incarnation = *incarnation;
        }
        let at = self.now + self.signal_delay(command.whose());
        self.to_server.put(at, command);
    }

    fn signal_delay(&mut self, whose: Option<ParticipantId>) -> Duration {
        let client = self.clients.iter().find(|client| Some(client.id) == whose);
        let slowness = client.map_or(Duration::ZERO, |client| client.slowness);
        let part = if slowness.is_zero() { 0.0 } else { self.slowness.f64() };
        SIGNAL_DELAY + slowness.mul_f64(part)
    }

    /// The signalling connection of the client at `index` breaks: what is on its way, either way, is lost.
    pub fn lose_signals(&mut self, index: usize) {
        let whose = self.clients[index].id;
        self.to_server.lose(whose);
        self.to_client.lose(whose);
    }

    /// Puts what the client at `index` says on its way.
    pub fn say_for(&mut self, index: usize, said: Say) {
        let participant = self.clients[index].id;
        self.say(match said {
            Say::Offer { id, sdp, sources } => Command::Offer { participant, id, sdp, sources },
            Say::Answer { id, sdp } => Command::Answer { participant, id, sdp },
        });
    }

    /// The client at `index` leaves.
    pub fn leave(&mut self, index: usize) {
        let participant = self.clients[index].id;
        self.clients[index].muted = Sources::default();
        self.say(Command::Leave { participant });
    }

    /// Puts a command for the client at `index` on its way.
    pub fn say_as(&mut self, index: usize, command: impl FnOnce(ParticipantId) -> Command) {
        let participant = self.clients[index].id;
        self.say(command(participant));
    }

    /// Kinds of the events about the client at `index`.
    #[must_use]
    pub fn events_of(&self, index: usize) -> Vec<EventKind> {
        let participant = self.clients[index].id;
        self.events
            .iter()
            .filter(|(_, event)| event.participant == participant)
            .map(|(_, event)| event.kind.clone())
            .collect()
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.net.settle(self.now);
        let mut turns = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            turns = if next > self.now { 0 } else { turns + 1 };
            assert!(turns < MANY_TURNS, "time stands still: {}", self.who_is_due());
            self.now = self.now.max(next);
            self.step();
            self.net.settle(self.now);
        }
        self.now = end;
    }

    /// Lets time pass, and tells of each datagram that the server sends whom it is for.
    pub fn run_watching(&mut self, time: Duration, mut tell: impl FnMut(SocketAddr)) {
        self.sent_to = Some(Vec::new());
        self.run(time);
        self.sent_to.take().into_iter().flatten().for_each(&mut tell);
    }

    /// Time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// What client `viewer` has got of `publisher`'s `source`.
    #[must_use]
    pub fn heard(&self, viewer: usize, publisher: usize, source: Source) -> Heard {
        let publisher = self.clients[publisher].id;
        let viewer = &self.clients[viewer];
        let sending =
            viewer.sending.iter().find(|sending| sending.publisher == publisher && sending.source == source);
        sending.and_then(|sending| viewer.heard.get(&sending.mid)).cloned().unwrap_or_default()
    }

    /// All events, without descriptions, and every packet that a client got.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        let events = self
            .events
            .iter()
            .map(|(at, event)| format!("{at:?} {} {}", event.participant.0, name(&event.kind)));
        let packets = self
            .clients
            .iter()
            .flat_map(|client| client.trace.iter().map(|packet| format!("{} got {packet:?}", client.id.0)));
        events.chain(packets).collect()
    }

    fn who_is_due(&self) -> String {
        let shard = self.shard.poll_timeout().filter(|(at, _)| *at <= self.now);
        let clients = self.clients.iter().filter(|client| client.next() <= self.now);
        let due: Vec<_> = clients
            .map(|client| (client.id.0, client.closed, client.connected, client.rtc.last_timeout_reason()))
            .collect();
        format!("shard {shard:?}, clients (who, closed, connected, why) {due:?}")
    }

    fn next(&self) -> Option<Instant> {
        let clients = self.clients.iter().map(Client::next);
        let shard = self.shard.poll_timeout().map(|(deadline, _)| deadline);
        let signals = self.to_server.next().into_iter().chain(self.to_client.next());
        clients.chain(shard).chain(signals).chain(self.net.next()).min()
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(command) = self.to_server.arrived(now) {
            self.shard.handle_command(now, command);
            self.drain_shard();
        }
        while let Some(event) = self.to_client.arrived(now) {
            self.tell_client(event);
        }
        while let Some(datagram) = self.net.arrived(now) {
            if datagram.destination == SERVER {
                let contents = &datagram.contents;
                if let Some((from, under, count)) =
                    self.forge.as_mut().filter(|(from, ..)| *from == datagram.source)
                {
                    *count += 1;
                    let _ = from;
                    self.shard.handle_datagram(
                        now,
                        Datagram { transport: Transport::Udp, source: *under, destination: SERVER, contents },
                    );
                }
                self.shard.handle_datagram(
                    now,
                    Datagram {
                        transport: Transport::Udp,
                        source: datagram.source,
                        destination: SERVER,
                        contents,
                    },
                );
                self.drain_shard();
            } else if let Some(index) =
                self.clients.iter().position(|client| client.address == datagram.destination)
            {
                self.clients[index].take_datagram(now, datagram.source, &datagram.contents);
                self.drain_client(index);
            }
        }
        if self.shard.poll_timeout().is_some_and(|(deadline, _)| deadline <= now) {
            self.shard.handle_timeout(now);
            self.drain_shard();
        }
        for index in 0..self.clients.len() {
            while self.clients[index].publish_one(now) {
                self.drain_client(index);
            }
            if self.clients[index].deadline <= now {
                self.clients[index].wake(now);
                self.drain_client(index);
            }
        }
    }

    fn tell_client(&mut self, event: Event) {
        // What an old connection of a client that came again was told is not for the new one.
        let is_for =
            |client: &Client| (client.id, client.incarnation) == (event.participant, event.incarnation);
        let Some(index) = self.clients.iter().position(is_for) else { return };
        match event.kind {
            EventKind::Answer { id, sdp } => self.clients[index].take_answer(id, &sdp),
            EventKind::Offer { id, sdp, sending, .. } => {
                if let Some(said) = self.clients[index].take_offer(id, &sdp, sending) {
                    self.say_for(index, said);
                }
                if let Some(said) = self.clients[index].offer_again() {
                    self.say_for(index, said);
                }
            }
            EventKind::Refused { id, .. } => self.clients[index].take_refusal(id),
            EventKind::Connected
            | EventKind::Speaking(_)
            | EventKind::ActiveSpeaker
            | EventKind::DataOpen { .. }
            | EventKind::Data { .. }
            | EventKind::Lock { .. }
            | EventKind::Tracks { .. }
            | EventKind::TakenUp { .. }
            | EventKind::Delivered { .. }
            | EventKind::Left(_) => {}
        }
        let now = self.now;
        self.clients[index].wake(now);
        self.drain_client(index);
    }

    fn drain_shard(&mut self) {
        let before = self.events.len();
        self.take_outputs();
        let made = self.events.get(before..).unwrap_or_default();
        let offers = made.iter().filter(|(_, event)| matches!(event.kind, EventKind::Offer { .. })).count();
        self.most_offers_at_once = self.most_offers_at_once.max(offers);
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.shard.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    self.sent_to.iter_mut().for_each(|sent| sent.push(transmit.destination));
                    self.net.send(transmit.source, transmit.destination, &transmit.contents);
                }
                Output::Event(event) => {
                    self.events.push((self.now - self.start, event.clone()));
                    let at = self.now + self.signal_delay(Some(event.participant));
                    self.to_client.put(at, event);
                }
                Output::Note { .. } | Output::Stream { .. } => {}
            }
        }
    }

    fn drain_client(&mut self, index: usize) {
        let Self { clients, net, .. } = self;
        let client = &mut clients[index];
        let source = client.address;
        client.drain(|destination, contents| net.send(source, destination, contents));
    }
}

/// What the stage's clients may do: everything.
#[must_use]
pub fn profile(client: &Client, fingerprint: [u8; 32]) -> Profile {
    Profile {
        fingerprint: Some(fingerprint),
        may_send: Source::ALL.into_iter().collect(),
        codecs: client.codecs.clone(),
        red: true,
        stream: format!("{:032x}", client.id.0),
        adapts: true,
        reports_sound: false,
        max_voices: client.max_voices,
        max_cameras: client.max_cameras,
        keyframe_gap: client.keyframe_gap,
        manners: client.manners,
    }
}

/// A certificate for a shard.
#[must_use]
pub fn server_certificate() -> Certificate {
    let made = crypto::certificate();
    Certificate { certificate: made.certificate, private_key: made.private_key }
}

/// The time at which every stage of the process begins, so that nothing depends on the hour. Far ahead of the real clock, by which sctp-proto
/// sets the first timer of an association (`Endpoint::connect`): it has then always run out, and how fast a story plays does not matter.
fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(|| Instant::now() + AHEAD)
}

fn name(kind: &EventKind) -> String {
    match kind {
        EventKind::Answer { id, .. } => format!("answer {id}"),
        EventKind::Offer { id, sending, .. } => format!("offer {id} of {}", sending.len()),
        EventKind::Refused { id, refusal } => format!("refused {id}: {refusal}"),
        EventKind::TakenUp { id } => format!("taken up {id}"),
        EventKind::Connected => "connected".into(),
        EventKind::Speaking(speaking) => format!("speaking {speaking}"),
        EventKind::ActiveSpeaker => "active speaker".into(),
        EventKind::DataOpen { label } => format!("channel {label} open"),
        EventKind::Data { label, bytes, .. } => format!("{} bytes on {label}", bytes.len()),
        EventKind::Lock { granted } => format!("lock {granted}"),
        EventKind::Tracks { incoming, outgoing } => format!("tracks in {incoming:?} out {outgoing:?}"),
        EventKind::Delivered { id } => format!("delivered {id}"),
        EventKind::Left(reason) => format!("left {reason:?}"),
    }
}
