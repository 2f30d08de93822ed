//! The rooms face on real sockets: who gets in, who is put out, and who notices.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::IpAddr;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::clients::rooms::{Browser, Socket};
use testkit::server::{TestServer, answer};

const ALL: [&str; 4] = ["speak", "camera", "share", "moderate"];

#[tokio::test]
async fn two_join_and_see_each_other() {
    let server = TestServer::start().await;
    let (room, ana, ben) = two(&server).await;
    let (mut hers, welcome) = ana.enter(&server).await;
    assert_eq!(welcome["participant_id"], ana.id.as_str());
    assert_eq!((&welcome["room_id"], &welcome["room_name"]), (&json!(room), &json!("Standup")));
    assert_eq!((&welcome["name"], &welcome["media"]), (&json!("Ana"), &Value::Null));
    assert_eq!(welcome["permissions"], json!(ALL));
    let (mut his, _) = ben.enter(&server).await;
    let expected = json!([
        {"participant_id": ana.id, "name": "Ana", "permissions": ALL, "connected": true, "muted": []},
        {"participant_id": ben.id, "name": "Ben", "permissions": ALL, "connected": true, "muted": []},
    ]);
    assert_eq!(hers.roster_of(2).await["participants"], expected);
    assert_eq!(his.roster_of(2).await["participants"], expected);
    assert_eq!(server.room(&room).await["participants"], expected);

    his.say(&json!({"type": "mute", "source": "camera", "muted": true})).await;
    let roster = hers.next_of("roster").await;
    assert_eq!(roster["participants"][1]["muted"], json!(["camera"]));
    his.say(&json!({"type": "ping"})).await;
    his.next_of("pong").await;
    his.say(&json!({"type": "leave"})).await;
    assert_eq!(his.end().await, (json!({"type": "goodbye", "reason": "left"}), Some(4000)));
    assert_eq!(hers.roster_of(1).await["participants"][0]["name"], "Ana");
    assert_turned_away(&server, &ben).await;
}

#[tokio::test]
async fn who_closes_is_answered_with_its_own_code() {
    let server = TestServer::start().await;
    let (_, ana, _) = two(&server).await;
    for code in [Some(1000), Some(3000), None] {
        let (mut inside, _) = ana.enter(&server).await;
        let mut stranger = Socket::open(&server).await;
        for socket in [&mut inside, &mut stranger] {
            socket.close(code).await;
            assert_eq!(socket.end().await.1, code, "an answer, and not the end of the stream alone");
        }
    }
}

#[tokio::test]
async fn a_first_message_is_good_on_its_own_socket_only() {
    let server = TestServer::start().await;
    let (_, ana, _) = two(&server).await;
    let mut socket = Socket::open(&server).await;
    let first = ana.first_message(&socket.next().await);
    socket.say(&first).await;
    assert_eq!(socket.next().await["type"], "welcome");

    let mut replay = Socket::open(&server).await;
    replay.next().await;
    replay.say(&first).await;
    assert_eq!(replay.end().await, denied());

    socket.say(&json!({"type": "ping"})).await;
    socket.next_of("pong").await;
    assert!(!socket.skipped.iter().any(|message| message["type"] == "goodbye"));
}

#[tokio::test]
async fn a_stolen_token_opens_nothing() {
    let server = TestServer::start().await;
    let (_, ana, ben) = two(&server).await;
    let (mut hers, _) = ana.enter(&server).await;
    let mut thief = Browser::new();
    thief.token.clone_from(&ana.token);
    assert_turned_away(&server, &thief).await;
    let mut unknown = Browser::new();
    unknown.token = format!("css_{}", "A".repeat(43));
    assert_turned_away(&server, &unknown).await;
    thief.token = ben.token[4..].to_owned();
    assert_turned_away(&server, &thief).await;
    hers.say(&json!({"type": "ping"})).await;
    hers.next_of("pong").await;
}

