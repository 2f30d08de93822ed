//! What one participant sends too much of, or falsely, costs a bounded amount and harms nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use sfu::Source::{Camera, Voice};
use sfu::{Command, EventKind, LeaveReason, SignalRefusal};
use testkit::stage::hostile::{Attack, Hostile, rtcp};
use testkit::stage::{Say, Stage, Weather};

const ATTACKER: usize = 2;

#[test]
fn whatever_one_does_the_others_call_goes_on_without_a_gap() {
    for attack in Attack::ALL {
        let (mut stage, mut hostile) = scene(1);
        let before = heard(&stage);
        for _ in 0..30 {
            hostile.attack(&mut stage, attack);
            stage.run(Duration::from_millis(100));
        }
        let after = heard(&stage);
        for (before, after) in before.iter().zip(&after) {
            assert!(after - before >= 145, "{attack:?}: {} packets of sound in 3 s", after - before);
        }
        assert_eq!(stage.heard(0, 1, Voice).missing() + stage.heard(1, 0, Voice).missing(), 0, "{attack:?}");
        assert_eq!(stage.shard.stats().panics, 0, "{attack:?}");
    }
}

#[test]
fn numbers_asked_for_over_and_over_are_resent_within_bounds() {
    let (mut stage, mut hostile) = scene(2);
    let quiet = sent_in(&mut stage, 3, |_| {});
    let loud = sent_in(&mut stage, 3, |stage| {
        for ssrc in stage.clients[ATTACKER].ssrcs.clone() {
            for part in 0..16_u16 {
                let mut packet = rtcp(1, 205, 1, ssrc);
                for step in 0..250_u16 {
                    packet.extend(part.wrapping_mul(4_096).wrapping_add(step * 17).to_be_bytes());
                    packet.extend([0xFF, 0xFF]);
                }
                hostile.send_rtcp(stage, packet);
            }
        }
    });
    assert!(loud < 2 * quiet, "{loud} datagrams instead of {quiet}");
}

#[test]
fn guessed_user_fragments_are_strangers_and_get_no_answer() {
    let (mut stage, mut hostile) = scene(3);
    let before = stage.shard.stats();
    let quiet = sent_in(&mut stage, 3, |_| {});
    let loud = sent_in(&mut stage, 3, |stage| hostile.attack(stage, Attack::Stun));
    assert!(stage.shard.stats().strangers > before.strangers + 1_000);
    assert!(loud < quiet + quiet / 10, "{loud} datagrams instead of {quiet}");
}

