//! The stage's media client on a real socket, spoken for by a browser of the rooms face.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sfu::{ParticipantId, Sending, Source};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Input};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep_until, timeout};
use wire::framing::{Deframer, header};

use super::rooms::{Browser, Socket};
use crate::server::TestServer;
use crate::stage::{Client, Say};

/// Longer than a handshake takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A participant with media.
pub struct Caller {
    /// Its media.
    pub client: Client,
    /// Its keys.
    pub browser: Browser,
    /// Its socket.
    pub socket: Socket,
    /// What the server refused while it played.
    pub errors: Vec<Value>,
    /// The candidates of the server's last answer.
    pub candidates: Vec<String>,
    wire: Wire,
    label: String,
    /// The offer that is not answered.
    waiting: Option<u32>,
}

impl Caller {
    /// Redeems with the fingerprint of its own media, and is welcomed.
    pub async fn enter(server: &TestServer, invite: &str, name: &str) -> Self {
        Self::enter_by(server, invite, name, new_client().await).await
    }

    /// The same, for somebody whose UDP is blocked.
    pub async fn enter_over_tcp(server: &TestServer, invite: &str, name: &str, door: SocketAddr) -> Self {
        let stream = TcpStream::connect(door).await.unwrap();
        let address = stream.local_addr().unwrap();
        let (mut client, _) = new_client().await;
        let active = Candidate::builder().tcp().host(address).tcptype(TcpType::Active).build().unwrap();
        client.rtc.add_local_candidate(active);
        let wire = Wire::Tcp { stream, deframer: Deframer::new(), address, door };
        Self::enter_by(server, invite, name, (client, wire)).await
    }

    async fn enter_by(server: &TestServer, invite: &str, name: &str, (client, wire): (Client, Wire)) -> Self {
        let mut browser = Browser::new();
        browser.fingerprint = fingerprint_text(&client.fingerprint);
        browser.redeem_as(server, invite, name).await;
        let (socket, _) = browser.enter(server).await;
        Self {
            client,
            browser,
            socket,
            errors: Vec::new(),
            candidates: Vec::new(),
            wire,
            label: "m1".into(),
            waiting: None,
        }
    }

    /// Offers to send these sources, after `patch` has seen the description.
    pub async fn offer(&mut self, sources: &[Source], patch: impl Fn(String) -> String) {
        let say = self.client.offer(Instant::now(), sources);
        self.say(say, patch).await;
    }

    /// Puts other media in the place of its own, as if its certificate were another one.
    pub async fn swap_media(&mut self) {
        (self.client, self.wire) = new_client().await;
    }

    /// Plays the call until `done`, or panics.
    pub async fn play_until(&mut self, done: impl Fn(&Client) -> bool) {
        let played = timeout(PATIENCE, async {
            while !done(&self.client) {
                self.step().await;
            }
        });
        played.await.expect("it never happened");
    }

    /// Plays the call for a while.
    pub async fn play_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step().await;
        }
    }

    /// How many packets have come of a publisher's source.
    pub fn heard(&self, publisher: &str, source: Source) -> u64 {
        let publisher = ParticipantId(u128::from_str_radix(publisher, 16).unwrap());
        let sending = self.client.sending.iter();
        let mid = sending.filter(|sending| sending.publisher == publisher && sending.source == source);
        mid.filter_map(|sending| self.client.heard.get(&sending.mid)).map(|heard| heard.packets).sum()
    }

    async fn step(&mut self) {
        let mut out = Vec::new();
        self.client.drain(|to, bytes| out.push((to, bytes.to_vec())));
        while self.client.publish_one(Instant::now()) {
            self.client.drain(|to, bytes| out.push((to, bytes.to_vec())));
        }
        for (to, bytes) in out {
            self.wire.send(to, &bytes).await;
        }
        let mut datagram = [0; 2_048];
        let wake = self.client.next().min(Instant::now() + Duration::from_millis(20));
        tokio::select! {
            (length, from) = self.wire.receive(&mut datagram) => {
                for (to, bytes) in self.wire.give(&datagram[..length], from, &mut self.client) {
                    self.wire.send(to, &bytes).await;
                }
            }
            message = self.socket.maybe_next() => self.hear(&message).await,
            () = sleep_until(wake.into()) => self.client.wake(Instant::now()),
        }
    }

    async fn hear(&mut self, message: &Value) {
        let id = || u32::try_from(message["id"].as_u64().unwrap()).unwrap();
        let sdp = || message["sdp"].as_str().unwrap();
        match message["type"].as_str().unwrap() {
            // After a reconnect the server repeats its last one.
            "answer" if self.waiting.take_if(|waiting| *waiting == id()).is_none() => (),
            "answer" => {
                let sdp = self.wire.reachable(sdp());
                let candidates = sdp.lines().filter(|line| line.starts_with("a=candidate:"));
                self.candidates = candidates.map(str::to_owned).collect();
                self.client.take_answer(id(), &sdp);
            }
            "offer" => {
                if let Some(answer) =
                    self.client.take_offer(id(), &self.wire.reachable(sdp()), sending(&message["tracks"]))
                {
                    self.say(answer, |sdp| sdp).await;
                }
            }
            "error" => self.errors.push(message.clone()),
            _ => (),
        }
    }

    async fn say(&mut self, say: Say, patch: impl Fn(String) -> String) {
        let media = &self.label;
        let message = match say {
            Say::Offer { id, sdp, sources } => {
                self.waiting = Some(id);
                let tracks: BTreeMap<_, _> =
                    sources.into_iter().map(|(mid, source)| (mid, source_text(source))).collect();
                json!({"type": "offer", "media": media, "id": id, "sdp": patch(sdp), "tracks": tracks})
            }
            Say::Answer { id, sdp } => json!({"type": "answer", "media": media, "id": id, "sdp": patch(sdp)}),
        };
        self.socket.say(&message).await;
    }
}

