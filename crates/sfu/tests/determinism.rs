//! A story follows from its seed alone, as long as str0m does not pace (`Stage::adapts`) and there is no data channel: SCTP draws its tags
//! and numbers from the operating system, and how a handshake goes on after a loss depends on them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::time::Duration;

use sfu::Command;
use sfu::Source::{Camera, Screen, Voice};
use testkit::stage::{Stage, Weather};

#[test]
fn the_same_seed_gives_the_same_trace_twice() {
    for seed in 0..20 {
        let (once, again) = (story(seed), story(seed));
        let differs = once.iter().zip(&again).find(|(once, again)| once != again);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(once.len(), again.len(), "seed {seed}");
        assert!(once.len() > 1_000, "seed {seed}: something happened");
    }
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(story(1), story(2));
}

/// Every event, and every packet that anybody got, with the time.
fn story(seed: u64) -> Vec<String> {
    let mut stage = Stage::new(seed, Weather::FOUL);
    stage.adapts = false;
    for sources in [&[Voice, Camera][..], &[Voice], &[Voice, Camera]] {
        let client = stage.prepare();
        stage.clients[client].pictures_every = Duration::from_millis(100);
        stage.enter(client, sources);
        stage.run(Duration::from_millis(500));
    }
    stage.run(Duration::from_secs(2));
    stage.say_as(0, |participant| Command::Mute { participant, source: Voice, muted: true });
    stage.offer(1, &[Screen]);
    stage.run(Duration::from_secs(1));
    stage.rejoin(2, &[Voice]);
    stage.run(Duration::from_secs(2));
    stage.leave(0);
    stage.run(Duration::from_secs(1));
    assert_eq!(stage.shard.stats().panics, 0);
    stage.trace()
}
