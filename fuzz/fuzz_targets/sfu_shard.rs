//! Descriptions and datagrams from anybody, into a shard with one member. Nothing may panic, not even where the shard would catch it.
#![no_main]

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use sfu::{Certificate, Codec, Command, Datagram, ParticipantId, Profile, RoomId, Shard, ShardConfig, ShardIndex, Source};

const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 8443);

fuzz_target!(|input: (Vec<String>, Vec<Vec<u8>>)| {
    let (descriptions, datagrams) = input;
    let now = Instant::now();
    let config = ShardConfig {
        index: ShardIndex(0),
        candidates: vec![SocketAddr::from(SERVER)],
        certificate: certificate().clone(),
        max_participants: 2,
        max_in_room: 2,
    };
    let Ok(mut shard) = Shard::new(config, [0; 32]) else { return };
    let participant = ParticipantId(1);
    let profile = Profile {
        fingerprint: None,
        may_send: Source::ALL.into_iter().collect(),
        codecs: vec![Codec::Opus, Codec::Vp8],
        stream: "s".into(),
    };
    shard.handle_command(now, Command::Join { room: RoomId(1), participant, incarnation: 1, profile });
    for (id, sdp) in (0..).zip(descriptions) {
        let sources = [("0".to_owned(), Source::Voice), ("1".to_owned(), Source::Camera)].into();
        shard.handle_command(now, Command::Candidate { participant, candidate: sdp.clone() });
        shard.handle_command(now, Command::Answer { participant, id, sdp: sdp.clone() });
        shard.handle_command(now, Command::Offer { participant, id, sdp, sources });
    }
    for contents in &datagrams {
        let source = SocketAddr::from(([198, 51, 100, 1], 5000));
        shard.handle_datagram(now, Datagram { source, destination: SERVER.into(), contents });
    }
    while shard.poll_output().is_some() {}
    assert_eq!(shard.stats().panics, 0);
});

fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let made = str0m_aws_lc_rs::default_provider().dtls_provider.generate_certificate().expect("a certificate");
        Certificate { certificate: made.certificate, private_key: made.private_key }
    })
}
