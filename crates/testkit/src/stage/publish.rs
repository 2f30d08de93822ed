//! What a client publishes: made-up packets of one stream each, which say of themselves what they are.

use std::time::{Duration, Instant};

use sfu::{Codec, ParticipantId, Source};
use str0m::media::{Mid, Pt, Rid};
use str0m::rtp::{ExtensionValues, RtpWrite};

/// One Opus packet each.
const AUDIO_EVERY: Duration = Duration::from_millis(20);
/// One picture each.
pub(super) const VIDEO_EVERY: Duration = Duration::from_millis(33);
/// Of a picture that is published in one size only.
const PACKETS_PER_PICTURE: u64 = 3;
const MOST_PAYLOAD: u64 = 1_200;
const STAMP_LENGTH: usize = 34;

/// One size in which a camera is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Its restriction id.
    pub rid: &'static str,
    /// Pixels, as its key frames say.
    pub height: u16,
    /// What it takes.
    pub bits_per_second: u64,
}

impl Encoding {
    /// As browsers send a camera of 720 lines.
    pub const USUAL: [Self; 3] = [
        Self { rid: "l", height: 180, bits_per_second: 75_000 },
        Self { rid: "m", height: 360, bits_per_second: 450_000 },
        Self { rid: "h", height: 720, bits_per_second: 2_000_000 },
    ];
    /// As browsers send a screen: one size, two qualities.
    pub const SCREEN: [Self; 2] = [
        Self { rid: "l", height: 720, bits_per_second: 400_000 },
        Self { rid: "h", height: 720, bits_per_second: 2_000_000 },
    ];
}

/// What packets of sound say of their loudness (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loudness {
    /// 0, the loudest, to -127.
    pub dbov: i8,
    /// Whether it is a voice.
    pub voice: bool,
}

impl Loudness {
    /// Somebody who speaks.
    pub const SPEECH: Self = Self { dbov: -30, voice: true };
    /// Nobody does.
    pub const SILENCE: Self = Self { dbov: -90, voice: false };
}

/// What a made-up packet says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Who published it.
    pub publisher: ParticipantId,
    /// As what.
    pub source: Source,
    /// In which of its sizes, the lowest being 0.
    pub layer: u8,
    /// When, since the beginning.
    pub at: Duration,
    /// Its number, as the publisher counts.
    pub number: u64,
}

impl Stamp {
    fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.publisher.0.to_be_bytes());
        payload.push(Source::ALL.iter().position(|source| *source == self.source).unwrap() as u8);
        payload.push(self.layer);
        payload.extend((self.at.as_nanos() as u64).to_be_bytes());
        payload.extend(self.number.to_be_bytes());
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (_, stamp) = payload.split_last_chunk::<STAMP_LENGTH>()?;
        Some(Self {
            publisher: ParticipantId(u128::from_be_bytes(stamp[..16].try_into().unwrap())),
            source: *Source::ALL.get(usize::from(stamp[16]))?,
            layer: stamp[17],
            at: Duration::from_nanos(u64::from_be_bytes(stamp[18..26].try_into().unwrap())),
            number: u64::from_be_bytes(stamp[26..].try_into().unwrap()),
        })
    }
}

/// A stream that the client publishes.
pub(super) struct Track {
    pub mid: Mid,
    pub source: Source,
    pub key_next: bool,
    pub next_at: Instant,
    /// Whether nothing of it is sent at present.
    pub stopped: bool,
    pub keyframes_asked: u64,
    /// What its payloads are, if it is a picture.
    pub codec: Codec,
    layer: usize,
    encoding: Option<Encoding>,
    seq: u64,
    frame: u16,
    part: u64,
}

impl Track {
    pub(super) fn new(mid: Mid, source: Source, now: Instant) -> Self {
        Self {
            mid,
            source,
            key_next: true,
            next_at: now,
            stopped: false,
            keyframes_asked: 0,
            codec: Codec::Vp8,
            layer: 0,
            encoding: None,
            seq: 40_000,
            frame: 7,
            part: 0,
        }
    }

