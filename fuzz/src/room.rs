//! A shard with a room and people in it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sfu::{
    Activity, Certificate, Codec, Command, Event, EventKind, Extensions, Glare, LeaveReason, Manners, Names,
    Output, ParticipantId, Profile, RoomId, Shard, ShardConfig, ShardIndex, Source,
};
use str0m::config::CryptoProvider;

pub const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 8443);
pub const ANA: ParticipantId = ParticipantId(1);
pub const BEN: ParticipantId = ParticipantId(2);
/// What Chromium offers with voice, a camera in three layers and a data channel.
pub const CHROMIUM: &str = include_str!("../corpus/sfu_descriptions/chromium");

/// What no client of the house's own asks for; every offer is still answered at once.
pub const DEMANDING: Manners = Manners {
    names: Names::Telling,
    glare: Glare::Yield,
    waits_for_channel: false,
    late_sources: true,
    prefers_its_codecs: true,
    extensions: Extensions::Few,
    activity: Activity::Variation,
    tells_tracks: true,
};

/// Shard 0 of two, where Ana has joined and Ben, who has offered.
pub fn shard(now: Instant) -> Shard {
    shard_for(now, Manners::default())
}

/// The same with an Ana of other manners.
pub fn shard_for(now: Instant, manners: Manners) -> Shard {
    let config = ShardConfig {
        index: ShardIndex(0),
        candidates: vec![SERVER.into()],
        tcp_candidates: vec![SERVER.into()],
        dtls_1_3: false,
        certificate: certificate().clone(),
        max_participants: 4,
        max_in_room: 4,
    };
    let made = Shard::with_crypto(config, crypto().clone(), [0; 32], now);
    let mut shard = made.expect("a shard of a good configuration");
    shard.set_shards(2);
    for participant in [ANA, BEN] {
        let manners = if participant == ANA { manners } else { Manners::default() };
        let profile = Profile { manners, ..profile() };
        shard.handle_command(now, Command::Join { room: RoomId(1), participant, incarnation: 1, profile, muted: sfu::Sources::default() });
    }
    let sdp = wire_form(&CHROMIUM.lines().skip(1).collect::<Vec<_>>());
    let sources = sources(&sdp);
    shard.handle_command(now, Command::Offer { participant: BEN, id: 0, sdp, sources });
    let answered = events(&mut shard).iter().any(|event| matches!(event.kind, EventKind::Answer { .. }));
    assert!(answered, "what Chromium offers is answered");
    shard
}

/// Takes all outputs, and gives the events of them. Ben stays, whatever Ana does, until his time is over: he never connects.
pub fn events(shard: &mut Shard) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(output) = shard.poll_output() {
        if let Output::Event(event) = output {
            let left = matches!(event.kind, EventKind::Left(reason) if reason != LeaveReason::TransportLost);
            assert!(event.participant != BEN || !left, "{event:?}");
            events.push(event);
        }
    }
    events
}

/// As it stands in a message.
pub fn wire_form(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// What a client would say of its m-lines: the first of a kind is a person, the second a screen.
pub fn sources(sdp: &str) -> BTreeMap<String, Source> {
    let mut audio = [Source::Voice, Source::ScreenAudio].into_iter().cycle();
    let mut video = [Source::Camera, Source::Screen].into_iter().cycle();
    let mut sources = BTreeMap::new();
    for section in sdp.split("\nm=").skip(1) {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        let sends = !section.contains("a=recvonly") && !section.contains("a=inactive");
        let source = match section.split(' ').next() {
            Some("audio") if sends => audio.next(),
            Some("video") if sends => video.next(),
            _ => None,
        };
        if let (Some(mid), Some(source)) = (mid, source) {
            sources.insert(mid.to_owned(), source);
        }
    }
    sources
}

pub fn crypto() -> &'static Arc<CryptoProvider> {
    static CRYPTO: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    CRYPTO.get_or_init(|| sfu::provider().expect("a crypto provider"))
}

fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let made =
            str0m_aws_lc_rs::default_provider().dtls_provider.generate_certificate().expect("a certificate");
        Certificate { certificate: made.certificate, private_key: made.private_key }
    })
}

fn profile() -> Profile {
    Profile {
        fingerprint: None,
        may_send: Source::ALL.into_iter().collect(),
        codecs: Codec::ALL.to_vec(),
        red: true,
        adapts: true,
        reports_sound: false,
        max_voices: 8,
        max_cameras: 25,
        keyframe_gap: Duration::from_millis(500),
        manners: Manners::default(),
        stream: "s".into(),
    }
}
