//! Nothing of ours is allocated for a packet: what a shard allocates, str0m by itself does too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use sfu::Source::{self, Camera, Voice};
use sfu::{Command, Datagram, ParticipantId, RoomId, Transport};
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::config::DtlsCert;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};
use testkit::measure::{Caller, Hall, PACKETS_PER_FRAME};
use testkit::stage::server_certificate;

/// Batches that fill what is kept and grown, and batches that count.
const WARM_UP: usize = 100;
const COUNTED: usize = 100;

#[test]
fn a_forwarded_packet_allocates_what_str0m_alone_does() {
    for source in [Voice, Camera] {
        let (few, many) = (shard_allocations(source, 4), shard_allocations(source, 12));
        let per_viewer = (many - few) / 8;
        assert_eq!((many - few) % 8, 0, "{source:?}: every viewer costs the same");
        assert!(per_viewer > 0, "{source:?}: str0m allocates every datagram");
        assert_eq!(per_viewer, str0m_sends(source), "{source:?}, to one viewer");
        assert_eq!(shard_allocations(source, 0), str0m_receives(source), "{source:?}, from the publisher");
    }
}

/// Allocations of a shard over the counted batches.
fn shard_allocations(source: Source, viewers: usize) -> u64 {
    let mut hall = Hall::new(false);
    hall.fill(RoomId(1), 1, &[source]);
    if viewers > 0 {
        hall.fill(RoomId(1), viewers, &[]);
    }
    let address = hall.addresses()[0];
    let server = hall.server();
    let mut allocated = 0;
    for batch in 0..WARM_UP + COUNTED {
        hall.now += every(source, batch);
        let now = hall.now;
        let mut datagrams = Vec::new();
        hall.callers[0].as_mut().unwrap().publish(now, source, &mut datagrams);
        datagrams.retain(|contents| is_rtp(contents));
        let before = hall.shard.stats().forwarded;
        let counted = measure(|| {
            for contents in &datagrams {
                let transport = Transport::Udp;
                let datagram = Datagram { transport, source: address, destination: server, contents };
                hall.shard.handle_datagram(now, datagram);
            }
            while hall.shard.poll_output().is_some() {}
        });
        let forwarded = (hall.shard.stats().forwarded - before) as usize;
        assert_eq!(forwarded, datagrams.len() * viewers, "all is forwarded");
        allocated += if batch < WARM_UP { 0 } else { counted.count_total };
    }
    allocated
}

/// Allocations of str0m alone that sends the same.
fn str0m_sends(source: Source) -> u64 {
    let mut pair = Pair::new(&[], Some(source));
    let mid = pair.mid.expect("a track of ours");
    let pt = pair.rtc.media(mid).unwrap().remote_pts()[0];
    let ssrc = pair.rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().ssrc();
    let payload: Arc<[u8]> = vec![0x55; if source.is_audio() { 100 } else { 1_200 }].into();
    let (mut seq, mut time, mut allocated) = (100_u64, 0_u32, 0);
    for batch in 0..WARM_UP + COUNTED {
        pair.now += every(source, batch);
        time += 3_000;
        let now = pair.now;
        let counted = measure(|| {
            for _ in 0..if source.is_audio() { 1 } else { PACKETS_PER_FRAME } {
                seq += 1;
                let level = ExtensionValues {
                    audio_level: source.is_audio().then_some(-30),
                    voice_activity: source.is_audio().then_some(true),
                    ..ExtensionValues::default()
                };
                let write = RtpWrite::new(pt, seq.into(), time, now, Arc::clone(&payload))
                    .ext_vals(level)
                    .nackable(!source.is_audio());
                pair.rtc.direct_api().stream_tx(&ssrc).unwrap().write_rtp(write);
            }
            pair.rtc.handle_input(Input::Timeout(now)).unwrap();
            while !matches!(pair.rtc.poll_output().unwrap(), Output::Timeout(_)) {}
        });
        allocated += if batch < WARM_UP { 0 } else { counted.count_total };
    }
    allocated
}

/// Allocations of str0m alone that receives the same.
fn str0m_receives(source: Source) -> u64 {
    let mut pair = Pair::new(&[source], None);
    let mut allocated = 0;
    for batch in 0..WARM_UP + COUNTED {
        pair.now += every(source, batch);
        let mut datagrams = Vec::new();
        pair.caller.publish(pair.now, source, &mut datagrams);
        datagrams.retain(|contents| is_rtp(contents));
        let counted = measure(|| {
            for contents in &datagrams {
                let received = Receive::new(Protocol::Udp, pair.caller.address, SERVER, contents).unwrap();
                pair.rtc.handle_input(Input::Receive(pair.now, received)).unwrap();
                while !matches!(pair.rtc.poll_output().unwrap(), Output::Timeout(_)) {}
            }
        });
        allocated += if batch < WARM_UP { 0 } else { counted.count_total };
    }
    allocated
}

