//! Sockets of the verto face through a real server: envelopes, logins, and one connection a client. The numbers in the names of tests are
//! those of the list in `docs/faces/verto.md`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test of a shell reads the clock")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::clients::verto::{Credential, Socket, channel, issue, start};
use testkit::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

const REQUIRED: &str = "Authentication Required";
const FAILURE: &str = "Authentication Failure";

async fn server() -> TestServer {
    start(&[]).await
}

/// A server with one client in a channel.
async fn with_client(limits: &[(&str, u32)]) -> (TestServer, Credential) {
    let server = start(limits).await;
    let channel = channel(&server, json!({})).await;
    let client = issue(&server, &channel, None).await;
    (server, client)
}

fn said(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    (error["code"].as_i64().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn v01_what_is_not_json_is_an_invalid_request_and_the_socket_stays() {
    let server = server().await;
    let mut socket = Socket::open(server.verto()).await;
    for text in [
        "",
        "nonsense",
        "{",
        "{}x",
        "\u{feff}{}",
        "7",
        "null",
        "\"x\"",
        "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
    ] {
        socket.say(text).await;
        let heard = socket.next().await.unwrap();
        assert_eq!((said(&heard), &heard["id"]), ((-32600, "Invalid Request"), &Value::Null), "{text}");
    }
    assert_eq!(said(&socket.ask("echo", json!({})).await), (-32000, REQUIRED));
}

#[tokio::test]
async fn v02_v03_the_version_is_required_and_an_id_comes_back_as_it_was() {
    let server = server().await;
    let mut socket = Socket::open(server.verto()).await;
    for (frame, id) in [
        (r#"{"id":7,"method":"echo"}"#, json!(7)),
        (r#"{"jsonrpc":"1.0","id":"x","method":"echo"}"#, json!("x")),
        (r#"{"jsonrpc":2.0,"id":-1,"method":"echo"}"#, json!(-1)),
        (r#"{"jsonrpc":"2.0","id":8,"method":"echo","params":[]}"#, json!(8)),
        (r#"{"jsonrpc":"2.0","id":null,"method":"echo"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":{},"method":"echo"}"#, Value::Null),
    ] {
        socket.say(frame).await;
        let heard = socket.next().await.unwrap();
        assert_eq!((said(&heard).0, &heard["id"]), (-32600, &id), "{frame}");
    }
    for id in [json!(7), json!("x"), json!("7"), json!(0), json!(-3), json!(1.5), json!(""), json!(u64::MAX)]
    {
        socket.say(json!({"jsonrpc": "2.0", "id": id, "method": "echo"}).to_string()).await;
        let heard = socket.next().await.unwrap();
        assert_eq!((said(&heard).0, heard["id"].to_string()), (-32000, id.to_string()));
    }
}

#[tokio::test]
async fn v04_v05_v13_notifications_acknowledgements_and_speed_tests_get_no_answer() {
    let (server, client) = with_client(&[]).await;
    let mut socket = Socket::open(server.verto()).await;
    let frames = [
        r#"{"jsonrpc":"2.0","method":"echo","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"method":"verto.ping"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"echo"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
        "#SPU 1000",
        "#SPB ....",
        "#SPE",
        "#",
    ];
    for frame in frames {
        socket.say(frame).await;
    }
    assert_eq!(said(&socket.ask("echo", json!({})).await).0, -32000, "the first that is answered");
    let mut member = Socket::member(server.verto(), &client).await;
    for frame in frames {
        member.say(frame).await;
    }
    assert!(member.is_quiet().await);
}

#[tokio::test]
async fn v06_v07_batches_and_duplicate_members_are_refused_once() {
    let (server, client) = with_client(&[]).await;
    let mut socket = Socket::member(server.verto(), &client).await;
    for frame in [
        r#"[{"jsonrpc":"2.0","id":1,"method":"echo","params":{}},{"jsonrpc":"2.0","id":2,"method":"echo","params":{}}]"#,
        "[]",
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"echo","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"echo","method":"login","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"echo","params":{"a":1,"a":2}}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"verto.info","params":{"msg":{"to":"x","to":"y","body":"z"}}}"#,
    ] {
        socket.say(frame).await;
        assert_eq!(said(&socket.next().await.unwrap()).0, -32600, "{frame}");
        assert!(socket.is_quiet().await, "{frame}");
    }
}

#[tokio::test]
async fn v11_what_is_too_large_or_no_text_closes() {
    let server = server().await;
    let at = server.verto();
    let text = OpCode::Data(Data::Text);
    let header = FrameHeader { opcode: text, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
    // 0xff is in no UTF-8; the library masks what it sends.
    let no_utf8 = Message::Frame(Frame::from_payload(header, vec![0xff].into()));
    for (frame, expected) in
        [(Message::text("x".repeat(65_537)), 1009), (Message::binary(b"{}".to_vec()), 1003), (no_utf8, 1007)]
    {
        let mut socket = Socket::open(at).await;
        socket.send(frame).await;
        assert_eq!(socket.last_words().await.1, Some(expected));
    }
    let mut socket = Socket::open(at).await;
    socket.say(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(65_000))).await;
    assert_eq!(said(&socket.next().await.unwrap()).0, -32000, "up to the limit it is read");
}

#[tokio::test]
async fn who_is_still_speaking_hears_why_the_socket_is_closed() {
    const LENGTH: u32 = 8_000_000;
    const CLOSED_FOR_SIZE: [u8; 4] = [0x88, 2, 0x03, 0xf1];
    let server = server().await;
    // A text frame, and a mask that changes nothing (RFC 6455 §5.2).
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend(u64::from(LENGTH).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend((0..LENGTH).map(|_| b'x'));
    for _ in 0..5 {
        let mut socket = TcpStream::connect(server.verto()).await.unwrap();
        let key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13";
        let upgrade = format!(
            "GET /verto HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n\r\n"
        );
        socket.write_all(upgrade.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            heard.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(&frame).await.expect("all is taken");
        heard.clear();
        socket.read_to_end(&mut heard).await.expect("the connection is not reset");
        assert_eq!(heard, CLOSED_FOR_SIZE);
    }
}

#[tokio::test]
async fn who_closes_is_answered_with_its_own_code() {
    let (server, client) = with_client(&[("takeover_seconds", 1)]).await;
    for code in [Some(1000), Some(3000), None] {
        let mut member = Socket::member(server.verto(), &client).await;
        let mut stranger = Socket::open(server.verto()).await;
        for socket in [&mut member, &mut stranger] {
            let frame = code.map(|code: u16| CloseFrame { code: code.into(), reason: "done".into() });
            socket.send(Message::Close(frame)).await;
            assert_eq!(socket.last_words().await, (vec![], code), "not the end of the stream alone");
        }
    }
}

#[tokio::test]
async fn v12_pings_are_answered_and_come_every_25_seconds() {
    let server = start(&[("authenticate_seconds", 60)]).await;
    let mut socket = Socket::open(server.verto()).await;
    let begun = Instant::now();
    socket.send(Message::Ping(b"{\"x\":1}".to_vec().into())).await;
    let heard = timeout(Duration::from_secs(5), socket.raw()).await.unwrap().unwrap();
    assert_eq!(heard, Message::Pong(b"{\"x\":1}".to_vec().into()));
    let heard = timeout(Duration::from_secs(35), socket.raw()).await.unwrap().unwrap();
    assert!(matches!(heard, Message::Ping(_)), "{heard:?}");
    let waited = begun.elapsed().as_secs_f32();
    assert!((20.0..30.0).contains(&waited), "{waited}");
}

#[tokio::test]
async fn v14_v15_v16_whoever_has_not_logged_in_is_told_to() {
    let (server, client) = with_client(&[]).await;
    let mut socket = Socket::open(server.verto()).await;
    for method in
        ["echo", "verto.ping", "verto.subscribe", "verto.broadcast", "verto.info", "verto.invite", "x"]
    {
        let mut params = client.login();
        params["eventChannel"] = client.channel.as_str().into();
        assert_eq!(said(&socket.ask(method, params).await), (-32000, REQUIRED), "{method}");
    }
    for _ in 0..10 {
        let params = json!({"sessid": client.client, "loginParams": {}, "userVariables": {}});
        assert_eq!(said(&socket.ask("login", params).await), (-32000, REQUIRED));
        assert_eq!(said(&socket.ask("login", json!({"login": "", "passwd": "x"})).await), (-32000, REQUIRED));
    }
    assert_eq!(socket.ask("login", client.login()).await["result"]["message"], "logged in");
}

#[tokio::test]
async fn v09_v10_v17_a_login_is_answered_and_then_the_client_is_ready_once() {
    let (server, client) = with_client(&[]).await;
    let mut socket = Socket::open(server.verto()).await;
    let begun = Instant::now();
    socket.request("login", client.login()).await;
    let answer = socket.next().await.unwrap();
    assert_eq!(answer["result"], json!({"message": "logged in", "sessid": client.client}));
    let ready = socket.next().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(
        (&ready["method"], &ready["params"]),
        (&json!("verto.clientReady"), &json!({"reattached_sessions": []}))
    );
    assert!(ready["id"].as_u64().unwrap() >= 1_000_000_000);
    assert!(socket.is_quiet().await);
    let answer = socket.ask("echo", json!({"result": 1, "sessid": "mine", "a": 1})).await;
    assert_eq!(answer["result"], json!({"a": 1, "sessid": client.client}), "no result in a result");
}

#[tokio::test]
async fn v18_a_domain_behind_the_name_makes_no_difference() {
    let server = server().await;
    let channel = channel(&server, json!({"sessid_policy": "strict-login-id", "capacity": 1})).await;
    let client = issue(&server, &channel, None).await;
    let login = |name: String| json!({"login": name, "passwd": client.password, "sessid": client.client});
    let mut first = Socket::open(server.verto()).await;
    let answer = first.ask("login", login(format!("{}@anything.example", client.client))).await;
    assert_eq!(answer["result"], json!({"message": "logged in", "sessid": client.client}));
    let mut second = Socket::open(server.verto()).await;
    let answer = second.ask("login", login(format!("{}@x@y", client.client))).await;
    assert_eq!(
        answer["result"]["message"], "logged in",
        "the same client takes over, and fills no second place"
    );
    assert_eq!(first.last_words().await.1, Some(4001));
}

#[tokio::test]
async fn v19_what_is_wrong_with_a_login_is_told_neither_by_words_nor_by_time() {
    let limits = [
        ("fresh_seconds", 1),
        ("login_failures_per_socket", 100_000),
        ("login_failures_per_minute", 100_000),
        ("messages_per_second", 10_000),
        ("message_burst", 10_000),
    ];
    let (server, expired) = with_client(&limits).await;
    sleep(Duration::from_millis(1_100)).await;
    let known = issue(&server, &expired.channel, None).await;
    let wrong = json!({"login": known.client, "passwd": "0".repeat(64)});
    let unknown = json!({"login": "00000000-0000-4000-8000-000000000000", "passwd": known.password});
    let mut socket = Socket::open(server.verto()).await;
    let mut took: [Vec<Duration>; 3] = Default::default();
    for _ in 0..200 {
        for (params, took) in [&wrong, &unknown, &expired.login()].into_iter().zip(&mut took) {
            let begun = Instant::now();
            let answer = socket.ask("login", params.clone()).await;
            took.push(begun.elapsed());
            assert_eq!(answer["error"], json!({"code": -32001, "message": FAILURE}));
        }
    }
    // The middle ones: what the machine does beside is in the mean.
    let middle = took.map(|mut took| {
        took.sort_unstable();
        took[100].as_secs_f64() * 1_000.0
    });
    let longest = middle.iter().copied().fold(0.0, f64::max);
    let spread = longest - middle.iter().copied().fold(f64::MAX, f64::min);
    // One more question to the database would be half of it, however fast the machine.
    assert!(spread < 1.0 && spread < 0.3 * longest, "{middle:?} ms");
}

#[tokio::test]
async fn v20_the_third_failure_closes_and_so_does_time() {
    let (server, client) = with_client(&[("authenticate_seconds", 1)]).await;
    let at = server.verto();
    let mut socket = Socket::open(at).await;
    let wrong = json!({"login": client.client, "passwd": "x"});
    for _ in 0..2 {
        assert_eq!(said(&socket.ask("login", wrong.clone()).await), (-32001, FAILURE));
    }
    socket.request("login", wrong).await;
    let (words, code) = socket.last_words().await;
    assert_eq!((said(&words[0]), code), ((-32001, FAILURE), Some(1008)));
    let begun = Instant::now();
    let mut idle = Socket::open(at).await;
    assert_eq!(idle.last_words().await, (vec![], Some(1008)));
    assert!((0.9..3.0).contains(&begun.elapsed().as_secs_f32()));
    let mut member = Socket::member(at, &client).await;
    sleep(Duration::from_millis(1_200)).await;
    assert!(member.is_quiet().await, "who has logged in has time");
}

#[tokio::test]
async fn v21_v28_a_second_login_on_a_socket_is_good_for_the_same_client_alone() {
    let (server, client) = with_client(&[]).await;
    let other = issue(&server, &client.channel, None).await;
    let mut victim = Socket::listener(server.verto(), &other).await;
    let mut socket = Socket::listener(server.verto(), &client).await;
    assert_eq!(socket.ask("login", client.login()).await["result"]["message"], "logged in");
    assert!(socket.is_quiet().await, "no second clientReady");
    assert_eq!(said(&socket.ask("login", other.login()).await), (-32001, FAILURE));
    let stolen = client.login_as(&other.client);
    assert_eq!(said(&socket.ask("login", stolen).await), (-32001, FAILURE));
    socket.ask("verto.broadcast", json!({"eventChannel": client.channel, "data": 1})).await;
    let heard = socket.push().await;
    assert!(heard["params"]["userid"].as_str().unwrap().starts_with(&client.client), "it is who it was");
    assert_eq!(victim.push().await["params"]["data"], 1, "nobody was punted");
    assert!(victim.is_quiet().await);
}

#[tokio::test]
async fn v22_v25_a_session_id_is_as_the_policy_says() {
    let server = server().await;
    let at = server.verto();
    let mut sessions = (0..).map(|number| format!("{number:08x}-93e3-4b1c-8e0f-3f1d5b8a9c10"));
    for (policy, absent, own, registered) in [
        ("optional", true, false, true),
        ("strict-login-id", false, true, false),
        ("strict-registered", false, false, true),
    ] {
        let channel = channel(&server, json!({"sessid_policy": policy})).await;
        for (params, expected) in [(None, absent), (Some(0), own), (Some(1), registered)] {
            let session = sessions.next().unwrap();
            let client = issue(&server, &channel, Some(&session)).await;
            let params = match params {
                None => client.login(),
                Some(0) => client.login_as(&client.client),
                Some(_) => client.login_as(&session),
            };
            let mut socket = Socket::open(at).await;
            let answer = socket.ask("login", params.clone()).await;
            assert_eq!(answer["result"]["message"] == "logged in", expected, "{policy} {answer}");
            if !expected {
                let missing = params.get("sessid").is_none();
                assert_eq!(said(&answer).1, if missing { "Missing sessid" } else { FAILURE }, "{policy}");
            }
        }
        let session = sessions.next().unwrap();
        let client = issue(&server, &channel, Some(&session)).await;
        let right = if own { client.client.clone() } else { session };
        let mut holder = Socket::open(at).await;
        assert_eq!(holder.ask("login", client.login_as(&right)).await["result"]["sessid"], right);
        holder.push().await;
        let mut newcomer = Socket::open(at).await;
        let answer = newcomer.ask("login", client.login_as("3f1d5b8a-93e3-4b1c-8e0f-7a2e5a1c9c10")).await;
        assert_eq!(said(&answer), (-32001, FAILURE), "{policy}");
        assert!(holder.is_quiet().await, "{policy}: the first notices nothing");
    }
}

#[tokio::test]
async fn v23_v29_a_session_id_of_other_characters_is_refused() {
    let (server, client) =
        with_client(&[("login_failures_per_socket", 100), ("login_failures_per_minute", 100)]).await;
    let mut socket = Socket::open(server.verto()).await;
    let right = &client.client;
    for sessid in [
        json!(format!("a&session_id={right}")),
        json!(format!("{right} -o /tmp/x")),
        json!(format!("{right}\n")),
        json!("é"),
        json!("x".repeat(65)),
        json!(7),
        json!(null),
        json!([right]),
    ] {
        let params = json!({"login": right, "passwd": client.password, "sessid": sessid});
        assert_eq!(said(&socket.ask("login", params).await), (-32001, FAILURE), "{sessid}");
    }
    for params in [
        json!({"login": right}),
        json!({"login": 7, "passwd": client.password}),
        json!({"login": right, "passwd": 7}),
        json!({"passwd": 7}),
        json!({"login": right, "passwd": client.password, "loginParams": {"x": "y".repeat(2_000)}}),
    ] {
        assert_eq!(said(&socket.ask("login", params.clone()).await), (-32001, FAILURE), "{params}");
    }
    assert_eq!(socket.ask("login", client.login()).await["result"]["message"], "logged in");
}

#[tokio::test]
async fn v24_v31_the_newer_connection_of_a_client_takes_over_and_the_older_hears_nothing_more() {
    let (server, client) = with_client(&[("broadcasts_per_second", 1_000), ("broadcast_burst", 1_000)]).await;
    let at = server.verto();
    let other = issue(&server, &client.channel, None).await;
    let mut speaker = Socket::listener(at, &other).await;
    let mut older = Socket::listener(at, &client).await;
    for number in 0..20 {
        speaker.request("verto.broadcast", json!({"eventChannel": client.channel, "data": number})).await;
    }
    let mut newer = Socket::listener(at, &client).await;
    speaker.ask("verto.broadcast", json!({"eventChannel": client.channel, "data": "after"})).await;
    let (words, code) = older.last_words().await;
    assert_eq!(code, Some(4001));
    let (punt, before) = words.split_last().unwrap();
    assert_eq!((&punt["method"], &punt["params"]), (&json!("verto.punt"), &json!({})));
    assert!(before.iter().all(|said| said["params"]["data"].is_number()), "{before:?}");
    let heard = newer.push().await;
    assert_eq!((&heard["params"]["data"], &heard["params"]["eventSerno"]), (&json!("after"), &json!(0)));
    assert!(newer.is_quiet().await);
}

#[tokio::test]
async fn v26_v27_who_is_not_believed_touches_nobody() {
    let (server, client) = with_client(&[]).await;
    let at = server.verto();
    let other = issue(&server, &client.channel, None).await;
    let mut victim = Socket::listener(at, &client).await;
    let mut stranger = Socket::open(at).await;
    for method in ["echo", "verto.subscribe", "verto.ping", "verto.bye"] {
        let params = json!({"sessid": client.client, "eventChannel": client.channel});
        assert_eq!(said(&stranger.ask(method, params).await), (-32000, REQUIRED), "{method}");
    }
    assert_eq!(said(&stranger.ask("login", json!({"sessid": client.client})).await).0, -32000);
    let answer = stranger.ask("login", other.login_as(&client.client)).await;
    assert_eq!(said(&answer), (-32001, FAILURE));
    assert!(victim.is_quiet().await);
}

#[tokio::test]
async fn v30_two_who_evict_each_other_are_held_apart() {
    let (server, client) = with_client(&[("takeover_seconds", 1)]).await;
    let at = server.verto();
    let mut holder = Socket::member(at, &client).await;
    let (begun, mut takeovers, mut refused) = (Instant::now(), 0, 0);
    while begun.elapsed() < Duration::from_millis(3_200) {
        let mut socket = Socket::open(at).await;
        let answer = socket.ask("login", client.login()).await;
        if answer["result"]["message"] == "logged in" {
            takeovers += 1;
            assert_eq!(holder.last_words().await.1, Some(4001));
            holder = socket;
        } else {
            refused += 1;
            assert_eq!(said(&answer), (-32001, "Session in use"));
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!((3..=4).contains(&takeovers) && refused > 10, "{takeovers} {refused}");
}

/// Reference 1.9: FreeSWITCH sends it after 30 s; ours where that is set.
#[tokio::test]
async fn a_client_that_says_nothing_is_pinged_where_that_is_set() {
    let server = TestServer::start_verto(&[("server_ping_seconds", "1")]).await;
    let channel = channel(&server, json!({})).await;
    let mut member = Socket::member(server.verto(), &issue(&server, &channel, None).await).await;
    for _ in 0..2 {
        let ping = member.push().await;
        assert_eq!(ping["method"], "verto.ping");
        assert!(ping["params"]["serno"].as_u64().unwrap() > 1_700_000_000, "{ping}");
    }
}
