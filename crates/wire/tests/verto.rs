//! The verto face's messages: what is read, what is refused, and the bytes that are written.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use wire::Masked;
use wire::verto::content::{NotKnown, Said, check_presence};
use wire::verto::{
    self, Broadcast, Call, Credentials, Fault, Frame, Id, Info, Login, client_ready, error, event, gone,
    info, message, ping, punt, refused_in_result, result,
};

fn call(method: &str, params: Value) -> Call {
    let mut frame = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    frame["params"] = params;
    let frame = frame.to_string();
    match Frame::read(&frame) {
        Frame::Request(request) => request.call(),
        other => panic!("{frame}: {other:?}"),
    }
}

fn broadcast(params: Value) -> Broadcast {
    match call("verto.broadcast", params) {
        Call::Broadcast(broadcast) => broadcast,
        other => panic!("{other:?}"),
    }
}

fn number(number: u64) -> Id {
    Id::Number(number.into())
}

#[test]
fn frames_are_requests_acknowledgements_speed_tests_or_invalid() {
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{open}{close}}}}}"#)
    };
    let rows = [
        ("#SPU 1000".to_owned(), Some(Frame::SpeedTest)),
        ("#".to_owned(), Some(Frame::SpeedTest)),
        (r#"{"result":1}"#.to_owned(), Some(Frame::Acknowledgement)),
        (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#.to_owned(), Some(Frame::Acknowledgement)),
        (String::new(), Some(Frame::Invalid(None))),
        ("[]".to_owned(), Some(Frame::Invalid(None))),
        ("[7]".to_owned(), Some(Frame::Invalid(None))),
        (" [\"x\"]".to_owned(), Some(Frame::Invalid(None))),
        ("{}".to_owned(), Some(Frame::Invalid(None))),
        (r#"{"id":7}"#.to_owned(), Some(Frame::Invalid(Some(number(7))))),
        (r#"{"jsonrpc":"2.1","id":"x"}"#.to_owned(), Some(Frame::Invalid(Some(Id::Text("x".into()))))),
        (r#"{"JSONRPC":"2.0","id":7}"#.to_owned(), Some(Frame::Invalid(Some(number(7))))),
        (r#"{"jsonrpc":"2.0","id":true}"#.to_owned(), Some(Frame::Invalid(None))),
        (r#"{"jsonrpc":"2.0","id":7,"params":7}"#.to_owned(), Some(Frame::Invalid(Some(number(7))))),
        (r#"{"jsonrpc":"2.0","id":7,"id":8}"#.to_owned(), Some(Frame::Invalid(None))),
        (
            r#"{"jsonrpc":"2.0","id":7,"params":{"a":1,"a":1}}"#.to_owned(),
            Some(Frame::Invalid(Some(number(7)))),
        ),
        (r#"{"jsonrpc":"2.0","id":7,"jsonrpc":"2.0"}"#.to_owned(), Some(Frame::Invalid(Some(number(7))))),
        (deep(14), None),
        (deep(15), Some(Frame::Invalid(Some(number(1))))),
        (deep(20_000), Some(Frame::Invalid(Some(number(1))))),
    ];
    for (text, expected) in rows {
        let read = Frame::read(&text);
        match expected {
            Some(expected) => assert_eq!(read, expected, "{text:.60}"),
            None => assert!(matches!(read, Frame::Request(_)), "{text:.60}"),
        }
    }
}

#[test]
fn a_login_shows_something_nothing_or_nonsense() {
    let shown = |name: &str, sessid: Option<&str>, signature: Option<&str>| {
        Login::Shown(Credentials {
            name: name.into(),
            password: Masked("p".into()),
            sessid: sessid.map(|sessid| Masked(sessid.into())),
            signature: signature.map(str::to_owned),
        })
    };
    let many: Map<String, Value> = (0..17).map(|number| (number.to_string(), json!(1))).collect();
    let rows = [
        (json!({}), Login::Priming),
        (json!({"sessid": "s"}), Login::Priming),
        (json!({"login": "", "passwd": "p"}), Login::Priming),
        (json!({"login": "", "passwd": 7}), Login::Malformed),
        (json!({"passwd": null}), Login::Malformed),
        (json!({"login": "a", "passwd": "p"}), shown("a", None, None)),
        (json!({"login": "a@b@c", "passwd": "p", "sessid": ""}), shown("a", None, None)),
        (json!({"login": "a", "passwd": "p", "sessid": "A-9"}), shown("a", Some("A-9"), None)),
        (
            json!({"login": "a", "passwd": "p", "loginParams": {"signature": "s"}, "userVariables": {}}),
            shown("a", None, Some("s")),
        ),
        (json!({"login": "a"}), Login::Malformed),
        (json!({"login": 7, "passwd": "p"}), Login::Malformed),
        (json!({"login": "a", "passwd": null}), Login::Malformed),
        (json!({"login": "a", "passwd": "p", "sessid": "a&b=c"}), Login::Malformed),
        (json!({"login": "a", "passwd": "p", "sessid": "x".repeat(65)}), Login::Malformed),
        (json!({"login": "a", "passwd": "p", "sessid": 7}), Login::Malformed),
        (json!({"login": "a", "passwd": "p", "loginParams": many}), Login::Malformed),
        (json!({"login": "a", "passwd": "p", "userVariables": {"x": "y".repeat(1_024)}}), Login::Malformed),
        (json!({"login": "a", "passwd": "p", "loginParams": 7}), Login::Malformed),
    ];
    for (params, expected) in rows {
        assert_eq!(call("login", params.clone()), Call::Login(expected), "{params}");
    }
    let Call::Login(read) = call("login", json!({"login": "a", "passwd": "hunter2", "sessid": "secret"}))
    else {
        panic!("a login");
    };
    let printed = format!("{read:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("secret"), "{printed}");
}

#[test]
fn what_is_asked_for_is_read_and_what_has_a_wrong_form_is_missing() {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for (given, expected) in [
        (json!({"eventChannel": "a"}), names(&["a"])),
        (json!({"eventChannel": ["a", "b"], "subParams": {}}), names(&["a", "b"])),
        (json!({"eventChannel": []}), None),
        (json!({"eventChannel": ["a", 7]}), None),
        (json!({"eventChannel": {}}), None),
        (json!({}), None),
    ] {
        assert_eq!(call("verto.subscribe", given.clone()), Call::Subscribe(expected.clone()), "{given}");
        assert_eq!(call("verto.unsubscribe", given.clone()), Call::Unsubscribe(expected), "{given}");
    }
    let said =
        |to: &str, body: &str| Info::Message { to: to.into(), body: Masked(body.into()), signature: None };
    for (given, expected) in [
        (json!({"msg": {"to": "a", "body": "b", "from": "x"}}), said("a", "b")),
        (json!({"msg": {"to": "a", "body": "b"}, "dtmf": "1"}), said("a", "b")),
        (json!({"msg": {"to": "", "body": "b"}}), Info::Incomplete),
        (json!({"msg": {"to": "a", "body": 7}}), Info::Incomplete),
        (json!({"msg": 7}), Info::Incomplete),
        (json!({}), Info::Incomplete),
        (json!({"dtmf": "1"}), Info::CallControl),
        (json!({"txt": {}, "msg": "x"}), Info::CallControl),
    ] {
        assert_eq!(call("verto.info", given.clone()), Call::Info(expected), "{given}");
    }
    assert_eq!(call("verto.ping", json!({})), Call::Ping);
    assert_eq!(call("countersign.iceServers", json!({"sessid": "s"})), Call::IceServers);
    for method in ["verto.invite", "jsapi", "LOGIN", "Echo", "verto", ""] {
        assert_eq!(call(method, json!({})), Call::Unknown, "{method}");
    }
    let Frame::Request(bare) = Frame::read(r#"{"jsonrpc":"2.0","method":"echo"}"#) else {
        panic!("a request")
    };
    assert_eq!((bare.id.clone(), bare.call()), (None, Call::Echo(None)));
}

/// The bytes of section 1.2, 1.6 to 1.8, 2.4 and 3.4 of the reference on verto, as this server writes them.
#[test]
fn golden_bytes() {
    let logged_in = Map::from_iter([("message".to_owned(), json!("logged in"))]);
    let text = Id::Text("x".into());
    let event_body = broadcast(json!({
        "eventChannel": "C", "eventData": "e30=", "localBroadcast": true, "userid": "forged", "sessid": "s",
        "eventSerno": 9, "fromDisplay": "f", "passwd": "p", "login": "l", "subscribedChannel": "c",
    }));
    let beside = Map::from_iter([("fingerprints".to_owned(), json!(["sha-256 AB"]))]);
    let rows = [
        (
            result(&number(2), logged_in, Some("S")),
            r#"{"id":2,"jsonrpc":"2.0","result":{"message":"logged in","sessid":"S"}}"#,
        ),
        (
            result(
                &text,
                Map::from_iter([("result".to_owned(), json!(1)), ("sessid".to_owned(), json!(1))]),
                Some("S"),
            ),
            r#"{"id":"x","jsonrpc":"2.0","result":{"sessid":"S"}}"#,
        ),
        (
            result(&text, refused_in_result(Fault::PermissionDenied), None),
            r#"{"id":"x","jsonrpc":"2.0","result":{"code":-32002,"message":"Permission Denied."}}"#,
        ),
        (
            error(Some(&number(1)), Fault::AuthenticationFailure, Map::new()),
            r#"{"error":{"code":-32001,"message":"Authentication Failure"},"id":1,"jsonrpc":"2.0"}"#,
        ),
        (
            error(None, Fault::InvalidRequest, Map::new()),
            r#"{"error":{"code":-32600,"message":"Invalid Request"},"id":null,"jsonrpc":"2.0"}"#,
        ),
        (
            error(
                Some(&text),
                Fault::NotSubscribed,
                Map::from_iter([("notSubscribedChannels".to_owned(), json!(["x"]))]),
            ),
            r#"{"error":{"code":-32002,"message":"Not subscribed.","notSubscribedChannels":["x"]},"id":"x","jsonrpc":"2.0"}"#,
        ),
        (
            client_ready(1_000_000_000),
            r#"{"jsonrpc":"2.0","id":1000000000,"method":"verto.clientReady","params":{"reattached_sessions":[]}}"#,
        ),
        (
            event(1_000_000_003, &gone("C", "I@d"), "I", 2, "C"),
            r#"{"jsonrpc":"2.0","id":1000000003,"method":"verto.event","params":{"eventChannel":"C","eventData":"eyJwZWVyU3RhdHVzIjoiZ29uZSIsInBlZXJOYW1lIjoiIn0=","localBroadcast":true,"userid":"I@d","sessid":"I","eventSerno":2,"subscribedChannel":"C"}}"#,
        ),
        (
            ping(1_000_000_004, 1_764_000_000),
            r#"{"jsonrpc":"2.0","id":1000000004,"method":"verto.ping","params":{"serno":1764000000}}"#,
        ),
        (punt(1_000_000_001), r#"{"jsonrpc":"2.0","id":1000000001,"method":"verto.punt","params":{}}"#),
        (
            event(1_000_000_002, &event_body.shared("c", "I@d"), "I", 0, "c"),
            r#"{"jsonrpc":"2.0","id":1000000002,"method":"verto.event","params":{"eventChannel":"c","eventData":"e30=","localBroadcast":true,"userid":"I@d","sessid":"I","eventSerno":0,"subscribedChannel":"c"}}"#,
        ),
        (
            info(1_000_000_003, &message("A", "B@d", "e30=\"", beside)),
            r#"{"jsonrpc":"2.0","id":1000000003,"method":"verto.info","params":{"fingerprints":["sha-256 AB"],"msg":{"body":"e30=\"","from":"A","to":"B@d"}}}"#,
        ),
    ];
    for (written, expected) in rows {
        assert_eq!(written, expected);
    }
}

#[test]
fn what_a_broadcast_weighs() {
    let rows = [
        (json!({"eventChannel": "c", "eventData": "x".repeat(8_192), "localBroadcast": true}), 8_192),
        (json!({"eventChannel": "c", "userid": "xxx"}), 0),
        (json!({"data": {"a": 1}}), 11),
        (json!({"a": "bc", "d": true}), 8),
    ];
    for (params, weight) in rows {
        assert_eq!(broadcast(params.clone()).weight(), weight, "{params}");
    }
}

fn packed(value: &Value) -> String {
    STANDARD.encode(value.to_string())
}

#[test]
fn who_is_here_is_said_in_known_forms() {
    let data =
        |value: Value| json!({"eventChannel": "c", "localBroadcast": true, "eventData": packed(&value)});
    for (params, is_known) in [
        (data(json!({"peerStatus": "ready", "peerName": ""})), true),
        (data(json!({"peerStatus": "available"})), true),
        (data(json!({"peerStatus": "unavailable", "peerName": "Ana B 2"})), true),
        (data(json!({"peerStatus": "gone", "peerName": "x".repeat(32)})), true),
        (json!({"isAvailable": false, "sessid": "x"}), true),
        (json!({"isDisconnected": true}), true),
        (data(json!({"peerStatus": "ready", "peerName": "x".repeat(33)})), false),
        (data(json!({"peerStatus": "ready", "peerName": "a  b"})), false),
        (data(json!({"peerStatus": "ready", "peerName": "<b>"})), false),
        (data(json!({"peerStatus": "ready", "peerName": 7})), false),
        (data(json!({"peerStatus": "here"})), false),
        (data(json!({"peerStatus": "ready", "more": "x"})), false),
        (data(json!({"peerName": "Ana"})), false),
        (data(json!([])), false),
        (json!({"eventData": "e30"}), false),
        (json!({"eventData": STANDARD.encode(r#"{"peerStatus":"ready","peerStatus":"gone"}"#)}), false),
        (json!({"eventData": STANDARD.encode([0xff])}), false),
        (json!({"eventData": packed(&json!({"peerStatus": "ready"})), "data": "x"}), false),
        (json!({"isAvailable": "x"}), false),
        (json!({"isAvailable": true, "isDisconnected": true}), false),
        (json!({"data": {}}), false),
        (json!({}), false),
    ] {
        assert_eq!(broadcast(params.clone()).check().is_ok(), is_known, "{params}");
    }
    assert_eq!(check_presence("?"), Err(NotKnown));
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:SHA-256 ab:cd\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:sha-256 AB:CD\r\n";
const CANDIDATE: &str =
    "candidate:842163049 1 udp 1677729535 192.0.2.1 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0";

#[test]
fn call_set_up_is_read_and_nothing_else() {
    let fingerprints = vec!["sha-256 AB:CD".to_owned()];
    let known = [
        (STANDARD.encode("available"), Said::Available),
        (STANDARD.encode("offer"), Said::Offer),
        (STANDARD.encode("accept"), Said::Accept),
        (STANDARD.encode("close"), Said::Over),
        (packed(&json!({"peerStatus": "available", "peerName": "Ana"})), Said::Available),
        (packed(&json!({"peerAction": "offer", "peerName": ""})), Said::Offer),
        (packed(&json!({"peerAction": "accept"})), Said::Accept),
        (packed(&json!({"peerAction": "close"})), Said::Over),
        (packed(&json!({"peerAction": "error"})), Said::Over),
        (packed(&json!({"type": "offer", "sdp": SDP})), Said::Description(fingerprints.clone())),
        (
            packed(&json!({"type": "answer", "sdp": SDP.replace("\r\n", "\n")})),
            Said::Description(fingerprints),
        ),
        (packed(&json!({"type": "answer", "sdp": "v=0\r\n"})), Said::Description(vec![])),
        (
            packed(
                &json!({"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "x"}),
            ),
            Said::Candidate,
        ),
        (packed(&json!({"candidate": "", "sdpMid": null, "sdpMLineIndex": null})), Said::Candidate),
    ];
    for (body, expected) in known {
        assert_eq!(Said::read(&body), Ok(expected), "{body}");
    }
    let unknown = [
        json!({}),
        json!({"peerStatus": "ready"}),
        json!({"peerAction": "shout"}),
        json!({"peerAction": "offer", "note": "x"}),
        json!({"peerAction": "offer", "peerName": "a\nb"}),
        json!({"type": "rollback", "sdp": SDP}),
        json!({"type": "offer", "sdp": ""}),
        json!({"type": "offer", "sdp": "hello"}),
        json!({"type": "offer", "sdp": format!("{SDP}hello\r\n")}),
        json!({"type": "offer", "sdp": format!("{SDP}a=\u{7}\r\n")}),
        json!({"type": "offer", "sdp": format!("{SDP}a=fingerprint:sha-256 xy\r\n")}),
        json!({"type": "offer", "sdp": SDP, "note": "x"}),
        json!({"candidate": "hello", "sdpMid": "0"}),
        json!({"candidate": CANDIDATE.replace("typ", "kind")}),
        json!({"candidate": CANDIDATE.replace("46154", "99999")}),
        json!({"candidate": CANDIDATE, "sdpMLineIndex": 70_000}),
        json!({"candidate": CANDIDATE, "sdpMid": "x".repeat(300)}),
        json!({"candidate": CANDIDATE, "note": "x"}),
        json!({"candidate": {"deep": {}}}),
    ];
    for value in unknown {
        assert_eq!(Said::read(&packed(&value)), Err(NotKnown), "{value}");
    }
    for body in ["", "offer", "b2ZmZXI", &STANDARD.encode("Offer"), &STANDARD.encode("hello there")] {
        assert_eq!(Said::read(body), Err(NotKnown), "{body}");
    }
}

#[test]
fn numbers_of_the_server_are_far_from_those_of_clients() {
    assert_eq!(verto::FIRST_PUSH, 1_000_000_000);
}
