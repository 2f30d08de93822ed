//! A caller: publishes sound and frames of equal packets when told to, and counts what it gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use sfu::{Command, ParticipantId, Source};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// Of one picture; a real one of 2.5 Mbit/s at 30 a second has about nine.
pub const PACKETS_PER_FRAME: usize = 8;

/// A caller.
pub struct Caller {
    /// In its room.
    pub id: ParticipantId,
    /// Its connection.
    pub rtc: Rtc,
    /// Where it is.
    pub address: SocketAddr,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Whether ICE and DTLS are up.
    pub connected: bool,
    /// RTP packets that it got.
    pub heard: u64,
    /// When str0m wants to be woken.
    pub deadline: Instant,
    server: SocketAddr,
    tracks: Vec<Track>,
    pending: Option<SdpPendingOffer>,
}

struct Track {
    mid: Mid,
    source: Source,
    seq: u64,
    time: u32,
    key_next: bool,
}

impl Caller {
    /// A caller that has not yet said anything. Callers may share a certificate.
    #[must_use]
    pub fn new(
        id: ParticipantId,
        address: SocketAddr,
        server: SocketAddr,
        identity: (&Arc<CryptoProvider>, DtlsCert),
        now: Instant,
    ) -> Self {
        let (crypto, certificate) = identity;
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::clone(crypto))
            .set_dtls_cert(certificate)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let fingerprint = rtc.direct_api().local_dtls_fingerprint().bytes.clone().try_into().unwrap();
        let (tracks, pending) = (Vec::new(), None);
        Self {
            id,
            rtc,
            address,
            fingerprint,
            connected: false,
            heard: 0,
            deadline: now,
            server,
            tracks,
            pending,
        }
    }

    /// Offers to publish; without sources, an m-line that only receives.
    pub fn offer(&mut self, sources: &[Source]) -> Command {
        let mut changes = self.rtc.sdp_api();
        for source in sources {
            let kind = if source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
            let mid = changes.add_media(kind, Direction::SendOnly, None, None, None);
            self.tracks.push(Track { mid, source: *source, seq: 40_000, time: 0, key_next: true });
        }
        if sources.is_empty() {
            changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().unwrap();
        self.pending = Some(pending);
        let sources = self.tracks.iter().map(|track| (track.mid.to_string(), track.source));
        let sources: BTreeMap<_, _> = sources.collect();
        Command::Offer { participant: self.id, id: 1, sdp: offer.to_sdp_string(), sources }
    }

    /// The answer to its offer.
    pub fn take_answer(&mut self, sdp: &str) {
        let pending = self.pending.take().expect("an offer");
        self.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(sdp).unwrap()).unwrap();
    }

    /// Answers the server's offer; not while its own is on the way.
    pub fn take_offer(&mut self, id: u32, sdp: &str) -> Option<Command> {
        if self.pending.is_some() {
            return None;
        }
        let answer = self.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(sdp).unwrap()).unwrap();
        Some(Command::Answer { participant: self.id, id, sdp: answer.to_sdp_string() })
    }

    /// One datagram from the server.
    pub fn take_datagram(&mut self, now: Instant, contents: &[u8], out: &mut Vec<Vec<u8>>) {
        if let Ok(receive) = Receive::new(Protocol::Udp, self.server, self.address, contents) {
            self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
            self.drain(out);
        }
    }

    /// str0m's own timers.
    pub fn wake(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(out);
    }

    /// Publishes one packet of sound, or one picture.
    pub fn publish(&mut self, now: Instant, source: Source, out: &mut Vec<Vec<u8>>) {
        let packets = if source.is_audio() { 1 } else { PACKETS_PER_FRAME };
        for part in 0..packets {
            let track = self.tracks.iter_mut().find(|track| track.source == source).expect("published");
            let pt = *self.rtc.media(track.mid).unwrap().remote_pts().first().expect("negotiated");
            let write = track.packet(now, pt, part);
            let mut direct = self.rtc.direct_api();
            direct.stream_tx_by_mid(track.mid, None).unwrap().write_rtp(write);
            self.wake(now, out);
        }
    }

    fn drain(&mut self, out: &mut Vec<Vec<u8>>) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Transmit(transmit) => out.push(transmit.contents.to_vec()),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(_)) => self.heard += 1,
                Output::Event(Event::KeyframeRequest(request)) => {
                    let track = self.tracks.iter_mut().find(|track| track.mid == request.mid);
                    track.into_iter().for_each(|track| track.key_next = true);
                }
                Output::Event(_) => {}
            }
        }
    }
}

impl Track {
    fn packet(&mut self, now: Instant, pt: str0m::media::Pt, part: usize) -> RtpWrite {
        self.seq += 1;
        if self.source.is_audio() {
            self.time = self.time.wrapping_add(960);
            let level =
                ExtensionValues { audio_level: Some(-30), voice_activity: Some(true), ..Default::default() };
            return RtpWrite::new(pt, self.seq.into(), self.time, now, vec![0x7C; 100]).ext_vals(level);
        }
        let (first, last) = (part == 0, part + 1 == PACKETS_PER_FRAME);
        if first {
            self.time = self.time.wrapping_add(3_000);
        }
        let key = first && std::mem::take(&mut self.key_next);
        // RFC 7741 §4.2: X, S, partition 0; I with a 15-bit picture id; then the payload header, whose first bit tells a key frame.
        let [high, low] = ((self.time / 3_000) as u16 & 0x7FFF).to_be_bytes();
        let mut payload = vec![0x80 | if first { 0x10 } else { 0 }, 0x80, 0x80 | high, low, u8::from(!key)];
        payload.resize(1_200, 0x55);
        RtpWrite::new(pt, self.seq.into(), self.time, now, payload).marker(last).nackable(true)
    }
}
