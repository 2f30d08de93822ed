//! Calls as a Mattermost plugin hosts them, through a real server: its users hear and see each other by rtcd's rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use sfu::Source;
use testkit::clients::rtcd::{By, Party, Plugin, User, stream};
use testkit::server::TestServer;
use tokio::time::timeout;
use wire::rtcd::{ChannelMessage, ClientMessage, ServerMessage, Signal, Tracked};

const REALM: &str = "mattermost";
const CALL: &str = "call";

#[tokio::test]
async fn users_of_the_plugins_signalling_hear_and_see_each_other() {
    a_whole_call(By::Plugin).await;
}

#[tokio::test]
async fn users_of_data_channel_signalling_hear_and_see_each_other() {
    a_whole_call(By::Channel).await;
}

async fn a_whole_call(by: By) {
    let (server, key) = start().await;
    let mut party = party(&server, &key).await;
    for session in ["ana", "ben"] {
        party.enter(CALL, session, by).await;
    }
    party.play_until("both are in", |party| party.users.values().all(User::is_in)).await;
    let told = &party.users["ana"].candidates;
    assert!(
        told.iter().any(|text| text.contains(" udp "))
            && told.iter().any(|text| text.contains("tcptype passive")),
        "{told:?}"
    );

    // Voices, both at once: glare, and the lock.
    party.user("ana").speaks = true;
    party.publish("ana", &[Source::Voice]);
    party.publish("ben", &[Source::Voice]);
    let both = |party: &Party| {
        party.heard("ana", "ben", Tracked::Voice) > 50 && party.heard("ben", "ana", Tracked::Voice) > 50
    };
    party.play_until("both hear each other", both).await;
    party.play_until("she is told to speak", |party| party.users["ana"].spoke.contains(&true)).await;
    assert!(!party.users["ben"].spoke.contains(&true), "a steady level is no speech");

    // Mute, and back.
    party.signal("ana", Signal::Mute).await;
    party
        .play_until("the end of her speech is told", |party| party.users["ana"].spoke.last() == Some(&false))
        .await;
    party.play_for(Duration::from_millis(100)).await;
    let before = party.heard("ben", "ana", Tracked::Voice);
    party.play_for(Duration::from_millis(400)).await;
    assert_eq!(party.heard("ben", "ana", Tracked::Voice), before);
    party.signal("ana", Signal::Unmute).await;
    party
        .play_until("she is heard again", |party| party.heard("ben", "ana", Tracked::Voice) > before + 10)
        .await;

    // A screen that is announced before its media, and its sound with it.
    party.signal("ben", Signal::ScreenOn { stream: stream("ben", "screen") }).await;
    party.publish("ben", &[Source::Screen, Source::ScreenAudio]);
    let screen = |party: &Party| {
        party.heard("ana", "ben", Tracked::Screen) > 20
            && party.heard("ana", "ben", Tracked::ScreenAudio) > 20
    };
    party.play_until("she sees his screen and hears it", screen).await;
    party.signal("ben", Signal::ScreenOff).await;
    party.play_for(Duration::from_millis(500)).await;
    assert!(
        party.users["ana"].map.values().all(|mapped| mapped.kind == Tracked::Voice),
        "{:?}",
        party.users["ana"].map
    );

    // A screen that is announced after its media.
    party.publish("ana", &[Source::Screen]);
    party.play_until("her screen is negotiated", |party| party.users["ana"].is_settled()).await;
    party.play_for(Duration::from_millis(500)).await;
    assert!(party.users["ben"].map.values().all(|mapped| mapped.kind == Tracked::Voice));
    party.signal("ana", Signal::ScreenOn { stream: stream("ana", "screen") }).await;
    party.play_until("he sees her screen", |party| party.heard("ben", "ana", Tracked::Screen) > 20).await;

    // Who comes late gets everything, and a camera later on.
    party.enter(CALL, "cho", by).await;
    let late = |party: &Party| {
        let heard = [("ana", Tracked::Voice), ("ben", Tracked::Voice), ("ana", Tracked::Screen)];
        heard.into_iter().all(|(publisher, kind)| party.heard("cho", publisher, kind) > 20)
    };
    party.play_until("who comes late hears and sees all", late).await;
    party.publish("ben", &[Source::Camera]);
    party.play_until("his camera is negotiated", |party| party.users["ben"].is_settled()).await;
    party.signal("ben", Signal::VideoOn { stream: stream("ben", "camera") }).await;
    party.play_until("his camera is seen", |party| party.heard("cho", "ben", Tracked::Video) > 20).await;
    for (session, user) in &party.users {
        assert!(user.mapped_offers > 0 && user.unmapped_offers == 0, "{session}");
    }

    // One leaves, one closes.
    party.plugins[0].say(&ClientMessage::Leave { session: "ana".into() }).await;
    party.play_until("her end is told", |party| party.users["ana"].ended).await;
    party.users.get_mut("cho").unwrap().client.close();
    party.play_until("that of cho is told", |party| party.users["cho"].ended).await;
    let alone = |party: &Party| party.users["ben"].map.values().all(|mapped| mapped.kind == Tracked::Voice);
    party.play_until("nothing is left to see", alone).await;
    assert!(party.others.is_empty() && !party.users["ben"].ended);
}

