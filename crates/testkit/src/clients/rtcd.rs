//! A Mattermost server and its users' clients, as rtcd knows them: one WebSocket of the plugin, many sessions with media of their own.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use sfu::{Glare, Manners, ParticipantId, Sending, Source};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use wire::Masked;
use wire::rtcd::{
    ChannelMessage, ClientMessage, Description, Join, MediaMap, Rtc, RtcKind, ServerMessage, Signal, Tracked,
};

use crate::stage::{Client, Say};

/// Longer than anything takes that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often everybody looks at the network.
const STEP: Duration = Duration::from_millis(2);
/// How long a browser waits until it asks for the lock again (calls-common: src/rtc_peer.ts).
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A connection, in the clear or not.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The plugin's WebSocket.
pub struct Plugin {
    stream: WebSocketStream<Box<dyn Wire>>,
    /// What the server called it.
    pub connection: String,
    /// Whom the server takes it for.
    pub client: String,
}

impl Plugin {
    /// Connects with Basic, and is told hello.
    ///
    /// # Errors
    /// The status with which the server refused.
    pub async fn open(server: SocketAddr, client: &str, key: &str) -> Result<Self, u16> {
        let credential = format!("Basic {}", STANDARD.encode(format!("{client}:{key}")));
        Self::open_with(server, &[("authorization", &credential)]).await
    }

    /// Connects with these headers.
    ///
    /// # Errors
    /// As [`Plugin::open`].
    pub async fn open_with(server: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let stream = TcpStream::connect(server).await.unwrap();
        Self::open_on(Box::new(stream), &server.to_string(), headers).await
    }

    /// Connects over TLS with Basic, and believes this certificate alone.
    ///
    /// # Errors
    /// As [`Plugin::open`].
    pub async fn open_over_tls(server: SocketAddr, pem: &[u8], client: &str, key: &str) -> Result<Self, u16> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(server).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let credential = format!("Basic {}", STANDARD.encode(format!("{client}:{key}")));
        Self::open_on(Box::new(stream), "localhost", &[("authorization", &credential)]).await
    }

    async fn open_on(wire: Box<dyn Wire>, host: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = match client_async(request, wire).await {
            Ok((stream, _)) => stream,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        let mut plugin = Self { stream, connection: String::new(), client: String::new() };
        match plugin.next().await {
            Ok(ServerMessage::Hello { client, connection }) => {
                (plugin.client, plugin.connection) = (client, connection);
            }
            other => panic!("{other:?}"),
        }
        Ok(plugin)
    }

    /// Says a message.
    pub async fn say(&mut self, message: &ClientMessage) {
        self.send(Message::binary(message.encode())).await;
    }

    /// Sends any frame; a server that closes may not take it.
    pub async fn send(&mut self, message: Message) {
        let _ = timeout(PATIENCE, self.stream.send(message)).await.expect("the server does not read");
    }

    /// Says that a user joins.
    pub async fn join(&mut self, call: &str, session: &str, by_channel: Option<bool>) {
        let (call, user, session) = (call.to_owned(), format!("user of {session}"), session.to_owned());
        self.say(&ClientMessage::Join(Join { call, user, session, channel: None, av1: None, by_channel }))
            .await;
    }

    /// Says something about a session.
    pub async fn signal(&mut self, session: &str, signal: &Signal) {
        self.say(&rtc(session, signal)).await;
    }

    /// Returns the next message; or the code with which the server closed, if it gave one.
    ///
    /// # Errors
    /// The close code.
    pub async fn next(&mut self) -> Result<ServerMessage, Option<u16>> {
        timeout(PATIENCE, self.maybe_next()).await.expect("the server says nothing")
    }

    /// The same, for as long as it takes. May be dropped and called again without loss.
    ///
    /// # Errors
    /// As [`Plugin::next`].
    pub async fn maybe_next(&mut self) -> Result<ServerMessage, Option<u16>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Binary(frame))) => return Ok(ServerMessage::decode(&frame).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => (),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Returns whether the server says nothing for so long.
    pub async fn is_quiet(&mut self, time: Duration) -> bool {
        timeout(time, self.maybe_next()).await.is_err()
    }
}

