//! Participants and strangers that do what they should not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sfu::Source::{Camera, Voice};
use sfu::{
    Command, EventKind, JoinRefusal, LeaveReason, ParticipantId, RoomId, SignalRefusal, Source, Sources,
};
use testkit::stage::{Client, SERVER, Say, Stage, Weather, profile};

const BOTH: [Source; 2] = [Voice, Camera];

#[test]
fn a_description_with_a_foreign_fingerprint_is_refused_and_changes_nothing() {
    let mut stage = couple(1);
    let before = stage.heard(1, 0, Voice).packets;
    let patches: [fn(&str) -> String; 4] = [
        |sdp| {
            sdp.lines()
                .filter(|line| !line.starts_with("a=fingerprint"))
                .map(|line| format!("{line}\r\n"))
                .collect()
        },
        |sdp| replace_fingerprint(sdp, &"AB:".repeat(31)),
        |sdp| format!("{sdp}a=fingerprint:sha-256 {}AB\r\n", "AB:".repeat(31)),
        |sdp| sdp.replace("sha-256", "sha-1"),
    ];
    for patch in patches {
        let now = stage.now;
        let Say::Offer { id, sdp, sources } = stage.clients[0].offer(now, &[Source::Screen]) else {
            panic!("an offer")
        };
        stage.say_as(0, |participant| Command::Offer { participant, id, sdp: patch(&sdp), sources });
        stage.run(Duration::from_millis(100));
        assert_eq!(
            stage.events_of(0).last(),
            Some(&EventKind::Refused { id, refusal: SignalRefusal::Fingerprint })
        );
    }
    stage.run(seconds(1));
    assert!(stage.heard(1, 0, Voice).packets > before + 40, "the call goes on");
}

#[test]
fn a_certificate_other_than_the_promised_one_never_connects() {
    let mut stage = Stage::new(2, Weather::FAIR);
    let honest = stage.join(&BOTH);
    let index = stage.prepare();
    let claimed = [0xAB; 32];
    stage.enter_with(index, &BOTH, claimed, |sdp| replace_fingerprint(sdp, &"AB:".repeat(31)));
    stage.run(seconds(8));
    let events = stage.events_of(index);
    assert!(!events.contains(&EventKind::Connected));
    assert_eq!(events.last(), Some(&EventKind::Left(LeaveReason::CertificateMismatch)));
    assert!(stage.clients[honest].connected);
    assert_eq!(stage.heard(honest, index, Voice).packets, 0);
}

#[test]
fn what_is_not_permitted_is_not_published() {
    let mut stage = Stage::new(3, Weather::FAIR);
    let index = stage.prepare();
    let listener = stage.clients[index].fingerprint;
    let mut only_voice = profile(&stage.clients[index], listener);
    only_voice.may_send = Sources::default().with(Voice);
    let participant = stage.clients[index].id;
    stage.say(Command::Join {
        room: RoomId(1),
        participant,
        incarnation: 1,
        profile: only_voice,
        muted: Sources::default(),
    });
    type Alter = fn(&mut BTreeMap<String, Source>);
    let offers: [(&[Source], Alter); 4] = [
        (&[Camera], |_| {}),
        (&[Voice], |sources| sources.clear()),
        (&[Voice], |sources| sources.values_mut().for_each(|source| *source = Camera)),
        (&[Voice, Voice], |_| {}),
    ];
    for (sources, alter) in offers {
        let now = stage.now;
        let mut client = stage.spare_client(index);
        let Say::Offer { id, sdp, sources: mut named } = client.offer(now, sources) else {
            panic!("an offer")
        };
        alter(&mut named);
        let sdp = with_fingerprint_of(&sdp, &stage.clients[index]);
        stage.say(Command::Offer { participant, id, sdp, sources: named });
        stage.run(Duration::from_millis(50));
        let refused = EventKind::Refused { id, refusal: SignalRefusal::SourceNotPermitted };
        assert_eq!(stage.events_of(index).last(), Some(&refused), "{sources:?}");
    }
}

