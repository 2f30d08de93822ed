//! Many clients, sessions and users of rtcd at once, and what a start and a stop do to them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test of a shell reads the clock")]

use std::time::{Duration, Instant};

use server::Server;
use server::config::{Override, load};
use sfu::Source;
use testkit::clients::rtcd::{By, Party, Plugin, User, stream};
use testkit::server::{TestServer, answer, http_client};
use tokio::net::TcpListener;
use tokio::time::timeout;
use wire::rtcd::{ClientMessage, ServerMessage, Signal, Tracked};

const REALM: &str = "mattermost";

#[tokio::test]
async fn ten_clients_register_anew_when_the_store_was_lost() {
    let server = TestServer::start_rtcd().await;
    let mut plugins = Vec::new();
    for number in 0..10 {
        let client = format!("client{number}");
        let key = server.register(&client).await;
        plugins.push(Plugin::open(server.rtcd(), &client, &key).await.unwrap());
    }
    server.stop().await;
    for plugin in &mut plugins {
        assert_eq!(plugin.next().await, Err(Some(1001)), "the old ones are told");
    }
    let server = TestServer::start_rtcd().await;
    let at = server.rtcd();
    let again = plugins.into_iter().map(|plugin| {
        let server = &server;
        async move {
            let key = format!("{:k>32}", plugin.client);
            // As the plugin does it: whatever the refusal, register once, and dial again.
            let refused = Plugin::open(at, &plugin.client, &key).await.err();
            assert!(matches!(refused, Some(401 | 429)), "{refused:?}");
            assert_eq!(server.register(&plugin.client).await, key);
            let anew = Plugin::open(at, &plugin.client, &key).await.unwrap();
            assert_ne!(anew.connection, plugin.connection);
            anew
        }
    });
    assert_eq!(futures_util::future::join_all(again).await.len(), 10);
}

#[tokio::test]
async fn a_hundred_sessions_come_and_go_at_once() {
    let server = TestServer::start_rtcd().await;
    let key = server.register(REALM).await;
    let node = async |call: usize| {
        let mut plugin = Plugin::open(server.rtcd(), REALM, &key).await.unwrap();
        let names: Vec<_> = (0..10).map(|number| format!("s{call}-{number}")).collect();
        for session in &names {
            plugin.join(&format!("call{call}"), session, None).await;
            // A second time, which makes no other session, and counts none.
            plugin.join(&format!("call{call}"), session, None).await;
        }
        plugin.say(&ClientMessage::Reconnect { session: "nobody".into() }).await;
        plugin
    };
    let mut plugins = futures_util::future::join_all((0..10).map(node)).await;
    let wait = async |sessions: f64| {
        let end = Instant::now() + Duration::from_secs(3);
        while server.rtcd_metric("rtcd_rtc_sessions_total").await < sessions {
            assert!(Instant::now() < end);
        }
    };
    wait(100.0).await;
    assert_eq!(server.rtcd_metric("rtcd_rtc_sessions_total").await, 100.0);
    // Every node ends all sessions of its call twice, and the first session of its neighbour's.
    let ends = plugins.iter_mut().enumerate().map(|(call, plugin)| async move {
        for number in (0..10).chain(0..10) {
            plugin.say(&ClientMessage::Leave { session: format!("s{call}-{number}") }).await;
        }
        plugin.say(&ClientMessage::Leave { session: format!("s{}-0", (call + 1) % 10) }).await;
    });
    futures_util::future::join_all(ends).await;
    let mut ended = Vec::new();
    for plugin in &mut plugins {
        while let Ok(message) = timeout(Duration::from_millis(300), plugin.next()).await {
            let Ok(ServerMessage::Close { session }) = message else { panic!("{message:?}") };
            ended.push(session);
        }
    }
    ended.sort();
    let told = ended.len();
    ended.dedup();
    assert_eq!((told, ended.len()), (100, 100), "each is told once");
    assert_eq!(server.rtcd_metric("rtcd_rtc_sessions_total").await, 0.0);
    // A name is free again.
    plugins[0].join("call0", "s0-0", None).await;
    wait(1.0).await;
}

#[tokio::test]
async fn twenty_five_users_in_five_calls_connect() {
    let server = TestServer::start_rtcd().await;
    let key = server.register(REALM).await;
    let mut party = Party::new(REALM, Plugin::open(server.rtcd(), REALM, &key).await.unwrap());
    for number in 0..25 {
        party.enter(&format!("call{}", number % 5), &format!("user{number}"), By::Plugin).await;
    }
    party.play_until("all are in", |party| party.users.values().all(User::is_in)).await;
    let (udp, tcp) = (server.media_udp().port().to_string(), server.media_tcp().port().to_string());
    for (session, user) in &party.users {
        let of = |transport: &str, port: &str| {
            user.candidates.iter().any(|text| {
                let parts: Vec<&str> = text.split(' ').collect();
                parts[2] == transport && parts[5] == port && parts[7] == "host"
            })
        };
        assert!(of("udp", &udp) && of("tcp", &tcp), "{session}: {:?}", user.candidates);
    }
    assert_eq!(server.rtcd_metric("rtcd_rtc_conn_states_total").await, 25.0);
}