fn rtc(session: &str, signal: &Signal) -> ClientMessage {
    let (kind, data) = signal.write();
    let empty = String::new;
    ClientMessage::Rtc(Rtc {
        group: empty(),
        user: empty(),
        session: session.to_owned(),
        call: empty(),
        kind,
        data,
    })
}

/// Whether a client offers and answers by its data channel, once that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By the plugin.
    Plugin,
    /// By the data channel.
    Channel,
}

/// A user's client.
pub struct User {
    /// Its media.
    pub client: Client,
    /// What it is sent: the latest map.
    pub map: MediaMap,
    /// Server's offers that came with a map of all their m-lines before them.
    pub mapped_offers: usize,
    /// Those without.
    pub unmapped_offers: usize,
    /// Whether the server told the plugin that it is over.
    pub ended: bool,
    /// What the server told of it: begun or ceased to speak.
    pub spoke: Vec<bool>,
    /// Candidates that the server told.
    pub candidates: Vec<String>,
    /// Messages of the data channel other than descriptions, maps and locks.
    pub heard_by_channel: Vec<Vec<u8>>,
    /// Locks that were refused.
    pub locks_refused: usize,
    /// Whether its loudness varies, as that of a speaker.
    pub speaks: bool,
    session: String,
    by: By,
    udp: UdpSocket,
    /// What it wants to publish, and whether it has the lock for that.
    wanted: VecDeque<Vec<Source>>,
    locking: Locking,
    /// The number that the client gave its offer.
    offered: u32,
    answered: bool,
    steps: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locking {
    Idle,
    Asked,
    Refused(Instant),
    Held,
}

/// Several users, and the plugins that speak for them.
pub struct Party {
    /// The client id, which is the realm.
    realm: String,
    /// The connections, the one in use last.
    pub plugins: Vec<Plugin>,
    /// By session.
    pub users: BTreeMap<String, User>,
    /// What was said of sessions that are none of these.
    pub others: Vec<ServerMessage>,
}

impl Party {
    /// Begins with one connection.
    #[must_use]
    pub fn new(realm: &str, plugin: Plugin) -> Self {
        Self { realm: realm.to_owned(), plugins: vec![plugin], users: BTreeMap::new(), others: Vec::new() }
    }

    /// Joins a call, and offers a data channel.
    pub async fn enter(&mut self, call: &str, session: &str, by: By) {
        let mut user = User::new(session, by).await;
        let plugin = self.plugins.last_mut().unwrap();
        plugin.join(call, session, Some(by == By::Channel)).await;
        user.client.wants_channel = true;
        let Say::Offer { id, sdp, .. } = user.client.offer(Instant::now(), &[]) else { panic!() };
        user.offered = id;
        plugin.signal(session, &Signal::Description(Description::Offer(Masked(sdp)))).await;
        self.users.insert(session.to_owned(), user);
    }

    /// Wants to publish more, as soon as it has the lock.
    pub fn publish(&mut self, session: &str, sources: &[Source]) {
        self.user(session).wanted.push_back(sources.to_vec());
    }

    /// Says something about a session.
    pub async fn signal(&mut self, session: &str, signal: Signal) {
        self.plugins.last_mut().unwrap().signal(session, &signal).await;
    }

    /// A user's client.
    pub fn user(&mut self, session: &str) -> &mut User {
        self.users.get_mut(session).unwrap()
    }

    /// Packets that a viewer got of somebody's source.
    #[must_use]
    pub fn heard(&self, viewer: &str, publisher: &str, kind: Tracked) -> u64 {
        let user = &self.users[viewer];
        let mids = user.map.iter().filter(|(_, mapped)| mapped.kind == kind && mapped.sender == publisher);
        mids.filter_map(|(mid, _)| user.client.heard.get(mid)).map(|heard| heard.packets).sum()
    }

