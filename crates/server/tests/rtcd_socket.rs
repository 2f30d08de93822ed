//! The plugin's WebSocket through a real server: who is let in, what is read, and what ends it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test of a shell reads the clock")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::clients::rtcd::{By, Party, Plugin};
use testkit::server::{TestServer, answer, http_client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use wire::Masked;
use wire::rtcd::{ClientMessage, Description, Join, MAX_MESSAGE, ServerMessage, Signal};

const QUIET: Duration = Duration::from_millis(150);

#[tokio::test]
async fn only_who_is_believed_is_let_in() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let at = server.rtcd();
    let plugin = Plugin::open(at, "clientA", &key).await.unwrap();
    assert_eq!((plugin.client.as_str(), plugin.connection.len()), ("clientA", 26));
    let other = Plugin::open(at, "clientA", &key).await.unwrap();
    assert_ne!(plugin.connection, other.connection, "as many as there are nodes");
    let body = json!({"clientID": "clientA", "authKey": key});
    let (_, login) = answer(http_client().post(format!("http://{at}/login")).json(&body)).await;
    let bearer = format!("Bearer {}", login["bearerToken"].as_str().unwrap());
    assert_eq!(Plugin::open_with(at, &[("authorization", &bearer)]).await.unwrap().client, "clientA");
    assert_eq!(Plugin::open(at, "clientA", &key.replace('k', "x")).await.err(), Some(401));
    assert_eq!(Plugin::open(at, "nobody", &key).await.err(), Some(401));
    assert_eq!(Plugin::open_with(at, &[]).await.err(), Some(401));
    let host = at.to_string();
    for (origin, expected) in [
        (format!("http://{host}"), None),
        ("http://elsewhere.example".into(), Some(403)),
        ("null".into(), Some(403)),
    ] {
        let opened = Plugin::open_with(at, &[("authorization", &bearer), ("origin", &origin)]).await;
        assert_eq!(opened.err(), expected, "{origin}");
    }
}