#[test]
fn descriptions_that_are_bombs_are_refused_and_change_nothing() {
    let (mut stage, _) = scene(4);
    let now = stage.now;
    let Say::Offer { sdp, .. } = stage.spare_client(0).offer(now, &[Voice]) else { return };
    let section = sdp.find("m=").map(|at| sdp[at..].to_owned()).unwrap();
    let bombs = [
        format!("{sdp}{}", "a=x:0123456789\r\n".repeat(65_536)),
        format!("{sdp}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(10_000)),
        format!("{sdp}{section}"),
        format!("{sdp}{}", (0..1_000).map(|rid| format!("a=rid:{rid} send\r\n")).collect::<String>()),
        // What is made of these would take half a second each.
        format!("{sdp}{}", (0..18_000).map(|ssrc| format!("a=ssrc:{ssrc} cname:x\r\n")).collect::<String>()),
        format!("{sdp}{}", (0..8_000).map(|pt| format!("a=rtpmap:{pt} VP8/90000\r\n")).collect::<String>()),
        format!("{sdp}{}", "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n".repeat(8_000)),
    ];
    for (id, sdp) in (1_000..).zip(bombs) {
        stage.say_as(ATTACKER, |participant| Command::Offer {
            participant,
            id,
            sdp,
            sources: BTreeMap::new(),
        });
        stage.run(Duration::from_millis(100));
        let refused = stage.events_of(ATTACKER).into_iter().rev().find_map(|event| match event {
            EventKind::Refused { id: of, refusal } if of == id => Some(refusal),
            _ => None,
        });
        let expected = matches!(
            refused,
            Some(SignalRefusal::TooLarge | SignalRefusal::BadSdp | SignalRefusal::Fingerprint)
        );
        assert!(expected, "{id}: {refused:?}");
    }
    let before = heard(&stage);
    stage.run(Duration::from_secs(1));
    assert!(heard(&stage)[0] >= before[0] + 45);
}

#[test]
fn what_is_sent_twice_reaches_nobody_twice() {
    let (mut stage, _) = scene(6);
    let address = stage.clients[0].address;
    let arrived = stage.clients[1].trace.len();
    // Sound, pictures and reports, each once more in the same instant.
    let copied = stage.copy_datagrams(address, address, Duration::from_secs(3));
    assert!(copied > 300, "{copied}");
    let mut seen = std::collections::BTreeSet::new();
    for packet in &stage.clients[1].trace[arrived..] {
        assert!(seen.insert((packet.mid.to_string(), packet.seq)), "{packet:?}");
        assert!(seen.insert((format!("{:?}", packet.stamp), 0)), "{packet:?}");
    }
    assert!(seen.len() > 600, "{}", seen.len());
    assert_eq!(stage.heard(1, 0, Voice).missing() + stage.heard(1, 0, Camera).missing(), 0);
}

#[test]
fn candidates_by_the_thousand_are_sent_nothing() {
    let (mut stage, _) = scene(7);
    let nowhere = |number: u32| format!("candidate:{number} 1 udp 1 192.0.2.{} 9 typ host", number % 256);
    for number in 0..5_000 {
        let candidate = nowhere(number);
        stage.say_as(ATTACKER, |participant| Command::Candidate { participant, candidate });
    }
    let now = stage.now;
    let client = &mut stage.clients[ATTACKER];
    let Say::Offer { id, sdp, sources } = client.offer(now, &[Camera]) else { return };
    let lines: String = (0..5_000).map(|number| format!("a={}\r\n", nowhere(number))).collect();
    let sdp = format!("{sdp}{lines}");
    stage.say_as(ATTACKER, |participant| Command::Offer { participant, id, sdp, sources });
    let mut strays = 0;
    stage.run_watching(Duration::from_secs(3), |to| {
        strays += usize::from(to.ip().to_string().starts_with("192.0.2."));
    });
    assert_eq!(strays, 0);
    let answered = |event: &EventKind| matches!(event, EventKind::Answer { id: of, .. } if *of == id);
    assert!(stage.events_of(ATTACKER).iter().any(answered));
    assert!(stage.heard(0, ATTACKER, Camera).packets > 100, "the offer itself counts");
}

#[test]
fn who_floods_the_data_channel_is_taken_out() {
    let (mut stage, _) = scene(5);
    assert!(stage.clients[ATTACKER].channel.is_some());
    for _ in 0..200 {
        for _ in 0..50 {
            let now = stage.now;
            stage.clients[ATTACKER].write(now, false, b"hello");
            stage.flush_client(ATTACKER);
        }
        stage.run(Duration::from_millis(50));
    }
    assert!(stage.events_of(ATTACKER).contains(&EventKind::Left(LeaveReason::Flooding)));
}

/// Two honest people and one that will be hostile, all connected.
fn scene(seed: u64) -> (Stage, Hostile) {
    let mut stage = Stage::new(seed, Weather::FAIR);
    stage.join(&[Voice, Camera]);
    stage.join(&[Voice, Camera]);
    let index = stage.prepare();
    let hostile = Hostile::new(&mut stage, index, seed);
    stage.clients[index].wants_channel = true;
    stage.enter(index, &[Voice]);
    stage.run(Duration::from_secs(3));
    (stage, hostile)
}

fn heard(stage: &Stage) -> [u64; 2] {
    [stage.heard(0, 1, Voice).packets, stage.heard(1, 0, Voice).packets]
}

fn sent_in(stage: &mut Stage, seconds: u64, mut every: impl FnMut(&mut Stage)) -> u64 {
    let before = stage.shard.stats().datagrams_out;
    for _ in 0..seconds * 10 {
        every(stage);
        stage.run(Duration::from_millis(100));
    }
    stage.shard.stats().datagrams_out - before
}
