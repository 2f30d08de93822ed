//! A str0m client on the stage: publishes made-up sound and pictures, and keeps count of what it gets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sfu::{ParticipantId, RoomId, Sending, Source};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::config::CryptoProvider;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

use super::{ROOM, crypto};

/// One Opus packet each.
const AUDIO_EVERY: Duration = Duration::from_millis(20);
/// One picture each.
const VIDEO_EVERY: Duration = Duration::from_millis(33);
const PACKETS_PER_PICTURE: usize = 3;
/// Datagrams kept of those that were sent.
const KEPT: usize = 64;
/// Nothing is waited for any more.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// A client.
pub struct Client {
    /// Its place in the room.
    pub id: ParticipantId,
    /// Where it belongs.
    pub room: RoomId,
    /// Its connection.
    pub rtc: Rtc,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Where it is.
    pub address: SocketAddr,
    /// Whether ICE and DTLS are up.
    pub connected: bool,
    /// Whether the connection was closed by the server.
    pub closed: bool,
    /// Since when ICE gets no answers.
    pub silent_since: Option<Instant>,
    /// Whether its next offer opens a data channel.
    pub wants_channel: bool,
    /// The open data channel.
    pub channel: Option<ChannelId>,
    /// Messages that came by it.
    pub messages: Vec<Vec<u8>>,
    /// Every packet that it got, with all its connections.
    pub trace: Vec<Delivered>,
    /// The last datagrams that it sent, if somebody wants them.
    pub sent_lately: Option<VecDeque<Vec<u8>>>,
    /// The server's user fragment, as its last answer said.
    pub server_ufrag: Option<String>,
    /// SSRCs that it has heard of.
    pub ssrcs: BTreeSet<u32>,
    /// What it gets, by m-line.
    pub heard: BTreeMap<String, Heard>,
    /// What the server says it sends.
    pub sending: Vec<Sending>,
    /// Key frames the server has asked for.
    pub keyframes_asked: u64,
    /// Offers of the server that it ignored, since its own was on the way.
    pub ignored_offers: u64,
    /// What it does to its answers before it sends them.
    pub alter_answer: Option<fn(&str) -> String>,
    /// Time between two pictures of what it publishes.
    pub pictures_every: Duration,
    /// When str0m wants to be woken.
    pub deadline: Instant,
    tracks: Vec<Track>,
    pending: Option<(u32, SdpPendingOffer)>,
    next_offer: u32,
    pt_of: BTreeMap<Mid, Pt>,
    /// The zero of what it tells of time.
    pub(crate) start: Instant,
    now: Instant,
}

/// What a made-up packet says of itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Who published it.
    pub publisher: ParticipantId,
    /// As what.
    pub source: Source,
    /// When, since the beginning.
    pub at: Duration,
    /// Its number, as the publisher counts.
    pub number: u64,
}

/// A packet that a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// When, since the beginning.
    pub at: Duration,
    /// On which m-line of which of the client's connections.
    pub mid: Mid,
    /// The client's port, which tells its connections apart.
    pub connection: u16,
    /// Extended sequence number.
    pub seq: u64,
    /// RTP time.
    pub time: u32,
    /// The marker bit.
    pub marker: bool,
    /// What it carries.
    pub stamp: Option<Stamp>,
}

const STAMP_LENGTH: usize = 33;

impl Stamp {
    fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.publisher.0.to_be_bytes());
        payload.push(Source::ALL.iter().position(|source| *source == self.source).unwrap() as u8);
        payload.extend((self.at.as_nanos() as u64).to_be_bytes());
        payload.extend(self.number.to_be_bytes());
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let (_, stamp) = payload.split_last_chunk::<STAMP_LENGTH>()?;
        Some(Self {
            publisher: ParticipantId(u128::from_be_bytes(stamp[..16].try_into().unwrap())),
            source: *Source::ALL.get(usize::from(stamp[16]))?,
            at: Duration::from_nanos(u64::from_be_bytes(stamp[17..25].try_into().unwrap())),
            number: u64::from_be_bytes(stamp[25..].try_into().unwrap()),
        })
    }
}

/// A track that the client publishes.
struct Track {
    mid: Mid,
    source: Source,
    seq: u64,
    frame: u16,
    key_next: bool,
    next_at: Instant,
}

