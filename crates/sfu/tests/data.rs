//! Data channels: what comes, what goes, and what neither may cost the call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::time::Duration;

use sfu::Source::{Camera, Voice};
use sfu::{Command, EventKind, LeaveReason};
use str0m::channel::{ChannelConfig, Reliability};
use testkit::stage::{Stage, Weather};

const WRITER: usize = 1;

#[test]
fn messages_go_both_ways_in_order() {
    let mut stage = scene(1, Weather::FAIR);
    assert!(stage.events_of(WRITER).contains(&EventKind::DataOpen { label: "room".into() }));
    let texts: Vec<Vec<u8>> = (0..50).map(|number| format!("message {number}").into_bytes()).collect();
    for text in &texts {
        let now = stage.now;
        assert!(stage.clients[WRITER].write(now, false, text));
        stage.flush_client(WRITER);
        tell(&mut stage, "room", text.clone());
    }
    stage.run(seconds(1));
    assert_eq!(come(&stage, "room"), texts);
    assert_eq!(stage.clients[WRITER].messages, texts);
}

#[test]
fn messages_arrive_whole_and_in_order_over_a_foul_link() {
    let mut stage = scene(2, Weather::FAIR);
    stage.net.weather = Weather::FOUL;
    let texts: Vec<Vec<u8>> = (0..40_u8).map(|number| vec![number; 3_000]).collect();
    for text in &texts {
        let now = stage.now;
        assert!(stage.clients[WRITER].write(now, true, text));
        stage.flush_client(WRITER);
        tell(&mut stage, "room", text.clone());
        stage.run(Duration::from_millis(50));
    }
    stage.run(seconds(30));
    assert_eq!(come(&stage, "room"), texts);
    assert_eq!(stage.clients[WRITER].messages, texts);
}

#[test]
fn it_is_told_when_what_was_written_has_arrived() {
    let mut stage = scene(6, Weather::FAIR);
    let delivered = |stage: &Stage| -> Vec<u32> {
        let events = stage.events_of(WRITER).into_iter();
        events
            .filter_map(|kind| if let EventKind::Delivered { id } = kind { Some(id) } else { None })
            .collect()
    };
    let ask = |stage: &mut Stage, label: &str, id| {
        let label = label.to_owned();
        stage.say_as(WRITER, |participant| Command::Deliver { participant, label, id });
    };
    ask(&mut stage, "room", 1);
    ask(&mut stage, "no such", 2);
    stage.run(Duration::from_millis(200));
    assert_eq!(delivered(&stage), [1, 2], "there is nothing to wait for");
    // More than SCTP holds at once, so that some of it waits before it.
    stage.net.weather = Weather::FOUL;
    for number in 0..10 {
        tell(&mut stage, "room", vec![number; 60_000]);
    }
    ask(&mut stage, "room", 3);
    ask(&mut stage, "room", 4);
    stage.run(Duration::from_millis(200));
    assert_eq!(delivered(&stage), [1, 2]);
    let mut steps = 0;
    while delivered(&stage).len() < 3 {
        assert!(steps < 2_000, "it is never told");
        stage.run(Duration::from_millis(20));
        steps += 1;
    }
    assert_eq!(delivered(&stage), [1, 2, 4]);
    assert_eq!(stage.clients[WRITER].messages.len(), 10);
}

#[test]
fn channels_without_order_or_resending_carry_messages_too() {
    let mut stage = scene(3, Weather::FAIR);
    let reliabilities =
        [Reliability::MaxRetransmits { retransmits: 0 }, Reliability::MaxPacketLifetime { lifetime: 100 }];
    for (label, reliability) in ["loose", "short-lived"].into_iter().zip(reliabilities) {
        open(
            &mut stage,
            ChannelConfig { label: label.into(), ordered: false, reliability, ..Default::default() },
        );
        assert!(stage.events_of(WRITER).contains(&EventKind::DataOpen { label: label.into() }), "{label}");
        let before = stage.clients[WRITER].messages.len();
        for _ in 0..20 {
            let now = stage.now;
            assert!(stage.clients[WRITER].write(now, false, b"to the server"), "{label}");
            stage.flush_client(WRITER);
            tell(&mut stage, label, b"from the server".to_vec());
        }
        stage.run(seconds(1));
        assert_eq!(come(&stage, label).len(), 20, "{label}");
        assert_eq!(stage.clients[WRITER].messages.len() - before, 20, "{label}");
    }
}

#[test]
fn channels_beyond_eight_and_second_ones_of_a_name_are_closed() {
    let mut stage = scene(4, Weather::FAIR);
    for number in 0..20 {
        let label = if number % 2 == 0 { "twice".to_owned() } else { format!("channel {number}") };
        open(&mut stage, ChannelConfig { label, ..Default::default() });
    }
    let opened: Vec<String> = stage
        .events_of(WRITER)
        .into_iter()
        .filter_map(|kind| if let EventKind::DataOpen { label } = kind { Some(label) } else { None })
        .collect();
    assert_eq!(opened.len(), 8, "{opened:?}");
    assert_eq!(opened.iter().filter(|label| *label == "twice").count(), 1);
    assert_call_goes_on(&mut stage);
}

