//! Media through a real server: it flows, survives a broken socket, needs the bound certificate, and ends with a removal.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use sfu::Source;
use testkit::clients::media::{Caller, fingerprint_text};
use testkit::server::{TestServer, answer};

#[tokio::test]
async fn who_is_heard_is_heard_until_removed() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 2, &["speak", "camera"]).await;
    let mut ana = Caller::enter(&server, &invite, "Ana").await;
    let mut ben = Caller::enter(&server, &invite, "Ben").await;
    ana.offer(&[Source::Voice, Source::Camera], |sdp| sdp).await;
    ben.offer(&[Source::Voice], |sdp| sdp).await;
    both(&mut ana, &mut ben, 2_000).await;
    let (hers, his) = (ana.browser.id.clone(), ben.browser.id.clone());
    assert!(ana.heard(&his, Source::Voice) > 20, "{}", ana.heard(&his, Source::Voice));
    assert!(ben.heard(&hers, Source::Voice) > 20 && ben.heard(&hers, Source::Camera) > 20);

    let (again, welcome) = ben.browser.enter(&server).await;
    ben.socket = again;
    assert_eq!(welcome["media"], "m1");
    let before = (ana.heard(&his, Source::Voice), ben.heard(&hers, Source::Voice));
    both(&mut ana, &mut ben, 500).await;
    assert!(ana.heard(&his, Source::Voice) > before.0 && ben.heard(&hers, Source::Voice) > before.1);

    let path = format!("/v1/admin/rooms/{room}/participants/{his}");
    assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    both(&mut ana, &mut ben, 200).await;
    let after = (ana.heard(&his, Source::Voice), ben.heard(&hers, Source::Voice));
    both(&mut ana, &mut ben, 500).await;
    assert_eq!((ana.heard(&his, Source::Voice), ben.heard(&hers, Source::Voice)), after);
}

#[tokio::test]
async fn a_description_has_the_bound_fingerprint_and_no_other() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &["speak"]).await;
    let mut ana = Caller::enter(&server, &invite, "Ana").await;
    let own = fingerprint_text(&ana.client.fingerprint);
    let foreign = fingerprint_text(&[7; 32]);
    let line = |text: &str| format!("a=fingerprint:{text}\r\n");
    type Patch<'a> = Box<dyn Fn(String) -> String + 'a>;
    let patches: [(&str, Patch<'_>); 3] = [
        ("foreign", Box::new(|sdp| sdp.replace(&own, &foreign))),
        ("several", Box::new(|sdp| sdp.replace(&line(&own), &format!("{}{}", line(&own), line(&foreign))))),
        ("absent", Box::new(|sdp| sdp.replace(&line(&own), ""))),
    ];
    for (what, patch) in patches {
        ana.offer(&[Source::Voice], |sdp| {
            let patched = patch(sdp.clone());
            assert_ne!(patched, sdp, "{what}");
            patched
        })
        .await;
        let error = ana.socket.next_of("error").await;
        let expected = (&json!("fingerprint-refused"), &json!("offer"), &json!("m1"));
        assert_eq!((&error["code"], &error["about"], &error["media"]), expected, "{what}");
    }
    ana.offer(&[], |sdp| sdp).await;
    ana.play_until(|client| client.connected).await;
}

#[tokio::test]
async fn another_certificate_behind_a_good_description_never_connects() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &["speak"]).await;
    let mut ana = Caller::enter(&server, &invite, "Ana").await;
    let bound = fingerprint_text(&ana.client.fingerprint);
    ana.swap_media().await;
    let swapped = fingerprint_text(&ana.client.fingerprint);
    ana.offer(&[Source::Voice], |sdp| sdp.replace(&swapped, &bound)).await;
    ana.play_for(Duration::from_secs(2)).await;
    assert!(!ana.client.connected || ana.client.closed, "it connected");
    let error = &ana.errors[0];
    assert_eq!((&error["code"], &error["media"]), (&json!("fingerprint-refused"), &json!("m1")), "{error}");
    assert_eq!(server.room(&room).await["participants"][0]["connected"], true, "the session goes on");
}

#[tokio::test]
async fn what_is_not_permitted_is_not_sent() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 1, &["speak"]).await;
    let mut ana = Caller::enter(&server, &invite, "Ana").await;
    ana.offer(&[Source::Camera], |sdp| sdp).await;
    let error = ana.socket.next_of("error").await;
    assert_eq!((&error["code"], &error["about"]), (&json!("forbidden"), &json!("offer")));
}

async fn both(one: &mut Caller, other: &mut Caller, milliseconds: u64) {
    let time = Duration::from_millis(milliseconds);
    tokio::join!(one.play_for(time), other.play_for(time));
}
