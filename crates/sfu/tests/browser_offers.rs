//! Offers written after browsers', and what rtcd answered: ours must mean the same, but for what is listed here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use sfu::{
    Codec, Command, EventKind, Output, ParticipantId, Profile, RoomId, Shard, ShardConfig, ShardIndex,
    SignalRefusal, Source, Sources,
};
use testkit::stage::{DEMANDING, Stage, Weather, server_certificate};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/tests/vectors/rtcd/sdp.json");

const AV1_DEFAULTS: [&str; 3] = ["level-idx=5", "profile=0", "tier=0"];

/// What an m-line means to a client.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    kind: String,
    mid: String,
    accepted: bool,
    direction: String,
    /// Codecs in order, with their payload types and what they can be told (`a=fmtp`, `a=rtcp-fb`).
    formats: Vec<(String, String, BTreeSet<String>)>,
    extensions: BTreeMap<String, String>,
    /// Simulcast, and whatever else is said once.
    rest: BTreeSet<String>,
}

#[test]
fn offers_of_browsers_are_answered_as_rtcd_answers_them() {
    let recorded: Value = serde_json::from_slice(&std::fs::read(RECORDED).unwrap()).unwrap();
    let exchanges = recorded["exchanges"].as_array().unwrap();
    assert_eq!(exchanges.len(), 10);
    for exchange in exchanges {
        let name = exchange["name"].as_str().unwrap();
        let offer = exchange["offer"].as_str().unwrap();
        let theirs = rtcds_answer(exchange);
        let ours = our_answer(offer, exchange["av1Support"].as_bool().unwrap());
        // Without a=group:BUNDLE rtcd rejects the only m-line, after which nothing can come. We say so.
        if name.starts_with("no bundle") {
            assert_eq!(ours, Err(SignalRefusal::BadSdp));
            assert!(lines(&theirs).iter().all(|line| !line.accepted));
            continue;
        }
        let ours = ours.unwrap();
        let (their_lines, our_lines) = (lines(&theirs), lines(&ours));
        assert_eq!(their_lines.len(), our_lines.len(), "{name}");
        for (mut theirs, mut ours) in their_lines.into_iter().zip(our_lines) {
            // We resend by RTX.
            ours.formats.retain(|(_, codec, _)| codec != "rtx/90000");
            // What AV1 means where nothing is said (RTP Payload Format for AV1, §7.2.1).
            for (_, codec, told) in &mut theirs.formats {
                told.retain(|told| codec != "AV1/90000" || !AV1_DEFAULTS.contains(&told.as_str()));
            }
            // We know the m-line of sound by its packets, too.
            if ours.kind == "audio" {
                ours.extensions.retain(|_, uri| uri != "urn:ietf:params:rtp-hdrext:sdes:mid");
            }
            // Our messages are bounded, and our clients' RTCP packets whole.
            for line in [&mut theirs, &mut ours] {
                line.rest.retain(|had| !had.starts_with("a=max-message-size:") && had != "a=rtcp-rsize");
            }
            assert_eq!(ours, theirs, "{name}");
        }
        // Where the client leaves us the choice we are the server of DTLS, rtcd the client.
        let setup = if offer.contains("a=setup:passive") { "active" } else { "passive" };
        let setups: BTreeSet<&str> = ours.lines().filter_map(|line| line.strip_prefix("a=setup:")).collect();
        assert_eq!(setups, [setup].into(), "{name}");
        for absent in ["a=msid:", "a=ssrc:", "a=fingerprint:sha-1"] {
            assert!(!ours.contains(absent), "{name}: {absent}");
        }
        assert!(ours.contains("a=fingerprint:sha-256 ") && ours.contains("a=extmap-allow-mixed"), "{name}");
        let bundled =
            |sdp: &str| sdp.lines().find(|line| line.starts_with("a=group:BUNDLE")).map(str::to_owned);
        assert_eq!(bundled(&ours), bundled(&theirs), "{name}");
    }
}

