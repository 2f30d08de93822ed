//! Whole calls on the stage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::time::Duration;

use sfu::Source::{Camera, Screen, Voice};
use sfu::{Command, EventKind, LeaveReason, Source};
use testkit::stage::{ROOM, Stage, Weather};

const BOTH: [Source; 2] = [Voice, Camera];

#[test]
fn three_people_see_and_hear_each_other() {
    let mut stage = stage_of(3, 1, Weather::FAIR);
    stage.run(seconds(5));
    for (viewer, publisher) in pairs(3) {
        let sound = stage.heard(viewer, publisher, Voice);
        assert!(sound.packets > 200 && sound.missing() == 0, "{viewer} hears {publisher}: {}", sound.packets);
        let picture = stage.heard(viewer, publisher, Camera);
        assert!(picture.began_well && picture.pictures.len() > 100, "{viewer} sees {publisher}");
        assert_eq!(picture.missing(), 0);
    }
    assert_sound(&stage);
}

#[test]
fn lost_pictures_are_resent_in_foul_weather() {
    for seed in 0..5 {
        // As foul, but in order: an estimate takes disorder for a full link, and a picture that does not fit is not sent.
        let weather = Weather { jitter: Duration::from_millis(3), ..Weather::FOUL };
        let mut stage = stage_of(2, seed, weather);
        // A handshake in this weather takes as long as DTLS' own retransmissions make it, within the 30 s that the shard gives it.
        for _ in 0..30 {
            if stage.clients.iter().all(|client| client.connected) {
                break;
            }
            stage.run(seconds(1));
        }
        stage.run(seconds(20));
        for (viewer, publisher) in pairs(2) {
            let picture = stage.heard(viewer, publisher, Camera);
            let part_missing = picture.missing() as f64 / picture.packets as f64;
            assert!(
                picture.key_frames > 0 && picture.packets > 400,
                "seed {seed}: {viewer} sees {publisher}"
            );
            // 5 % is lost on each of two hops; without resending about 10 % would be missing.
            assert!(part_missing < 0.03, "seed {seed}: {viewer} misses {part_missing} of {publisher}");
        }
        assert_sound(&stage);
    }
}

#[test]
fn who_comes_late_begins_with_a_key_frame_and_small_numbers() {
    let mut stage = stage_of(2, 2, Weather::FAIR);
    // The publisher's numbers pass 65,536 meanwhile, so its rollover counter is not the late viewer's.
    stage.run(seconds(20));
    let asked = stage.clients[0].keyframes_asked;
    let late = stage.join(&[]);
    stage.run(seconds(2));
    let picture = stage.heard(late, 0, Camera);
    assert!(picture.began_well && picture.packets > 100, "{}", picture.packets);
    assert!(*picture.numbers.first().unwrap() < 65_536);
    assert!(stage.clients[0].keyframes_asked > asked);
}

#[test]
fn a_new_track_asks_nobody_else_for_a_key_frame() {
    let mut stage = stage_of(3, 22, Weather::FAIR);
    stage.run(seconds(3));
    let asked = stage.clients[2].keyframes_asked;
    stage.offer(0, &[Screen]);
    stage.run(seconds(2));
    assert!(stage.heard(1, 0, Screen).packets > 100);
    assert_eq!(stage.clients[2].keyframes_asked, asked);
}

#[test]
fn a_burst_that_arrives_in_one_instant_arrives_whole() {
    let mut stage = stage_of(2, 3, Weather { delay: Duration::from_millis(40), ..Weather::FAIR });
    stage.run(seconds(4));
    assert_eq!(stage.heard(1, 0, Camera).missing(), 0);
    assert_eq!(stage.heard(1, 0, Voice).missing(), 0);
}

#[test]
fn nothing_more_comes_of_who_has_left() {
    let mut stage = stage_of(3, 4, Weather::FAIR);
    stage.run(seconds(3));
    stage.leave(0);
    stage.run(Duration::from_millis(100));
    let before = totals(&stage, 1);
    let others_before = stage.heard(1, 2, Voice).packets;
    stage.run(seconds(2));
    assert!(stage.clients[0].closed, "the leaver is told by DTLS");
    assert_eq!(stage.events_of(0).last(), Some(&EventKind::Left(LeaveReason::Asked)));
    assert!(stage.clients[1].sending.iter().all(|sending| sending.publisher != stage.clients[0].id));
    let gained = totals(&stage, 1) - before;
    let of_the_other = stage.heard(1, 2, Voice).packets - others_before;
    assert!(of_the_other > 90 && gained < of_the_other * 4, "only the third one's media goes on");
}