#[test]
fn rubbish_as_a_description_is_refused() {
    let mut stage = couple(4);
    let big = "a=x\r\n".repeat(200_000);
    for sdp in ["", "v=0", "\0", "m=", &big] {
        stage.say_as(0, |participant| Command::Offer {
            participant,
            id: 99,
            sdp: sdp.into(),
            sources: BTreeMap::new(),
        });
        stage.say_as(0, |participant| Command::Answer { participant, id: 99, sdp: sdp.into() });
        stage.run(Duration::from_millis(50));
        assert!(
            matches!(stage.events_of(0).last(), Some(EventKind::Refused { id: 99, .. })),
            "{:?}",
            &sdp[..sdp.len().min(9)]
        );
    }
    assert_unharmed(&mut stage);
}

#[test]
fn datagrams_of_strangers_are_counted_and_forgotten() {
    let mut stage = couple(5);
    let member = stage.clients[0].address;
    let before = stage.shard.stats();
    let mut rng = fastrand::Rng::with_seed(5);
    for round in 0..2_000_u16 {
        let stranger = SocketAddr::from(([198, 18, 0, 1], round));
        let contents: Vec<u8> = (0..rng.usize(..1_500)).map(|_| rng.u8(..)).collect();
        stage.net.send(stranger, SERVER, &contents);
        // And under a member's address: SRTP authentication drops it.
        stage.net.send(member, SERVER, &contents);
    }
    stage.run(Duration::from_millis(50));
    let after = stage.shard.stats();
    assert!(after.strangers >= before.strangers + 1_900, "{}", after.strangers - before.strangers);
    assert!(after.datagrams_out < before.datagrams_out + 200, "strangers are not answered");
    assert_unharmed(&mut stage);
}

#[test]
fn a_forged_source_moves_nobodys_media() {
    let mut stage = couple(6);
    let (victim, thief) = (stage.clients[0].address, stage.clients[1].address);
    // Everything the second one sends arrives once more, as if it came from the first one's address.
    let copied = stage.copy_datagrams(thief, victim, Duration::from_secs(5));
    assert!(copied > 100);
    assert_unharmed(&mut stage);
}

#[test]
fn forged_dtls_records_end_nobodys_connection() {
    let mut stage = couple(9);
    let victim = stage.clients[0].address;
    let mut rng = fastrand::Rng::with_seed(9);
    for round in 0..4_000_u32 {
        let (epoch, seq) = ([0, rng.u8(..3)], if rng.bool() { 0 } else { rng.u32(..) });
        let body: Vec<u8> = match round % 4 {
            // Alerts: close_notify, and fatal ones.
            0 => vec![rng.u8(1..3), *rng.choice(&[0, 10, 20, 40, 50]).unwrap()],
            // The beginning of a handshake message of any kind, its length told truly.
            1 => {
                let length = rng.u8(..200);
                let mut body = vec![rng.u8(..25), 0, 0, length, 0, rng.u8(..8), 0, 0, 0, 0, 0, length];
                body.extend((0..length).map(|_| rng.u8(..)));
                body
            }
            2 => vec![1],
            _ => (0..rng.usize(..300)).map(|_| rng.u8(..)).collect(),
        };
        let kind = match round % 4 {
            0 => 21,
            1 => 22,
            2 => 20,
            _ => rng.u8(20..64),
        };
        let mut contents = vec![kind, 0xFE, 0xFD, epoch[0], epoch[1], 0, 0];
        contents.extend(seq.to_be_bytes());
        contents.extend((body.len() as u16).to_be_bytes());
        contents.extend(body);
        stage.net.send(victim, SERVER, &contents);
        if round % 100 == 0 {
            stage.run(Duration::from_millis(10));
        }
    }
    stage.run(Duration::from_millis(50));
    assert_eq!(stage.shard.stats().participants, 2, "{:?}", stage.events_of(0).last());
    assert_unharmed(&mut stage);
}

#[test]
fn a_storm_of_key_frame_requests_reaches_the_publisher_as_two_a_second() {
    let mut stage = couple(7);
    let before = stage.clients[0].keyframes_asked;
    for _ in 0..200 {
        let now = stage.now;
        stage.clients[1].request_keyframes(now);
        stage.run(Duration::from_millis(10));
    }
    let asked = stage.clients[0].keyframes_asked - before;
    assert!((2..=6).contains(&asked), "{asked} in two seconds");
}