/// What carries a caller's packets.
enum Wire {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, deframer: Deframer, address: SocketAddr, door: SocketAddr },
}

impl Wire {
    async fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        match self {
            Self::Udp(udp) => _ = udp.send_to(bytes, to).await.unwrap(),
            Self::Tcp { stream, door, .. } => {
                assert_eq!(to, *door);
                let framed = [&header(bytes.len()).unwrap(), bytes].concat();
                // The server may have closed it, as after a removal.
                let _ = stream.write_all(&framed).await;
            }
        }
    }

    /// Returns how many bytes have come, and from where.
    async fn receive(&mut self, bytes: &mut [u8]) -> (usize, SocketAddr) {
        match self {
            Self::Udp(udp) => udp.recv_from(bytes).await.unwrap(),
            Self::Tcp { stream, door, .. } => match stream.read(bytes).await {
                Ok(length) if length > 0 => (length, *door),
                _ => std::future::pending().await,
            },
        }
    }

    /// Gives the client what has come; returns what it sends in turn.
    fn give(&mut self, bytes: &[u8], from: SocketAddr, client: &mut Client) -> Vec<(SocketAddr, Vec<u8>)> {
        let now = Instant::now();
        let mut sent = Vec::new();
        match self {
            Self::Udp(_) => client.take_datagram(now, from, bytes),
            Self::Tcp { deframer, address, .. } => {
                let give = |packet: &[u8]| {
                    let receive = Receive::new(Protocol::Tcp, from, *address, packet).unwrap();
                    client.rtc.handle_input(Input::Receive(now, receive)).unwrap();
                    client.drain(|to, bytes| sent.push((to, bytes.to_vec())));
                };
                deframer.take(bytes, give).unwrap();
            }
        }
        sent
    }

    /// The description as somebody sees it who can only use this.
    fn reachable(&self, sdp: &str) -> String {
        match self {
            Self::Udp(_) => sdp.to_owned(),
            Self::Tcp { .. } => sdp.split_inclusive("\r\n").filter(|line| !line.contains(" udp ")).collect(),
        }
    }
}

/// The fingerprint as SDP writes it, without its attribute name.
pub fn fingerprint_text(bytes: &[u8; 32]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

async fn new_client() -> (Client, Wire) {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = udp.local_addr().unwrap();
    let crypto = Arc::new(str0m_aws_lc_rs::default_provider());
    (Client::new(ParticipantId(0), address, &crypto, Instant::now()), Wire::Udp(udp))
}

fn sending(tracks: &Value) -> Vec<Sending> {
    let tracks = tracks.as_object().unwrap().iter();
    let read = |(mid, track): (&String, &Value)| Sending {
        mid: mid.clone(),
        publisher: ParticipantId(
            u128::from_str_radix(track["participant_id"].as_str().unwrap(), 16).unwrap(),
        ),
        source: Source::ALL.into_iter().find(|source| track["source"] == source_text(*source)).unwrap(),
    };
    tracks.map(read).collect()
}

fn source_text(source: Source) -> &'static str {
    match source {
        Source::Voice => "voice",
        Source::Camera => "camera",
        Source::Screen => "screen",
        Source::ScreenAudio => "screen-audio",
    }
}
