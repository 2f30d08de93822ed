//! Who is sent which layer of which picture, and which voices.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use sfu::Source::{Camera, Screen, Voice};
use sfu::{Command, ParticipantId, Source, Tile};
use testkit::stage::hostile::{Attack, Hostile};
use testkit::stage::{Delivered, Encoding, Loudness, Stage, Weather};

const BOTH: [Source; 2] = [Voice, Camera];
/// What a picture and its successor may be apart in RTP time, beyond what they are apart on arrival.
const TICKS_ASTRAY: u32 = 90 * 100;

#[test]
fn a_viewer_with_a_wide_link_gets_the_top_layer() {
    let mut stage = room(1, 1);
    stage.run(seconds(8));
    assert_eq!(layers_in(&mut stage, 1, seconds(2)), [2].into());
    assert_seamless(&stage, 1, 0);
}

#[test]
fn a_viewer_gets_the_layer_that_its_tile_needs() {
    let mut stage = room(2, 1);
    stage.run(seconds(8));
    // (height of the tile, layers after a while)
    let rows: [(Option<u16>, &[u8]); 8] = [
        (Some(180), &[0]),
        (Some(720), &[2]),
        (Some(300), &[1]),
        (None, &[]),
        (Some(100), &[0]),
        (Some(1_080), &[2]),
        (None, &[]),
        (Some(720), &[2]),
    ];
    for (step, (height, layers)) in rows.into_iter().enumerate() {
        show(&mut stage, 1, height.map(|height| (0, Camera, height)).as_slice());
        stage.run(seconds(5));
        let expected: BTreeSet<u8> = layers.iter().copied().collect();
        assert_eq!(layers_in(&mut stage, 1, seconds(2)), expected, "step {step}: {height:?}");
    }
    assert!(switches(&stage, 1) >= 6, "{} switches", switches(&stage, 1));
    assert_seamless(&stage, 1, 0);
    assert_eq!(stage.heard(1, 0, Voice).missing(), 0);
}

#[test]
fn a_picture_that_is_shown_twice_is_sent_as_large_as_it_is_shown_once() {
    let mut stage = room(30, 1);
    stage.run(seconds(8));
    show(&mut stage, 1, &[(0, Camera, 180), (0, Camera, 720)]);
    stage.run(seconds(5));
    assert_eq!(layers_in(&mut stage, 1, seconds(2)), [2].into());
}

#[test]
fn a_hidden_tile_goes_on_where_it_was_for_nobody_else() {
    let mut stage = room(3, 2);
    stage.run(seconds(8));
    show(&mut stage, 1, &[]);
    stage.run(seconds(2));
    let hidden = stage.heard(1, 0, Camera).packets;
    assert_eq!(layers_in(&mut stage, 2, seconds(3)), [2].into());
    assert_eq!(stage.heard(1, 0, Camera).packets, hidden);
    assert_eq!(stage.heard(2, 0, Camera).missing(), 0);
}

#[test]
fn a_layer_that_its_publisher_stops_gives_way_to_the_one_below_and_comes_back() {
    let mut stage = room(4, 1);
    stage.run(seconds(8));
    for (rid, on, layer) in [("h", false, 1), ("m", false, 0), ("m", true, 1), ("h", true, 2)] {
        let now = stage.now;
        stage.clients[0].send_layer(now, rid, on);
        stage.run(seconds(if on { 8 } else { 3 }));
        assert_eq!(layers_in(&mut stage, 1, seconds(1)), [layer].into(), "{rid} {on}");
    }
    assert_seamless(&stage, 1, 0);
}