/// Many servers behind one NAT have one address, and each keeps many connections.
#[tokio::test]
async fn one_address_may_have_more_connections_than_people_at_one_have_and_not_any_number() {
    const FOR_REQUESTS: usize = 256;
    let ask = async |at: SocketAddr| {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let mut begin = [0; 12];
        // What is refused is closed, perhaps before it is written to.
        let _ = stream.write_all(b"GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let is_answered = stream.read_exact(&mut begin).await.is_ok() && begin == *b"HTTP/1.1 200";
        (stream, is_answered)
    };
    for (kept, more) in [(None, 400), (Some(3), 3)] {
        let limit = kept.map(|kept: usize| ("faces.rtcd.sockets_per_address", kept.to_string()));
        let face = [("faces.rtcd.enabled", "true"), ("faces.rtcd.listen", "127.0.0.1:0")];
        let limit = limit.iter().map(|(key, kept)| (*key, kept.as_str()));
        let server = TestServer::start_with(&face.into_iter().chain(limit).collect::<Vec<_>>()).await;
        let mut streams = Vec::new();
        for _ in 0..FOR_REQUESTS + more {
            let (stream, is_answered) = ask(server.rtcd()).await;
            assert!(is_answered, "{kept:?}: after {}", streams.len());
            streams.push(stream);
        }
        assert_eq!(ask(server.rtcd()).await.1, kept.is_none(), "{kept:?}");
    }
}

#[tokio::test]
async fn every_captured_handshake_and_question_is_answered_as_captured() {
    const CAPTURED_KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";
    let face = [
        ("enabled", "true"),
        ("listen", "127.0.0.1:0"),
        ("allow_self_registration", "true"),
        ("enable_admin", "true"),
        ("admin_secret_key", "admin_secret_key"),
    ];
    let keys = face.map(|(key, value)| (format!("faces.rtcd.{key}"), value));
    let more: Vec<_> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let server = TestServer::start_with(&more).await;
    let base = format!("http://{}", server.rtcd());
    let body = json!({"clientID": "clientA", "authKey": CAPTURED_KEY});
    assert_eq!(
        answer(http_client().post(format!("{base}/register")).json(&body)).await.0,
        StatusCode::CREATED
    );
    let (_, login) = answer(http_client().post(format!("{base}/login")).json(&body)).await;
    let token = login["bearerToken"].as_str().unwrap();
    let vectors: Value =
        serde_json::from_str(include_str!("../../wire/tests/vectors/rtcd/http.json")).unwrap();
    let mut replayed = 0;
    for exchange in vectors["exchanges"].as_array().unwrap() {
        let name = exchange["name"].as_str().unwrap();
        if !["ws:", "sessions:", "session:"].iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let (request, captured) = (&exchange["request"], &exchange["response"]);
        let method = Method::from_bytes(request["method"].as_str().unwrap().as_bytes()).unwrap();
        let no_redirects =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut asked = no_redirects.request(method, format!("{base}{}", request["path"].as_str().unwrap()));
        for (header, value) in request["headers"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            // The token that was good when this was captured; the others are bad here too.
            let is_good = captured["status"] != 401 && value.starts_with("Bearer ");
            asked = asked.header(header, if is_good { format!("Bearer {token}") } else { value.to_owned() });
        }
        let response = asked.send().await.unwrap();
        let mut expected = captured["status"].as_u64().unwrap();
        // rtcd's one answer that is not as it should be.
        let refused_socket = name == "ws: no credentials" || name == "ws: wrong key";
        if refused_socket {
            expected = 401;
        }
        assert_eq!(u64::from(response.status().as_u16()), expected, "{name}");
        for (header, value) in captured["headers"].as_object().unwrap() {
            let is_told = !["Date", "Content-Length"].contains(&header.as_str());
            if is_told && !refused_socket {
                let got = response.headers().get(header).unwrap_or_else(|| panic!("{name}: {header}"));
                assert!(
                    got.to_str().unwrap().eq_ignore_ascii_case(value.as_str().unwrap()),
                    "{name}: {header} {got:?}"
                );
            }
        }
        if expected != 101 && !refused_socket {
            assert_eq!(response.text().await.unwrap(), captured["body"].as_str().unwrap(), "{name}");
        }
        replayed += 1;
    }
    assert!(replayed > 20, "{replayed}");
}

#[tokio::test]
async fn every_captured_error_leaves_the_connection_as_it_was() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    let scenario: Value =
        serde_json::from_str(include_str!("../../wire/tests/vectors/rtcd/ws-errors.json")).unwrap();
    let mut said = 0;
    for (frame, text) in frames_of_client(&scenario) {
        // The session that joins there comes to its offer too, and to its end.
        plugin
            .send(if text {
                Message::text(String::from_utf8(frame).unwrap())
            } else {
                Message::binary(frame)
            })
            .await;
        said += 1;
    }
    assert_eq!(said, 34);
    let mut heard = Vec::new();
    loop {
        let message = plugin.next().await.unwrap();
        let ended = matches!(message, ServerMessage::Close { .. });
        heard.push(match message {
            ServerMessage::Rtc(rtc) => format!("rtc {:?} {}", rtc.kind, rtc.session),
            ServerMessage::Close { session } => format!("close {session}"),
            other => panic!("{other:?}"),
        });
        if ended {
            break;
        }
    }
    assert_eq!(heard.last().unwrap(), "close sessionA");
    assert!(heard.iter().all(|heard| heard.ends_with(" sessionA")), "{heard:?}");
    assert!(plugin.is_quiet(QUIET).await);
}