#[tokio::test]
async fn a_call_goes_on_while_the_plugin_reconnects() {
    let (server, key) = start().await;
    let mut party = party(&server, &key).await;
    for session in ["ana", "ben", "cho"] {
        party.enter(CALL, session, By::Plugin).await;
    }
    party.play_until("all are in", |party| party.users.values().all(User::is_in)).await;
    party.publish("ana", &[Source::Voice]);
    party.play_until("she is heard", |party| party.heard("ben", "ana", Tracked::Voice) > 20).await;

    party.plugins.clear();
    let before = party.heard("ben", "ana", Tracked::Voice);
    party.user("cho").client.close();
    party.user("ana").speaks = true;
    // Without a plugin nobody carries what clients say, but media and what they say by the data channel go on.
    party.play_for(Duration::from_millis(1_500)).await;
    assert!(party.heard("ben", "ana", Tracked::Voice) > before + 20);
    party.plugins.push(Plugin::open(server.rtcd(), REALM, &key).await.unwrap());
    party.play_until("the end that nobody heard", |party| party.users["cho"].ended).await;
    party.play_until("her speech", |party| party.users["ana"].spoke.contains(&true)).await;
    // Sessions that were never told to be reached by this connection are negotiated by it.
    party.publish("ben", &[Source::Voice]);
    party.play_until("he is heard", |party| party.heard("ana", "ben", Tracked::Voice) > 20).await;

    // Another node of the plugin: who is reached by it is told there alone.
    party.plugins.push(Plugin::open(server.rtcd(), REALM, &key).await.unwrap());
    party.plugins[1].say(&ClientMessage::Reconnect { session: "ben".into() }).await;
    party.plugins[1].say(&ClientMessage::Leave { session: "ben".into() }).await;
    party.play_until("his end", |party| party.users["ben"].ended).await;
    let first = &mut party.plugins[0];
    while let Ok(message) = timeout(Duration::from_millis(100), first.next()).await {
        assert_ne!(message, Ok(ServerMessage::Close { session: "ben".into() }));
    }
}