/// What has come on one m-line.
#[derive(Debug, Default, Clone)]
pub struct Heard {
    /// RTP packets.
    pub packets: u64,
    /// First packets of a VP8 key frame.
    pub key_frames: u64,
    /// Distinct extended sequence numbers.
    pub numbers: BTreeSet<u64>,
    /// Distinct VP8 picture ids, in order of arrival without repeats.
    pub pictures: Vec<u16>,
    /// Whether the first packet could begin a stream.
    pub began_well: bool,
}

impl Heard {
    /// Numbers between the first and the last that never came.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let (Some(first), Some(last)) = (self.numbers.first(), self.numbers.last()) else { return 0 };
        last - first + 1 - self.numbers.len() as u64
    }
}

/// Something a client says to the server.
#[derive(Debug)]
pub enum Say {
    /// Its offer.
    Offer {
        /// Its number.
        id: u32,
        /// The description.
        sdp: String,
        /// What each m-line carries.
        sources: BTreeMap<String, Source>,
    },
    /// Its answer.
    Answer {
        /// Of the server's offer.
        id: u32,
        /// The description.
        sdp: String,
    },
}

impl Client {
    /// A client that has not yet said anything.
    #[must_use]
    pub fn new(id: ParticipantId, address: SocketAddr, crypto: &Arc<CryptoProvider>, now: Instant) -> Self {
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::clone(crypto))
            .set_dtls_cert(crypto::certificate())
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let fingerprint = rtc.direct_api().local_dtls_fingerprint().bytes.clone().try_into().unwrap();
        Self {
            id,
            room: ROOM,
            rtc,
            fingerprint,
            address,
            connected: false,
            closed: false,
            silent_since: None,
            wants_channel: false,
            channel: None,
            messages: Vec::new(),
            trace: Vec::new(),
            sent_lately: None,
            server_ufrag: None,
            ssrcs: BTreeSet::new(),
            heard: BTreeMap::new(),
            sending: Vec::new(),
            keyframes_asked: 0,
            ignored_offers: 0,
            alter_answer: None,
            pictures_every: VIDEO_EVERY,
            deadline: now,
            tracks: Vec::new(),
            pending: None,
            next_offer: 1,
            pt_of: BTreeMap::new(),
            start: now,
            now,
        }
    }

    /// Publishes more sources; without any, an m-line that only receives, so that there is something to offer.
    pub fn offer(&mut self, now: Instant, sources: &[Source]) -> Say {
        let mut changes = self.rtc.sdp_api();
        for source in sources {
            let kind = if source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
            let mid = changes.add_media(kind, Direction::SendOnly, None, None, None);
            self.tracks.push(Track {
                mid,
                source: *source,
                seq: 40_000,
                frame: 7,
                key_next: true,
                next_at: now,
            });
        }
        if std::mem::take(&mut self.wants_channel) {
            changes.add_channel("room".into());
        } else if sources.is_empty() {
            changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().expect("something to offer");
        self.say_offer(&offer, pending)
    }

    /// Stops publishing a source; its m-line stays.
    pub fn withdraw(&mut self, source: Source) -> Say {
        let mut changes = self.rtc.sdp_api();
        let (gone, kept) =
            std::mem::take(&mut self.tracks).into_iter().partition(|track| track.source == source);
        self.tracks = kept;
        let gone: Vec<Track> = gone;
        gone.iter().for_each(|track| changes.set_direction(track.mid, Direction::Inactive));
        let (offer, pending) = changes.apply().expect("something to offer");
        self.say_offer(&offer, pending)
    }

    fn say_offer(&mut self, offer: &SdpOffer, pending: SdpPendingOffer) -> Say {
        let id = self.next_offer;
        self.next_offer += 1;
        self.pending = Some((id, pending));
        let sources = self.tracks.iter().map(|track| (track.mid.to_string(), track.source)).collect();
        Say::Offer { id, sdp: offer.to_sdp_string(), sources }
    }

    /// Whether no offer of its own is on the way.
    #[must_use]
    pub fn may_offer(&self) -> bool {
        self.pending.is_none() && !self.closed
    }

    /// What it publishes, or has offered to.
    #[must_use]
    pub fn published(&self) -> BTreeSet<Source> {
        self.tracks.iter().map(|track| track.source).collect()
    }

    /// The server's answer.
    pub fn take_answer(&mut self, id: u32, sdp: &str) {
        let ufrag = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        self.server_ufrag = ufrag.map(str::to_owned);
        let (pending_id, pending) = self.pending.take().expect("an offer of ours");
        assert_eq!(pending_id, id, "the answer is to our last offer");
        self.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(sdp).unwrap()).unwrap();
        for track in &self.tracks {
            let pt = self.rtc.media(track.mid).and_then(|media| media.remote_pts().first().copied());
            if let Some(pt) = pt {
                self.pt_of.insert(track.mid, pt);
            }
        }
    }

    /// The server's offer: answered, or ignored while ours is on the way.
    pub fn take_offer(&mut self, id: u32, sdp: &str, sending: Vec<Sending>) -> Option<Say> {
        if self.pending.is_some() {
            self.ignored_offers += 1;
            return None;
        }
        self.sending = sending;
        let answer = self.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(sdp).unwrap()).unwrap();
        let sdp = answer.to_sdp_string();
        Some(Say::Answer { id, sdp: self.alter_answer.map_or_else(|| sdp.clone(), |alter| alter(&sdp)) })
    }

    /// The server refused a description: an offer of that number counts as never made.
    pub fn take_refusal(&mut self, id: u32) {
        if self.pending.take_if(|(pending, _)| *pending == id).is_some() {
            let Self { tracks, rtc, .. } = self;
            tracks.retain(|track| rtc.media(track.mid).is_some());
        }
    }

    /// One datagram from the network.
    pub fn take_datagram(&mut self, now: Instant, source: SocketAddr, contents: &[u8]) {
        if let Ok(receive) = Receive::new(Protocol::Udp, source, self.address, contents) {
            self.now = now;
            self.input(Input::Receive(now, receive));
        }
    }

    /// Time has come for something: media to send, or str0m's own timers.
    pub fn wake(&mut self, now: Instant) {
        self.now = now;
        self.input(Input::Timeout(now));
    }

    fn input(&mut self, input: Input<'_>) {
        if !self.closed {
            self.closed |= self.rtc.handle_input(input).is_err();
        }
    }

    /// Takes everything str0m has to give. Each element is a datagram.
    pub fn drain(&mut self, mut send: impl FnMut(SocketAddr, &[u8])) {
        loop {
            let Ok(output) = self.rtc.poll_output() else {
                // As when a handshake is given up in very foul weather: only a new connection helps.
                self.closed = true;
                self.deadline = self.now + FOR_EVER;
                return;
            };
            match output {
                Output::Timeout(deadline) => {
                    // Closed, it is told no time any more, and would want to be woken at once for ever.
                    self.deadline = if self.closed { self.now + FOR_EVER } else { deadline };
                    return;
                }
                Output::Transmit(transmit) => {
                    if let Some(kept) = &mut self.sent_lately {
                        kept.push_back(transmit.contents.to_vec());
                        kept.drain(..kept.len().saturating_sub(KEPT));
                    }
                    send(transmit.destination, &transmit.contents);
                }
                Output::Event(event) => self.take_event(event),
            }
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::RtpPacket(packet) => self.hear(&packet),
            Event::KeyframeRequest(request) => {
                self.keyframes_asked += 1;
                if let Some(track) = self.tracks.iter_mut().find(|track| track.mid == request.mid) {
                    track.key_next = true;
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.silent_since.get_or_insert(self.now);
            }
            Event::IceConnectionStateChange(_) => self.silent_since = None,
            Event::ChannelOpen(id, _) => self.channel = Some(id),
            Event::ChannelData(data) => self.messages.push(data.data),
            Event::ChannelClose(id) => _ = self.channel.take_if(|channel| *channel == id),
            _ => {}
        }
    }

    /// Writes to the data channel; returns whether it was taken. To be drained afterwards.
    pub fn write(&mut self, now: Instant, binary: bool, bytes: &[u8]) -> bool {
        let channel = self.channel.and_then(|id| self.rtc.channel(id));
        let taken = channel.is_some_and(|mut channel| channel.write(binary, bytes).is_ok_and(|taken| taken));
        self.wake(now);
        self.deadline = now;
        taken
    }

    /// When the client wants to be woken.
    #[must_use]
    pub fn next(&self) -> Instant {
        let media =
            self.tracks.iter().filter(|track| self.pt_of.contains_key(&track.mid)).map(|track| track.next_at);
        media
            .filter(|_| self.connected && !self.closed)
            .min()
            .map_or(self.deadline, |at| at.min(self.deadline))
    }

    /// Whether a track has something to send at `now`; writes the next packet of it. One packet a call, to be drained after each.
    pub fn publish_one(&mut self, now: Instant) -> bool {
        if !self.connected || self.closed {
            return false;
        }
        let Self { tracks, pt_of, rtc, id, start, pictures_every, .. } = self;
        for track in tracks.iter_mut().filter(|track| track.next_at <= now) {
            let Some(pt) = pt_of.get(&track.mid).copied() else { continue };
            let write = track.next_packet(now, pt, *id, now - *start);
            if track.next_at > now && !track.source.is_audio() {
                track.next_at = now + *pictures_every;
            }
            if let Some(stream) = rtc.direct_api().stream_tx_by_mid(track.mid, None) {
                stream.write_rtp(write);
            }
            self.wake(now);
            return true;
        }
        false
    }

    /// Asks for a key frame of everything it sees.
    pub fn request_keyframes(&mut self, now: Instant) {
        let mids: Vec<Mid> = self.heard.keys().map(|mid| Mid::from(mid.as_str())).collect();
        for mid in mids {
            if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
        self.wake(now);
        self.deadline = now;
    }

    fn hear(&mut self, packet: &RtpPacket) {
        let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
        self.ssrcs.insert(*packet.header.ssrc);
        self.trace.push(Delivered {
            at: self.now - self.start,
            mid: mid.unwrap_or_default(),
            connection: self.address.port(),
            seq: *packet.seq_no,
            time: packet.header.timestamp,
            marker: packet.header.marker,
            stamp: Stamp::read(&packet.payload),
        });
        let heard = self.heard.entry(mid.map(|mid| mid.to_string()).unwrap_or_default()).or_default();
        let vp8 = (packet.payload.len() > 200).then(|| Vp8Descriptor::parse(&packet.payload).unwrap());
        let begins = vp8.is_none_or(|vp8| vp8.starts_keyframe(&packet.payload));
        if heard.packets == 0 {
            heard.began_well = begins;
        }
        heard.packets += 1;
        heard.key_frames += u64::from(vp8.is_some() && begins);
        heard.numbers.insert(*packet.seq_no);
        // As a decoder does that has nothing to begin with.
        let blind = vp8.is_some() && heard.key_frames == 0;
        if blind && let Some(stream) = self.rtc.direct_api().stream_rx(&packet.header.ssrc) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        if let Some(picture) = vp8.and_then(|vp8| vp8.picture_id())
            && !heard.pictures.contains(&picture)
        {
            heard.pictures.push(picture);
        }
    }
}

impl Track {
    fn next_packet(&mut self, now: Instant, pt: Pt, publisher: ParticipantId, at: Duration) -> RtpWrite {
        self.seq += 1;
        let stamp = Stamp { publisher, source: self.source, at, number: self.seq };
        if self.source.is_audio() {
            let time = (self.seq as u32).wrapping_mul(960);
            self.next_at = now + AUDIO_EVERY;
            let level =
                ExtensionValues { audio_level: Some(-30), voice_activity: Some(true), ..Default::default() };
            let mut payload = vec![0x7C; 100 - STAMP_LENGTH];
            stamp.write(&mut payload);
            return RtpWrite::new(pt, self.seq.into(), time, now, payload).marker(false).ext_vals(level);
        }
        let part = self.seq as usize % PACKETS_PER_PICTURE;
        let (first, last) = (part == 0, part + 1 == PACKETS_PER_PICTURE);
        let key = first && self.key_next;
        if key {
            self.key_next = false;
        }
        let mut payload = picture_payload(first, key, self.frame);
        stamp.write(&mut payload);
        let time = u32::from(self.frame).wrapping_mul(3_000);
        if last {
            self.next_at = now + VIDEO_EVERY;
            self.frame = (self.frame + 1) & 0x7FFF;
        }
        RtpWrite::new(pt, self.seq.into(), time, now, payload).marker(last).nackable(true)
    }
}

/// RFC 7741 §4.2: X, S, partition 0; I with a 15-bit picture id; then the payload header, whose first bit tells a key frame.
fn picture_payload(first: bool, key: bool, picture: u16) -> Vec<u8> {
    let [high, low] = picture.to_be_bytes();
    let mut payload = vec![0x80 | if first { 0x10 } else { 0 }, 0x80, 0x80 | high, low, u8::from(!key)];
    payload.resize(1_200 - STAMP_LENGTH, 0x55);
    payload
}
