//! Whatever comes to a shard by the network or from its neighbour: datagrams on proven and unproven paths, what another shard hands over
//! and tells, connections that close, and time. Nothing may panic, not even where the shard would catch it; the other participant stays.
//!
//! The input is frames: what happens, on which path, a length of two bytes, and as many bytes.
#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fuzz::room::{ANA, CHROMIUM, SERVER, crypto, events, shard, sources, wire_form};
use libfuzzer_sys::fuzz_target;
use sfu::{Command, Datagram, EventKind, Note, Path, Shard, ShardIndex, Transport, shard_of};
use str0m::ice::{StunMessage, TransId};

const FRAMES: usize = 64;

fuzz_target!(|input: &[u8]| {
    let now = Instant::now();
    let mut play = Play { now, shard: shard(now), user: String::new(), password: String::new() };
    play.offer();
    let mut rest = input;
    for _ in 0..FRAMES {
        let [what, path, high, low, ..] = *rest else { break };
        rest = &rest[4..];
        let contents = &rest[..rest.len().min(usize::from(u16::from_be_bytes([high, low])))];
        rest = &rest[contents.len()..];
        play.step(what, path_of(path), contents);
        events(&mut play.shard);
    }
    assert_eq!(play.shard.stats().panics, 0);
});

struct Play {
    now: Instant,
    shard: Shard,
    /// What Ana's checks must name.
    user: String,
    password: String,
}

impl Play {
    fn offer(&mut self) {
        let sdp = wire_form(&CHROMIUM.lines().skip(1).collect::<Vec<_>>());
        let sources = sources(&sdp);
        self.shard.handle_command(self.now, Command::Offer { participant: ANA, id: 0, sdp, sources });
        for event in events(&mut self.shard) {
            if let EventKind::Answer { sdp, .. } = event.kind {
                let value = |name| sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                self.user = format!("{}:aTDR", value("a=ice-ufrag:"));
                self.password = value("a=ice-pwd:").to_owned();
            }
        }
        assert!(!self.password.is_empty(), "what Chromium offers is answered");
    }

    fn step(&mut self, what: u8, path: Path, contents: &[u8]) {
        match what % 8 {
            0 => self.arrive(path, contents),
            1 => self.arrive_elsewhere(path, contents),
            2 => self.arrive(path, &self.request(contents)),
            3 => self.arrive_elsewhere(path, &self.request(contents)),
            4 => self.shard.handle_note(ShardIndex(1 + (what >> 6)), Note::Mine(path)),
            5 => self.shard.handle_note(ShardIndex(1 + (what >> 6)), Note::NotMine(path)),
            6 => self.shard.handle_closed(self.now, path),
            _ => {
                self.now +=
                    contents.iter().map(|byte| Duration::from_millis(u64::from(*byte) * 4)).sum::<Duration>();
                self.shard.handle_timeout(self.now);
            }
        }
    }

    fn arrive(&mut self, path: Path, contents: &[u8]) {
        let handed_over = self.shard.handle_datagram(self.now, datagram(path, contents));
        assert!(handed_over.is_none_or(|handed_over| handed_over.to != ShardIndex(0)), "to itself");
        let _ = shard_of(contents);
    }

    fn arrive_elsewhere(&mut self, path: Path, contents: &[u8]) {
        self.shard.handle_handed_over(self.now, ShardIndex(1), datagram(path, contents));
    }

    /// A good check of Ana's; then, two bytes for a place and one for what stands there, a bad one.
    fn request(&self, changes: &[u8]) -> Vec<u8> {
        let id = TransId::new();
        let message = StunMessage::binding_request(&self.user, id, true, 1, 1_853_824_767, true);
        let mut bytes = vec![0; 256];
        let hmac = |key: &[u8], parts: &[&[u8]]| crypto().sha1_hmac_provider.sha1_hmac(key, parts);
        let length = message.to_bytes(Some(self.password.as_bytes()), &mut bytes, hmac);
        bytes.truncate(length.expect("a check has room"));
        for change in changes.chunks_exact(3) {
            let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
            bytes[place] = change[2];
        }
        bytes
    }
}

fn datagram(path: Path, contents: &[u8]) -> Datagram<'_> {
    let Path { transport, source, destination } = path;
    Datagram { transport, source, destination, contents }
}

/// Few, so that they come again: eight sources, two transports, and an address that is none of ours.
fn path_of(byte: u8) -> Path {
    let source = SocketAddr::from(([198, 51, 100, 1], 5_000 + u16::from(byte & 7)));
    let transport = if byte & 8 == 0 { Transport::Udp } else { Transport::Tcp };
    let destination = if byte & 16 == 0 { SERVER } else { ([203, 0, 113, 9], 1) };
    Path { transport, source, destination: destination.into() }
}