#[tokio::test]
async fn the_data_channel_answers_as_rtcd_does() {
    let (server, key) = start().await;
    let mut party = party(&server, &key).await;
    party.enter(CALL, "ana", By::Channel).await;
    party.play_until("she is in", |party| party.users["ana"].is_in()).await;
    type Row<'a> = (&'a str, &'a [u8], Option<&'a [u8]>);
    let rows: [Row<'_>; 12] = [
        ("ping", &[0xcc, 1], Some(&[0xcc, 2])),
        ("a browser's ping", &[1], Some(&[0xcc, 2])),
        ("an old client's ping", b"ping", Some(b"pong")),
        ("an unknown type", &[0x63], None),
        ("nil", &[0xc0], None),
        ("an unlock of nobody's", &[8], None),
        ("4 GiB declared", &[3, 0xc6, 0xff, 0xff, 0xff, 0xff], None),
        ("no zlib", &[3, 0xc4, 1, 0], None),
        ("a loss rate", &[0xcc, 4, 0xcb, 0x3f, 0xa9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], None),
        ("a round-trip time", &[5, 0xcb, 0x3f, 0xbe, 0xb8, 0x51, 0xeb, 0x85, 0x1e, 0xb8], None),
        ("a jitter", &[6, 0], None),
        ("a last ping", &[1], Some(&[0xcc, 2])),
    ];
    for (what, said, heard) in rows {
        let user = party.user("ana");
        user.heard_by_channel.clear();
        user.say_bytes(said);
        if let Some(heard) = heard {
            party.play_until(what, |party| !party.users["ana"].heard_by_channel.is_empty()).await;
            assert_eq!(party.users["ana"].heard_by_channel, [heard], "{what}");
        }
    }
    party.play_for(Duration::from_millis(100)).await;
    assert_eq!(party.users["ana"].heard_by_channel.len(), 1, "nothing else was answered");
    // The lock: granted once, and again after the unlock.
    let user = party.user("ana");
    user.say(&ChannelMessage::LockRequest);
    user.say(&ChannelMessage::LockRequest);
    party.play_until("the second is refused", |party| party.users["ana"].locks_refused == 1).await;
    let user = party.user("ana");
    user.say(&ChannelMessage::Unlock);
    party.publish("ana", &[Source::Voice]);
    party.play_until("she has the lock again", |party| party.users["ana"].is_settled()).await;
    for (name, expected) in [
        ("rtcd_rtc_client_loss_rate_count", 1.0),
        ("rtcd_rtc_client_rtt_count", 1.0),
        ("rtcd_rtc_client_jitter_count", 1.0),
        ("rtcd_rtc_sessions_total", 1.0),
        ("rtcd_ws_connections_total", 1.0),
        ("rtcd_rtc_connection_time_count", 1.0),
        ("rtcd_rtc_dc_open_time_count", 1.0),
        ("rtcd_rtc_signaling_lock_locked_time_count", 2.0),
    ] {
        assert_eq!(server.rtcd_metric(name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_stop_waits_for_calls_and_lets_nobody_join_meanwhile() {
    let (server, key) = start().await;
    let mut party = party(&server, &key).await;
    party.enter(CALL, "ana", By::Channel).await;
    party.play_until("she is in", |party| party.users["ana"].is_in()).await;
    assert!(load(&server).await < 1_000.0);
    let mut waits = Box::pin(server.drain());
    let waiting = async { timeout(Duration::from_millis(300), &mut waits).await.is_err() };
    assert!(tokio::join!(waiting, party.play_for(Duration::from_millis(300))).0, "it waits for her");
    assert!(load(&server).await >= 1_000_000.0, "the plugin takes another host");
    party.enter(CALL, "ben", By::Channel).await;
    party.play_until("he is refused", |party| party.users["ben"].ended).await;
    assert!(party.users["ana"].is_in() && !party.users["ana"].ended);
    party.plugins[0].say(&ClientMessage::Leave { session: "ana".into() }).await;
    timeout(Duration::from_secs(2), waits).await.expect("it waits no more");
    party.play_until("her end is told", |party| party.users["ana"].ended).await;
}

async fn load(server: &TestServer) -> f64 {
    let body = reqwest::get(format!("http://{}/system", server.rtcd())).await.unwrap().text().await.unwrap();
    serde_json::from_str::<serde_json::Value>(&body).unwrap()["cpu_load"].as_f64().unwrap()
}

async fn start() -> (TestServer, String) {
    let server = TestServer::start_rtcd().await;
    let key = server.register(REALM).await;
    (server, key)
}

async fn party(server: &TestServer, key: &str) -> Party {
    Party::new(REALM, Plugin::open(server.rtcd(), REALM, key).await.unwrap())
}