#[test]
fn a_full_room_refuses_one_more() {
    let mut stage = Stage::new(8, Weather::FAIR);
    let fingerprint = [1; 32];
    let sample = stage.prepare();
    for number in 0..=200 {
        let profile = profile(&stage.clients[sample], fingerprint);
        let participant = ParticipantId(1_000 + number);
        stage.say(Command::Join {
            room: RoomId(9),
            participant,
            incarnation: 1,
            profile,
            muted: Sources::default(),
        });
    }
    stage.run(Duration::from_millis(100));
    let refused = LeaveReason::Refused(JoinRefusal::RoomFull);
    let last = stage.events.last().map(|(_, event)| (event.participant, event.kind.clone()));
    assert_eq!(last, Some((ParticipantId(1_200), EventKind::Left(refused))));
    assert_eq!(stage.shard.stats().participants, 200);
    stage.run(seconds(31));
    assert_eq!(stage.shard.stats().participants, 0, "who never connects is taken out");
}

#[test]
fn who_sends_by_ever_new_ssrcs_is_forwarded_until_they_are_more_than_anybody_needs() {
    let mut stage = couple(40);
    stage.net.weather = Weather::FOUL;
    for _ in 0..50 {
        BOTH.iter().for_each(|source| stage.clients[0].renew_ssrc(*source));
        stage.run(Duration::from_millis(100));
    }
    stage.net.weather = Weather::FAIR;
    stage.run(seconds(1));
    let before = BOTH.map(|source| stage.heard(1, 0, source).packets);
    stage.run(seconds(1));
    for (source, before) in BOTH.into_iter().zip(before) {
        assert!(stage.heard(1, 0, source).packets > before + 40, "{source:?} goes on");
    }
    let flooding = EventKind::Left(LeaveReason::Flooding);
    for _ in 0..4_200 {
        assert_ne!(stage.events_of(0).last(), Some(&flooding), "too early");
        stage.clients[0].renew_ssrc(Voice);
        stage.run(Duration::from_millis(20));
        if stage.clients[0].closed {
            break;
        }
    }
    assert_eq!(stage.events_of(0).last(), Some(&flooding));
    assert!(stage.elapsed() > seconds(75), "not before it was too much");
    assert_eq!(stage.shard.stats().panics, 0);
}

fn couple(seed: u64) -> Stage {
    let mut stage = Stage::new(seed, Weather::FAIR);
    stage.join(&BOTH);
    stage.join(&BOTH);
    stage.run(seconds(3));
    stage
}

fn assert_unharmed(stage: &mut Stage) {
    let before = (stage.heard(0, 1, Voice).packets, stage.heard(1, 0, Camera).packets);
    stage.run(seconds(2));
    assert!(stage.heard(0, 1, Voice).packets > before.0 + 80);
    assert!(stage.heard(1, 0, Camera).packets > before.1 + 100);
    assert_eq!(stage.shard.stats().panics, 0);
}

fn replace_fingerprint(sdp: &str, start: &str) -> String {
    let line = |line: &str| match line.strip_prefix("a=fingerprint:sha-256 ") {
        Some(_) => format!("a=fingerprint:sha-256 {start}AB\r\n"),
        None => format!("{line}\r\n"),
    };
    sdp.lines().map(line).collect()
}

fn with_fingerprint_of(sdp: &str, client: &Client) -> String {
    let digits: Vec<String> = client.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    let line = |line: &str| match line.strip_prefix("a=fingerprint:") {
        Some(_) => format!("a=fingerprint:sha-256 {}\r\n", digits.join(":")),
        None => format!("{line}\r\n"),
    };
    sdp.lines().map(line).collect()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn packets_of_ever_new_ssrcs_are_not_looked_at_for_ever_and_the_known_ones_go_on() {
    let mut stage = couple(41);
    stage.run(seconds(1));
    let forged = |ssrc: u32| [&[0x90, 111, 0, 1, 0, 0, 0, 1][..], &ssrc.to_be_bytes(), &[0; 40]].concat();
    for ssrc in 0..20_000 {
        stage.net.inject(stage.now, stage.clients[0].address, SERVER, &forged(ssrc));
        if ssrc % 100 == 0 {
            stage.run(Duration::from_millis(1));
        }
    }
    stage.run(seconds(1));
    let before = BOTH.map(|source| stage.heard(1, 0, source).packets);
    stage.run(seconds(1));
    for (source, before) in BOTH.into_iter().zip(before) {
        assert!(stage.heard(1, 0, source).packets > before + 40, "{source:?} goes on");
    }
    assert!(stage.shard.stats().strangers > 3_000, "{:?}", stage.shard.stats());
}