#[tokio::test]
async fn who_comes_later_gets_what_is_there_and_is_heard_within_a_second() {
    for (by, source, kind) in
        [(By::Plugin, Source::Camera, Tracked::Video), (By::Channel, Source::Screen, Tracked::Screen)]
    {
        let server = TestServer::start_rtcd().await;
        let key = server.register(REALM).await;
        let mut party = Party::new(REALM, Plugin::open(server.rtcd(), REALM, &key).await.unwrap());
        party.enter("c", "ana", by).await;
        party.play_until("she is in", |party| party.users["ana"].is_in()).await;
        let announced = match source {
            Source::Camera => Signal::VideoOn { stream: stream("ana", "camera") },
            _ => Signal::ScreenOn { stream: stream("ana", "screen") },
        };
        party.signal("ana", announced).await;
        party.publish("ana", &[source, Source::Voice]);
        party.play_until("what she sends is negotiated", |party| party.users["ana"].is_settled()).await;
        party.enter("c", "ben", by).await;
        let both = |party: &Party| {
            party.heard("ben", "ana", kind) > 10 && party.heard("ben", "ana", Tracked::Voice) > 10
        };
        party.play_until("he gets both", both).await;
        party.publish("ben", &[Source::Voice]);
        party.play_until("he is heard", |party| party.heard("ana", "ben", Tracked::Voice) > 0).await;
        let before = party.heard("ana", "ben", Tracked::Voice);
        party.play_for(Duration::from_secs(1)).await;
        assert!(party.heard("ana", "ben", Tracked::Voice) > before + 10);
    }
}

#[tokio::test]
async fn mute_and_unmute_negotiate_nothing() {
    for by in [By::Plugin, By::Channel] {
        let server = TestServer::start_rtcd().await;
        let key = server.register(REALM).await;
        let mut party = Party::new(REALM, Plugin::open(server.rtcd(), REALM, &key).await.unwrap());
        for session in ["ana", "ben"] {
            party.enter("c", session, by).await;
        }
        party.play_until("both are in", |party| party.users.values().all(User::is_in)).await;
        party.publish("ana", &[Source::Voice]);
        party.play_until("she is heard", |party| party.heard("ben", "ana", Tracked::Voice) > 10).await;
        party.play_until("all is settled", |party| party.users.values().all(User::is_settled)).await;
        let offers = |party: &Party| {
            party.users.values().map(|user| user.mapped_offers + user.unmapped_offers).sum::<usize>()
        };
        let before = offers(&party);
        for _ in 0..5 {
            for signal in [Signal::Mute, Signal::Mute, Signal::Unmute, Signal::Unmute] {
                party.signal("ana", signal).await;
                party.play_for(Duration::from_millis(30)).await;
            }
        }
        let heard = party.heard("ben", "ana", Tracked::Voice);
        party.play_for(Duration::from_millis(500)).await;
        assert!(party.heard("ben", "ana", Tracked::Voice) > heard + 5, "{by:?}: she is heard in the end");
        assert_eq!(offers(&party), before, "{by:?}");
    }
}

#[tokio::test]
async fn a_stop_amid_a_call_says_goodbye_and_is_soon_over() {
    let server = TestServer::start_rtcd().await;
    let key = server.register(REALM).await;
    let at = server.rtcd();
    let mut party = Party::new(REALM, Plugin::open(at, REALM, &key).await.unwrap());
    for session in ["ana", "ben"] {
        party.enter("c", session, By::Plugin).await;
    }
    party.play_until("both are in", |party| party.users.values().all(User::is_in)).await;
    // Others go on sending, and go on connecting.
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..8 {
        let key = key.clone();
        let mut plugin = Plugin::open(at, REALM, &key).await.unwrap();
        flood.spawn(async move {
            for session in 0_u32.. {
                plugin.join("c", &format!("s{number}-{session}"), None).await;
                if let Ok(Err(code)) = timeout(Duration::from_millis(1), plugin.maybe_next()).await {
                    return code;
                }
            }
            None
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    party.plugins.clear();
    let begun = Instant::now();
    let closed = |party: &Party| party.users.values().all(|user| user.client.closed);
    tokio::join!(server.stop(), party.play_until("their media ends", closed));
    // It has 5 s, and each farewell 2 s.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    while let Some(code) = flood.join_next().await {
        assert!(matches!(code.unwrap(), Some(1001) | None));
    }
    assert!(tokio::net::TcpStream::connect(at).await.is_err(), "nobody answers any more");
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = |rtcd: &str| {
        let rows = [
            ("data_dir", data.to_str().unwrap()),
            ("http.listen", "127.0.0.1:0"),
            ("media.listen_udp", "127.0.0.1:0"),
            ("media.listen_tcp", "127.0.0.1:0"),
            ("faces.rtcd.enabled", "true"),
            ("faces.rtcd.listen", rtcd),
        ];
        let flags =
            rows.map(|(key, value)| Override { key: key.into(), value: value.into(), flag: key.into() });
        load(None, [], &flags).unwrap()
    };
    let refused = Server::start(config(&address)).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains(&address), "{refused}");
    // What had been opened before is given back, the folder too.
    Server::start(config("127.0.0.1:0")).await.unwrap().stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn whoever_hangs_up_has_unregistered_all_the_same() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    let mut patience = Duration::from_micros(200);
    loop {
        let request = http_client().post(format!("http://{}/unregister", server.rtcd()));
        let request =
            request.basic_auth("clientA", Some(&key)).json(&serde_json::json!({"clientID": "clientA"}));
        // It may go away before, amid, or after.
        let _ = timeout(patience, request.send()).await;
        patience += Duration::from_micros(200);
        let login = http_client().post(format!("http://{}/login", server.rtcd()));
        let body = serde_json::json!({"clientID": "clientA", "authKey": key});
        if answer(login.json(&body)).await.0 != 200 {
            break;
        }
    }
    assert_eq!(timeout(Duration::from_secs(1), plugin.next()).await.unwrap(), Err(Some(1008)));
}