#[tokio::test]
async fn what_a_connection_may_not_send_ends_that_connection_alone() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let open = async || Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    let mut bystander = open().await;
    let mut plugin = open().await;
    // As large as may be; it says nothing, and is passed over.
    plugin.send(Message::binary(vec![0xc0; MAX_MESSAGE])).await;
    plugin.send(Message::text("not for us")).await;
    assert!(plugin.is_quiet(QUIET).await);
    plugin.send(Message::binary(vec![0xc0; MAX_MESSAGE + 1])).await;
    assert_eq!(plugin.next().await, Err(Some(1009)));
    // The same in pieces.
    let mut plugin = open().await;
    let half = vec![0xc0; MAX_MESSAGE / 2 + 1];
    plugin.send(piece(half.clone(), OpCode::Data(Data::Binary), false)).await;
    plugin.send(piece(half, OpCode::Data(Data::Continue), true)).await;
    assert_eq!(plugin.next().await, Err(Some(1009)));
    // A continuation of nothing.
    let mut plugin = open().await;
    plugin.send(piece(vec![1], OpCode::Data(Data::Continue), true)).await;
    assert_eq!(plugin.next().await, Err(Some(1002)));
    let mut plugin = open().await;
    plugin.send(piece(vec![], OpCode::Control(Control::Reserved(11)), true)).await;
    assert!(matches!(plugin.next().await, Err(Some(1002))));
    assert!(bystander.is_quiet(QUIET).await);
    bystander.join("c", "s", None).await;
    bystander.say(&ClientMessage::Leave { session: "s".into() }).await;
    assert_eq!(bystander.next().await, Ok(ServerMessage::Close { session: "s".into() }));
}

#[tokio::test]
async fn who_closes_is_answered_with_its_own_code() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    for code in [Some(1000), Some(3000), None] {
        let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
        plugin.join("c", "s", None).await;
        let frame = code.map(|code: u16| CloseFrame { code: code.into(), reason: "done".into() });
        plugin.send(Message::Close(frame)).await;
        assert_eq!(plugin.next().await, Err(code), "an answer, and not the end of the stream alone");
    }
    // A text that is no UTF-8 is no text.
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    plugin.send(piece(vec![0xff, 0xff], OpCode::Data(Data::Text), true)).await;
    assert_eq!(plugin.next().await, Err(Some(1007)));
}

#[tokio::test]
async fn a_handshake_needs_a_key_and_a_path_that_is_no_text_names_no_call() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let status = async |path: &str, headers: &[(&str, &str)], with_key: bool| {
        let mut request = http_client().get(format!("http://{}{path}", server.rtcd()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if with_key {
            request = request.basic_auth("clientA", Some(&key));
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.headers().contains_key("sec-websocket-version"))
    };
    let upgrade = |key| {
        [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", key),
        ]
    };
    for bad in ["short", "dGhlIHNhbXBsZSBub25jZQ", "AAAAAAAAAAAAAAAAAAAAAAAAAA=="] {
        assert_eq!(status("/ws", &upgrade(bad), true).await, (400, true), "{bad}");
    }
    assert_eq!(status("/ws", &upgrade("dGhlIHNhbXBsZSBub25jZQ=="), true).await, (101, false));
    for path in ["/calls/%ff/sessions", "/calls/%ff/sessions/%fe"] {
        assert_eq!(status(path, &[], false).await, (401, false), "{path}");
        assert_eq!(status(path, &[], true).await, (404, false), "{path}");
    }
}

#[tokio::test]
async fn a_join_whose_ids_are_in_a_bad_form_is_answered_as_one_that_is_too_many() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    let long = "x".repeat(300);
    for (call, user, session) in
        [("c", long.as_str(), "s"), ("a\nb", "u", "s"), ("c", "u", "a b"), ("c", "u", &long)]
    {
        let (call, user, session) = (call.to_owned(), user.to_owned(), session.to_owned());
        let join = Join { call, user, session: session.clone(), channel: None, av1: None, by_channel: None };
        plugin.say(&ClientMessage::Join(join)).await;
        assert_eq!(plugin.next().await, Ok(ServerMessage::Close { session }));
    }
    assert_eq!(server.rtcd_metric("rtcd_rtc_sessions_total").await, 0.0);
    // One that lacks an id, as captured: a mistake that no user waits behind.
    plugin.send(Message::binary(b"\xa4join\x82\xa6callID\xa1c\xa9sessionID\xa1s".to_vec())).await;
    assert!(plugin.is_quiet(QUIET).await);
}

