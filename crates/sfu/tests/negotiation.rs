//! Offers and answers that go wrong, and connections that see many people come and go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use sfu::Source::{Camera, Screen, Voice};
use sfu::{Command, EventKind, LeaveReason, SignalRefusal, Source, Tile};
use str0m::media::{Media, Mid};
use testkit::stage::{DEMANDING, Say, Stage, Weather};

const BOTH: [Source; 2] = [Voice, Camera];

#[test]
fn a_track_that_is_declined_is_not_offered_again_and_again() {
    let mut stage = couple(30);
    stage.clients[1].alter_answer = Some(|sdp| sdp.replace("a=recvonly", "a=inactive"));
    stage.offer(0, &[Screen]);
    stage.run(seconds(3));
    let offers = offers(&stage, 1);
    assert!(offers < 6, "{offers} offers");
    // Withdrawn and published again, it is offered again.
    stage.clients[1].alter_answer = None;
    stage.withdraw(0, Screen);
    stage.run(seconds(1));
    stage.offer(0, &[Screen]);
    stage.run(seconds(2));
    assert!(stage.heard(1, 0, Screen).packets > 50);
}

#[test]
fn an_answer_that_cannot_be_applied_ends_that_connection() {
    let mut stage = couple(31);
    stage.clients[1].alter_answer = Some(without_last_section);
    stage.join(&BOTH);
    stage.run(seconds(2));
    assert_eq!(stage.events_of(1).last(), Some(&EventKind::Left(LeaveReason::Spent)));
    stage.rejoin(1, &BOTH);
    stage.run(seconds(2));
    for publisher in [0, 2] {
        assert!(stage.heard(1, publisher, Camera).packets > 50, "{publisher}");
        assert!(stage.heard(publisher, 1, Camera).packets > 50, "{publisher}");
    }
    assert_eq!(stage.shard.stats().panics, 0);
}

#[test]
fn who_answers_what_nobody_can_read_is_not_listened_to_for_ever() {
    let mut stage = couple(36);
    stage.clients[1].keeps_answers = true;
    stage.offer(0, &[Screen]);
    stage.run(seconds(1));
    let (id, sdp) = stage.clients[1].kept_answers.pop().unwrap();
    let answer = |stage: &mut Stage, id, sdp: &str| {
        let sdp = sdp.to_owned();
        stage.say_as(1, |participant| Command::Answer { participant, id, sdp });
        stage.run(Duration::from_millis(100));
        let refused = |kind: &&EventKind| matches!(kind, EventKind::Refused { .. });
        stage.events_of(1).iter().filter(refused).count()
    };
    assert_eq!(answer(&mut stage, id + 1, "v=0"), 0, "nobody has asked");
    for number in 1..=8 {
        assert_eq!(answer(&mut stage, id, &sdp.replace("m=video", "m=text")), number);
    }
    answer(&mut stage, id, "v=0");
    assert_eq!(stage.events_of(1).last(), Some(&EventKind::Left(LeaveReason::Spent)));
}

#[test]
fn an_offer_that_cannot_be_applied_ends_a_connection_only_if_there_is_something_to_lose() {
    let mut stage = couple(32);
    let late = stage.prepare();
    let bound = stage.clients[late].fingerprint;
    stage.enter_with(late, &BOTH, bound, without_ice_password);
    offer_with(&mut stage, 0, &[Screen], without_ice_password);
    stage.run(seconds(1));
    let refused =
        |kind: &EventKind| matches!(kind, EventKind::Refused { refusal: SignalRefusal::BadSdp, .. });
    assert!(stage.events_of(late).last().is_some_and(refused));
    assert_eq!(stage.events_of(0).last(), Some(&EventKind::Left(LeaveReason::Spent)));
    stage.offer(late, &[Screen]);
    stage.run(seconds(2));
    assert!(stage.heard(1, late, Screen).packets > 50, "a second attempt is welcome");
}

#[test]
fn an_offer_of_ours_that_crossed_a_refused_one_comes_again_at_once() {
    let mut stage = couple(33);
    stage.join(&BOTH);
    // Ours is on its way when the client says something that is refused, so the client has ignored ours.
    stage.run(Duration::from_millis(30));
    offer_with(&mut stage, 0, &[Screen], |sdp| sdp.replace("sha-256", "sha-1"));
    stage.run(seconds(2));
    assert_eq!(stage.clients[0].ignored_offers, 1, "they crossed");
    assert!(stage.heard(0, 2, Camera).packets > 50);
}