#[test]
fn who_comes_again_takes_the_same_m_lines_and_the_stream_goes_on() {
    let mut stage = stage_of(2, 5, Weather::FAIR);
    stage.run(seconds(3));
    let before = stage.clients[1].sending.clone();
    let seen = stage.heard(1, 0, Camera);
    stage.rejoin(0, &BOTH);
    stage.run(seconds(3));
    assert_eq!(stage.clients[1].sending, before);
    let picture = stage.heard(1, 0, Camera);
    assert!(picture.packets > seen.packets + 100 && picture.key_frames > seen.key_frames);
    assert_eq!(picture.missing(), 0, "numbers go on without a gap");
    assert!(stage.heard(0, 1, Camera).packets > 100, "the new connection sees the other");
}

#[test]
fn offers_that_cross_are_both_answered_in_the_end() {
    let mut crossed = 0;
    for offset in 0..8 {
        let mut stage = stage_of(2, 6 + offset, Weather::FAIR);
        stage.run(seconds(1));
        // A third one's tracks make the server offer; the first one adds a screen at about the same time.
        stage.join(&BOTH);
        stage.run(Duration::from_millis(8 * offset));
        stage.offer(0, &[Screen]);
        stage.run(seconds(3));
        for viewer in [1, 2] {
            assert!(
                stage.heard(viewer, 0, Screen).packets > 100,
                "offset {offset}: {viewer} sees the screen"
            );
        }
        for viewer in [0, 1] {
            assert!(stage.heard(viewer, 2, Camera).packets > 100, "offset {offset}: {viewer} sees the third");
        }
        assert_sound(&stage);
        crossed += stage.clients[0].ignored_offers;
    }
    assert!(crossed > 0, "some of them did cross");
}

#[test]
fn sharing_again_and_again_harms_no_other_track() {
    let mut stage = stage_of(2, 20, Weather::FAIR);
    stage.run(seconds(2));
    for round in 0..3 {
        let before = (stage.heard(1, 0, Voice).packets, stage.heard(1, 0, Camera).packets);
        stage.offer(0, &[Screen]);
        stage.run(seconds(2));
        assert!(stage.heard(1, 0, Screen).packets > 100, "round {round}");
        assert!(stage.heard(1, 0, Voice).packets > before.0 + 90, "round {round}");
        assert!(stage.heard(1, 0, Camera).packets > before.1 + 150, "round {round}");
        stage.withdraw(0, Screen);
        stage.run(seconds(1));
        assert!(stage.clients[1].sending.iter().all(|sending| sending.source != Screen), "round {round}");
    }
}

#[test]
fn a_track_withdrawn_while_another_offer_waits_is_closed_all_the_same() {
    let mut stage = stage_of(2, 21, Weather::FAIR);
    stage.run(seconds(1));
    stage.offer(0, &[Screen]);
    stage.run(seconds(1));
    // The third one's tracks are on offer to the viewer when the screen goes.
    stage.join(&BOTH);
    stage.withdraw(0, Screen);
    stage.run(seconds(2));
    let sending: Vec<_> =
        stage.clients[1].sending.iter().map(|sending| (sending.publisher.0, sending.source)).collect();
    assert_eq!(sending, [(1, Voice), (1, Camera), (3, Voice), (3, Camera)]);
    let last = stage
        .events_of(1)
        .into_iter()
        .rev()
        .find_map(|kind| if let EventKind::Offer { sdp, .. } = kind { Some(sdp) } else { None });
    assert!(
        last.is_some_and(|sdp| sdp.contains("a=inactive")),
        "the viewer is told that nothing comes on that m-line"
    );
}

