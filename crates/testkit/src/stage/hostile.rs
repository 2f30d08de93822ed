//! A participant that sends whatever it likes.

use std::collections::VecDeque;
use std::net::SocketAddr;

use sfu::{Command, ParticipantId, Source, Tile};

use super::{Backdoor, SERVER, Say, Stage};

/// Bytes of one of its data-channel messages; those of more than 64 KiB are beyond what the server says it takes.
const MESSAGE_SIZES: [usize; 4] = [0, 1, 1_200, 65_000];

/// The participant, its keys, and what it has sent.
pub struct Hostile {
    /// Its place among the clients.
    pub index: usize,
    door: Backdoor,
    rng: fastrand::Rng,
}

/// One kind of misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Random bytes, from its own address, others' and nobody's.
    Garbage,
    /// Its own datagrams cut, flipped and repeated, from its own address and others'.
    Mutation,
    /// STUN requests with guessed user fragments and wrong integrity.
    Stun,
    /// Edited descriptions, and answers to offers that never were.
    Descriptions,
    /// Candidates by the hundred.
    Candidates,
    /// Key frames asked for without end.
    Pli,
    /// Everything ever sent asked for again.
    Nack,
    /// Feedback on packets that never were.
    Twcc,
    /// Random packets beneath the data channel.
    Sctp,
    /// More data-channel messages than anybody needs.
    Messages,
    /// Views of everything and nothing.
    Views,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Garbage,
        Self::Mutation,
        Self::Stun,
        Self::Descriptions,
        Self::Candidates,
        Self::Pli,
        Self::Nack,
        Self::Twcc,
        Self::Sctp,
        Self::Messages,
        Self::Views,
    ];
}

impl Hostile {
    /// Prepares the client at `index` to misbehave; to be called before it joins.
    pub fn new(stage: &mut Stage, index: usize, seed: u64) -> Self {
        let door = stage.corrupt(index);
        stage.remake(index);
        stage.clients[index].sent_lately = Some(VecDeque::new());
        Self { index, door, rng: fastrand::Rng::with_seed(seed) }
    }

    /// Misbehaves once.
    pub fn attack(&mut self, stage: &mut Stage, attack: Attack) {
        match attack {
            Attack::Garbage => self.garbage(stage),
            Attack::Mutation => self.mutate(stage),
            Attack::Stun => self.stun(stage),
            Attack::Descriptions => self.descriptions(stage),
            Attack::Candidates => self.candidates(stage),
            Attack::Pli => (0..50).for_each(|_| {
                let now = stage.now;
                stage.clients[self.index].request_keyframes(now);
                stage.flush_client(self.index);
            }),
            Attack::Nack => self.nack(stage),
            Attack::Twcc => self.twcc(stage),
            Attack::Sctp => self.sctp(stage),
            Attack::Messages => self.messages(stage),
            Attack::Views => self.views(stage),
        }
    }

    fn some_address(&mut self, stage: &Stage) -> SocketAddr {
        match self.rng.u8(..3) {
            0 => stage.clients[self.index].address,
            1 => stage.clients[self.rng.usize(..stage.clients.len())].address,
            _ => SocketAddr::from(([198, 18, 0, self.rng.u8(..)], self.rng.u16(1..))),
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.rng.usize(..most)).map(|_| self.rng.u8(..)).collect()
    }

    fn garbage(&mut self, stage: &mut Stage) {
        for _ in 0..50 {
            let source = self.some_address(stage);
            let mut contents = self.bytes(1_400);
            // RFC 7983: so that every parser gets its share.
            if let Some(first) = contents.first_mut() {
                *first = self.rng.choice([0, 1, 20, 22, 23, 64, 128, 129, 144, 160, 191, *first]).unwrap();
            }
            stage.net.inject(stage.now, source, SERVER, &contents);
        }
    }

    fn mutate(&mut self, stage: &mut Stage) {
        let kept: Vec<Vec<u8>> = stage.clients[self.index].sent_lately.iter().flatten().cloned().collect();
        for mut contents in kept {
            match self.rng.u8(..4) {
                0 => contents.truncate(self.rng.usize(..=contents.len())),
                1 => {
                    for _ in 0..self.rng.usize(1..8) {
                        if let Some(byte) = self.rng.choice(&mut contents) {
                            *byte ^= 1 << self.rng.u8(..8);
                        }
                    }
                }
                2 => contents.extend(self.bytes(200)),
                _ => {}
            }
            let source = self.some_address(stage);
            stage.net.inject(stage.now, source, SERVER, &contents);
        }
    }

    fn stun(&mut self, stage: &mut Stage) {
        let real: Vec<String> =
            stage.clients.iter().filter_map(|client| client.server_ufrag.clone()).collect();
        for _ in 0..100 {
            let ufrag = match real.get(self.rng.usize(..=real.len())) {
                Some(ufrag) => ufrag.clone(),
                None => (0..8).map(|_| self.rng.alphanumeric()).collect(),
            };
            let contents = binding_request(&format!("{ufrag}:abcd"), &mut self.rng);
            let source = self.some_address(stage);
            stage.net.inject(stage.now, source, SERVER, &contents);
        }
    }

    fn descriptions(&mut self, stage: &mut Stage) {
        let now = stage.now;
        let Say::Offer { id, sdp, sources } = stage.spare_client(self.index).offer(now, &Source::ALL) else {
            return;
        };
        let sdp = edited(&sdp, &mut self.rng);
        let id = id + 1_000 + self.rng.u32(..1_000);
        let participant = stage.clients[self.index].id;
        if self.rng.bool() {
            stage.say(Command::Answer { participant, id: self.rng.u32(..50), sdp });
        } else {
            stage.say(Command::Offer { participant, id, sdp, sources });
        }
    }