    /// One size of several, with numbers, times and picture ids of its own.
    pub(super) fn layer(mid: Mid, source: Source, now: Instant, layer: usize, encoding: Encoding) -> Self {
        let (seq, frame) = (30_000 + 9_000 * layer as u64, 7 + 9_000 * layer as u16);
        Self { layer, encoding: Some(encoding), seq, frame, ..Self::new(mid, source, now) }
    }

    pub(super) fn rid(&self) -> Option<Rid> {
        self.encoding.map(|encoding| Rid::from(encoding.rid))
    }

    pub(super) fn next_packet(
        &mut self,
        now: Instant,
        pt: Pt,
        publisher: ParticipantId,
        at: Duration,
        loudness: Option<Loudness>,
    ) -> RtpWrite {
        self.seq += 1;
        let stamp = Stamp { publisher, source: self.source, layer: self.layer as u8, at, number: self.seq };
        if self.source.is_audio() {
            let time = (self.seq as u32).wrapping_mul(960);
            self.next_at = now + AUDIO_EVERY;
            let level = ExtensionValues {
                audio_level: loudness.map(|loudness| loudness.dbov),
                voice_activity: loudness.map(|loudness| loudness.voice),
                ..Default::default()
            };
            let mut payload = vec![0x7C; 100 - STAMP_LENGTH];
            stamp.write(&mut payload);
            return RtpWrite::new(pt, self.seq.into(), time, now, payload).marker(false).ext_vals(level);
        }
        let (parts, length) = self.size();
        let first = self.part == 0;
        let key = first && std::mem::take(&mut self.key_next);
        let mut payload = match self.codec {
            Codec::Av1 => av1_payload(first, key),
            _ => picture_payload(first, key, self.frame, self.encoding.map(|encoding| encoding.height)),
        };
        payload.resize(length - STAMP_LENGTH, 0x55);
        stamp.write(&mut payload);
        let time = u32::from(self.frame).wrapping_mul(3_000);
        self.part = (self.part + 1) % parts;
        let last = self.part == 0;
        if last {
            self.next_at = now + VIDEO_EVERY;
            self.frame = (self.frame + 1) & 0x7FFF;
        }
        RtpWrite::new(pt, self.seq.into(), time, now, payload).marker(last).nackable(true)
    }

    /// Packets of a picture, and bytes of each.
    fn size(&self) -> (u64, usize) {
        let Some(encoding) = self.encoding else { return (PACKETS_PER_PICTURE, MOST_PAYLOAD as usize) };
        let bytes = encoding.bits_per_second * VIDEO_EVERY.as_millis() as u64 / 8_000;
        let parts = bytes.div_ceil(MOST_PAYLOAD);
        (parts, (bytes / parts) as usize)
    }
}

/// RTP Payload Format for AV1, 1.0, §4.4: Z (goes on), W (one element), N (a new sequence); then an OBU header.
fn av1_payload(first: bool, key: bool) -> Vec<u8> {
    vec![0x10 | if first { 0 } else { 0x80 } | if key { 0x08 } else { 0 }, 0x32]
}

/// RFC 7741 §4.2: X, S, partition 0; I with a 15-bit picture id; then the frame (RFC 6386 §9.1), whose first bit tells a key frame.
fn picture_payload(first: bool, key: bool, picture: u16, height: Option<u16>) -> Vec<u8> {
    let [high, low] = picture.to_be_bytes();
    let mut payload = vec![0x80 | if first { 0x10 } else { 0 }, 0x80, 0x80 | high, low, u8::from(!key)];
    if let Some(height) = height.filter(|_| key) {
        payload.extend([0, 0, 0x9D, 0x01, 0x2A]);
        payload.extend((height / 9 * 16).to_le_bytes());
        payload.extend(height.to_le_bytes());
    }
    payload
}
