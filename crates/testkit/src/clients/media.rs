//! The stage's media client on a real socket, spoken for by a browser of the rooms face.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sfu::{ParticipantId, Sending, Source};
use tokio::net::UdpSocket;
use tokio::time::{sleep_until, timeout};

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
    udp: UdpSocket,
    label: String,
    /// The offer that is not answered.
    waiting: Option<u32>,
}

impl Caller {
    /// Redeems with the fingerprint of its own media, and is welcomed.
    pub async fn enter(server: &TestServer, invite: &str, name: &str) -> Self {
        let (client, udp) = new_client().await;
        let mut browser = Browser::new();
        browser.fingerprint = fingerprint_text(&client.fingerprint);
        browser.redeem_as(server, invite, name).await;
        let (socket, _) = browser.enter(server).await;
        Self { client, browser, socket, errors: Vec::new(), udp, label: "m1".into(), waiting: None }
    }

    /// Offers to send these sources, after `patch` has seen the description.
    pub async fn offer(&mut self, sources: &[Source], patch: impl Fn(String) -> String) {
        let say = self.client.offer(Instant::now(), sources);
        self.say(say, patch).await;
    }

    /// Puts other media in the place of its own, as if its certificate were another one.
    pub async fn swap_media(&mut self) {
        (self.client, self.udp) = new_client().await;
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
            self.udp.send_to(&bytes, to).await.unwrap();
        }
        let mut datagram = [0; 2_048];
        let wake = self.client.next().min(Instant::now() + Duration::from_millis(20));
        tokio::select! {
            got = self.udp.recv_from(&mut datagram) => {
                if let Ok((length, from)) = got {
                    self.client.take_datagram(Instant::now(), from, &datagram[..length]);
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
            "answer" => self.client.take_answer(id(), sdp()),
            "offer" => {
                if let Some(answer) = self.client.take_offer(id(), sdp(), sending(&message["tracks"])) {
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

/// The fingerprint as SDP writes it, without its attribute name.
pub fn fingerprint_text(bytes: &[u8; 32]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

async fn new_client() -> (Client, UdpSocket) {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = udp.local_addr().unwrap();
    let crypto = Arc::new(str0m_aws_lc_rs::default_provider());
    (Client::new(ParticipantId(0), address, &crypto, Instant::now()), udp)
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