#[test]
fn a_narrow_link_gets_the_low_layer_and_unbroken_sound_and_the_top_layer_when_it_grows() {
    for seed in 10..13 {
        let mut stage = room(seed, 2);
        stage.run(seconds(8));
        assert_eq!(layers_in(&mut stage, 2, seconds(1)), [2].into(), "seed {seed}: before");
        cap(&mut stage, 2, Some(300_000));
        stage.run(seconds(3));
        let sound = sound_in(&mut stage, 2, |stage| {
            let layers = layers_in(stage, 2, seconds(12));
            assert_eq!(layers, [0].into(), "seed {seed}: {:?}", history(stage, 2));
        });
        assert!(sound.missing <= 3 && sound.came > 590, "seed {seed}: {sound:?}");
        cap(&mut stage, 2, None);
        stage.run(seconds(10));
        let layers = layers_in(&mut stage, 2, seconds(5));
        assert_eq!(layers, [2].into(), "seed {seed}: wide again: {:?}", history(&stage, 2));
        assert_untouched(&stage, 1);
    }
}

#[test]
fn who_joins_behind_a_narrow_link_hears_all_and_sees_the_low_layer_soon() {
    for seed in 20..23 {
        let mut stage = room(seed, 1);
        stage.run(seconds(8));
        let late = stage.prepare();
        cap(&mut stage, late, Some(300_000));
        stage.enter(late, &[]);
        while !stage.clients[late].connected {
            stage.run(Duration::from_millis(50));
            assert!(stage.elapsed() < seconds(20), "seed {seed}: never connected");
        }
        stage.run(seconds(3));
        let sound = sound_in(&mut stage, late, |stage| {
            assert_eq!(
                layers_in(stage, late, seconds(10)),
                [0].into(),
                "seed {seed}: {:?}",
                history(stage, late)
            );
        });
        assert!(sound.missing <= 3 && sound.came > 490, "seed {seed}: {sound:?}");
        assert_untouched(&stage, 1);
    }
}

#[test]
fn a_viewer_that_lies_about_arrivals_moves_nobody_elses_layer() {
    let mut stage = room(14, 1);
    let index = stage.prepare();
    let mut liar = Hostile::new(&mut stage, index, 14);
    stage.enter(index, &[]);
    stage.run(seconds(8));
    for _ in 0..50 {
        liar.attack(&mut stage, Attack::Twcc);
        stage.run(Duration::from_millis(100));
    }
    assert_untouched(&stage, 1);
    assert_eq!(stage.shard.stats().panics, 0);
}

#[test]
fn a_storm_of_key_frame_requests_asks_each_layer_at_most_once_a_gap() {
    let mut stage = room(15, 2);
    stage.run(seconds(8));
    let asked = |stage: &Stage| ["l", "m", "h"].map(|rid| stage.clients[0].keyframes_asked_of(rid));
    let before = asked(&stage);
    for _ in 0..400 {
        let now = stage.now;
        stage.clients[1].request_keyframes(now);
        stage.run(Duration::from_millis(10));
    }
    let after = asked(&stage);
    // Four seconds, half a second between two, and one that waited.
    assert!((7..=9).contains(&(after[2] - before[2])), "{before:?} {after:?}");
    assert_eq!(before[..2], after[..2], "nobody is sent these");
    assert_untouched(&stage, 2);
}

#[test]
fn viewers_with_different_links_get_different_layers() {
    let mut stage = room(5, 3);
    cap(&mut stage, 1, Some(300_000));
    cap(&mut stage, 2, Some(900_000));
    stage.run(seconds(18));
    let from = stage.elapsed();
    stage.run(seconds(5));
    let got: Vec<BTreeSet<u8>> = (1..=3).map(|viewer| layers_since(&stage, viewer, from)).collect();
    assert_eq!(got, [[0].into(), [1].into(), [2].into()]);
    // Before the first reports nobody knows what a link takes.
    (1..=3).for_each(|viewer| assert!(sound_since(&stage, viewer, seconds(5)).missing <= 3, "{viewer}"));
    assert_untouched(&stage, 3);
}