#[test]
fn a_flood_ends_in_a_departure_and_the_others_call_goes_on() {
    let mut stage = scene(5, Weather::FAIR);
    for _ in 0..100 {
        for _ in 0..50 {
            let now = stage.now;
            stage.clients[WRITER].write(now, false, b"hello");
            stage.flush_client(WRITER);
        }
        stage.run(Duration::from_millis(50));
    }
    assert_eq!(stage.events_of(WRITER).last(), Some(&EventKind::Left(LeaveReason::Flooding)));
    // Four seconds' worth at once, and what one may send meanwhile.
    assert!(come(&stage, "room").len() <= 4 * 200 + 5 * 200, "{}", come(&stage, "room").len());
    assert_call_goes_on(&mut stage);
}

#[test]
fn what_is_too_large_or_for_no_channel_is_dropped_and_counted() {
    let mut stage = scene(6, Weather::FAIR);
    let before = stage.shard.stats().data_dropped;
    tell(&mut stage, "room", vec![1; 64 * 1024 + 1]);
    tell(&mut stage, "nobody's", b"hello".to_vec());
    stage.run(seconds(1));
    assert_eq!(stage.shard.stats().data_dropped - before, 2);
    assert!(stage.clients[WRITER].messages.is_empty());
    tell(&mut stage, "room", vec![1; 64 * 1024]);
    stage.run(seconds(3));
    assert_eq!(stage.clients[WRITER].messages, [vec![1; 64 * 1024]]);
    assert_call_goes_on(&mut stage);
}

#[test]
fn a_client_that_takes_nothing_is_kept_a_bounded_number_of_messages() {
    let mut stage = scene(7, Weather::FAIR);
    let before = stage.shard.stats().data_dropped;
    let address = stage.clients[WRITER].address;
    stage.net.cut_off.insert(address);
    for _ in 0..5_000 {
        tell(&mut stage, "room", vec![7; 1_000]);
    }
    stage.run(seconds(1));
    let dropped = stage.shard.stats().data_dropped - before;
    // 1,024 wait, and SCTP holds 256 KiB beside that.
    assert!((5_000 - 1_024 - 270..5_000 - 1_024).contains(&dropped), "{dropped}");
    stage.net.cut_off.clear();
    stage.run(seconds(20));
    let came = stage.clients[WRITER].messages.len() as u64;
    assert_eq!(came, 5_000 - dropped, "what was taken arrives");
    assert_call_goes_on(&mut stage);
}

#[test]
fn media_flows_on_while_a_mebibyte_goes_over_a_slow_link() {
    let mut stage = scene(8, Weather::FAIR);
    let address = stage.clients[WRITER].address;
    stage.net.local.insert(address, Weather { rate: Some(600_000), ..Weather::FAIR });
    stage.say_as(WRITER, |participant| Command::View { participant, tiles: Some(Vec::new()) });
    stage.run(seconds(5));
    for _ in 0..16 {
        tell(&mut stage, "room", vec![9; 64 * 1024 - 64]);
    }
    let mut worst = u64::MAX;
    for _ in 0..40 {
        let before = stage.heard(WRITER, 0, Voice).packets;
        stage.run(seconds(1));
        worst = worst.min(stage.heard(WRITER, 0, Voice).packets - before);
    }
    assert_eq!(stage.clients[WRITER].messages.len(), 16, "all of it arrived");
    assert!(worst >= 25, "{worst} of 50 packets of sound in the worst second");
    assert_call_goes_on(&mut stage);
}

/// A speaker, and who has a channel, and a third.
fn scene(seed: u64, weather: Weather) -> Stage {
    let mut stage = Stage::new(seed, weather);
    stage.join(&[Voice, Camera]);
    let writer = stage.prepare();
    stage.clients[writer].wants_channel = true;
    stage.enter(writer, &[Voice]);
    stage.join(&[Voice]);
    stage.run(seconds(3));
    assert!(stage.clients[WRITER].channel.is_some());
    stage
}

fn open(stage: &mut Stage, config: ChannelConfig) {
    let now = stage.now;
    stage.clients[WRITER].rtc.direct_api().create_data_channel(config);
    stage.clients[WRITER].wake(now);
    stage.flush_client(WRITER);
    stage.run(Duration::from_millis(300));
}

fn tell(stage: &mut Stage, label: &str, bytes: Vec<u8>) {
    let label = label.to_owned();
    stage.say_as(WRITER, |participant| Command::Data { participant, label, binary: true, bytes });
}

fn come(stage: &Stage, channel: &str) -> Vec<Vec<u8>> {
    let events = stage.events_of(WRITER).into_iter();
    events
        .filter_map(|kind| match kind {
            EventKind::Data { label, bytes, .. } if label == channel => Some(bytes),
            _ => None,
        })
        .collect()
}

fn assert_call_goes_on(stage: &mut Stage) {
    let before = stage.heard(2, 0, Voice).packets;
    stage.run(seconds(2));
    assert!(stage.heard(2, 0, Voice).packets >= before + 95);
    assert_eq!((stage.heard(2, 0, Voice).missing(), stage.shard.stats().panics), (0, 0));
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
