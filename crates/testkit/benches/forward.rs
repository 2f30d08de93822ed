//! What a forwarded packet and a join cost: CPU time of the thread that runs the shard, sends included.
//!
//! Beside each number stands the floor measured in the same run: sealing a packet of that size with one of as many keys, and a plain
//! send of it on the same socket. Trust the ratio more than the nanoseconds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a bench reads the clock, prints its numbers and may fail loudly"
)]

use std::net::UdpSocket;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::time::{ClockId, clock_gettime};
use sfu::Source::{Camera, Voice};
use sfu::{Command, Datagram, Output, Source, Transport};
use testkit::stage::{ROOM, SERVER, Say, Stage, Weather, profile};

const ROUNDS: usize = 5;
const PACKETS: usize = 200;

fn main() {
    println!(
        "{:<8}{:>12}{:>16}{:>22}{:>8}",
        "kind", "subscribers", "ns/forwarded", "ns seal+plain send", "ratio"
    );
    for (name, source, bytes) in [("audio", Voice, 100), ("video", Camera, 1_200)] {
        for subscribers in [10, 100] {
            let mut call = Call::new(source, subscribers);
            let mut costs = Vec::new();
            let mut floors = Vec::new();
            for _ in 0..ROUNDS {
                costs.push(call.forward_all());
                floors.push(call.floor(bytes));
            }
            let (cost, floor) = (median(costs), median(floors));
            let ratio = cost as f64 / floor as f64;
            println!("{name:<8}{subscribers:>12}{cost:>16}{floor:>22}{ratio:>8.2}");
        }
    }
    let joins = (0..ROUNDS as u64).map(join_cost).collect();
    println!("CPU per join, from the command to ICE and DTLS up: {} µs", median(joins) / 1_000);
}

/// One publisher, and subscribers that only listen.
struct Call {
    stage: Stage,
    socket: UdpSocket,
    sink: UdpSocket,
    source: Source,
    subscribers: usize,
}

impl Call {
    fn new(source: Source, subscribers: usize) -> Self {
        let mut stage = Stage::new(1, Weather::FAIR);
        stage.join(&[source]);
        for _ in 0..subscribers {
            stage.join(&[]);
        }
        stage.run(Duration::from_secs(3));
        for viewer in 1..=subscribers {
            assert!(stage.heard(viewer, 0, source).packets > 10, "subscriber {viewer} receives");
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { stage, socket, sink, source, subscribers }
    }

    /// Forwards [`PACKETS`] packets of the publisher; returns ns per packet and subscriber.
    fn forward_all(&mut self) -> u64 {
        self.stage.run(Duration::from_secs(1));
        let target = self.sink.local_addr().unwrap();
        let publisher = self.stage.clients[0].address;
        let mut now = self.stage.now;
        let mut datagrams = Vec::new();
        while datagrams.len() < PACKETS {
            now += Duration::from_millis(if self.source.is_audio() { 20 } else { 11 });
            if self.stage.clients[0].publish_one(now) {
                self.stage.clients[0].drain(|_, contents| datagrams.push((now, contents.to_vec())));
            }
        }
        let before = self.stage.shard.stats().forwarded;
        let start = cpu_ns();
        for (now, contents) in &datagrams {
            self.stage.shard.handle_datagram(
                *now,
                Datagram { transport: Transport::Udp, source: publisher, destination: SERVER, contents },
            );
            while let Some(output) = self.stage.shard.poll_output() {
                if let Output::Transmit(transmit) = output {
                    self.socket.send_to(&transmit.contents, target).unwrap();
                }
            }
        }
        let spent = cpu_ns() - start;
        let forwarded = self.stage.shard.stats().forwarded - before;
        assert!(forwarded >= (PACKETS * self.subscribers * 9 / 10) as u64, "{forwarded} forwarded");
        self.stage.now = now;
        spent / forwarded
    }

    /// Returns ns to seal one packet and send it alone.
    fn floor(&self, bytes: usize) -> u64 {
        let target = self.sink.local_addr().unwrap();
        let keys: Vec<LessSafeKey> = (0..self.subscribers)
            .map(|index| LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[index as u8; 32]).unwrap()))
            .collect();
        let mut packet = vec![0_u8; 12 + bytes + 16];
        let start = cpu_ns();
        for round in 0..PACKETS as u64 {
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&round.to_be_bytes());
            for key in &keys {
                let (header, payload) = packet.split_at_mut(12);
                let (payload, tag) = payload.split_at_mut(bytes);
                let nonce = Nonce::assume_unique_for_key(nonce);
                let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), payload).unwrap();
                tag.copy_from_slice(sealed.as_ref());
                self.socket.send_to(&packet, target).unwrap();
            }
        }
        (cpu_ns() - start) / (PACKETS * self.subscribers) as u64
    }
}

/// Returns ns that the shard spends on one join, in a room of one other.
fn join_cost(seed: u64) -> u64 {
    let mut stage = Stage::new(seed, Weather::FAIR);
    stage.join(&[]);
    stage.run(Duration::from_secs(2));
    let index = stage.prepare();
    let now = stage.now;
    let client = &mut stage.clients[index];
    let (participant, address) = (client.id, client.address);
    let profile = profile(client, client.fingerprint);
    let Say::Offer { id, sdp, sources } = client.offer(now, &[Voice, Camera]) else { return 0 };
    let mut spent = 0;
    let mut to_client = Vec::new();
    let mut on_shard = |stage: &mut Stage, act: &mut dyn FnMut(&mut Stage)| {
        let start = cpu_ns();
        act(stage);
        let mut out = Vec::new();
        while let Some(output) = stage.shard.poll_output() {
            out.push(output);
        }
        spent += cpu_ns() - start;
        out
    };
    let mut first = Some((profile, sdp, sources));
    to_client.extend(on_shard(&mut stage, &mut |stage| {
        let Some((profile, sdp, sources)) = first.take() else { return };
        stage.shard.handle_command(now, Command::Join { room: ROOM, participant, incarnation: 9, profile });
        stage.shard.handle_command(now, Command::Offer { participant, id, sdp, sources });
    }));
    let mut now = now;
    while !stage.clients[index].connected {
        now += Duration::from_millis(1);
        let mut to_server = Vec::new();
        for output in std::mem::take(&mut to_client) {
            match output {
                Output::Transmit(transmit) if transmit.destination == address => {
                    stage.clients[index].take_datagram(now, SERVER, &transmit.contents);
                    stage.clients[index].drain(|_, contents| to_server.push(contents.to_vec()));
                }
                Output::Event(event) if event.participant == participant => {
                    if let sfu::EventKind::Answer { id, sdp } = event.kind {
                        stage.clients[index].take_answer(id, &sdp);
                    }
                }
                Output::Transmit(_) | Output::Event(_) | Output::Note { .. } | Output::Stream { .. } => {}
            }
        }
        stage.clients[index].wake(now);
        stage.clients[index].drain(|_, contents| to_server.push(contents.to_vec()));
        for contents in to_server {
            to_client.extend(on_shard(&mut stage, &mut |stage| {
                stage.shard.handle_datagram(
                    now,
                    Datagram {
                        transport: Transport::Udp,
                        source: address,
                        destination: SERVER,
                        contents: &contents,
                    },
                );
            }));
        }
        let due = stage.shard.poll_timeout().is_some_and(|(deadline, _)| deadline <= now);
        if due {
            to_client.extend(on_shard(&mut stage, &mut |stage| stage.shard.handle_timeout(now)));
        }
    }
    spent
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}
