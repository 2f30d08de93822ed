//! A call follows from its seed alone: in foul weather, or with adaptation and data channels. Stories, which have all of it, too; that
//! is shown for a few. A handshake that is made anew in foul weather while data flow may differ by a retransmission.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::time::Duration;

use sfu::Command;
use sfu::Source::{Camera, Screen, Voice};
use testkit::stage::chance::{alone, replayable};
use testkit::stage::story::Story;
use testkit::stage::{Stage, Weather};

/// With loss, disorder and duplicates.
#[test]
fn the_same_seed_gives_the_same_trace_twice() {
    replayable("the_same_seed_gives_the_same_trace_twice", || {
        for seed in 0..20 {
            twice(seed, Weather::FOUL);
        }
    });
}

/// With adaptation and data channels, on a network that loses nothing.
#[test]
fn the_same_seed_adapts_and_talks_the_same_twice() {
    replayable("the_same_seed_adapts_and_talks_the_same_twice", || {
        let (mut opened, mut talked) = (0, 0);
        for seed in 0..10 {
            let trace = twice(seed, Weather::FAIR);
            let has = |what: &str| usize::from(trace.iter().any(|line| line.contains(what)));
            opened += has("channel room open");
            talked += has("bytes on room");
        }
        assert!(opened == 10 && talked > 5, "data channels: {opened} opened, {talked} used");
    });
}

fn twice(seed: u64, weather: Weather) -> Vec<String> {
    let call = || alone(|| call(seed, weather)).unwrap();
    let (once, again) = (call(), call());
    let differs = once.iter().zip(&again).find(|(once, again)| once != again);
    assert_eq!(differs, None, "seed {seed}");
    assert_eq!(once.len(), again.len(), "seed {seed}");
    assert!(once.len() > 1_000, "seed {seed}: something happened");
    once
}

/// As `make sim` plays them, with an adversary in most.
#[test]
fn the_same_seed_gives_the_same_story_twice() {
    replayable("the_same_seed_gives_the_same_story_twice", || {
        for seed in 0..3 {
            let story = || {
                alone(|| {
                    let mut story = Story::new(seed);
                    story.play();
                    story.stage.trace()
                })
            };
            let (once, again) = (story().unwrap(), story().unwrap());
            let differs = once.iter().zip(&again).find(|(once, again)| once != again);
            assert_eq!((differs, once.len()), (None, again.len()), "seed {seed}");
        }
    });
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(call(1, Weather::FOUL), call(2, Weather::FOUL));
}

/// Every event, and every packet that anybody got, with the time.
fn call(seed: u64, weather: Weather) -> Vec<String> {
    let mut stage = Stage::new(seed, weather);
    let bad = weather.loss > 0.0;
    stage.adapts = !bad;
    for sources in [&[Voice, Camera][..], &[Voice], &[Voice, Camera]] {
        let client = stage.prepare();
        stage.clients[client].pictures_every = Duration::from_millis(100);
        stage.clients[client].wants_channel = !bad;
        stage.enter(client, sources);
        stage.run(Duration::from_millis(500));
    }
    chat(&mut stage, Duration::from_secs(2));
    stage.say_as(0, |participant| Command::Mute { participant, source: Voice, muted: true });
    stage.offer(1, &[Screen]);
    stage.run(Duration::from_secs(1));
    stage.rejoin(2, &[Voice]);
    chat(&mut stage, Duration::from_secs(2));
    stage.leave(0);
    stage.run(Duration::from_secs(1));
    assert_eq!(stage.shard.stats().panics, 0);
    stage.trace()
}

/// Lets time pass in which one says much by its data channel.
fn chat(stage: &mut Stage, time: Duration) {
    for _ in 0..time.as_millis() / 100 {
        let now = stage.now;
        stage.clients[1].write(now, false, &[0x61; 3_000]);
        stage.flush_client(1);
        stage.run(Duration::from_millis(100));
    }
}