#[test]
fn what_stands_first_among_the_tiles_comes_first_when_both_do_not_fit() {
    let mut stage = Stage::new(6, Weather::FAIR);
    stage.join(&[Voice, Camera, Screen]);
    stage.join(&[]);
    stage.run(seconds(5));
    let pictures = |stage: &Stage| (stage.heard(1, 0, Camera).packets, stage.heard(1, 0, Screen).packets);
    // Both have one layer of 870 kbit/s.
    let (before, _) = (pictures(&stage), stage.run(seconds(2)));
    let wide = pictures(&stage);
    assert!(wide.0 - before.0 > 150 && wide.1 - before.1 > 150, "a wide link takes both");
    cap(&mut stage, 1, Some(1_300_000));
    for first in [Camera, Screen, Camera] {
        let second = if first == Camera { Screen } else { Camera };
        show(&mut stage, 1, &[(0, first, 720), (0, second, 720)]);
        // An estimate that has collapsed over the change is made anew after five seconds without a picture.
        stage.run(seconds(14));
        let before = pictures(&stage);
        stage.run(seconds(3));
        let after = pictures(&stage);
        let came = (after.0 - before.0, after.1 - before.1);
        let (chosen, other) = if first == Camera { came } else { (came.1, came.0) };
        assert!(chosen > 250 && other == 0, "{first:?} first: {came:?}");
    }
    show(&mut stage, 1, &[(0, Screen, 720)]);
    stage.run(seconds(2));
    let before = pictures(&stage);
    stage.run(seconds(2));
    assert_eq!(pictures(&stage).0, before.0, "a camera that is not shown");
    assert!(pictures(&stage).1 > before.1 + 150);
    let sound = sound_since(&stage, 1, seconds(10));
    assert!(sound.missing <= 3, "the pictures' change crowds out no sound: {sound:?}");
}

#[test]
fn who_does_not_say_what_it_shows_is_sent_the_cameras_of_the_latest_speakers() {
    let mut stage = Stage::new(7, Weather::FAIR);
    for _ in 0..5 {
        let index = stage.prepare();
        stage.clients[index].loudness = Some(Loudness::SILENCE);
        stage.enter(index, &BOTH);
    }
    let viewer = stage.prepare();
    stage.clients[viewer].max_cameras = 2;
    stage.enter(viewer, &[]);
    stage.run(seconds(3));
    let mut latest = Vec::new();
    for speaker in [1, 3, 4, 1, 0] {
        stage.clients[speaker].loudness = Some(Loudness::SPEECH);
        stage.run(seconds(4));
        stage.clients[speaker].loudness = Some(Loudness::SILENCE);
        stage.run(seconds(2));
        latest.retain(|had| *had != speaker);
        latest.insert(0, speaker);
        let before: Vec<u64> =
            (0..5).map(|publisher| stage.heard(viewer, publisher, Camera).packets).collect();
        stage.run(seconds(2));
        let seen: Vec<usize> =
            (0..5).filter(|index| stage.heard(viewer, *index, Camera).packets > before[*index]).collect();
        assert_eq!(seen.len(), 2, "{latest:?}");
        let expected: BTreeSet<usize> = latest.iter().take(2).copied().collect();
        assert!(seen.iter().copied().collect::<BTreeSet<_>>().is_superset(&expected), "{seen:?} {latest:?}");
    }
    for publisher in 0..5 {
        let picture = stage.heard(viewer, publisher, Camera);
        assert_eq!(picture.missing(), 0, "{publisher}");
        assert!(picture.packets == 0 || picture.began_well, "{publisher}");
    }
}

#[test]
fn who_says_what_it_shows_is_sent_more_cameras_than_that() {
    let mut stage = Stage::new(8, Weather::FAIR);
    (0..4).for_each(|_| _ = stage.join(&BOTH));
    let viewer = stage.prepare();
    stage.clients[viewer].max_cameras = 1;
    stage.enter(viewer, &[]);
    stage.run(seconds(2));
    show(&mut stage, viewer, &[(0, Camera, 90), (1, Camera, 90), (2, Camera, 90), (3, Camera, 90)]);
    // Together 3.5 Mbit/s, which the estimate must first find.
    stage.run(seconds(40));
    for publisher in 0..4 {
        let before = stage.heard(viewer, publisher, Camera).packets;
        stage.run(seconds(1));
        assert!(stage.heard(viewer, publisher, Camera).packets > before + 70, "{publisher}");
    }
}

