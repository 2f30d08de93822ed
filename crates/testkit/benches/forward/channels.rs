//! What verto channels cost: one word to a thousand members, words in a thousand channels of two, and a socket that is idle. Clients are in
//! the same process and on the same cores, but as small as can be: a socket, and frames masked with zeros.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use testkit::clients::verto::{Credential, channel, issue, start};
use testkit::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::idle::resident;
use crate::logins::{milliseconds, percentile};
use crate::table::Table;

const MEMBERS: u32 = 1_000;
/// Words that are said in one channel of all, and in each of the channels of two.
const WORDS: usize = 50;
const WORDS_OF_TWO: usize = 10;

pub(crate) fn measure(table: &mut Table) {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let rates = ["messages_per_second", "message_burst", "broadcasts_per_second", "broadcast_burst"];
        let places = ["capacity_max", "clients_per_channel", "sockets_per_address"];
        let limits: Vec<_> =
            rates.iter().map(|rate| (*rate, 1_000_000)).chain(places.map(|place| (place, 4_096))).collect();
        let server = start(&limits).await;
        large(&server, table).await;
        small(&server, table).await;
    });
}

/// One channel of a thousand.
async fn large(server: &TestServer, table: &mut Table) {
    let channel = channel(server, json!({"capacity": MEMBERS})).await;
    let mut credentials = Vec::new();
    for _ in 0..MEMBERS {
        credentials.push(issue(server, &channel, None).await);
    }
    let before = resident();
    let mut members = Vec::new();
    for credential in &credentials {
        members.push(Client::member(server.verto(), credential).await);
    }
    let each = (resident() - before) as f64 / f64::from(MEMBERS);
    table.judge("memory of an idle verto socket, client's end included", each / 1e3, "kB", 20.0);
    let mut speaker = members.pop().unwrap();
    let begun = Instant::now();
    let mut hearing = JoinSet::new();
    for mut member in members {
        hearing.spawn(async move { member.hear(WORDS, begun).await });
    }
    for _ in 0..WORDS {
        speaker.broadcast(&channel, begun).await;
        speaker.hear(1, begun).await;
    }
    report(table, "1 channel of 1,000", begun, hearing).await;
}

/// A thousand channels of two, who speak at once.
async fn small(server: &TestServer, table: &mut Table) {
    let mut pairs = Vec::new();
    for _ in 0..MEMBERS {
        let channel = channel(server, json!({})).await;
        let (one, other) = (issue(server, &channel, None).await, issue(server, &channel, None).await);
        let speaker = Client::member(server.verto(), &one).await;
        pairs.push((channel, speaker, Client::member(server.verto(), &other).await));
    }
    let begun = Instant::now();
    let mut hearing = JoinSet::new();
    for (channel, mut speaker, mut listener) in pairs {
        hearing.spawn(async move {
            for _ in 0..WORDS_OF_TWO {
                speaker.broadcast(&channel, begun).await;
                speaker.hear(1, begun).await;
            }
            listener.hear(WORDS_OF_TWO, begun).await
        });
    }
    report(table, "1,000 channels of 2", begun, hearing).await;
}

async fn report(table: &mut Table, name: &str, begun: Instant, hearing: JoinSet<Vec<Duration>>) {
    let mut delays: Vec<Duration> = hearing.join_all().await.into_iter().flatten().collect();
    let rate = delays.len() as f64 / begun.elapsed().as_secs_f64();
    table.note(format!("verto, {name}: words heard"), rate, "a second");
    table.note(format!("verto, {name}: p99 delay"), milliseconds(percentile(&mut delays, 99)), "ms");
}

struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Client {
    /// Opens a socket, logs in and subscribes.
    async fn member(server: SocketAddr, credential: &Credential) -> Self {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let upgrade = format!(
            "GET /verto HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut client = Self { stream, heard: Vec::new() };
        client.until(b"\r\n\r\n").await;
        client.ask("login", &credential.login()).await;
        client.until(b"clientReady").await;
        client.ask("verto.subscribe", &json!({"eventChannel": credential.channel})).await;
        client.until(b"subscribedChannels").await;
        client.heard = Vec::new();
        client
    }

    async fn broadcast(&mut self, channel: &str, begun: Instant) {
        let at = format!("<{:020}>", begun.elapsed().as_nanos());
        self.ask("verto.broadcast", &json!({"eventChannel": channel, "data": at})).await;
    }

    async fn ask(&mut self, method: &str, params: &serde_json::Value) {
        let text = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        // Final, text, masked with zeros, a length of 16 bits (RFC 6455 §5.2).
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        let head = [0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
        self.stream.write_all(&[&head, text.as_bytes()].concat()).await.unwrap();
    }

    /// Hears so many words; returns how long each was on its way.
    async fn hear(&mut self, words: usize, begun: Instant) -> Vec<Duration> {
        let mut delays = Vec::with_capacity(words);
        while delays.len() < words {
            let place = self.until(b">").await;
            let said = std::str::from_utf8(&self.heard[place - 20..place]).unwrap();
            let said = Duration::from_nanos(said.parse().unwrap());
            delays.push(begun.elapsed().saturating_sub(said));
            self.heard.drain(..=place);
        }
        delays
    }

    /// Reads until these bytes have come; returns where they are.
    async fn until(&mut self, bytes: &[u8]) -> usize {
        loop {
            if let Some(place) = self.heard.windows(bytes.len()).position(|window| window == bytes) {
                return place;
            }
            let mut chunk = [0; 2_048];
            let count = self.stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "the server closed");
            self.heard.extend_from_slice(&chunk[..count]);
        }
    }
}
