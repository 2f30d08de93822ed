//! What clients are told of the server's addresses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test has a clock")]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use server::Server;
use server::config::{Override, load};
use sfu::Source;
use testkit::clients::media::Caller;
use testkit::server::TestServer;
use tokio::net::UdpSocket;

/// rtcd: T-RS-06, T-RS-07.
#[tokio::test]
async fn candidates_are_of_the_configured_port_and_the_overrides() {
    let plain = TestServer::start().await;
    let port = plain.media_tcp().port();
    let told = candidates(&plain).await;
    assert_eq!(told.iter().filter(|line| line.contains(" typ host")).count(), told.len());
    assert_eq!(told.iter().filter(|line| line.contains(" udp ") && line.contains(" 127.0.0.1 ")).count(), 1);
    assert!(
        told.iter().any(|line| line.contains(&format!(" 127.0.0.1 {port} typ host tcptype passive"))),
        "{told:?}"
    );

    // Without an external address the port changes nothing.
    let only_port = TestServer::start_with(&[("media.advertise_port", "443")]).await;
    assert!(candidates(&only_port).await.iter().all(|line| !line.contains(" 443 ")));
    for port in ["443", "10.9.8.7/80,127.0.0.1/443"] {
        let both = [("media.advertise", "127.0.0.9"), ("media.advertise_port", port)];
        let told = candidates(&TestServer::start_with(&both).await).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|line| line.contains(" 127.0.0.9 443 typ host")), "{told:?}");
    }
    // rtcd forgets the port with a name.
    let name = [
        ("media.advertise", "localhost"),
        ("media.advertise_port", "443"),
        ("media.listen_udp", "127.0.0.2:0"),
        ("media.listen_tcp", "127.0.0.2:0"),
    ];
    let told = candidates(&TestServer::start_with(&name).await).await;
    assert!(told.len() == 2 && told.iter().all(|line| line.contains(" 127.0.0.1 443 ")), "{told:?}");
    let pair = [("media.advertise", "127.0.0.9/127.0.0.1,127.0.0.1/10.0.0.1")];
    let told = candidates(&TestServer::start_with(&pair).await).await;
    assert!(told.len() == 2 && told.iter().all(|line| line.contains(" 127.0.0.9 ")), "{told:?}");
}

#[tokio::test]
async fn a_call_flows_by_an_advertised_name() {
    let server = TestServer::start_with(&[("media.advertise", "localhost")]).await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 2, &["speak"]).await;
    let mut ana = Caller::enter(&server, &invite, "Ana").await;
    let mut ben = Caller::enter(&server, &invite, "Ben").await;
    ana.offer(&[Source::Voice], |sdp| sdp).await;
    ben.offer(&[Source::Voice], |sdp| sdp).await;
    hears(&mut ana, &mut ben).await;
}

#[tokio::test]
async fn a_name_that_is_not_found_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sets = [
        ("data_dir", data.to_str().unwrap()),
        ("http.listen", "127.0.0.1:0"),
        ("media.listen_udp", "127.0.0.1:0"),
        ("media.listen_tcp", "127.0.0.1:0"),
        ("media.advertise", "nobody.invalid"),
    ];
    let sets = sets.map(|(key, value)| Override { key: key.into(), value: value.into(), flag: key.into() });
    let refused = Server::start(load(None, [], &sets).unwrap()).await.err().unwrap().to_string();
    assert!(refused.starts_with("the address to tell clients, nobody.invalid, is not found"), "{refused}");
}

async fn candidates(server: &TestServer) -> Vec<String> {
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &["speak"]).await;
    let mut ana = Caller::enter(server, &invite, "Ana").await;
    ana.offer(&[Source::Voice], |sdp| sdp).await;
    for _ in 0..50 {
        if !ana.candidates.is_empty() {
            break;
        }
        ana.play_for(Duration::from_millis(50)).await;
    }
    ana.candidates.clone()
}

/// As behind a router that gives the port another number: clients know the outer address alone, and the server the inner one.
#[tokio::test]
async fn a_call_flows_through_a_translated_port() {
    let outside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let port = outside.local_addr().unwrap().port().to_string();
    let sets = [
        ("media.advertise", "127.0.0.1"),
        ("media.listen_udp", "127.0.0.2:0"),
        ("media.advertise_port", &port),
    ];
    let server = TestServer::start_with(&sets).await;
    let inside = server.media_udp();
    let router = tokio::spawn(translate(outside, inside));
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 2, &["speak"]).await;
    let mut ana = Caller::enter(&server, &invite, "Ana").await;
    let mut ben = Caller::enter(&server, &invite, "Ben").await;
    ana.offer(&[Source::Voice], |sdp| sdp).await;
    ben.offer(&[Source::Voice], |sdp| sdp).await;
    hears(&mut ana, &mut ben).await;
    let udp: Vec<&String> = ana.candidates.iter().filter(|line| line.contains(" udp ")).collect();
    assert!(udp.len() == 1 && udp[0].contains(&format!(" 127.0.0.1 {port} typ host")), "{udp:?}");
    router.abort();
}

/// One socket inside for everybody outside.
async fn translate(outside: Arc<UdpSocket>, inside: SocketAddr) {
    let mut ways: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = [0; 2_000];
    loop {
        let (length, from) = outside.recv_from(&mut buffer).await.unwrap();
        let way = match ways.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let way = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                tokio::spawn(back(way.clone(), outside.clone(), from));
                new.insert(way)
            }
        };
        way.send_to(&buffer[..length], inside).await.unwrap();
    }
}

async fn back(way: Arc<UdpSocket>, outside: Arc<UdpSocket>, to: SocketAddr) {
    let mut buffer = [0; 2_000];
    while let Ok((length, _)) = way.recv_from(&mut buffer).await {
        outside.send_to(&buffer[..length], to).await.unwrap();
    }
}

/// Waits until Ben hears Ana.
async fn hears(ana: &mut Caller, ben: &mut Caller) {
    let hers = ana.browser.id.clone();
    for _ in 0..150 {
        let time = Duration::from_millis(100);
        tokio::join!(ana.play_for(time), ben.play_for(time));
        if ben.heard(&hers, Source::Voice) > 0 {
            return;
        }
    }
    panic!("connected: {} {}", ana.client.connected, ben.client.connected);
}