#[test]
fn people_who_come_and_go_all_day_need_no_more_m_lines_than_are_there_at_once() {
    let mut stage = Stage::new(34, Weather::FAIR);
    let host = stage.join(&[]);
    let visitors: Vec<usize> = (0..5).map(|_| stage.join(&Source::ALL)).collect();
    let mut owners = BTreeMap::new();
    for round in 0..40 {
        stage.run(Duration::from_millis(200));
        for sending in &stage.clients[host].sending {
            let owner = owners.entry(sending.mid.clone()).or_insert(sending.publisher);
            assert_eq!(*owner, sending.publisher, "an m-line is one publisher's for good");
        }
        visitors.iter().for_each(|visitor| stage.leave(*visitor));
        // Its own offers cross those that give places to others.
        match round % 4 {
            1 => stage.offer(host, &[Screen]),
            3 => stage.withdraw(host, Screen),
            _ => {}
        }
        stage.run(Duration::from_millis(100));
        for visitor in &visitors {
            stage.reincarnate(*visitor, 1_000 + 10 * round + *visitor as u128, &Source::ALL);
        }
        stage.run(Duration::from_millis(100));
    }
    stage.run(seconds(1));
    assert!(owners.len() > 500, "{} m-lines were in use", owners.len());
    let left = |kind: &EventKind| matches!(kind, EventKind::Left(_));
    assert!(!stage.events_of(host).iter().any(left), "and nobody has to connect anew");
    let offered = stage.clients[host].offered.as_ref().unwrap();
    let places = offered.lines().filter(|line| line.starts_with("m=")).count();
    assert!(places <= 2 + 2 * visitors.len() * Source::ALL.len(), "{places}");
    for visitor in visitors {
        for source in [Voice, Camera] {
            assert!(stage.heard(host, visitor, source).packets > 20, "{source:?} of {visitor}");
        }
    }
}

#[test]
fn an_answer_that_is_lost_and_followed_by_an_offer_leaves_no_m_lines_behind() {
    let mut stage = couple(37);
    let visitor = stage.join(&BOTH);
    stage.run(seconds(1));
    const ROUNDS: usize = 30;
    for round in 0..ROUNDS {
        stage.leave(visitor);
        stage.run(Duration::from_millis(200));
        stage.clients[0].keeps_answers = true;
        stage.reincarnate(visitor, 1_000 + round as u128, &BOTH);
        stage.run(Duration::from_millis(300));
        assert!(!std::mem::take(&mut stage.clients[0].kept_answers).is_empty(), "round {round}");
        stage.clients[0].keeps_answers = false;
        if round % 2 == 0 {
            stage.offer(0, &[Screen]);
        } else {
            stage.withdraw(0, Screen);
        }
        stage.run(seconds(1));
        for source in BOTH {
            assert!(stage.heard(0, visitor, source).packets > 0, "{source:?} in round {round}");
        }
    }
    let offered = stage.clients[0].offered.as_ref().unwrap();
    let places = offered.lines().filter(|line| line.starts_with("m=")).count();
    assert!(places <= 2 + ROUNDS / 2 + 8, "{places}");
}

#[test]
fn m_lines_that_a_client_has_ceased_to_send_on_are_stopped_when_they_are_many() {
    let mut stage = couple(37);
    let stopped = |stage: &Stage, mids: &[String]| {
        let media = mids.iter().filter_map(|mid| stage.clients[0].rtc.media(Mid::from(mid.as_str())));
        media.filter(|media| Media::stopped(media)).count()
    };
    let mut used: Vec<String> = Vec::new();
    let mut share = |stage: &mut Stage| {
        stage.offer(0, &[Screen]);
        used.push(stage.clients[0].mids()[&Screen].clone());
        stage.run(Duration::from_millis(200));
        stage.withdraw(0, Screen);
        stage.run(Duration::from_millis(200));
        used.clone()
    };
    // It may send on them again.
    let few = (0..31).fold(Vec::new(), |_, _| share(&mut stage));
    assert_eq!(stopped(&stage, &few), 0);
    let many = share(&mut stage);
    assert_eq!(stopped(&stage, &many), 32);
    let more = share(&mut stage);
    assert_eq!(stopped(&stage, &more), 32);
    stage.offer(0, &[Screen]);
    stage.run(seconds(1));
    let seen = stage.heard(1, 0, Screen).packets;
    stage.run(seconds(1));
    assert!(stage.heard(1, 0, Screen).packets > seen + 20);
    assert!(stage.heard(1, 0, Camera).packets > 50, "what it sends besides goes on");
    // Places are everybody's: those who come take them.
    let places = |stage: &Stage| {
        let offered = stage.clients[0].offered.as_ref().unwrap();
        offered.lines().filter(|line| line.starts_with("m=")).count()
    };
    stage.join(&BOTH);
    stage.run(seconds(1));
    let before = places(&stage);
    for _ in 0..5 {
        stage.join(&BOTH);
    }
    stage.run(seconds(2));
    assert_eq!(places(&stage), before);
    assert!(stage.heard(0, 7, Camera).packets > 20);
}