/// RFC 7983 §7, and RFC 5761 §4: RTCP has packet types from 192 to 223 in the second byte.
fn is_rtp(contents: &[u8]) -> bool {
    (128..192).contains(&contents[0]) && !(192..=223).contains(&contents[1])
}

/// Time stands still while batches count, so that no report falls due.
fn every(source: Source, batch: usize) -> Duration {
    let every = if source.is_audio() { 20 } else { 33 };
    Duration::from_millis(if batch < WARM_UP { every } else { 0 })
}

const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 8443);

/// A caller, and str0m where otherwise a shard would be.
struct Pair {
    rtc: Rtc,
    caller: Caller,
    mid: Option<Mid>,
    connected: bool,
    now: Instant,
}

impl Pair {
    fn new(published: &[Source], sent: Option<Source>) -> Self {
        let now = Instant::now();
        let crypto = sfu::provider().unwrap();
        let identity = || {
            let made = server_certificate();
            DtlsCert { certificate: made.certificate, private_key: made.private_key }
        };
        // As a shard makes its participants.
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::clone(&crypto))
            .set_dtls_cert(identity())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_send_buffer_audio(64)
            .set_send_buffer_video(256)
            .set_rtcp_report_interval_audio(Duration::from_secs(5))
            .set_rtcp_report_interval_video(Duration::from_secs(5))
            .build(now);
        rtc.add_local_candidate(Candidate::host(SERVER, "udp").unwrap());
        let address = SocketAddr::from(([203, 0, 113, 1], 5_000));
        let caller = Caller::new(ParticipantId(1), address, SERVER, (&crypto, identity()), now);
        let mut pair = Self { rtc, caller, mid: None, connected: false, now };
        pair.negotiate(published, sent);
        while !(pair.connected && pair.caller.connected) {
            assert!(pair.now < now + Duration::from_secs(10), "connected in time");
            pair.now += Duration::from_millis(10);
            pair.pass();
        }
        pair
    }

    fn negotiate(&mut self, published: &[Source], sent: Option<Source>) {
        let Command::Offer { sdp, .. } = self.caller.offer(published) else { panic!("an offer") };
        let sdp = SdpOffer::from_sdp_string(&without_reports_of_sound(&sdp)).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(sdp).unwrap();
        self.caller.take_answer(&answer.to_sdp_string());
        let Some(source) = sent else { return };
        let mut changes = self.rtc.sdp_api();
        let kind = if source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
        self.mid = Some(changes.add_media(kind, Direction::SendOnly, None, None, None));
        let (offer, pending) = changes.apply().unwrap();
        let answer = self.caller.take_offer(1, &offer.to_sdp_string());
        let Some(Command::Answer { sdp, .. }) = answer else { panic!("an answer") };
        let sdp = SdpAnswer::from_sdp_string(&without_reports_of_sound(&sdp)).unwrap();
        self.rtc.sdp_api().accept_answer(pending, sdp).unwrap();
    }

    fn pass(&mut self) {
        let mut to_server = Vec::new();
        self.caller.wake(self.now, &mut to_server);
        self.rtc.handle_input(Input::Timeout(self.now)).unwrap();
        self.drain(&mut to_server);
        while let Some(contents) = to_server.pop() {
            let received = Receive::new(Protocol::Udp, self.caller.address, SERVER, &contents).unwrap();
            self.rtc.handle_input(Input::Receive(self.now, received)).unwrap();
            self.drain(&mut to_server);
        }
    }

    fn drain(&mut self, to_server: &mut Vec<Vec<u8>>) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => {
                    self.caller.take_datagram(self.now, &transmit.contents, to_server);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(_) => {}
            }
        }
    }
}

/// As a shard reads descriptions: arrivals of sound are not reported.
fn without_reports_of_sound(sdp: &str) -> String {
    let mut sound = false;
    let kept = |line: &&str| {
        sound = if line.starts_with("m=") { line.starts_with("m=audio") } else { sound };
        !(sound && line.contains("transport-wide-cc"))
    };
    sdp.split_inclusive('\n').filter(kept).collect()
}