fn rtcds_answer(exchange: &Value) -> String {
    let messages = exchange["server_messages"].as_array().unwrap();
    let sdp = messages.iter().find_map(|message| message["decoded"][1]["data"]["json"]["sdp"].as_str());
    sdp.unwrap().to_owned()
}

fn our_answer(offer: &str, av1_first: bool) -> Result<String, SignalRefusal> {
    let now = Stage::new(0, Weather::FAIR).now;
    let config = ShardConfig {
        index: ShardIndex(0),
        candidates: vec![SocketAddr::from(([127, 0, 0, 1], 8443))],
        tcp_candidates: vec![SocketAddr::from(([127, 0, 0, 1], 8443))],
        certificate: server_certificate(),
        dtls_1_3: false,
        max_participants: 1,
        max_in_room: 1,
    };
    let mut shard = Shard::new(config, [0; 32], now).unwrap();
    let participant = ParticipantId(1);
    let (incarnation, muted) = (1, Sources::default());
    let profile = profile(av1_first);
    shard.handle_command(now, Command::Join { room: RoomId(1), participant, incarnation, profile, muted });
    let (sdp, sources) = (offer.to_owned(), BTreeMap::new());
    shard.handle_command(now, Command::Offer { participant, id: 1, sdp, sources });
    let events = std::iter::from_fn(|| shard.poll_output());
    let mut answers = events.filter_map(|output| match output {
        Output::Event(event) => match event.kind {
            EventKind::Answer { sdp, .. } => Some(Ok(sdp)),
            EventKind::Refused { refusal, .. } => Some(Err(refusal)),
            other => panic!("{other:?}"),
        },
        _ => None,
    });
    answers.next().unwrap()
}

fn profile(av1_first: bool) -> Profile {
    let pictures = if av1_first { [Codec::Av1, Codec::Vp8] } else { [Codec::Vp8, Codec::Av1] };
    Profile {
        fingerprint: None,
        may_send: Source::ALL.into_iter().collect(),
        codecs: [vec![Codec::Opus], pictures.to_vec()].concat(),
        red: false,
        stream: "s1".into(),
        adapts: true,
        reports_sound: true,
        max_voices: 8,
        max_cameras: 25,
        keyframe_gap: Duration::from_secs(1),
        manners: DEMANDING,
    }
}

fn lines(sdp: &str) -> Vec<Line> {
    let sections = sdp.split("\r\nm=").skip(1);
    sections.map(line).collect()
}

fn line(section: &str) -> Line {
    let mut attributes = section.split("\r\n").filter(|line| !line.is_empty());
    let media: Vec<&str> = attributes.next().unwrap().split(' ').collect();
    let mut line = Line {
        kind: media[0].to_owned(),
        mid: String::new(),
        accepted: media[1] != "0",
        direction: "a=sendrecv".to_owned(),
        formats: media[3..].iter().map(|pt| ((*pt).to_owned(), String::new(), BTreeSet::new())).collect(),
        extensions: BTreeMap::new(),
        rest: BTreeSet::new(),
    };
    for attribute in attributes {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let (first, second) = value.split_once(' ').unwrap_or((value, ""));
        let mut format = line.formats.iter_mut().find(|(pt, ..)| pt == first);
        match name {
            "a=mid" => value.clone_into(&mut line.mid),
            "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive" => name.clone_into(&mut line.direction),
            "a=rtpmap" => second.clone_into(&mut format.unwrap().1),
            "a=fmtp" => format.as_mut().unwrap().2.extend(second.split(';').map(str::to_owned)),
            "a=rtcp-fb" => _ = format.unwrap().2.insert(second.to_owned()),
            "a=extmap" => _ = line.extensions.insert(first.to_owned(), second.to_owned()),
            // Of a connection, not of what it carries.
            "c=IN IP4 0.0.0.0"
            | "a=setup"
            | "a=ice-ufrag"
            | "a=ice-pwd"
            | "a=ice-options"
            | "a=candidate"
            | "a=end-of-candidates"
            | "a=fingerprint"
            | "a=rtcp" => {}
            _ => _ = line.rest.insert(attribute.to_owned()),
        }
    }
    line
}