#[tokio::test]
async fn a_message_in_pieces_is_one() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    plugin.join("c", "s", None).await;
    let bytes = ClientMessage::Leave { session: "s".into() }.encode();
    let (first, rest) = bytes.split_at(3);
    let (second, third) = rest.split_at(5);
    plugin.send(piece(first.to_vec(), OpCode::Data(Data::Binary), false)).await;
    plugin.send(Message::Ping(b"between".as_slice().into())).await;
    plugin.send(piece(second.to_vec(), OpCode::Data(Data::Continue), false)).await;
    plugin.send(piece(third.to_vec(), OpCode::Data(Data::Continue), true)).await;
    assert_eq!(plugin.next().await, Ok(ServerMessage::Close { session: "s".into() }));
}

#[tokio::test]
async fn who_never_answers_a_ping_is_cut_off() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let began = Instant::now();
    // It says something now and then, and reads nothing, so it answers no ping.
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    while server.rtcd_metric("rtcd_ws_connections_total").await > 0.0 {
        plugin.send(Message::binary(vec![0xc0])).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(began.elapsed() < Duration::from_secs(22), "20 s without a pong, and it was not cut off");
    }
    assert!(began.elapsed() > Duration::from_secs(19), "too early");
}

#[tokio::test]
async fn an_unregistered_client_is_cut_off_and_its_sessions_end() {
    let server = TestServer::start_rtcd().await;
    let (key, other_key) = (server.register("clientA").await, server.register("clientB").await);
    let mut party = Party::new("clientA", Plugin::open(server.rtcd(), "clientA", &key).await.unwrap());
    let mut other = Plugin::open(server.rtcd(), "clientB", &other_key).await.unwrap();
    party.enter("c", "s", By::Plugin).await;
    party.play_until("it is in", |party| party.users["s"].is_in()).await;
    let unregister = http_client().post(format!("http://{}/unregister", server.rtcd()));
    let unregister = unregister.basic_auth("clientA", Some(&key)).json(&json!({"clientID": "clientA"}));
    let asked = Instant::now();
    assert_eq!(answer(unregister).await.0, StatusCode::OK);
    assert_eq!(party.plugins[0].next().await, Err(Some(1008)));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    party.plugins.clear();
    party.play_until("its media ends", |party| party.users["s"].client.closed).await;
    assert_eq!(Plugin::open(server.rtcd(), "clientA", &key).await.err(), Some(401));
    assert!(other.is_quiet(QUIET).await);
}

