//! Media over TCP (RFC 6544, RFC 4571): a call flows, and whoever misuses the door harms nobody.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test has a clock")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sfu::Source;
use testkit::clients::media::Caller;
use testkit::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

#[tokio::test]
async fn a_call_over_tcp_flows_both_ways_and_its_connection_ends_with_it() {
    let server = TestServer::start_with(&[("media.shards", "2")]).await;
    let room = server.create_room().await;
    let (mut ana, mut ben) = call(&server, &room).await;
    let (hers, his) = (ana.browser.id.clone(), ben.browser.id.clone());
    assert!(!ana.candidates.is_empty());
    for candidate in &ana.candidates {
        assert!(
            candidate.contains(" tcp ") && candidate.contains(" typ host tcptype passive"),
            "{candidate}"
        );
    }
    both(&mut ana, &mut ben, 1_500).await;
    assert!(ana.heard(&his, Source::Voice) > 20 && ana.heard(&his, Source::Camera) > 20);
    assert!(ben.heard(&hers, Source::Voice) > 20 && ben.heard(&hers, Source::Camera) > 20);
    assert_eq!(server.metric("media_shard_tcp_connections").await, 1.0);

    let path = format!("/v1/admin/rooms/{room}/participants/{hers}");
    server.admin(reqwest::Method::DELETE, &path).send().await.unwrap();
    for _ in 0..50 {
        if server.metric("media_shard_tcp_connections").await == 0.0 {
            return;
        }
        ben.play_for(Duration::from_millis(100)).await;
    }
    panic!("the connection is still there");
}

#[tokio::test]
async fn whose_only_connection_is_gone_is_not_waited_for_long() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (mut ana, mut ben) = call(&server, &room).await;
    // Figures are told once a second.
    both(&mut ana, &mut ben, 1_500).await;
    assert_eq!(server.metric("media_participants").await, 2.0);
    // Without a word, as when a reset takes the goodbye with it.
    drop(ana);
    let begun = Instant::now();
    while server.metric("media_participants").await > 1.0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "she is still there");
        ben.play_for(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn strangers_at_the_door_harm_nobody() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (mut ana, mut ben) = call(&server, &room).await;
    let door = server.media_tcp();
    let begun = Instant::now();
    let long = Duration::from_secs(25);
    // Garbage, a huge length, a request for no shard, an empty packet.
    let stun = [&[0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[0; 12]].concat();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xFF, 0xFF, 0], &stun, &[0, 0]] {
        let mut stranger = TcpStream::connect(door).await.unwrap();
        stranger.write_all(bytes).await.unwrap();
        assert!(is_closed(&mut stranger, Duration::from_secs(5)).await, "{bytes:?}");
    }
    let mut waiting = Vec::new();
    for _ in 0..16 {
        waiting.push(TcpStream::connect(door).await.unwrap());
    }
    let mut one_more = TcpStream::connect(door).await.unwrap();
    assert!(is_closed(&mut one_more, Duration::from_secs(5)).await, "an address has 16");
    let slow = tokio::spawn(async move {
        let mut slow = waiting.pop().unwrap();
        // One byte a second of a packet of 100.
        for byte in [0, 100].into_iter().chain([0; 100]) {
            if slow.write_all(&[byte]).await.is_err() || is_closed(&mut slow, Duration::from_secs(1)).await {
                break;
            }
        }
        let closed_after = begun.elapsed();
        for mut silent in waiting {
            assert!(is_closed(&mut silent, long).await);
        }
        closed_after
    });
    while !slow.is_finished() && begun.elapsed() < long {
        both(&mut ana, &mut ben, 500).await;
    }
    let closed_after = slow.await.unwrap();
    assert!(closed_after > Duration::from_secs(8) && closed_after < long, "{closed_after:?}");
    let mut again = TcpStream::connect(door).await.unwrap();
    assert!(!is_closed(&mut again, Duration::from_millis(200)).await, "there is room once more");
    let (hers, his) = (ana.browser.id.clone(), ben.browser.id.clone());
    // 50 packets a second of sound each.
    let least = 25 * begun.elapsed().as_secs();
    assert!(ana.heard(&his, Source::Voice) > least && ben.heard(&hers, Source::Voice) > least);
    assert_eq!(server.metric("participant_panics").await, 0.0);
}

#[tokio::test]
async fn addresses_that_stay_silent_do_not_fill_the_door() {
    let server = TestServer::start().await;
    let door = server.media_tcp();
    let mut silent = Vec::new();
    for host in 2..18 {
        for _ in 0..16 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
            silent.push(socket.connect(door).await.unwrap());
        }
    }
    assert!(!is_closed(&mut silent[255], Duration::from_millis(200)).await, "all 256 places are taken");
    let begun = Instant::now();
    loop {
        let mut newcomer = TcpStream::connect(door).await.unwrap();
        if !is_closed(&mut newcomer, Duration::from_millis(200)).await {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "long before the silent ones are given up");
    }
    assert!(is_closed(&mut silent[0], Duration::from_millis(200)).await);
    assert!(!is_closed(&mut silent[255], Duration::from_millis(200)).await);
}

/// Ana over TCP and Ben over UDP, who hear each other.
async fn call(server: &TestServer, room: &str) -> (Caller, Caller) {
    let (_, invite) = server.invite(room, 2, &["speak", "camera"]).await;
    let mut ana = Caller::enter_over_tcp(server, &invite, "Ana", server.media_tcp()).await;
    let mut ben = Caller::enter(server, &invite, "Ben").await;
    for caller in [&mut ana, &mut ben] {
        caller.offer(&[Source::Voice, Source::Camera], |sdp| sdp).await;
    }
    let (hers, his) = (ana.browser.id.clone(), ben.browser.id.clone());
    for _ in 0..150 {
        both(&mut ana, &mut ben, 100).await;
        if ana.heard(&his, Source::Voice) > 0 && ben.heard(&hers, Source::Voice) > 0 {
            return (ana, ben);
        }
    }
    panic!("connected: {} {}", ana.client.connected, ben.client.connected);
}

async fn both(one: &mut Caller, other: &mut Caller, milliseconds: u64) {
    let time = Duration::from_millis(milliseconds);
    tokio::join!(one.play_for(time), other.play_for(time));
}

/// Whether the server closes the connection within this time.
async fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    match timeout(within, stream.read(&mut [0; 16])).await {
        Ok(Ok(0) | Err(_)) => true,
        Ok(Ok(length)) => panic!("{length} bytes for a stranger"),
        Err(_) => false,
    }
}