    /// Plays until it is so, or panics.
    pub async fn play_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "it never happened: {what}");
            self.step().await;
        }
    }

    /// Plays for a while.
    pub async fn play_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let Self { realm, plugins, users, .. } = self;
        for user in users.values_mut() {
            for signal in user.step(realm).await {
                plugins.last_mut().unwrap().signal(&user.session, &signal).await;
            }
        }
        let mut heard = Vec::new();
        if plugins.is_empty() {
            tokio::time::sleep(STEP).await;
        }
        for plugin in plugins.iter_mut() {
            while let Ok(message) = timeout(STEP, plugin.maybe_next()).await {
                let Ok(message) = message else { break };
                heard.push(message);
            }
        }
        for message in heard {
            self.hear(message).await;
        }
    }

    async fn hear(&mut self, message: ServerMessage) {
        let Self { realm, plugins, users, others } = self;
        let session = match &message {
            ServerMessage::Rtc(rtc) | ServerMessage::Vad(rtc) => rtc.session.clone(),
            ServerMessage::Close { session } => session.clone(),
            ServerMessage::Hello { .. } => String::new(),
        };
        let Some(user) = users.get_mut(&session) else {
            others.push(message);
            return;
        };
        match message {
            ServerMessage::Rtc(rtc) => {
                assert_eq!((rtc.group.as_str(), rtc.user), (realm.as_str(), format!("user of {session}")));
                if rtc.kind == RtcKind::Ice {
                    user.candidates.push(wire::rtcd::Candidate::decode(&rtc.data).unwrap().0.0);
                    return;
                }
                let description = Description::decode(&rtc.data).unwrap();
                if let Some(signal) = user.take(realm, description, By::Plugin) {
                    plugins.last_mut().unwrap().signal(&session, &signal).await;
                }
            }
            ServerMessage::Vad(rtc) => user.spoke.push(rtc.kind == RtcKind::VoiceOn),
            ServerMessage::Close { .. } => user.ended = true,
            ServerMessage::Hello { .. } => unreachable!("it has no session"),
        }
    }
}