#[test]
fn voices_beyond_the_limit_are_left_out_and_come_back_without_a_gap() {
    let mut stage = Stage::new(9, Weather::FAIR);
    for _ in 0..5 {
        let index = stage.prepare();
        stage.clients[index].loudness = Some(Loudness::SILENCE);
        stage.enter(index, &[Voice]);
    }
    let viewer = stage.prepare();
    stage.clients[viewer].max_voices = 2;
    stage.enter(viewer, &[]);
    let everything = stage.join(&[]);
    // The last one's sound says nothing of its loudness.
    stage.clients[4].loudness = None;
    stage.run(seconds(3));
    for speakers in [[0, 1], [2, 3], [1, 3], [0, 2]] {
        (0..4).for_each(|index| {
            let speaks = speakers.contains(&index);
            stage.clients[index].loudness = Some(if speaks { Loudness::SPEECH } else { Loudness::SILENCE });
        });
        stage.run(seconds(4));
        let sound = |stage: &Stage| -> Vec<u64> {
            (0..5).map(|index| stage.heard(viewer, index, Voice).packets).collect()
        };
        let (before, ()) = (sound(&stage), stage.run(seconds(2)));
        let came: Vec<u64> = sound(&stage).iter().zip(before).map(|(after, before)| after - before).collect();
        for (index, came) in came.iter().enumerate() {
            let heard = speakers.contains(&index) || index == 4;
            assert_eq!(*came > 95, heard, "{index} while {speakers:?} speak: {came}");
            assert!(heard || *came == 0, "{index} while {speakers:?} speak: {came}");
        }
    }
    for index in 0..5 {
        assert_eq!(stage.heard(viewer, index, Voice).missing(), 0, "{index}");
        let all = stage.heard(everything, index, Voice);
        assert!(all.packets > 1_200 && all.missing() == 0, "{index}: whose limit is higher hears all");
    }
}

/// One publisher of a voice and a camera in the usual sizes, and viewers.
fn room(seed: u64, viewers: usize) -> Stage {
    let mut stage = Stage::new(seed, Weather::FAIR);
    let publisher = stage.prepare();
    stage.clients[publisher].encodings = Encoding::USUAL.to_vec();
    stage.enter(publisher, &BOTH);
    (0..viewers).for_each(|_| _ = stage.join(&[]));
    stage
}

fn cap(stage: &mut Stage, viewer: usize, rate: Option<u64>) {
    let address = stage.clients[viewer].address;
    stage.net.local.insert(address, Weather { rate, ..Weather::FAIR });
}

fn show(stage: &mut Stage, viewer: usize, tiles: &[(usize, Source, u16)]) {
    let tile = |(publisher, source, height): &(usize, Source, u16)| Tile {
        publisher: stage.clients[*publisher].id,
        source: *source,
        height: *height,
    };
    let tiles = Some(tiles.iter().map(tile).collect());
    stage.say_as(viewer, |participant| Command::View { participant, tiles });
}

/// What a viewer has got of the first one's source, in the order of its numbers.
fn delivered(stage: &Stage, viewer: usize, source: Source) -> Vec<&Delivered> {
    let of_it = |packet: &&Delivered| {
        packet.stamp.is_some_and(|stamp| (stamp.publisher, stamp.source) == (ParticipantId(1), source))
    };
    let mut packets: Vec<&Delivered> = stage.clients[viewer].trace.iter().filter(of_it).collect();
    packets.sort_by_key(|packet| packet.seq);
    packets
}

fn layer(packet: &Delivered) -> u8 {
    packet.stamp.unwrap().layer
}

fn layers_since(stage: &Stage, viewer: usize, from: Duration) -> BTreeSet<u8> {
    delivered(stage, viewer, Camera)
        .iter()
        .filter(|packet| packet.at > from)
        .map(|packet| layer(packet))
        .collect()
}

