//! What the clients of a verto channel say to each other, through a real server. The numbers in the names of tests are those of the list
//! in `docs/faces/verto.md`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test of a shell reads the clock")]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::verify_record;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::clients::verto::{Credential, Socket, channel, issue, packed, start};
use testkit::server::{TestServer, answer};
use tokio::time::{sleep, timeout};

const DENIED: &str = "Permission Denied.";
const DOMAIN: &str = "127.0.0.1";

/// Two clients who hear one channel, and one of another channel.
struct Party {
    server: TestServer,
    ana: Credential,
    ben: Credential,
    eve: Credential,
    anas: Socket,
    bens: Socket,
    eves: Socket,
}

impl Party {
    async fn gather(settings: Value, limits: &[(&str, u32)]) -> Self {
        let server = start(limits).await;
        let (here, elsewhere) = (channel(&server, settings.clone()).await, channel(&server, settings).await);
        let ana = issue(&server, &here, Some("7a2e5a1c-93e3-4b1c-8e0f-3f1d5b8a9c10")).await;
        let ben = issue(&server, &here, None).await;
        let eve = issue(&server, &elsewhere, None).await;
        let at = server.verto();
        let anas = Socket::listener(at, &ana).await;
        let (bens, eves) = (Socket::listener(at, &ben).await, Socket::listener(at, &eve).await);
        Self { server, ana, ben, eve, anas, bens, eves }
    }

    async fn talk() -> Self {
        Self::gather(json!({}), &[]).await
    }

    fn here(&self) -> &str {
        &self.ana.channel
    }
}