#[tokio::test]
async fn whatever_else_comes_first_is_denied() {
    let server = TestServer::start().await;
    for first in ["", "{", r#"{"type":"ping"}"#, r#"{"type":"leave"}"#, &"x".repeat(9_000)] {
        let mut socket = Socket::open(&server).await;
        assert_eq!(socket.next().await["type"], "hello");
        socket.say_text(first).await;
        assert_eq!(socket.end().await, denied(), "{first:.40}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_answered_and_the_session_goes_on() {
    let server = TestServer::start().await;
    let (_, ana, _) = two(&server).await;
    let (mut socket, _) = ana.enter(&server).await;
    let long = format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(wire::rooms::MAX_MESSAGE));
    let deep = format!(r#"{{"type":"ping","x":{}{}}}"#, "[".repeat(9_000), "]".repeat(9_000));
    let rows = [
        ("{", "malformed", Value::Null),
        (r#"{"type":"fly"}"#, "malformed", Value::Null),
        (r#"{"type":"ping","type":"ping"}"#, "malformed", Value::Null),
        (r#"{"type":"mute","source":"all","muted":true}"#, "malformed", json!("mute")),
        (r#"{"type":"authenticate"}"#, "malformed", json!("authenticate")),
        (&deep, "malformed", Value::Null),
        (&long, "too-large", Value::Null),
    ];
    for (text, code, about) in rows {
        socket.say_text(text).await;
        let error = socket.next_of("error").await;
        assert_eq!((&error["code"], &error["about"]), (&json!(code), &about), "{text:.60}");
    }
    socket.say(&json!({"type": "ping"})).await;
    socket.next_of("pong").await;
}

#[tokio::test]
async fn a_foreign_page_opens_no_socket() {
    let server = TestServer::start().await;
    let local: IpAddr = [127, 0, 0, 1].into();
    let port = server.address.port();
    for foreign in ["http://evil.example".to_owned(), "null".to_owned(), format!("https://127.0.0.1:{port}")]
    {
        assert_eq!(Socket::open_from(&server, local, Some(&foreign)).await.err(), Some(403), "{foreign}");
    }
    for own in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")] {
        assert!(Socket::open_from(&server, local, Some(&own)).await.is_ok(), "{own}");
    }
}

#[tokio::test]
async fn a_second_socket_replaces_the_first() {
    let server = TestServer::start().await;
    let (_, ana, ben) = two(&server).await;
    let (mut his, _) = ben.enter(&server).await;
    let (mut first, _) = ana.enter(&server).await;
    his.roster_of(2).await;
    let (mut second, welcome) = ana.enter(&server).await;
    assert_eq!(welcome["participant_id"], ana.id.as_str());
    assert_eq!(first.end().await, (json!({"type": "goodbye", "reason": "replaced"}), Some(4000)));
    second.roster_of(2).await;
    his.say(&json!({"type": "ping"})).await;
    his.next_of("pong").await;
    let gone = |message: &Value| message["participants"].as_array().is_some_and(|list| list.len() < 2);
    assert!(!his.skipped.iter().any(gone), "Ben never saw her gone");
}

#[tokio::test]
async fn who_loses_the_socket_keeps_the_place() {
    let server = TestServer::start().await;
    let (_, ana, ben) = two(&server).await;
    let (mut hers, _) = ana.enter(&server).await;
    let (mut his, _) = ben.enter(&server).await;
    his.roster_of(2).await;
    hers.say(&json!({"type": "mute", "source": "voice", "muted": true})).await;
    his.next_of("roster").await;
    drop(hers);
    let roster = his.next_of("roster").await;
    assert_eq!(
        (&roster["participants"][0]["connected"], roster["participants"][0]["name"].as_str()),
        (&json!(false), Some("Ana"))
    );
    let (mut again, _) = ana.enter(&server).await;
    let roster = again.next_of("roster").await;
    let first = &roster["participants"][0];
    assert_eq!(
        (&first["name"], &first["connected"], &first["muted"]),
        (&json!("Ana"), &json!(true), &json!(["voice"]))
    );
}

#[tokio::test]
async fn a_moderator_removes_and_ends() {
    let server = TestServer::start().await;
    let room = server.create_room().await;
    let (_, moderators) = server.invite(&room, 1, &ALL).await;
    let (_, others) = server.invite(&room, 2, &["speak"]).await;
    let ana = Browser::join(&server, &moderators, "Ana").await;
    let ben = Browser::join(&server, &others, "Ben").await;
    let cem = Browser::join(&server, &others, "Cem").await;
    let (mut hers, _) = ana.enter(&server).await;
    let (mut his, _) = ben.enter(&server).await;
    let (mut third, _) = cem.enter(&server).await;
    for message in [json!({"type": "remove", "participant_id": ana.id}), json!({"type": "end"})] {
        his.say(&message).await;
        let error = his.next_of("error").await;
        assert_eq!((&error["code"], &error["about"]), (&json!("forbidden"), &message["type"]));
    }
    hers.say(&json!({"type": "remove", "participant_id": "0".repeat(32)})).await;
    assert_eq!(hers.next_of("error").await["code"], "not-found");
    hers.say(&json!({"type": "remove", "participant_id": ben.id})).await;
    assert_eq!(his.end().await, (json!({"type": "goodbye", "reason": "removed"}), Some(4000)));
    assert_turned_away(&server, &ben).await;
    hers.say(&json!({"type": "end"})).await;
    assert_eq!(hers.end().await.0["reason"], "ended");
    assert_eq!(third.end().await.0["reason"], "ended");
    let shown = answer(server.admin(Method::GET, &format!("/v1/admin/rooms/{room}"))).await;
    assert_eq!(shown.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_restart_says_goodbye_and_the_token_stays_good() {
    let server = TestServer::start().await;
    let (_, ana, _) = two(&server).await;
    let (mut hers, _) = ana.enter(&server).await;
    let hear = async {
        let end = hers.end().await;
        // A browser that got its goodbye lets go.
        drop(hers);
        end
    };
    let (server, end) = tokio::join!(server.restart(), hear);
    assert_eq!(end, (json!({"type": "goodbye", "reason": "shutdown"}), Some(4000)));
    let (mut again, welcome) = ana.enter(&server).await;
    assert_eq!((&welcome["participant_id"], &welcome["media"]), (&json!(ana.id), &Value::Null));
    again.roster_of(1).await;
}

async fn two(server: &TestServer) -> (String, Browser, Browser) {
    let room = server.create_room().await;
    let (_, invite) = server.invite(&room, 2, &ALL).await;
    let ana = Browser::join(server, &invite, "Ana").await;
    let ben = Browser::join(server, &invite, "Ben").await;
    (room, ana, ben)
}

async fn assert_turned_away(server: &TestServer, browser: &Browser) {
    let mut socket = Socket::open(server).await;
    let hello = socket.next().await;
    socket.say(&browser.first_message(&hello)).await;
    assert_eq!(socket.end().await, denied());
}

fn denied() -> (Value, Option<u16>) {
    let error =
        json!({"type": "error", "code": "denied", "message": "not believed", "about": "authenticate"});
    (error, Some(4001))
}
