//! Several media threads behind one port: wherever the system puts a client's datagrams, its call connects and flows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use sfu::Source;
use testkit::clients::media::Caller;
use testkit::server::TestServer;
use tokio::task::JoinSet;

const ROOMS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn every_call_flows_whichever_thread_its_datagrams_come_to() {
    let server = TestServer::start_with(&[("media.shards", "4")]).await;
    let mut calls = JoinSet::new();
    for _ in 0..ROOMS {
        let room = server.create_room().await;
        let (_, invite) = server.invite(&room, 2, &["speak", "camera"]).await;
        let mut callers =
            [Caller::enter(&server, &invite, "Ana").await, Caller::enter(&server, &invite, "Ben").await];
        for caller in &mut callers {
            caller.offer(&[Source::Voice, Source::Camera], |sdp| sdp).await;
        }
        calls.spawn(play(callers));
    }
    let mut played = Vec::new();
    while let Some(callers) = calls.join_next().await {
        played.extend(callers.unwrap());
    }
    // Counters are told once a second.
    for _ in 0..100 {
        if server.metric("media_participants").await == 12.0 {
            break;
        }
        played[0].play_for(Duration::from_millis(100)).await;
    }
    assert_eq!(server.metric("media_participants").await, 12.0);
    assert!(server.metric("media_shard_taken_over").await > 0.0);
    assert!(server.metric("media_shard_learnt_paths").await > 0.0);
    assert_eq!(server.metric("media_stranger_datagrams").await, 0.0);
    assert_eq!(server.metric("media_shard_handover_dropped").await, 0.0);
    assert_eq!(server.metric("media_rooms").await, ROOMS as f64);
    assert!(server.metric("media_shard_gso_sends").await > 0.0);
    assert!(server.metric("media_shard_cpu_seconds").await > 0.0);
    drop(played);
    server.stop().await;
}

/// Plays until both hear both, then a second more.
async fn play([mut ana, mut ben]: [Caller; 2]) -> [Caller; 2] {
    let heard = |caller: &Caller, other: &str| {
        Source::ALL[..2].iter().map(|source| caller.heard(other, *source)).min().unwrap()
    };
    let (hers, his) = (ana.browser.id.clone(), ben.browser.id.clone());
    for _ in 0..200 {
        let time = Duration::from_millis(100);
        tokio::join!(ana.play_for(time), ben.play_for(time));
        if heard(&ana, &his) > 50 && heard(&ben, &hers) > 50 {
            return [ana, ben];
        }
    }
    panic!("{} heard {}, {} heard {}", hers, heard(&ana, &his), his, heard(&ben, &hers));
}