fn said(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    (error["code"].as_i64().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

fn message(to: &str, body: &str) -> Value {
    json!({"msg": {"to": to, "body": body}})
}

#[tokio::test]
async fn v32_v33_a_subscription_begins_once_and_only_where_it_may() {
    let mut party = Party::talk().await;
    let (here, elsewhere) = (party.here().to_owned(), party.eve.channel.clone());
    let answer = party.anas.ask("verto.subscribe", json!({"eventChannel": here})).await;
    let sessid = "7a2e5a1c-93e3-4b1c-8e0f-3f1d5b8a9c10";
    let session = issue(&party.server, &here, None).await;
    assert_eq!(answer["result"]["subscribedChannels"], json!([]));
    assert_eq!(answer["result"]["alreadySubscribedChannels"], json!([here]));
    assert_ne!(answer["result"]["sessid"], sessid, "without one at the login it is the client's own");
    let mut fresh = Socket::member(party.server.verto(), &session).await;
    let answer = fresh.ask("verto.subscribe", json!({"eventChannel": [here, elsewhere]})).await;
    let result =
        json!({"subscribedChannels": [here], "unauthorizedChannels": [elsewhere], "sessid": session.client});
    assert_eq!(answer["result"], result);
    let answer = fresh.ask("verto.subscribe", json!({"eventChannel": [elsewhere]})).await;
    let error = json!({"code": -32002, "message": DENIED, "unauthorizedChannels": [elsewhere]});
    assert_eq!(answer["error"], error);
    for params in
        [json!({}), json!({"eventChannel": 7}), json!({"eventChannel": [7]}), json!({"eventChannel": []})]
    {
        let answer = fresh.ask("verto.subscribe", params.clone()).await;
        assert_eq!(said(&answer), (-32002, "eventChannel not specified."), "{params}");
    }
}

#[tokio::test]
async fn v34_a_channels_own_parts_may_be_heard_and_nothing_else() {
    let mut party = Party::talk().await;
    let here = party.here().to_owned();
    for (name, heard) in [
        (format!("{here}.x"), Some(format!("{here}.x"))),
        (format!("{}.x", here.to_uppercase()), Some(format!("{here}.x"))),
        (here.to_uppercase(), Some(here.clone())),
        (format!("{here}x"), None),
        ("*".to_owned(), None),
        ("__ANY__".to_owned(), None),
        ("FSevent".to_owned(), None),
        ("conference".to_owned(), None),
        (format!("{here}.{}", "x".repeat(100)), None),
        (party.eve.channel.clone(), None),
        (format!("{}.{here}", party.eve.channel), None),
    ] {
        let answer = party.anas.ask("verto.subscribe", json!({"eventChannel": name})).await;
        let result = &answer["result"];
        let lists = ["subscribedChannels", "alreadySubscribedChannels"].map(|list| result[list][0].as_str());
        assert_eq!(lists[0].or(lists[1]).map(str::to_owned), heard, "{name} {answer}");
    }
    let many: Vec<_> = (0..17).map(|number| format!("{here}.{number}")).collect();
    assert_eq!(said(&party.bens.ask("verto.subscribe", json!({"eventChannel": many})).await).0, -32002);
    let answer = party.bens.ask("verto.subscribe", json!({"eventChannel": many[..16]})).await;
    assert_eq!(answer["result"]["subscribedChannels"], json!(many[..15]), "16 with the one it has");
    assert_eq!(answer["result"]["unauthorizedChannels"], json!(many[15..16]));
}

#[tokio::test]
async fn v35_v38_a_broadcast_reaches_every_listener_once_and_its_speaker_too() {
    let mut party = Party::talk().await;
    let here = party.here().to_owned();
    let frames = [
        json!({"eventChannel": here, "eventData": "e30=", "localBroadcast": true}),
        json!({"eventChannel": here.to_uppercase(), "data": {"n": [1]}}),
        json!({"eventChannel": format!("{here}.part"), "isAvailable": true, "localBroadcast": false}),
    ];
    for (serial, frame) in frames.iter().enumerate() {
        let answer = party.anas.ask("verto.broadcast", frame.clone()).await;
        assert_eq!(answer["result"], json!({"sessid": party.ana.client}), "{frame}");
        for socket in [&mut party.anas, &mut party.bens] {
            let event = socket.push().await;
            assert_eq!(event["method"], "verto.event");
            let params = &event["params"];
            for member in ["eventData", "data", "isAvailable", "localBroadcast"] {
                assert_eq!(params.get(member), frame.get(member), "as it was said");
            }
            let name = frame["eventChannel"].as_str().unwrap().to_lowercase();
            assert_eq!(params["eventChannel"], json!(name));
            assert_eq!(params["subscribedChannel"], json!(here));
            assert_eq!(params["userid"], json!(format!("{}@{DOMAIN}", party.ana.client)));
            assert_eq!(params["eventSerno"], json!(serial));
        }
    }
    party.bens.ask("verto.subscribe", json!({"eventChannel": format!("{here}.part")})).await;
    party.anas.ask("verto.broadcast", json!({"eventChannel": format!("{here}.part")})).await;
    let event = party.bens.push().await;
    assert_eq!(event["params"]["subscribedChannel"], json!(format!("{here}.part")));
    assert_eq!(event["params"]["eventSerno"], json!(0), "each subscription counts for itself");
    assert_eq!(party.anas.push().await["params"]["eventSerno"], json!(3));
    for socket in [&mut party.anas, &mut party.bens, &mut party.eves] {
        assert!(socket.is_quiet().await);
    }
}

#[tokio::test]
async fn v36_v37_a_broadcast_is_refused_inside_its_result() {
    let mut party = Party::talk().await;
    let elsewhere = party.eve.channel.clone();
    for (params, text) in [
        (json!({"eventChannel": elsewhere, "data": 1}), DENIED),
        (json!({"eventChannel": "conference", "data": 1}), DENIED),
        (json!({"eventChannel": "*", "data": 1}), DENIED),
        (json!({"data": 1}), "eventChannel not specified."),
        (json!({"eventChannel": [elsewhere]}), "eventChannel not specified."),
        (json!({"eventChannel": party.here(), "data": "x".repeat(9_000)}), "Message too large."),
    ] {
        let answer = party.anas.ask("verto.broadcast", params).await;
        let result = json!({"code": -32002, "message": text, "sessid": party.ana.client});
        assert_eq!(answer["result"], result);
    }
    for socket in [&mut party.anas, &mut party.bens, &mut party.eves] {
        assert!(socket.is_quiet().await);
    }
}

#[tokio::test]
async fn v39_v40_what_a_speaker_says_of_itself_is_not_handed_on() {
    let mut party = Party::talk().await;
    let here = party.here().to_owned();
    let forged = json!({
        "eventChannel": here, "data": 1, "userid": "forged", "sessid": "forged", "fromDisplay": "forged",
        "eventSerno": "forged", "subscribedChannel": "forged", "passwd": "forged", "login": "forged",
    });
    party.anas.ask("verto.broadcast", forged).await;
    let (own, other) = (party.anas.push().await, party.bens.push().await);
    assert!(!own.to_string().contains("forged") && !other.to_string().contains("forged"));
    let client = json!(party.ana.client);
    assert_eq!((&own["params"]["sessid"], &other["params"]["sessid"]), (&client, &client));
    let session = "0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb";
    let cem = issue(&party.server, &here, Some(session)).await;
    let mut cems = Socket::open(party.server.verto()).await;
    cems.ask("login", cem.login_as(session)).await;
    cems.push().await;
    cems.ask("verto.subscribe", json!({"eventChannel": here})).await;
    cems.ask("verto.broadcast", json!({"eventChannel": here, "data": 2})).await;
    assert_eq!(cems.push().await["params"]["sessid"], session, "it knows its own words by it");
    assert_eq!(party.bens.push().await["params"]["sessid"], json!(cem.client));
}

#[tokio::test]
async fn v41_v42_who_has_unsubscribed_or_gone_hears_nothing() {
    let mut party = Party::talk().await;
    let here = party.here().to_owned();
    let answer =
        party.bens.ask("verto.unsubscribe", json!({"eventChannel": [here.to_uppercase(), "x"]})).await;
    assert_eq!(answer["result"]["unsubscribedChannels"], json!([here]));
    assert_eq!(answer["result"]["notSubscribedChannels"], json!(["x"]));
    let answer = party.bens.ask("verto.unsubscribe", json!({"eventChannel": here})).await;
    let error = json!({"code": -32002, "message": "Not subscribed.", "notSubscribedChannels": [here]});
    assert_eq!(answer["error"], error);
    party.anas.ask("verto.broadcast", json!({"eventChannel": here, "data": 1})).await;
    assert!(party.bens.is_quiet().await);
    drop(party.anas);
    party.bens.ask("verto.broadcast", json!({"eventChannel": here, "data": 2})).await;
    let mut again = Socket::member(party.server.verto(), &party.ana).await;
    party.bens.ask("verto.broadcast", json!({"eventChannel": here, "data": 3})).await;
    assert!(again.is_quiet().await, "it begins without subscriptions");
}

#[tokio::test]
async fn v43_v44_a_message_comes_from_who_sent_it_and_as_it_was() {
    let mut party = Party::talk().await;
    let ben = party.ben.client.clone();
    for (to, body) in [(ben.clone(), "e30="), (format!("{ben}@{DOMAIN}"), "\u{1f600} |+ \n\"x\"")] {
        let forged = json!({
            "to": to, "body": body, "from": "forged", "from_user": "forged", "from_msg_name": "forged",
            "to_x": "forged", "type": "forged",
        });
        let answer = party.anas.ask("verto.info", json!({"msg": forged})).await;
        assert_eq!(answer["result"], json!({"message": "SENT", "delivered": 1, "sessid": party.ana.client}));
        let heard = party.bens.push().await;
        let expected = json!({"from": party.ana.client, "to": format!("{ben}@{DOMAIN}"), "body": body});
        assert_eq!((&heard["method"], &heard["params"]), (&json!("verto.info"), &json!({"msg": expected})));
    }
    assert!(party.bens.is_quiet().await && party.anas.is_quiet().await);
}

#[tokio::test]
async fn v45_v46_v47_v49_what_may_not_be_sent_is_refused_alike() {
    let mut party = Party::talk().await;
    let (ben, eve) = (party.ben.client.clone(), party.eve.client.clone());
    for to in [
        eve.clone(),
        "00000000-0000-4000-8000-000000000000".to_owned(),
        "nobody".to_owned(),
        format!("sip+{ben}"),
        format!("{ben}|x"),
        format!("{ben}@elsewhere.example"),
        format!("{ben}@{DOMAIN}@x"),
        format!("{ben}\n"),
        ben.to_uppercase(),
    ] {
        let answer = party.anas.ask("verto.info", message(&to, "e30=")).await;
        assert_eq!(answer["error"], json!({"code": -32002, "message": DENIED}), "{to}");
    }
    for params in [
        json!({}),
        json!({"msg": 7}),
        json!({"msg": {}}),
        json!({"msg": {"to": ben}}),
        json!({"msg": {"to": ben, "body": ""}}),
        json!({"msg": {"to": "", "body": "x"}}),
        json!({"msg": {"to": ben, "body": {}}}),
    ] {
        let answer = party.anas.ask("verto.info", params.clone()).await;
        assert_eq!(said(&answer), (-32002, "INVALID MESSAGE to and body params required"), "{params}");
    }
    let large = "x".repeat(48 * 1024);
    assert_eq!(party.anas.ask("verto.info", message(&ben, &large)).await["result"]["delivered"], 1);
    assert_eq!(party.bens.push().await["params"]["msg"]["body"], large);
    let answer = party.anas.ask("verto.info", message(&ben, &"x".repeat(49 * 1024))).await;
    assert_eq!(said(&answer).0, -32002);
    assert!(party.bens.is_quiet().await && party.eves.is_quiet().await);
}

#[tokio::test]
async fn v48_who_was_there_may_be_written_to_and_does_not_hear_it() {
    let mut party = Party::talk().await;
    let never = issue(&party.server, party.here(), None).await;
    let answer = party.anas.ask("verto.info", message(&never.client, "e30=")).await;
    assert_eq!(said(&answer), (-32002, DENIED), "who never came is not known");
    drop(party.bens);
    let begun = Instant::now();
    loop {
        let answer = party.anas.ask("verto.info", message(&party.ben.client, "e30=")).await;
        assert_eq!(answer["result"]["message"], "SENT");
        if answer["result"]["delivered"] == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn v50_v51_v52_v53_other_methods_are_answered_as_named() {
    let mut party = Party::talk().await;
    let answer = party.anas.ask("echo", json!({})).await;
    assert_eq!(answer["result"], json!({"sessid": party.ana.client}));
    let answer = party.anas.ask("echo", json!({"a": 1, "passwd": "x", "deep": {"b": []}})).await;
    assert_eq!(answer["result"], json!({"a": 1, "deep": {"b": []}, "sessid": party.ana.client}));
    party.anas.say(r#"{"jsonrpc":"2.0","id":"e","method":"echo"}"#).await;
    assert_eq!(said(&party.anas.answer(&json!("e")).await), (-32002, "Params data missing"));
    assert_eq!(said(&party.anas.ask("echo", json!({"a": "x".repeat(5_000)})).await).0, -32002);
    assert_eq!(party.anas.ask("verto.ping", json!({})).await["result"]["message"], "PONG");
    let methods =
        ["verto.invite", "verto.answer", "verto.attach", "verto.bye", "verto.modify", "verto.media"];
    let text = "Invalid Method, Missing Method or Permission Denied";
    for method in methods.into_iter().chain(["jsapi", "fsapi", "nonsense", "", "LOGIN", "verto"]) {
        let params = json!({"dialogParams": {"callID": "x"}, "cmd": "status"});
        assert_eq!(said(&party.anas.ask(method, params).await), (-32601, text), "{method}");
    }
    for frame in [r#"{"jsonrpc":"2.0","id":"m"}"#, r#"{"jsonrpc":"2.0","id":"m","method":7}"#] {
        party.anas.say(frame).await;
        assert_eq!(said(&party.anas.answer(&json!("m")).await), (-32601, text), "{frame}");
    }
    for member in ["dtmf", "txt", "command", "type"] {
        let params = json!({member: "1", "dialogParams": {"callID": "x"}});
        assert_eq!(said(&party.anas.ask("verto.info", params).await), (-32601, text), "{member}");
    }
}

#[tokio::test]
async fn v54_a_flood_is_refused_then_closed_and_delays_nobody() {
    let mut party = Party::talk().await;
    for _ in 0..500 {
        party.anas.request("echo", json!({})).await;
    }
    let mut waits = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        party.bens.ask("verto.ping", json!({})).await;
        waits.push(begun.elapsed());
    }
    waits.sort_unstable();
    // All but the slowest two: what the machine does beside is in those.
    assert!(waits[47] < Duration::from_millis(50), "{:?}", &waits[45..]);
    let (words, code) = party.anas.last_words().await;
    assert_eq!(code, Some(1008));
    assert_eq!(words.last().unwrap()["method"], "verto.punt");
    let refused = words.iter().filter(|word| said(word) == (-32003, "Rate limit exceeded")).count();
    assert!((100..=201).contains(&refused), "{refused}");
    let answered = words.iter().filter(|word| word["result"].is_object()).count();
    assert!((77..140).contains(&answered), "{answered}");
}

#[tokio::test]
async fn broadcasts_and_new_recipients_are_counted_apart() {
    let mut party = Party::talk().await;
    let here = party.here().to_owned();
    let mut refused = 0;
    for _ in 0..20 {
        let answer = party.anas.ask("verto.broadcast", json!({"eventChannel": here, "data": 1})).await;
        refused += usize::from(answer["result"]["code"] == json!(-32003));
    }
    assert!((8..=10).contains(&refused), "{refused}");
    let to = |number: u32| format!("{number:08x}-0000-4000-8000-000000000000");
    for number in 0..20 {
        assert_eq!(said(&party.bens.ask("verto.info", message(&to(number), "x")).await).0, -32002);
    }
    assert_eq!(said(&party.bens.ask("verto.info", message(&to(20), "x")).await).0, -32003);
    assert_eq!(said(&party.bens.ask("verto.info", message(&to(3), "x")).await).0, -32002, "not a new one");
}

/// Waits until a login was written down as refused for this reason.
async fn wait_for_record(server: &TestServer, reason: &str) {
    for _ in 0..100 {
        let (_, page) = answer(server.admin(Method::GET, "/v1/admin/audit")).await;
        let mut lines = page["records"].as_array().unwrap().iter();
        if lines.any(|line| line["action"] == "client.login" && line["detail"] == reason) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("the audit record does not say: {reason}");
}

#[tokio::test]
async fn v55_the_17th_member_finds_the_channel_full_until_somebody_goes() {
    let server = start(&[]).await;
    let channel = channel(&server, json!({})).await;
    let mut members = Vec::new();
    for _ in 0..16 {
        members.push(Socket::member(server.verto(), &issue(&server, &channel, None).await).await);
    }
    let late = issue(&server, &channel, None).await;
    let mut socket = Socket::open(server.verto()).await;
    assert_eq!(said(&socket.ask("login", late.login()).await), (-32001, "Channel full"));
    wait_for_record(&server, "the realm is full").await;
    members.pop();
    let begun = Instant::now();
    while socket.ask("login", late.login()).await["result"]["message"] != "logged in" {
        assert!(begun.elapsed() < Duration::from_secs(1));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn v56_who_stops_reading_is_closed_and_nobody_else_notices() {
    let rates = ["messages_per_second", "message_burst", "broadcasts_per_second", "broadcast_burst"];
    let mut party = Party::gather(json!({}), &rates.map(|rate| (rate, 100_000))).await;
    let here = party.here().to_owned();
    let mut said = 0;
    // Until the network takes no more for one that does not read, and more waits than may.
    loop {
        let params = json!({"eventChannel": here, "data": "x".repeat(8_000)});
        party.anas.ask("verto.broadcast", params).await;
        assert_eq!(party.anas.push().await["params"]["eventSerno"], json!(said));
        said += 1;
        let answer = party.anas.ask("verto.info", message(&party.ben.client, "x")).await;
        if answer["result"]["delivered"] == 0 {
            break;
        }
        assert!(said < 5_000, "40 MB wait somewhere");
    }
    let (words, code) = party.bens.last_words().await;
    assert_eq!(code, Some(1013));
    assert!(words.len() < 2 * said, "what waited was not said");
    assert!(party.anas.is_quiet().await);
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 AB:CD\r\n";

#[tokio::test]
async fn v57_strict_content_passes_the_set_up_of_calls_and_nothing_else() {
    let mut party = Party::gather(json!({"content": "strict"}), &[("broadcast_burst", 100)]).await;
    let (here, ana, ben) = (party.here().to_owned(), party.ana.client.clone(), party.ben.client.clone());
    let refused = json!({"code": -32002, "message": "Content refused."});
    for data in [json!("x"), json!("e30="), json!(packed(&json!({"peerStatus": "lost"}))), json!(7)] {
        let answer =
            party.anas.ask("verto.broadcast", json!({"eventChannel": here, "eventData": data})).await;
        assert_eq!(answer["result"]["code"], -32002, "{data}");
    }
    let ready = packed(&json!({"peerStatus": "ready", "peerName": "Ana 1"}));
    let params = json!({"eventChannel": here, "eventData": ready, "localBroadcast": true});
    assert!(party.anas.ask("verto.broadcast", params).await["result"].get("code").is_none());
    assert_eq!(party.bens.push().await["params"]["eventData"], json!(ready));
    let description = packed(&json!({"type": "offer", "sdp": SDP}));
    for body in ["hello", &packed(&json!({"peerAction": "shout"})), &description, &STANDARD.encode("accept")]
    {
        assert_eq!(party.anas.ask("verto.info", message(&ben, body)).await["error"], refused, "{body}");
    }
    assert!(party.bens.is_quiet().await);
    let offer = packed(&json!({"peerAction": "offer", "peerName": ""}));
    let accept = packed(&json!({"peerAction": "accept"}));
    assert_eq!(party.anas.ask("verto.info", message(&ben, &offer)).await["result"]["delivered"], 1);
    assert_eq!(party.anas.ask("verto.info", message(&ben, &description)).await["error"], refused);
    assert_eq!(party.bens.ask("verto.info", message(&ana, &accept)).await["result"]["delivered"], 1);
    assert_eq!(party.anas.ask("verto.info", message(&ben, &description)).await["result"]["delivered"], 1);
    party.bens.push().await;
    let heard = party.bens.push().await;
    assert_eq!(heard["params"]["fingerprints"], json!(["sha-256 AB:CD"]), "stamped by the server");
    let other = packed(&json!({"type": "offer", "sdp": SDP.replace("CD", "EF")}));
    assert_eq!(party.anas.ask("verto.info", message(&ben, &other)).await["error"], refused, "another key");
    let candidate = "candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host";
    let candidate = packed(&json!({"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0}));
    assert_eq!(party.bens.ask("verto.info", message(&ana, &candidate)).await["result"]["delivered"], 1);
    let close = STANDARD.encode("close");
    assert_eq!(party.bens.ask("verto.info", message(&ana, &close)).await["result"]["delivered"], 1);
    assert_eq!(party.bens.ask("verto.info", message(&ana, &candidate)).await["error"], refused, "it is over");
    assert_eq!(party.anas.ask("verto.info", message(&ben, &offer)).await["result"]["delivered"], 1);
    assert_eq!(party.anas.ask("verto.info", message(&ben, &close)).await["result"]["delivered"], 1);
    assert_eq!(party.bens.ask("verto.info", message(&ana, &accept)).await["error"], refused, "taken back");
}

/// The dialog of two pages whose call goes on while the server does not: they may want to change their media.
#[tokio::test]
async fn v67_a_call_may_go_on_to_negotiate_after_a_restart_and_one_that_is_over_may_not() {
    let mut party = Party::gather(json!({"content": "strict"}), &[]).await;
    let (ana, ben) = (party.ana.client.clone(), party.ben.client.clone());
    let (offer, accept) = (packed(&json!({"peerAction": "offer"})), packed(&json!({"peerAction": "accept"})));
    let description = packed(&json!({"type": "offer", "sdp": SDP}));
    party.anas.ask("verto.info", message(&ben, &offer)).await;
    party.bens.ask("verto.info", message(&ana, &accept)).await;
    party.anas.ask("verto.info", message(&ben, &description)).await;

    let mut server = party.server.restart().await;
    let mut anas = Socket::member(server.verto(), &party.ana).await;
    let mut bens = Socket::member(server.verto(), &party.ben).await;
    let sent = async |socket: &mut Socket, to: &str, body: &str| {
        let answer = socket.ask("verto.info", message(to, body)).await;
        answer["result"]["message"] == "SENT"
    };
    let other = packed(&json!({"type": "offer", "sdp": SDP.replace("CD", "EF")}));
    assert!(!sent(&mut anas, &ben, &other).await, "her certificate is known");
    assert!(sent(&mut anas, &ben, &description).await);
    assert!(sent(&mut bens, &ana, &other).await, "his is not");
    assert!(sent(&mut bens, &ana, &STANDARD.encode("close")).await);

    server = server.restart().await;
    let mut anas = Socket::member(server.verto(), &party.ana).await;
    assert!(!sent(&mut anas, &ben, &description).await, "it is over");
}

#[tokio::test]
async fn the_fifth_offer_in_a_minute_is_spared_its_recipient() {
    let mut party = Party::gather(json!({"content": "strict"}), &[]).await;
    let offer = packed(&json!({"peerAction": "offer"}));
    let mut delivered = Vec::new();
    for _ in 0..5 {
        let answer = party.anas.ask("verto.info", message(&party.ben.client, &offer)).await;
        assert_eq!(answer["result"]["message"], "SENT");
        delivered.push(answer["result"]["delivered"].as_u64().unwrap());
    }
    assert_eq!(delivered, [1, 1, 1, 1, 0]);
}

#[tokio::test]
async fn v58_who_is_revoked_is_gone_at_once_with_all_that_it_said() {
    let mut party = Party::talk().await;
    let (here, ana) = (party.here().to_owned(), party.ana.client.clone());
    party.anas.ask("verto.info", message(&party.ben.client, "before")).await;
    assert_eq!(party.bens.push().await["params"]["msg"]["body"], "before");
    let mut took = vec![revoke(&party.server, &party.ana, &mut party.anas).await];
    for _ in 0..4 {
        let client = issue(&party.server, &here, None).await;
        let mut socket = Socket::listener(party.server.verto(), &client).await;
        took.push(revoke(&party.server, &client, &mut socket).await);
    }
    // The quickest: what the machine does beside is in the others.
    assert!(took.iter().any(|took| *took < Duration::from_millis(100)), "{took:?}");
    assert_eq!(said(&party.bens.ask("verto.info", message(&ana, "after")).await), (-32002, DENIED));
    let mut again = Socket::open(party.server.verto()).await;
    assert_eq!(said(&again.ask("login", party.ana.login()).await), (-32001, "Authentication Failure"));
}

/// Revokes a client; returns how long it took until its socket was punted and closed.
async fn revoke(server: &TestServer, client: &Credential, socket: &mut Socket) -> Duration {
    let path = format!("/v1/admin/channels/{}/clients/{}", client.channel, client.client);
    let begun = Instant::now();
    let asked = tokio::spawn(answer(server.admin(Method::DELETE, &path)));
    let (words, code) = socket.last_words().await;
    let took = begun.elapsed();
    assert_eq!((words[0]["method"].as_str(), words.len(), code), (Some("verto.punt"), 1, Some(4001)));
    assert_eq!(asked.await.unwrap().0, StatusCode::NO_CONTENT);
    took
}

#[tokio::test]
async fn the_others_hear_that_the_revoked_is_gone_where_that_is_set() {
    for (set, expected) in [("true", true), ("false", false)] {
        let server = TestServer::start_verto(&[("gone_on_revoke", set)]).await;
        let here = channel(&server, json!({"content": "strict"})).await;
        let elsewhere = channel(&server, json!({})).await;
        let (ana, ben) = (issue(&server, &here, None).await, issue(&server, &here, None).await);
        let eve = issue(&server, &elsewhere, None).await;
        let mut anas = Socket::listener(server.verto(), &ana).await;
        let mut bens = Socket::listener(server.verto(), &ben).await;
        let mut eves = Socket::listener(server.verto(), &eve).await;
        // Its words before, its punt alone (`revoke` asserts that), and no word of it after the last.
        let ready = packed(&json!({"peerStatus": "ready"}));
        let broadcast = json!({"eventChannel": here, "eventData": ready});
        anas.ask("verto.broadcast", broadcast).await;
        anas.push().await;
        assert_eq!(bens.push().await["params"]["eventData"], ready);
        revoke(&server, &ana, &mut anas).await;
        if expected {
            let heard = bens.push().await["params"].clone();
            let said = STANDARD.decode(heard["eventData"].as_str().unwrap()).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&said).unwrap()["peerStatus"], "gone");
            assert_eq!(heard["userid"], format!("{}@{DOMAIN}", ana.client));
            assert_eq!((&heard["sessid"], &heard["eventSerno"]), (&json!(ana.client), &json!(1)));
        }
        assert!(bens.is_quiet().await && eves.is_quiet().await, "{set}");
    }
}

#[tokio::test]
async fn who_is_revoked_without_a_socket_is_said_to_be_gone_too() {
    let server = TestServer::start_verto(&[("gone_on_revoke", "true")]).await;
    let here = channel(&server, json!({})).await;
    let (ana, ben) = (issue(&server, &here, None).await, issue(&server, &here, None).await);
    let mut bens = Socket::listener(server.verto(), &ben).await;
    drop(Socket::listener(server.verto(), &ana).await);
    assert!(bens.is_quiet().await, "not for the loss of a socket");
    let path = format!("/v1/admin/channels/{here}/clients/{}", ana.client);
    assert_eq!(answer(server.admin(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bens.push().await["params"]["userid"], format!("{}@{DOMAIN}", ana.client));
}

#[tokio::test]
async fn a_channel_that_ends_takes_its_sockets_with_it_strangers_too() {
    let mut party = Party::talk().await;
    let path = format!("/peers/{}/clients", party.here());
    let mut stranger = Socket::open_on(party.server.verto(), &path, &[]).await.unwrap();
    let mut elsewhere = Socket::open(party.server.verto()).await;
    let delete = party.server.admin(Method::DELETE, &format!("/v1/admin/channels/{}", party.here()));
    assert_eq!(answer(delete).await.0, StatusCode::NO_CONTENT);
    for socket in [&mut party.anas, &mut party.bens] {
        let (words, code) = socket.last_words().await;
        assert_eq!((words[0]["method"].as_str(), code), (Some("verto.punt"), Some(4001)));
    }
    assert_eq!(stranger.last_words().await, (vec![], Some(1008)));
    assert_eq!(Socket::open_on(party.server.verto(), &path, &[]).await.err(), Some(404));
    assert_eq!(said(&elsewhere.ask("echo", json!({})).await).0, -32000, "a socket of no channel stays");
    assert!(party.eves.is_quiet().await);
}

#[tokio::test]
async fn what_happens_in_channels_is_counted() {
    let mut party = Party::talk().await;
    let ben = party.ben.client.clone();
    let broadcast = json!({"eventChannel": party.here(), "data": 1});
    party.anas.ask("verto.broadcast", broadcast).await;
    party.anas.ask("verto.broadcast", json!({"eventChannel": party.eve.channel, "data": 1})).await;
    party.anas.ask("verto.info", message(&ben, "x")).await;
    party.anas.ask("verto.info", message(&party.eve.client, "x")).await;
    // No refusal, whatever it looks like.
    party.anas.ask("echo", json!({"code": -32002})).await;
    let stranger = Socket::open(party.server.verto()).await;
    for heard in ["verto.event", "verto.info"] {
        assert_eq!(party.bens.push().await["method"], heard);
    }
    revoke(&party.server, &party.ben, &mut party.bens).await;
    let expected = [
        ("verto_clients", 2.0),
        ("verto_sockets", 3.0),
        ("verto_broadcasts", 1.0),
        ("verto_messages", 1.0),
        (r#"verto_refusals_total{code="-32002"}"#, 2.0),
        (r#"verto_punts_total{reason="revoked"}"#, 1.0),
    ];
    for (name, expected) in expected {
        assert!((party.server.metric(name).await - expected).abs() < 0.5, "{name}");
    }
    drop(stranger);
}

#[tokio::test]
async fn steps_towards_a_call_are_recorded_signed_and_without_what_was_said() {
    let mut party = Party::gather(json!({"content": "strict"}), &[]).await;
    let offer = packed(&json!({"peerAction": "offer", "peerName": "Ana"}));
    party.anas.ask("verto.info", message(&party.ben.client, &offer)).await;
    party.bens.ask("verto.info", message(&party.ana.client, &STANDARD.encode("accept"))).await;
    let begun = Instant::now();
    let (key, records) = loop {
        let (_, page) = answer(party.server.admin(Method::GET, "/v1/admin/audit")).await;
        let lines = page["records"].as_array().unwrap().clone();
        let details = |action: &str| {
            let lines = lines.iter().filter(|line| line["action"] == action);
            lines.map(|line| line["detail"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (keys, records) = (details("relay.key"), details("call.relay"));
        if keys.len() == 1 && records.len() == 2 {
            break (keys[0].clone(), records);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{page}");
        sleep(Duration::from_millis(100)).await;
    };
    for record in records {
        assert!(verify_record(&key, &record) && !record.contains(&offer), "{record}");
    }
}

/// FreeSWITCH before 2026-05-27 bound a session ID before it asked for the password, and punted whoever had it. The line that protects:
/// `_ => self.must_log_in()` of `Conversation::perform` in faces/verto/connection.rs, before which nothing but `login` is looked at; and
/// that `Topics::attach` (hub) finds the holder by the client that was believed, never by a session ID.
#[tokio::test]
async fn the_eviction_of_may_2026_evicts_nobody() {
    let mut party = Party::talk().await;
    for frame in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "verto.subscribe", "params": {"sessid": party.ana.client}}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "login", "params": {"sessid": party.ana.client}}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "login",
            "params": {"sessid": party.ana.client, "login": party.ana.client, "passwd": "guessed"}}),
    ] {
        let mut stranger = Socket::open(party.server.verto()).await;
        stranger.say(frame.to_string()).await;
        assert!(stranger.next().await.unwrap()["error"].is_object());
    }
    assert!(party.anas.is_quiet().await);
}

/// Whoever knows a session ID could fetch the client's password with it (reference, S2), and clients write it into every frame. The line
/// that protects: `"sessid"` in `NOT_HANDED_ON` of wire/verto/broadcast.rs; what stands there comes from `written` in
/// faces/verto/connection.rs (`v39_v40_…` fails without its arm for others).
#[tokio::test]
async fn a_session_id_is_never_told_to_another() {
    let mut party = Party::talk().await;
    let session = "0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb";
    let cem = issue(&party.server, party.here(), Some(session)).await;
    let mut cems = Socket::open(party.server.verto()).await;
    assert_eq!(cems.ask("login", cem.login_as(session)).await["result"]["sessid"], session);
    let forged = json!({"eventChannel": party.here(), "sessid": session, "data": 1});
    cems.ask("verto.broadcast", forged).await;
    cems.ask("verto.info", json!({"sessid": session, "msg": {"to": party.ben.client, "body": "x"}})).await;
    for _ in 0..2 {
        let heard = party.bens.push().await.to_string();
        assert!(heard.contains(&cem.client) && !heard.contains(session), "{heard}");
    }
}

/// The relay of the original delivers to any client anywhere (reference, S7). The line that protects: `if !self.is_known(to).await?` of
/// `Talking::tell` in faces/verto/talk.rs; and that `Exchange::tell` looks the recipient up in the sender's realm.
#[tokio::test]
async fn a_message_never_reaches_another_channel() {
    let mut party = Party::talk().await;
    let denied = party.anas.ask("verto.info", message(&party.eve.client, "x")).await;
    let nobody = party.anas.ask("verto.info", message("00000000-0000-4000-8000-000000000000", "x")).await;
    assert_eq!(denied["error"], json!({"code": -32002, "message": DENIED}));
    assert_eq!(denied["error"], nobody["error"]);
    let quiet = timeout(Duration::from_secs(5), party.eves.is_quiet()).await;
    assert_eq!(quiet, Ok(true));
}