#[test]
fn a_muted_source_is_silent_and_comes_back_without_a_gap() {
    let mut stage = stage_of(2, 7, Weather::FAIR);
    stage.run(seconds(2));
    for source in BOTH {
        stage.say_as(0, |participant| Command::Mute { participant, source, muted: true });
    }
    stage.run(Duration::from_millis(100));
    let quiet = (stage.heard(1, 0, Voice), stage.heard(1, 0, Camera));
    stage.run(seconds(2));
    assert_eq!(stage.heard(1, 0, Voice).packets, quiet.0.packets);
    assert_eq!(stage.heard(1, 0, Camera).packets, quiet.1.packets);
    for source in BOTH {
        stage.say_as(0, |participant| Command::Mute { participant, source, muted: false });
    }
    stage.run(seconds(2));
    let (sound, picture) = (stage.heard(1, 0, Voice), stage.heard(1, 0, Camera));
    assert!(sound.packets > quiet.0.packets + 80 && sound.missing() == 0);
    assert!(picture.key_frames > quiet.1.key_frames && picture.missing() == 0);
}

#[test]
fn a_muted_source_stays_muted_over_a_new_connection() {
    let mut stage = stage_of(2, 8, Weather::FAIR);
    stage.run(seconds(2));
    stage.say_as(0, |participant| Command::Mute { participant, source: Voice, muted: true });
    stage.run(Duration::from_millis(100));
    let quiet = stage.heard(1, 0, Voice).packets;
    stage.rejoin(0, &BOTH);
    stage.run(seconds(2));
    assert_eq!(stage.heard(1, 0, Voice).packets, quiet);
}

#[test]
fn an_unanswered_offer_is_repeated_word_for_word() {
    let mut stage = stage_of(2, 9, Weather::FAIR);
    stage.run(seconds(1));
    stage.join(&BOTH);
    stage.run(Duration::from_millis(45));
    let offers = |stage: &Stage| -> Vec<(u32, String)> {
        let events = stage.events_of(0);
        events
            .into_iter()
            .filter_map(
                |kind| if let EventKind::Offer { id, sdp, .. } = kind { Some((id, sdp)) } else { None },
            )
            .collect()
    };
    let first = offers(&stage).last().cloned().expect("the server offers the third one's tracks");
    stage.say_as(0, |participant| Command::Repeat { participant });
    stage.run(Duration::from_millis(21));
    assert_eq!(offers(&stage).last(), Some(&first));
    stage.run(seconds(3));
    assert!(stage.heard(0, 2, Camera).packets > 50);
}

#[test]
fn who_falls_silent_is_sent_nothing_and_then_taken_out() {
    let mut stage = stage_of(2, 10, Weather::FAIR);
    stage.run(seconds(2));
    stage.net.weather.loss = 1.0;
    stage.run(seconds(60));
    assert_eq!(stage.events_of(0).last(), Some(&EventKind::Left(LeaveReason::TransportLost)));
    assert_eq!(stage.shard.stats().participants, 0);
    assert_eq!(stage.shard.stats().rooms, 0);
}

#[test]
fn a_short_outage_is_survived() {
    let mut stage = stage_of(2, 11, Weather::FAIR);
    stage.run(seconds(3));
    stage.net.weather.loss = 1.0;
    stage.run(seconds(6));
    stage.net.weather.loss = 0.0;
    let before = stage.heard(1, 0, Voice).packets;
    stage.run(seconds(6));
    assert!(stage.heard(1, 0, Voice).packets > before + 100);
}

#[test]
fn closing_a_room_ends_it_for_everybody() {
    let mut stage = stage_of(3, 12, Weather::FAIR);
    stage.run(seconds(2));
    stage.say(Command::CloseRoom(ROOM));
    stage.run(seconds(1));
    for index in 0..3 {
        assert_eq!(stage.events_of(index).last(), Some(&EventKind::Left(LeaveReason::Asked)));
        assert!(stage.clients[index].closed);
    }
    assert_eq!(stage.shard.stats().rooms, 0);
}

fn stage_of(people: usize, seed: u64, weather: Weather) -> Stage {
    let mut stage = Stage::new(seed, weather);
    for _ in 0..people {
        stage.join(&BOTH);
    }
    stage
}

fn pairs(people: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..people)
        .flat_map(move |viewer| (0..people).map(move |publisher| (viewer, publisher)))
        .filter(|(a, b)| a != b)
}

fn totals(stage: &Stage, viewer: usize) -> u64 {
    stage.clients[viewer].heard.values().map(|heard| heard.packets).sum()
}

fn assert_sound(stage: &Stage) {
    assert_eq!(stage.shard.stats().panics, 0, "nobody's step panicked");
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
