//! A str0m client on the stage: publishes made-up sound and pictures, and keeps count of what it gets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sfu::{Codec, Glare, Manners, ParticipantId, RoomId, Sending, Source, Sources};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::config::CryptoProvider;
use str0m::format::PayloadParams;
use str0m::media::{
    Direction, KeyframeRequest, KeyframeRequestKind, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, Vp8Descriptor};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

use super::publish::{Encoding, Loudness, Stamp, Track, VIDEO_EVERY};
use super::{ROOM, crypto};

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
    /// Number of its connection, as it has joined.
    pub incarnation: u32,
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
    /// The server's last offer.
    pub offered: Option<String>,
    /// Key frames the server has asked for.
    pub keyframes_asked: u64,
    /// Offers of the server that it ignored, since its own was on the way.
    pub ignored_offers: u64,
    /// Whether the server's offers are lost on the way.
    pub deaf: bool,
    /// Offers of its own that it rolled back for one of the server's.
    pub rolled_back_offers: u64,
    /// Whether its answers stay with it.
    pub keeps_answers: bool,
    /// Those that have.
    pub kept_answers: Vec<(u32, String)>,
    /// Least time between two key frames that it is asked for.
    pub keyframe_gap: Duration,
    /// What it does to its answers before it sends them.
    pub alter_answer: Option<fn(&str) -> String>,
    /// Time between two pictures of what it publishes.
    pub pictures_every: Duration,
    /// The sizes in which its camera is published, the lowest first; none: in one.
    pub encodings: Vec<Encoding>,
    /// The same for its screen.
    pub screen_encodings: Vec<Encoding>,
    /// The codecs in which its screen is published, each on an m-line of its own.
    pub screen_codecs: Vec<Codec>,
    /// The same of its camera.
    pub camera_codecs: Vec<Codec>,
    /// The codecs that it would like to get, the best first.
    pub codecs: Vec<Codec>,
    /// What it calls the streams of its sources; others get names by chance.
    pub streams: BTreeMap<Source, String>,
    /// Sources that its offers do not name.
    pub unnamed: Sources,
    /// How loud its sound says that it is; `None`: it does not say.
    pub loudness: Option<Loudness>,
    /// What it has silenced, as its face remembers it.
    pub muted: Sources,
    /// Voices that it may be sent at once.
    pub max_voices: usize,
    /// Cameras that it may be sent at once as long as it does not say what it shows.
    pub max_cameras: usize,
    /// By how much its signalling may be late, in each direction.
    pub slowness: Duration,
    /// How it expects to be treated.
    pub manners: Manners,
    /// When str0m wants to be woken.
    pub deadline: Instant,
    rolled_back: bool,
    tracks: Vec<Track>,
    pending: Option<(u32, SdpPendingOffer)>,
    next_offer: u32,
    pt_of: BTreeMap<Mid, Pt>,
    /// The zero of what it tells of time.
    pub(crate) start: Instant,
    now: Instant,
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
    /// Of a picture: its VP8 id, and whether the packet begins a key frame.
    pub picture: Option<(u16, bool)>,
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
    /// Codecs of the pictures, in order of arrival without repeats.
    pub codecs: Vec<Codec>,
    /// Distinct VP8 picture ids, in order of arrival without repeats.
    pub pictures: Vec<u16>,
    /// Whether the first packet could begin a stream.
    pub began_well: bool,
    /// The loudness that the last packet told, in dBov.
    pub level: Option<i8>,
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
            .enable_av1(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let fingerprint = rtc.direct_api().local_dtls_fingerprint().bytes.clone().try_into().unwrap();
        Self {
            id,
            room: ROOM,
            incarnation: 0,
            slowness: Duration::ZERO,
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
            offered: None,
            keyframes_asked: 0,
            ignored_offers: 0,
            deaf: false,
            rolled_back_offers: 0,
            keeps_answers: false,
            kept_answers: Vec::new(),
            keyframe_gap: Duration::from_millis(500),
            alter_answer: None,
            pictures_every: VIDEO_EVERY,
            encodings: Vec::new(),
            screen_encodings: Vec::new(),
            screen_codecs: vec![Codec::Vp8],
            camera_codecs: vec![Codec::Vp8],
            codecs: Codec::ALL.to_vec(),
            streams: BTreeMap::new(),
            unnamed: Sources::default(),
            loudness: Some(Loudness::SPEECH),
            muted: Sources::default(),
            max_voices: 8,
            max_cameras: 25,
            manners: Manners::default(),
            deadline: now,
            rolled_back: false,
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
        let once = [Codec::Vp8];
        let codecs = |source: &Source| match source {
            Source::Screen => self.screen_codecs.clone(),
            Source::Camera => self.camera_codecs.clone(),
            _ => once.to_vec(),
        };
        let lines =
            sources.iter().flat_map(|source| codecs(source).into_iter().map(move |codec| (source, codec)));
        for (source, codec) in lines {
            let kind = if source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
            let encodings: &[Encoding] = match source {
                Source::Camera => &self.encodings,
                Source::Screen => &self.screen_encodings,
                Source::Voice | Source::ScreenAudio => &[],
            };
            let simulcast = (!encodings.is_empty()).then(|| Simulcast {
                send: encodings.iter().map(|encoding| SimulcastLayer::new(encoding.rid)).collect(),
                recv: Vec::new(),
            });
            let stream = self.streams.get(source).cloned();
            let mid = changes.add_media(kind, Direction::SendOnly, stream, None, simulcast);
            let layers = encodings
                .iter()
                .enumerate()
                .map(|(layer, encoding)| Track::layer(mid, *source, now, layer, *encoding));
            self.tracks.extend(layers);
            if encodings.is_empty() {
                let mut track = Track::new(mid, *source, now);
                track.codec = codec;
                self.tracks.push(track);
            }
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

    /// Sends a source on an m-line that the server opened.
    pub fn offer_on(&mut self, now: Instant, mid: &str, source: Source) -> Say {
        let mid = Mid::from(mid);
        let mut changes = self.rtc.sdp_api();
        changes.set_direction(mid, Direction::SendRecv);
        self.tracks.push(Track::new(mid, source, now));
        let (offer, pending) = changes.apply().expect("something to offer");
        self.say_offer(&offer, pending)
    }

    fn say_offer(&mut self, offer: &SdpOffer, pending: SdpPendingOffer) -> Say {
        let id = self.next_offer;
        self.next_offer += 1;
        self.pending = Some((id, pending));
        let named = self.tracks.iter().filter(|track| !self.unnamed.contains(track.source));
        let sources = named.map(|track| (track.mid.to_string(), track.source)).collect();
        Say::Offer { id, sdp: offer.to_sdp_string(), sources }
    }

    /// Whether no offer of its own is on the way.
    #[must_use]
    pub fn may_offer(&self) -> bool {
        self.pending.is_none() && !self.closed
    }

    /// The m-lines of what it publishes, or has offered to.
    #[must_use]
    pub fn mids(&self) -> BTreeMap<Source, String> {
        self.tracks.iter().map(|track| (track.source, track.mid.to_string())).collect()
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
            let config = self.rtc.codec_config().params();
            let pt = self.rtc.media(track.mid).and_then(|media| {
                let of_codec = |pt: &&Pt| codec_of(config, **pt) == Some(track.codec);
                let agreed = media.remote_pts().iter();
                agreed
                    .clone()
                    .find(of_codec)
                    .or(agreed.clone().next().filter(|_| track.source.is_audio()))
                    .copied()
            });
            if let Some(pt) = pt {
                self.pt_of.insert(track.mid, pt);
            }
        }
    }

    /// The server's offer: answered, or ignored while ours is on the way.
    pub fn take_offer(&mut self, id: u32, sdp: &str, sending: Vec<Sending>) -> Option<Say> {
        if self.pending.is_some() && self.manners.glare == Glare::Yield {
            self.ignored_offers += 1;
            return None;
        }
        if self.deaf {
            return None;
        }
        // Polite: its own is rolled back, and made again afterwards.
        if self.pending.take().is_some() {
            self.rolled_back = true;
            self.rolled_back_offers += 1;
        }
        self.sending = sending;
        self.offered = Some(sdp.to_owned());
        let answer = self.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(sdp).unwrap()).unwrap();
        let sdp = answer.to_sdp_string();
        if self.keeps_answers {
            self.kept_answers.push((id, sdp));
            return None;
        }
        Some(Say::Answer { id, sdp: self.alter_answer.map_or_else(|| sdp.clone(), |alter| alter(&sdp)) })
    }

    /// Offers again what it rolled back.
    pub fn offer_again(&mut self) -> Option<Say> {
        if std::mem::take(&mut self.rolled_back) { self.offer_anew() } else { None }
    }

    /// Offers everything that has no answer yet.
    pub fn offer_anew(&mut self) -> Option<Say> {
        let Self { rtc, tracks, streams, .. } = self;
        let mut lost: Vec<&mut Track> =
            tracks.iter_mut().filter(|track| rtc.media(track.mid).is_none()).collect();
        let mut changes = rtc.sdp_api();
        // The sizes of a picture, which stand side by side, are on one m-line.
        for sizes in lost.chunk_by_mut(|one, next| one.mid == next.mid) {
            let Some(track) = sizes.first() else { continue };
            let kind = if track.source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
            let stream = streams.get(&track.source).cloned();
            let rids: Vec<Rid> = sizes.iter().filter_map(|track| track.rid()).collect();
            let simulcast = (!rids.is_empty()).then(|| Simulcast {
                send: rids.iter().map(|rid| SimulcastLayer::new(rid)).collect(),
                recv: Vec::new(),
            });
            let mid = changes.add_media(kind, Direction::SendOnly, stream, None, simulcast);
            sizes.iter_mut().for_each(|track| track.mid = mid);
        }
        let (offer, pending) = changes.apply()?;
        Some(self.say_offer(&offer, pending))
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
            Event::KeyframeRequest(request) => self.give_key_frame(request),
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

    fn give_key_frame(&mut self, request: KeyframeRequest) {
        self.keyframes_asked += 1;
        let asked = |track: &&mut Track| (track.mid, track.rid()) == (request.mid, request.rid);
        if let Some(track) = self.tracks.iter_mut().find(asked) {
            track.key_next = true;
            track.keyframes_asked += 1;
        }
    }

    /// Stops a layer of its camera, as a browser does that lacks bandwidth, or goes on with it.
    pub fn send_layer(&mut self, now: Instant, rid: &str, on: bool) {
        for track in self.tracks.iter_mut().filter(|track| track.rid() == Some(Rid::from(rid))) {
            track.stopped = !on;
            track.next_at = now;
        }
    }

    /// Goes on with what it publishes as a source by other SSRCs, on the same m-line. Of a layer: of each.
    pub fn renew_ssrc(&mut self, source: Source) {
        let Self { tracks, rtc, .. } = self;
        for track in tracks.iter().filter(|track| track.source == source) {
            let mut direct = rtc.direct_api();
            let Some(stream) = direct.stream_tx_by_mid(track.mid, track.rid()) else { continue };
            let (before, resends) = (stream.ssrc(), stream.rtx().is_some());
            direct.remove_stream_tx(before);
            let rtx = resends.then(|| direct.new_ssrc());
            let ssrc = direct.new_ssrc();
            direct.declare_stream_tx(ssrc, rtx, track.mid, track.rid());
        }
    }

    /// Stops what it publishes in a codec, or goes on with it.
    pub fn send_codec(&mut self, now: Instant, codec: Codec, on: bool) {
        for track in self.tracks.iter_mut().filter(|track| !track.source.is_audio() && track.codec == codec) {
            track.stopped = !on;
            track.next_at = now;
        }
    }

    /// Ends its connection, with a word to the server. To be drained afterwards.
    pub fn close(&mut self) {
        self.closed |= self.rtc.close().is_err();
    }

    /// Key frames that the server has asked for of a layer of its camera.
    #[must_use]
    pub fn keyframes_asked_of(&self, rid: &str) -> u64 {
        let layer = self.tracks.iter().find(|track| track.rid() == Some(Rid::from(rid)));
        layer.map_or(0, |track| track.keyframes_asked)
    }

    /// Goes to another address and begins ICE anew from there.
    pub fn restart(&mut self, address: SocketAddr) -> Say {
        let before = Candidate::host(self.address, "udp").unwrap();
        self.rtc.direct_api().invalidate_candidate(&before);
        self.rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        self.address = address;
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply().expect("new credentials to offer");
        self.say_offer(&offer, pending)
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
        let media = self
            .tracks
            .iter()
            .filter(|track| !track.stopped && self.pt_of.contains_key(&track.mid))
            .map(|track| track.next_at);
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
        let Self { tracks, pt_of, rtc, id, start, pictures_every, loudness, .. } = self;
        for track in tracks.iter_mut().filter(|track| !track.stopped && track.next_at <= now) {
            let Some(pt) = pt_of.get(&track.mid).copied() else { continue };
            let write = track.next_packet(now, pt, *id, now - *start, *loudness);
            if track.next_at > now && !track.source.is_audio() {
                track.next_at = now + *pictures_every;
            }
            if let Some(stream) = rtc.direct_api().stream_tx_by_mid(track.mid, track.rid()) {
                stream.write_rtp(write);
            }
            self.wake(now);
            return true;
        }
        false
    }

    /// Asks for a key frame of everything it sees.
    pub fn request_keyframes(&mut self, now: Instant) {
        self.request_keyframes_by(now, KeyframeRequestKind::Pli);
    }

    /// As [`Client::request_keyframes`], in one of the two ways.
    pub fn request_keyframes_by(&mut self, now: Instant, kind: KeyframeRequestKind) {
        let mids: Vec<Mid> = self.heard.keys().map(|mid| Mid::from(mid.as_str())).collect();
        for mid in mids {
            if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
                stream.request_keyframe(kind);
            }
        }
        self.wake(now);
        self.deadline = now;
    }

    fn hear(&mut self, packet: &RtpPacket) {
        let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
        self.ssrcs.insert(*packet.header.ssrc);
        let codec = codec_of(self.rtc.codec_config().params(), packet.header.payload_type);
        let is_vp8 = codec == Some(Codec::Vp8) && packet.payload.len() > 200;
        let vp8 = is_vp8.then(|| Vp8Descriptor::parse(&packet.payload).unwrap());
        let av1 = codec == Some(Codec::Av1);
        let begins =
            vp8.map_or(!av1 || packet.payload[0] & 0x88 == 0x08, |vp8| vp8.starts_keyframe(&packet.payload));
        self.trace.push(Delivered {
            at: self.now - self.start,
            mid: mid.unwrap_or_default(),
            connection: self.address.port(),
            seq: *packet.seq_no,
            time: packet.header.timestamp,
            marker: packet.header.marker,
            stamp: Stamp::read(&packet.payload),
            picture: vp8.and_then(|vp8| vp8.picture_id()).map(|picture| (picture, begins)),
        });
        let heard = self.heard.entry(mid.map(|mid| mid.to_string()).unwrap_or_default()).or_default();
        if heard.packets == 0 {
            heard.began_well = begins;
        }
        heard.packets += 1;
        heard.key_frames += u64::from((vp8.is_some() || av1) && begins);
        heard
            .codecs
            .extend(codec.filter(|codec| *codec != Codec::Opus && heard.codecs.last() != Some(codec)));
        heard.numbers.insert(*packet.seq_no);
        heard.level = packet.header.ext_vals.audio_level;
        // As a decoder does that has nothing to begin with.
        let blind = (vp8.is_some() || av1) && heard.key_frames == 0;
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

fn codec_of(params: &[PayloadParams], pt: Pt) -> Option<Codec> {
    let found = params.iter().find(|params| params.pt() == pt || params.red() == Some(pt))?;
    match found.spec().codec {
        str0m::format::Codec::Opus => Some(Codec::Opus),
        str0m::format::Codec::Vp8 => Some(Codec::Vp8),
        str0m::format::Codec::Av1 => Some(Codec::Av1),
        _ => None,
    }
}
