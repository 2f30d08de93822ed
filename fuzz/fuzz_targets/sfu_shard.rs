//! Descriptions and datagrams from anybody, into a shard with one member. Nothing may panic, not even where the shard would catch it.
#![no_main]

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Instant;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sfu::{
    Certificate, Codec, Command, Datagram, ParticipantId, Profile, RoomId, Shard, ShardConfig, ShardIndex,
    Source, Transport,
};

const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 8443);

/// A description that is accepted; what is made of it line by line gets past the outer checks, and into str0m.
const OFFER: &str = "v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic: WMS *
a=fingerprint:sha-256 AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=setup:actpass
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=sendonly
a=msid:s voice
a=rtcp-mux
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=msid:s camera
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=ssrc-group:FID 1 2
a=ssrc:1 cname:c
a=ssrc:2 cname:c";

#[derive(Debug, Arbitrary)]
enum Edit<'a> {
    Replace(u8, &'a str),
    Insert(u8, &'a str),
    Remove(u8),
    Repeat(u8, u8),
}

fn edited(edits: &[Edit<'_>]) -> String {
    let mut lines: Vec<&str> = OFFER.lines().collect();
    for edit in edits {
        let at = |line: &u8| usize::from(*line) % lines.len().max(1);
        match edit {
            Edit::Replace(line, text) => {
                let at = at(line);
                lines[at] = text;
            }
            Edit::Insert(line, text) => lines.insert(at(line), text),
            Edit::Remove(line) if lines.len() > 1 => _ = lines.remove(at(line)),
            Edit::Remove(_) => {}
            Edit::Repeat(from, to) => lines.insert(at(to), lines[at(from)]),
        }
    }
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

fuzz_target!(|input: (Vec<&str>, Vec<Vec<Edit<'_>>>, Vec<&[u8]>)| {
    let (texts, edits, datagrams) = input;
    let descriptions = texts.into_iter().map(str::to_owned).chain(edits.iter().map(|edits| edited(edits)));
    let now = Instant::now();
    let config = ShardConfig {
        index: ShardIndex(0),
        candidates: vec![SocketAddr::from(SERVER)],
        tcp_candidates: Vec::new(),
        dtls_1_3: false,
        certificate: certificate().clone(),
        max_participants: 2,
        max_in_room: 2,
    };
    let Ok(mut shard) = Shard::new(config, [0; 32], now) else { return };
    let participant = ParticipantId(1);
    let profile = Profile {
        fingerprint: None,
        may_send: Source::ALL.into_iter().collect(),
        codecs: Codec::ALL.to_vec(),
        red: true,
        adapts: true,
        max_voices: 8,
        max_cameras: 25,
        keyframe_gap: std::time::Duration::from_millis(500),
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
        shard.handle_datagram(now, Datagram { transport: Transport::Udp, source, destination: SERVER.into(), contents });
    }
    while shard.poll_output().is_some() {}
    assert_eq!(shard.stats().panics, 0);
});

fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let made =
            str0m_aws_lc_rs::default_provider().dtls_provider.generate_certificate().expect("a certificate");
        Certificate { certificate: made.certificate, private_key: made.private_key }
    })
}
