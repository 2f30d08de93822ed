//! A client's network changes, or goes away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::net::SocketAddr;
use std::time::Duration;

use sfu::Source::{Camera, Voice};
use sfu::{EventKind, LeaveReason, Source};
use testkit::stage::{Stage, Weather};

const BOTH: [Source; 2] = [Voice, Camera];

#[test]
fn a_client_that_begins_ice_anew_elsewhere_stays_who_it_is() {
    for weather in [Weather::FAIR, Weather::FOUL] {
        let mut stage = couple(1);
        stage.net.weather = weather;
        let left = stage.clients[0].address;
        let mut ufrags = vec![stage.clients[0].server_ufrag.clone().unwrap()];
        for host in [101, 102] {
            // The port tells the stage which connection it is.
            let address = SocketAddr::from(([203, 0, 113, host], left.port()));
            let old = stage.clients[0].address;
            stage.net.cut_off.insert(old);
            stage.restart(0, address);
            stage.run(seconds(3));
            ufrags.push(stage.clients[0].server_ufrag.clone().unwrap());
            let before = both_ways(&stage);
            stage.run(seconds(4));
            let after = both_ways(&stage);
            assert!(
                after.0 - before.0 > 150 && after.1 - before.1 > 300,
                "from {host}: {before:?} {after:?}"
            );
            assert!(after.2 - before.2 > 150 && after.3 - before.3 > 300, "to {host}: {before:?} {after:?}");
        }
        assert!(ufrags.iter().all(|ufrag| ufrag.starts_with("00") && ufrag.len() == 18), "{ufrags:?}");
        assert!(ufrags[0] != ufrags[1] && ufrags[1] != ufrags[2], "each restart has its own: {ufrags:?}");
        let joined = stage.events_of(0).iter().filter(|kind| **kind == EventKind::Connected).count();
        assert_eq!((joined, stage.shard.stats().participants), (1, 2), "the same media connection");
        assert_eq!(stage.shard.stats().panics, 0);
    }
}

#[test]
fn nothing_is_sent_to_where_a_client_was_after_it_moved() {
    let mut stage = couple(2);
    let old = stage.clients[0].address;
    stage.restart(0, SocketAddr::from(([203, 0, 113, 101], old.port())));
    stage.run(seconds(10));
    let mut strays = 0;
    stage.run_watching(seconds(5), |destination| strays += usize::from(destination == old));
    assert_eq!(strays, 0);
}

#[test]
fn who_vanishes_is_sent_nothing_once_its_consent_has_run_out() {
    let mut stage = couple(3);
    let address = stage.clients[0].address;
    stage.net.cut_off.insert(address);
    // RFC 7675 §5.1: consent lives 30 s.
    let mut while_it_lives = 0;
    stage.run_watching(seconds(30), |destination| while_it_lives += usize::from(destination == address));
    assert!(while_it_lives > 100, "at first nobody knows");
    let mut after = 0;
    stage.run_watching(seconds(60), |destination| after += usize::from(destination == address));
    assert_eq!(after, 0, "datagrams to who is gone");
    assert_eq!(stage.events_of(0).last(), Some(&EventKind::Left(LeaveReason::TransportLost)));
    let before = stage.shard.stats().participants;
    assert_eq!(before, 1, "the other one is still there");
}

fn couple(seed: u64) -> Stage {
    let mut stage = Stage::new(seed, Weather::FAIR);
    stage.join(&BOTH);
    stage.join(&BOTH);
    stage.run(seconds(3));
    stage
}

/// Voice and camera from the first one, and to it.
fn both_ways(stage: &Stage) -> (u64, u64, u64, u64) {
    let packets = |viewer, publisher, source| stage.heard(viewer, publisher, source).packets;
    (packets(1, 0, Voice), packets(1, 0, Camera), packets(0, 1, Voice), packets(0, 1, Camera))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