#[test]
fn who_says_that_it_sends_on_all_that_it_is_shown_publishes_all_the_same() {
    let mut stage = Stage::new(38, Weather::FAIR);
    let viewer = stage.prepare();
    stage.clients[viewer].manners = DEMANDING;
    stage.clients[viewer].wants_channel = true;
    stage.enter(viewer, &[]);
    stage.run(seconds(1));
    let publishers: Vec<usize> = (0..20).map(|_| stage.join(&[Camera])).collect();
    stage.run(seconds(3));
    // As calls-common makes its offers.
    offer_with(&mut stage, viewer, &[Camera], sending_on_all_pictures);
    stage.run(seconds(2));
    assert!(stage.heard(publishers[0], viewer, Camera).packets > 50);
    assert!(stage.heard(viewer, publishers[0], Camera).packets > 50);
    // Those m-lines are nobody's when their publishers have left, and others take their places.
    publishers.iter().for_each(|publisher| stage.leave(*publisher));
    stage.run(seconds(1));
    let next = stage.join(&[Camera]);
    stage.run(seconds(2));
    assert!(stage.heard(viewer, next, Camera).packets > 20);
    let offered = stage.clients[viewer].offered.as_ref().unwrap();
    assert_eq!(offered.lines().filter(|line| line.starts_with("m=video 0 ")).count(), 19);
}

#[test]
fn who_comes_back_while_its_m_lines_are_being_stopped_is_seen_on_new_ones() {
    let mut stage = couple(35);
    let back = stage.clients[1].id;
    let tile = |source| Tile { publisher: back, source, height: 360 };
    stage.say_as(0, |participant| Command::View { participant, tiles: Some(vec![tile(Camera)]) });
    stage.clients[0].keeps_answers = true;
    stage.leave(1);
    stage.run(Duration::from_millis(100));
    stage.rejoin(1, &BOTH);
    stage.run(Duration::from_millis(100));
    let kept = std::mem::take(&mut stage.clients[0].kept_answers);
    assert_eq!(kept.len(), 1, "the stop of both");
    stage.clients[0].keeps_answers = false;
    for (id, sdp) in kept {
        stage.say_as(0, |participant| Command::Answer { participant, id, sdp });
    }
    stage.run(seconds(1));
    let seen = stage.heard(0, 1, Camera).packets;
    assert!(seen > 20 && stage.heard(0, 1, Voice).packets > 20, "{seen}");
    let before = stage.clients[0].sending.clone();
    stage.join(&[]);
    stage.run(seconds(1));
    assert!(stage.clients[0].sending == before, "they stay on the same");
    assert!(stage.heard(0, 1, Camera).packets > seen + 20);
}

#[test]
fn a_join_in_a_large_room_is_offered_to_a_few_at_a_time() {
    let mut stage = Stage::new(36, Weather::FAIR);
    for _ in 0..24 {
        stage.join(&[]);
    }
    stage.run(seconds(2));
    let late = stage.join(&[Voice]);
    stage.run(seconds(2));
    assert!(stage.most_offers_at_once <= 8, "{}", stage.most_offers_at_once);
    for viewer in 0..24 {
        assert!(stage.heard(viewer, late, Voice).packets > 50, "{viewer} hears who came last");
    }
}

fn couple(seed: u64) -> Stage {
    let mut stage = Stage::new(seed, Weather::FAIR);
    stage.join(&BOTH);
    stage.join(&BOTH);
    stage.run(seconds(2));
    stage
}

fn offers(stage: &Stage, index: usize) -> usize {
    stage.events_of(index).iter().filter(|kind| matches!(kind, EventKind::Offer { .. })).count()
}

fn offer_with(stage: &mut Stage, index: usize, sources: &[Source], alter: fn(&str) -> String) {
    let now = stage.now;
    let Say::Offer { id, sdp, sources } = stage.clients[index].offer(now, sources) else {
        panic!("an offer")
    };
    stage.say_as(index, |participant| Command::Offer { participant, id, sdp: alter(&sdp), sources });
}

fn sending_on_all_pictures(sdp: &str) -> String {
    let sections: Vec<&str> = sdp.split("m=").collect();
    let altered = sections.iter().map(|section| {
        if !section.starts_with("video") || !section.contains("a=recvonly") {
            return (*section).to_owned();
        }
        let lines =
            section.lines().filter(|line| !line.starts_with("a=msid:") && !line.starts_with("a=ssrc"));
        let altered = lines.map(|line| match line {
            "a=recvonly" => "a=sendrecv\r\na=msid:- nothing\r\n".to_owned(),
            line => format!("{line}\r\n"),
        });
        altered.collect()
    });
    altered.collect::<Vec<String>>().join("m=")
}

fn without_last_section(sdp: &str) -> String {
    sdp.rfind("m=").map_or_else(String::new, |at| sdp[..at].to_owned())
}

fn without_ice_password(sdp: &str) -> String {
    sdp.lines().filter(|line| !line.starts_with("a=ice-pwd")).map(|line| format!("{line}\r\n")).collect()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