#[tokio::test]
async fn a_realm_sees_its_own_sessions_and_no_others() {
    let server = TestServer::start_rtcd().await;
    let (key, other_key) = (server.register("clientA").await, server.register("clientB").await);
    let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
    let mut other = Plugin::open(server.rtcd(), "clientB", &other_key).await.unwrap();
    let ask = async |client: &str, key: &str, path: &str| {
        let request = http_client().get(format!("http://{}/calls/{path}", server.rtcd()));
        let response = request.basic_auth(client, Some(key)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    // As captured: ws-connect.json and ws-same-id-two-calls.json.
    let join = b"\xa4join\x86\xa9sessionID\xa8sessionA\xa9channelID\xa5callA\xaaav1Support\xc2\xabdcSignaling\xc2\xa6callID\xa5callA\xa6userID\xa5userA";
    plugin.send(Message::binary(join.to_vec())).await;
    other.join("callA", "sessionA", None).await;
    other.join("callB", "sessionB", None).await;
    let shown = r#"{"GroupID":"clientA","CallID":"callA","UserID":"userA","SessionID":"sessionA","Props":{"av1Support":false,"channelID":"callA","dcSignaling":false}}"#;
    let rows = [
        ("callA/sessions", 200, format!("[{shown}]\n")),
        ("callA/sessions/sessionA", 200, format!("{shown}\n")),
        ("callA/sessions/other", 404, "failed to get session config: session not found\n".into()),
        ("callB/sessions", 404, "failed to get session configs: call not found\n".into()),
        ("callB/sessions/sessionB", 404, "failed to get session config: call not found\n".into()),
    ];
    // What was said by a socket is done by and by.
    while ask("clientA", &key, "callA/sessions").await.0 != 200 {}
    for (path, status, body) in rows {
        assert_eq!(ask("clientA", &key, path).await, (status, body), "{path}");
    }
    let bare = r#"[{"GroupID":"clientB","CallID":"callB","UserID":"user of sessionB","SessionID":"sessionB","Props":{"av1Support":null,"channelID":null,"dcSignaling":null}}]"#;
    while ask("clientB", &other_key, "callB/sessions").await.0 != 200 {}
    assert_eq!(ask("clientB", &other_key, "callB/sessions").await.1, format!("{bare}\n"));
    // The other realm tries its names on ours.
    other.say(&ClientMessage::Leave { session: "sessionA".into() }).await;
    other.say(&ClientMessage::Leave { session: "sessionA".into() }).await;
    let offer = Description::Offer(Masked("nonsense".into()));
    other.signal("sessionA", &Signal::Description(offer)).await;
    assert_eq!(other.next().await, Ok(ServerMessage::Close { session: "sessionA".into() }));
    assert!(other.is_quiet(QUIET).await && plugin.is_quiet(QUIET).await);
    assert_eq!(ask("clientA", &key, "callA/sessions").await.0, 200);
    plugin.say(&ClientMessage::Leave { session: "sessionA".into() }).await;
    assert_eq!(plugin.next().await, Ok(ServerMessage::Close { session: "sessionA".into() }));
    assert_eq!(
        ask("clientA", &key, "callA/sessions").await,
        (404, "failed to get session configs: group not found\n".into())
    );
}

#[tokio::test]
async fn a_first_offer_that_is_bad_or_never_comes_ends_the_session_as_captured() {
    let server = TestServer::start_rtcd().await;
    let key = server.register("clientA").await;
    let scenarios = [
        (include_str!("../../wire/tests/vectors/rtcd/ws-bad-first-offer.json"), 0.0..2.0),
        (include_str!("../../wire/tests/vectors/rtcd/ws-signaling-timeout.json"), 10.0..12.0),
    ];
    // Kept open: of what a broken one was told the next is told again.
    let mut plugins = Vec::new();
    for (scenario, after) in scenarios {
        let scenario: Value = serde_json::from_str(scenario).unwrap();
        let mut plugin = Plugin::open(server.rtcd(), "clientA", &key).await.unwrap();
        let began = Instant::now();
        for (frame, _) in frames_of_client(&scenario) {
            plugin.send(Message::binary(frame)).await;
        }
        assert_eq!(plugin.next().await, Ok(ServerMessage::Close { session: "sessionA".into() }));
        assert!(after.contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
        assert!(plugin.is_quiet(QUIET).await);
        plugins.push(plugin);
    }
    assert!(server.rtcd_metric("rtcd_rtc_errors_total").await > 1.0);
    assert_eq!(server.rtcd_metric("rtcd_rtc_sessions_total").await, 0.0);
}

/// What a captured client sent by its WebSocket, and whether as a text.
fn frames_of_client(scenario: &Value) -> Vec<(Vec<u8>, bool)> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    let frames =
        scenario["frames"].as_array().unwrap().iter().filter(|frame| frame["dir"] == "client->server");
    let sockets = frames.filter(|frame| frame["channel"] == "ws" || frame["channel"] == "ws-text");
    sockets
        .map(|frame| {
            let hex = frame["hex"].as_str().unwrap().as_bytes();
            (hex.chunks(2).map(byte).collect(), frame["channel"] == "ws-text")
        })
        .collect()
}

fn piece(bytes: Vec<u8>, opcode: OpCode, last: bool) -> Message {
    let header = FrameHeader { is_final: last, opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
    Message::Frame(Frame::from_payload(header, bytes.into()))
}