impl User {
    async fn new(session: &str, by: By) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let crypto = Arc::new(str0m_aws_lc_rs::default_provider());
        let mut client = Client::new(ParticipantId(0), udp.local_addr().unwrap(), &crypto, Instant::now());
        client.streams = [
            (Source::Screen, "screen"),
            (Source::ScreenAudio, "screen"),
            (Source::Camera, "camera"),
            (Source::Voice, "voice"),
        ]
        .map(|(source, kind)| (source, stream(session, kind)))
        .into();
        client.manners = Manners { glare: Glare::Insist, ..Manners::default() };
        Self {
            client,
            map: MediaMap::new(),
            mapped_offers: 0,
            unmapped_offers: 0,
            ended: false,
            spoke: Vec::new(),
            candidates: Vec::new(),
            heard_by_channel: Vec::new(),
            locks_refused: 0,
            speaks: false,
            session: session.to_owned(),
            by,
            udp,
            wanted: VecDeque::new(),
            locking: Locking::Idle,
            offered: 0,
            answered: false,
            steps: 0,
        }
    }

    /// Whether its data channel is open.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.client.channel.is_some()
    }

    /// Whether everything that it wanted to publish is answered.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.wanted.is_empty() && self.locking == Locking::Idle && self.client.may_offer()
    }

    /// Says something by its data channel.
    pub fn say(&mut self, message: &ChannelMessage) {
        assert!(self.client.write(Instant::now(), true, &message.encode()), "the channel takes it");
    }

    /// Says any bytes by it.
    pub fn say_bytes(&mut self, bytes: &[u8]) {
        assert!(self.client.write(Instant::now(), true, bytes), "the channel takes it");
    }

    /// Looks at the network and the clock; returns what is for the plugin.
    async fn step(&mut self, realm: &str) -> Vec<Signal> {
        let mut signals = Vec::new();
        self.steps += 1;
        if let Some(loudness) = self.client.loudness.as_mut().filter(|_| self.speaks) {
            // Twelve steps are some packets.
            loudness.dbov = if (self.steps / 12).is_multiple_of(2) { -10 } else { -70 };
        }
        let mut datagram = [0; 2_048];
        while let Ok((length, from)) = self.udp.try_recv_from(&mut datagram) {
            self.client.take_datagram(Instant::now(), from, &datagram[..length]);
            self.flush().await;
        }
        if self.client.next() <= Instant::now() {
            self.client.wake(Instant::now());
        }
        self.flush().await;
        while self.client.publish_one(Instant::now()) {
            self.flush().await;
        }
        for message in std::mem::take(&mut self.client.messages) {
            signals.extend(self.hear_channel(realm, &message));
        }
        signals.extend(self.want());
        self.flush().await;
        signals
    }

    async fn flush(&mut self) {
        let mut out = Vec::new();
        self.client.drain(|to, bytes| out.push((to, bytes.to_vec())));
        for (to, bytes) in out {
            self.udp.send_to(&bytes, to).await.unwrap();
        }
    }

    fn hear_channel(&mut self, realm: &str, bytes: &[u8]) -> Option<Signal> {
        match ChannelMessage::decode(bytes) {
            Ok(ChannelMessage::Sdp(description)) => return self.take(realm, description, By::Channel),
            Ok(ChannelMessage::MediaMap(map)) => self.map = map,
            Ok(ChannelMessage::Lock { granted: true }) => self.locking = Locking::Held,
            Ok(ChannelMessage::Lock { granted: false }) => {
                self.locks_refused += 1;
                self.locking = Locking::Refused(Instant::now());
            }
            _ => self.heard_by_channel.push(bytes.to_vec()),
        }
        None
    }

    /// Asks for the lock, and offers when it has it.
    fn want(&mut self) -> Option<Signal> {
        let may_ask = match self.locking {
            Locking::Idle => true,
            Locking::Refused(at) => at.elapsed() >= LOCK_RETRY,
            Locking::Asked | Locking::Held => false,
        };
        if may_ask && !self.wanted.is_empty() && self.is_in() && self.answered {
            self.locking = Locking::Asked;
            self.say(&ChannelMessage::LockRequest);
        }
        if self.locking != Locking::Held || !self.client.may_offer() {
            return None;
        }
        let sources = self.wanted.pop_front()?;
        let say = self.client.offer(Instant::now(), &sources);
        self.send(say)
    }

    /// Takes a description of the server; returns what is for the plugin.
    fn take(&mut self, realm: &str, description: Description, by: By) -> Option<Signal> {
        match description {
            Description::Answer(sdp) => {
                assert!(!self.answered || by == self.by, "an answer goes the way of its offer");
                self.client.take_answer(self.offered, &sdp.0);
                // Not after the very first, which needed no lock.
                if std::mem::replace(&mut self.answered, true) {
                    self.say(&ChannelMessage::Unlock);
                    self.locking = Locking::Idle;
                }
                None
            }
            Description::Offer(sdp) => {
                assert_eq!(by, self.by, "the way of our offers");
                let mapped = sent(&sdp.0).all(|mid| self.map.contains_key(mid));
                if mapped {
                    self.mapped_offers += 1;
                } else {
                    self.unmapped_offers += 1;
                }
                let sending = self.sending(realm);
                let answer = self.client.take_offer(0, &sdp.0, sending)?;
                self.send(answer)
            }
        }
    }

    fn sending(&self, realm: &str) -> Vec<Sending> {
        let realm = identity::RealmId::new(realm);
        let source = |kind| match kind {
            Tracked::Voice => Source::Voice,
            Tracked::Video => Source::Camera,
            Tracked::Screen => Source::Screen,
            Tracked::ScreenAudio => Source::ScreenAudio,
        };
        let of = |sender: &str| ParticipantId(identity::SessionId::named(&realm, sender).0);
        let map = self.map.iter();
        map.map(|(mid, mapped)| Sending {
            mid: mid.clone(),
            publisher: of(&mapped.sender),
            source: source(mapped.kind),
        })
        .collect()
    }

    fn send(&mut self, say: Say) -> Option<Signal> {
        let description = match say {
            Say::Offer { id, sdp, .. } => {
                self.offered = id;
                Description::Offer(Masked(sdp))
            }
            Say::Answer { sdp, .. } => Description::Answer(Masked(sdp)),
        };
        if self.by == By::Plugin {
            return Some(Signal::Description(description));
        }
        self.say(&ChannelMessage::Sdp(description));
        None
    }
}

/// What a user's client calls its stream of this kind.
#[must_use]
pub fn stream(session: &str, kind: &str) -> String {
    format!("{{{session}-{kind}}}")
}

/// The m-lines on which the author of a description sends a stream.
fn sent(sdp: &str) -> impl Iterator<Item = &str> {
    let sections = sdp.split("\r\nm=").skip(1);
    let sends = |section: &&str| {
        section.contains("\r\na=msid:")
            && (section.contains("\r\na=sendonly") || section.contains("\r\na=sendrecv"))
    };
    sections.filter(sends).filter_map(|section| section.split("\r\na=mid:").nth(1)?.split("\r\n").next())
}