/// Layers that a viewer gets while time passes.
fn layers_in(stage: &mut Stage, viewer: usize, time: Duration) -> BTreeSet<u8> {
    let from = stage.elapsed();
    stage.run(time);
    layers_since(stage, viewer, from)
}

/// When which layer came.
fn history(stage: &Stage, viewer: usize) -> Vec<(Duration, u8)> {
    let mut history: Vec<(Duration, u8)> = Vec::new();
    for packet in delivered(stage, viewer, Camera) {
        if history.last().is_none_or(|(_, had)| *had != layer(packet)) {
            history.push((packet.at, layer(packet)));
        }
    }
    history
}

fn switches(stage: &Stage, viewer: usize) -> usize {
    let packets = delivered(stage, viewer, Camera);
    packets.windows(2).filter(|pair| layer(pair[0]) != layer(pair[1])).count()
}

#[derive(Debug)]
struct Sound {
    came: usize,
    missing: u64,
}

/// Sound of the first one that a viewer gets meanwhile.
fn sound_in(stage: &mut Stage, viewer: usize, meanwhile: impl FnOnce(&mut Stage)) -> Sound {
    let from = stage.elapsed();
    meanwhile(stage);
    sound_since(stage, viewer, from)
}

fn sound_since(stage: &Stage, viewer: usize, from: Duration) -> Sound {
    let packets = delivered(stage, viewer, Voice);
    let numbers: Vec<u64> =
        packets.iter().filter(|packet| packet.at > from).map(|packet| packet.stamp.unwrap().number).collect();
    let span = numbers.last().unwrap() - numbers.first().unwrap() + 1;
    Sound { came: numbers.len(), missing: span - numbers.len() as u64 }
}

/// Nothing of what happens to others shows at this viewer.
fn assert_untouched(stage: &Stage, viewer: usize) {
    let from = seconds(8);
    let sound = stage.heard(viewer, 0, Voice);
    assert_eq!((sound.missing(), stage.heard(viewer, 0, Camera).missing()), (0, 0), "{viewer}");
    assert_eq!(layers_since(stage, viewer, from), [2].into(), "{viewer}");
    let packets = delivered(stage, viewer, Camera);
    let pauses = packets.windows(2).filter(|pair| {
        pair[0].at > from && pair[1].at.saturating_sub(pair[0].at) > Duration::from_millis(100)
    });
    assert_eq!(pauses.count(), 0, "{viewer}");
    assert_seamless(stage, viewer, 0);
}

/// The first one's camera looks like one stream: numbers and picture ids go on by one, time goes on as it passes, and each layer begins
/// with a key frame. `missing`: numbers that may be.
fn assert_seamless(stage: &Stage, viewer: usize, missing: u64) {
    let packets = delivered(stage, viewer, Camera);
    // The beginning may be lost; a decoder then waits for the next key frame.
    let begins = packets.iter().position(|packet| packet.picture.unwrap().1).unwrap();
    assert!(packets[begins].at < packets[0].at + Duration::from_millis(500), "it begins with a key frame");
    let packets = &packets[begins..];
    for pair in packets.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let what = format!("{before:?} then {after:?}");
        assert!((1..=missing + 1).contains(&(after.seq - before.seq)), "{what}");
        let (old, new) = (before.picture.unwrap(), after.picture.unwrap());
        let step = new.0.wrapping_sub(old.0) & 0x7FFF;
        let ticks = after.time.wrapping_sub(before.time);
        let passed = u32::try_from(after.at.saturating_sub(before.at).as_millis()).unwrap() * 90;
        match step {
            0 => assert_eq!(ticks, 0, "{what}"),
            1 => assert!(ticks > 0 && ticks.abs_diff(passed) <= TICKS_ASTRAY, "{what}"),
            _ => panic!("{what}"),
        }
        assert!(layer(before) == layer(after) || (step == 1 && new.1), "{what}");
    }
    assert_eq!(stage.shard.stats().panics, 0);
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
