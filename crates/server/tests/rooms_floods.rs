//! What one client does too much of, and that the others notice nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::IpAddr;

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::clients::rooms::{Browser, Socket};
use testkit::server::{TestServer, answer, http_client_from};

#[tokio::test]
async fn a_client_that_does_not_read_is_punted_and_the_others_get_on() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 2, &["speak"]).await;
    let ana = Browser::join(&server, &invite, "Ana").await;
    let slow = Browser::join(&server, &invite, "Slow").await;
    let (mut hers, _) = ana.enter(&server).await;
    let (mut deaf, _) = slow.enter(&server).await;
    hers.roster_of(2).await;
    let flood = tokio::spawn(async move {
        let mut said = 0_u64;
        // It asks and asks, and never reads an answer.
        while said < 2_000_000 && deaf.try_say(r#"{"type":"ping"}"#).await {
            said += 1;
        }
        (said, deaf)
    });
    let roster = loop {
        hers.say(&json!({"type": "ping"})).await;
        hers.next_of("pong").await;
        if let Some(roster) = hers.skipped.pop_back().filter(|message| message["type"] == "roster") {
            break roster;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(roster["participants"][1]["connected"], false, "{roster}");
    let (said, _deaf) = flood.await.unwrap();
    assert!(said < 2_000_000, "the server ended it");
    let (mut again, _) = slow.enter(&server).await;
    again.roster_of(2).await;
}

#[tokio::test]
async fn strangers_of_one_address_fill_only_their_own_places() {
    let server = TestServer::start().await;
    let (here, there): (IpAddr, IpAddr) = ([127, 0, 0, 2].into(), [127, 0, 0, 3].into());
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(Socket::open_from(&server, here, None).await.unwrap());
    }
    assert_eq!(Socket::open_from(&server, here, None).await.err(), Some(429));
    assert!(Socket::open_from(&server, there, None).await.is_ok());
    let room = server.create_room().await;
    let ana = Browser::join(&server, &server.invite(&room, 1, &[]).await.1, "Ana").await;
    let mut first = waiting.remove(0);
    let hello = first.next().await;
    first.say(&ana.first_message(&hello)).await;
    assert_eq!(first.next().await["type"], "welcome");
    assert!(Socket::open_from(&server, here, None).await.is_ok(), "who is believed waits no more");
}

#[tokio::test]
async fn a_flood_of_redeems_denies_nobody_else() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &[]).await;
    let ana = Browser::new();
    let url = format!("http://{}/v1/rooms/redeem", server.address);
    let redeem = |secret: &str| json!({"invite": secret, "name": "x", "fingerprint": ana.fingerprint, "public_key": ana.public_key()});
    let flooding = http_client_from([127, 0, 0, 2].into());
    let mut busy = None;
    for _ in 0..40 {
        let response = flooding.post(&url).json(&redeem("csi_x")).send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            busy = Some(response);
            break;
        }
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    assert!(busy.unwrap().headers().contains_key("retry-after"));
    let other = http_client_from([127, 0, 0, 3].into());
    let response = other.post(&url).json(&redeem(&invite)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn messages_above_the_rate_are_answered_with_busy() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 2, &[]).await;
    let ana = Browser::join(&server, &invite, "Ana").await;
    let ben = Browser::join(&server, &invite, "Ben").await;
    let (mut hers, _) = ana.enter(&server).await;
    let (mut his, _) = ben.enter(&server).await;
    for _ in 0..200 {
        hers.say(&json!({"type": "ping"})).await;
    }
    assert_eq!(hers.next_of("error").await["code"], "busy");
    let pongs = hers.skipped.iter().filter(|message| message["type"] == "pong").count();
    assert!((120..200).contains(&pongs), "{pongs}");
    his.say(&json!({"type": "ping"})).await;
    his.next_of("pong").await;
}

#[tokio::test]
async fn a_flood_of_mutes_does_not_become_a_flood_of_rosters() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let ana = Browser::join(&server, &server.invite(&room, 1, &["speak"]).await.1, "Ana").await;
    let (mut hers, _) = ana.enter(&server).await;
    for number in 0..80 {
        hers.say(&json!({"type": "mute", "source": "voice", "muted": number % 2 == 0})).await;
    }
    let refused = hers.next_of("error").await;
    assert_eq!((&refused["code"], &refused["about"]), (&json!("busy"), &json!("mute")));
}

#[tokio::test]
async fn a_flood_of_cookies_does_not_reach_the_store() {
    let server = TestServer::start().await;
    let flooding = http_client_from([127, 0, 0, 2].into());
    let url = format!("http://{}/v1/console/me", server.address);
    let cookie = format!("countersign_console=csc_{}", "A".repeat(43));
    for _ in 0..500 {
        flooding.get(&url).header("cookie", &cookie).send().await.unwrap();
    }
    let server = server.restart().await;
    let (_, page) = answer(server.admin(Method::GET, "/v1/admin/audit?limit=200")).await;
    let records = page["records"].as_array().unwrap().iter();
    let looked_up = records.filter(|record| record["action"] == "console.authenticate");
    let count: u64 = looked_up.map(|record| record["count"].as_u64().unwrap()).sum();
    assert!((300..450).contains(&count), "{count}");
}