    fn candidates(&mut self, stage: &mut Stage) {
        let participant = stage.clients[self.index].id;
        for _ in 0..200 {
            let port = self.rng.u16(..);
            let candidate = format!("candidate:1 1 udp 1 192.0.2.{} {port} typ host", self.rng.u8(..));
            stage.say(Command::Candidate { participant, candidate });
        }
    }

    /// RFC 4585 §6.2.1: every number, of every stream that it gets.
    fn nack(&mut self, stage: &mut Stage) {
        let mut streams = stage.clients[self.index].ssrcs.clone();
        streams.insert(self.rng.u32(..));
        for media in streams {
            let mut packet = rtcp(1, 205, self.rng.u32(1..), media);
            let first = self.rng.u16(..);
            for step in 0..250_u16 {
                packet.extend(first.wrapping_add(step * 17).to_be_bytes());
                packet.extend([0xFF, 0xFF]);
            }
            self.send_rtcp(stage, packet);
        }
    }

    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1, with any base, count and deltas.
    fn twcc(&mut self, stage: &mut Stage) {
        for _ in 0..10 {
            let mut packet = rtcp(15, 205, self.rng.u32(1..), self.rng.u32(..));
            packet.extend(self.rng.u16(..).to_be_bytes());
            packet.extend(self.rng.u16(..2_000).to_be_bytes());
            packet.extend(self.rng.u32(..).to_be_bytes());
            for _ in 0..self.rng.usize(..60) {
                packet.extend(self.rng.u32(..).to_be_bytes());
            }
            self.send_rtcp(stage, packet);
        }
    }

    /// Seals an RTCP packet as its own, and sends it. The length field is filled in.
    pub fn send_rtcp(&mut self, stage: &mut Stage, mut packet: Vec<u8>) {
        let words = u16::try_from(packet.len() / 4 - 1).unwrap();
        packet[2..4].copy_from_slice(&words.to_be_bytes());
        if let Some(sealed) = self.door.seal_rtcp(&packet) {
            stage.net.inject(stage.now, stage.clients[self.index].address, SERVER, &sealed);
        }
    }

    fn sctp(&mut self, stage: &mut Stage) {
        for _ in 0..10 {
            // RFC 9260 §3: ports, tag, checksum; then a chunk that tells its length truly or not.
            let mut packet = vec![0x13, 0x88, 0x13, 0x88];
            packet.extend(self.rng.u32(..).to_be_bytes());
            packet.extend([0; 4]);
            let body = self.bytes(300);
            let length = if self.rng.bool() { body.len() as u16 + 4 } else { self.rng.u16(..) };
            packet.extend([self.rng.u8(..16), self.rng.u8(..)]);
            packet.extend(length.to_be_bytes());
            packet.extend(body);
            let sum = crc32c(&packet);
            packet[8..12].copy_from_slice(&sum.to_le_bytes());
            self.door.send_sctp(packet);
        }
        let now = stage.now;
        stage.clients[self.index].wake(now);
        stage.flush_client(self.index);
    }

    fn messages(&mut self, stage: &mut Stage) {
        for _ in 0..100 {
            let (now, length) = (stage.now, self.rng.choice(MESSAGE_SIZES).unwrap());
            stage.clients[self.index].write(now, self.rng.bool(), &vec![0x61; length]);
            stage.flush_client(self.index);
        }
    }

    fn views(&mut self, stage: &mut Stage) {
        let participant = stage.clients[self.index].id;
        let tiles = (0..self.rng.usize(..200)).map(|_| Tile {
            publisher: ParticipantId(self.rng.u128(..10)),
            source: self.rng.choice(Source::ALL).unwrap(),
            height: self.rng.u16(..),
        });
        let tiles: Vec<Tile> = tiles.collect();
        stage.say(Command::View { participant, tiles: self.rng.bool().then_some(tiles) });
    }
}

/// An RTCP feedback header (RFC 4585 §6.1), its length to be filled in.
#[must_use]
pub fn rtcp(format: u8, kind: u8, sender: u32, media: u32) -> Vec<u8> {
    let mut packet = vec![0x80 | format, kind, 0, 0];
    packet.extend(sender.to_be_bytes());
    packet.extend(media.to_be_bytes());
    packet
}

/// RFC 8489 §5 and §14.3, with an integrity that is made up.
#[must_use]
pub fn binding_request(username: &str, rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut attributes = vec![0, 6];
    attributes.extend((username.len() as u16).to_be_bytes());
    attributes.extend(username.bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 0x25, 0, 0, 0, 8, 0, 20]);
    attributes.extend((0..20).map(|_| rng.u8(..)));
    let mut message = vec![0, 1];
    message.extend((attributes.len() as u16).to_be_bytes());
    message.extend(0x2112_A442_u32.to_be_bytes());
    message.extend((0..12).map(|_| rng.u8(..)));
    message.extend(attributes);
    message
}

/// Some lines of a description removed, repeated, swapped, or with other digits in them.
#[must_use]
pub fn edited(sdp: &str, rng: &mut fastrand::Rng) -> String {
    let mut lines: Vec<String> = sdp.lines().map(str::to_owned).collect();
    for _ in 0..rng.usize(1..6) {
        let (from, to) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
        match rng.u8(..4) {
            0 if lines.len() > 1 => _ = lines.remove(from),
            1 => lines.insert(to, lines[from].clone()),
            2 => lines.swap(from, to),
            _ => {
                let other = |c: char| if c.is_ascii_digit() { char::from(b'0' + rng.u8(..10)) } else { c };
                lines[from] = lines[from].chars().map(other).collect();
            }
        }
    }
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// RFC 9260 appendix A.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
