//! The rtcd face, message by message, beside the bytes that were captured from rtcd and its clients (`vectors/rtcd`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wire::rtcd::*;
use wire::{DecodeError, Masked};

const SCENARIOS: [(&str, &str); 15] = [
    ("bad-first-offer", include_str!("vectors/rtcd/ws-bad-first-offer.json")),
    ("client-gone", include_str!("vectors/rtcd/ws-client-gone.json")),
    ("connect-no-props", include_str!("vectors/rtcd/ws-connect-no-props.json")),
    ("connect", include_str!("vectors/rtcd/ws-connect.json")),
    ("data-channel", include_str!("vectors/rtcd/ws-data-channel.json")),
    ("hello", include_str!("vectors/rtcd/ws-hello.json")),
    ("late-join", include_str!("vectors/rtcd/ws-late-join.json")),
    ("reconnect", include_str!("vectors/rtcd/ws-reconnect.json")),
    ("same-id-two-calls", include_str!("vectors/rtcd/ws-same-id-two-calls.json")),
    ("screen", include_str!("vectors/rtcd/ws-screen.json")),
    ("signaling-timeout", include_str!("vectors/rtcd/ws-signaling-timeout.json")),
    ("video-unannounced", include_str!("vectors/rtcd/ws-video-unannounced.json")),
    ("video", include_str!("vectors/rtcd/ws-video.json")),
    ("voice-dc-signaling", include_str!("vectors/rtcd/ws-voice-dc-signaling.json")),
    ("voice", include_str!("vectors/rtcd/ws-voice.json")),
];
const ERRORS: &str = include_str!("vectors/rtcd/ws-errors.json");

#[test]
fn every_captured_message_is_read_and_said_the_same() {
    let (mut socket, mut channel) = (0, 0);
    for (scenario, text) in SCENARIOS {
        for frame in frames(text) {
            let Some(bytes) = frame["hex"].as_str().map(bytes) else { continue };
            let place = format!("{scenario} at {}", frame["t_ms"]);
            let by_client = frame["dir"] == "client->server";
            match frame["channel"].as_str().unwrap() {
                "ws" if by_client => {
                    let message =
                        ClientMessage::decode(&bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
                    assert_eq!(told(&message), frame["decoded"], "{place}");
                    assert_eq!(ClientMessage::decode(&message.encode()).unwrap(), message, "{place}");
                    if let ClientMessage::Rtc(rtc) = &message {
                        assert_eq!(message.encode(), bytes, "{place}");
                        let (kind, data) = Signal::read(rtc).unwrap().write();
                        let again = Rtc { kind, data, ..rtc.clone() };
                        assert_eq!(Signal::read(&again), Signal::read(rtc), "{place}");
                    }
                    socket += 1;
                }
                "ws" => {
                    let message =
                        ServerMessage::decode(&bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
                    let said = message.encode();
                    // The maps of rtcd's other messages come in any order.
                    if matches!(message, ServerMessage::Hello { .. }) {
                        assert_eq!((said.len(), ServerMessage::decode(&said)), (bytes.len(), Ok(message)));
                    } else {
                        assert_eq!(said, bytes, "{place}");
                        payload_is_said_the_same(&message, &place);
                    }
                    socket += 1;
                }
                "dc" | "dc-text" => {
                    channel += 1;
                    if frame["text"] == "pong" {
                        assert_eq!(bytes, ChannelMessage::OLD_PONG);
                        continue;
                    }
                    let message =
                        ChannelMessage::decode(&bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
                    let said = message.encode();
                    if matches!(message, ChannelMessage::Sdp(_)) {
                        assert_eq!(ChannelMessage::decode(&said).unwrap(), message, "{place}");
                    } else {
                        assert_eq!(said, bytes, "{place}");
                    }
                }
                other => panic!("{other}"),
            }
        }
    }
    assert!(socket > 150 && channel > 60, "{socket} and {channel}");
}

/// The data of what rtcd says are its own JSON, byte by byte.
fn payload_is_said_the_same(message: &ServerMessage, place: &str) {
    let ServerMessage::Rtc(rtc) = message else { return };
    let again = match rtc.kind {
        RtcKind::Ice => Candidate::decode(&rtc.data).unwrap().encode(),
        RtcKind::Sdp => Description::decode(&rtc.data).unwrap().encode(),
        other => panic!("{place}: {other:?}"),
    };
    assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(rtc.data.clone()).unwrap(), "{place}");
}

#[test]
fn every_captured_error_is_one() {
    let wrong = |member, expected| DecodeError::Wrong { member, expected };
    let faults = BTreeMap::from([
        ("an empty frame", DecodeError::NotMsgpack),
        ("one byte that is no string", DecodeError::NotMsgpack),
        ("a type without data", DecodeError::NotMsgpack),
        ("an unknown type", DecodeError::UnknownType),
        ("join whose data is a string", wrong("data", "a map")),
        ("join without session id", DecodeError::Missing("sessionID")),
        ("join without call id", DecodeError::Missing("callID")),
        ("join without user id", DecodeError::Missing("userID")),
        ("leave without session id", DecodeError::Missing("sessionID")),
        ("leave whose map has a number", wrong("data", "a map of texts")),
        ("reconnect without session id", DecodeError::Missing("sessionID")),
        ("hello from the client", DecodeError::UnknownType),
        ("rtc without session id", DecodeError::Missing("session_id")),
        ("rtc without type", DecodeError::UnknownType),
        ("rtc whose data is a list", wrong("data", "a map")),
        ("rtc of an unknown type", DecodeError::UnknownType),
        ("an SDP that is not JSON", DecodeError::NotJson),
        ("an SDP of type pranswer", DecodeError::UnknownType),
        ("a candidate that is not JSON", DecodeError::NotJson),
        ("screen on whose data is not JSON", DecodeError::NotJson),
    ]);
    let (mut note, mut met) = (String::new(), 0);
    for frame in frames(ERRORS) {
        if let Some(text) = frame["note"].as_str() {
            text.clone_into(&mut note);
        }
        if frame["channel"] != "ws" || frame["dir"] != "client->server" {
            continue;
        }
        let message = ClientMessage::decode(&bytes(frame["hex"].as_str().unwrap()));
        let signal = message.and_then(|message| match message {
            ClientMessage::Rtc(rtc) => Signal::read(&rtc).map(|_| ()),
            _ => Ok(()),
        });
        // A note is about the next message; those after it are well.
        let note = std::mem::take(&mut note);
        let fault = faults.get(note.as_str());
        assert_eq!(signal.err().as_ref(), fault, "{note}");
        met += usize::from(fault.is_some());
    }
    assert_eq!(met, faults.len());
    assert_eq!(ChannelMessage::decode(&[]), Err(DecodeError::NotMsgpack));
    assert_eq!(ChannelMessage::decode(&[0x63]), Err(DecodeError::UnknownType));
    assert_eq!(ChannelMessage::decode(&[0xcc, 0x63]), Err(DecodeError::UnknownType));
}

#[test]
fn joins_say_what_is_there_and_nothing_more() {
    let ids = b"\xa6callID\xa2c1\xa6userID\xa2u1\xa9sessionID\xa2s1".as_slice();
    let join = |more: &[&[u8]]| match ClientMessage::decode(
        &[&[b"\xa4join".as_slice()], more, &[ids]].concat().concat(),
    ) {
        Ok(ClientMessage::Join(join)) => join,
        other => panic!("{other:?}"),
    };
    let bare = join(&[b"\x83"]);
    assert_eq!((bare.channel.as_deref(), bare.av1, bare.by_channel), (None, None, None));
    // rtcd's decoder takes bytes for the name of a member.
    assert_eq!(join(&[b"\x84\xc4\x0aav1Support\xc3"]).av1, Some(true));
    // Where the call is shown is only told again: one that is too long, or no name at all, keeps nobody out.
    let shown = |text: &[u8]| {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        join(&[b"\x84\xa9channelID\xda", &length, text]).channel
    };
    assert_eq!((shown(b"").as_deref(), shown(b"ch").as_deref()), (Some(""), Some("ch")));
    assert_eq!(shown(&[b'c'; MAX_ID]).map(|channel| channel.len()), Some(MAX_ID));
    for odd in [[b'c'; MAX_ID + 1].as_slice(), b"a\nb", b"\xff"] {
        assert_eq!(shown(odd), None, "{odd:x?}");
    }
    let odd: [(&[u8], Option<bool>); 4] =
        [(b"\xc3", Some(true)), (b"\xc0", None), (b"\x01", None), (b"\xa4true", None)];
    for (value, av1) in odd {
        let join = join(&[b"\x84\xaaav1Support", value]);
        assert_eq!(join.av1, av1, "{value:x?}");
    }
}

/// Whoever waits for the session is told, if there is a name to tell.
#[test]
fn a_join_whose_ids_are_there_in_a_bad_form_names_its_session() {
    let text = |text: &[u8]| [&[0xda], &u16::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat();
    let join = |call: &[u8], user: &[u8], session: &[u8]| {
        let members = [&b"callID"[..], call, b"userID", user, b"sessionID", session].map(text).concat();
        [b"\xa4join\x83".as_slice(), &members].concat()
    };
    let refused = |bytes: &[u8]| {
        assert!(ClientMessage::decode(bytes).is_err());
        ClientMessage::refused_join(bytes)
    };
    let long = |length| vec![b'x'; length];
    for (call, user) in [(&b"c"[..], &long(300)[..]), (&long(200), b"u"), (b"a\nb", b"u"), (b"c", b"\xff")] {
        assert_eq!(refused(&join(call, user, b"s")).as_deref(), Some("s"));
    }
    for session in [&"s".repeat(65), "a b", "a/b", "é", "\n", &"s".repeat(MAX_ANY_ID)] {
        assert_eq!(refused(&join(b"c", b"u", session.as_bytes())).as_deref(), Some(session));
        let close = ServerMessage::Close { session: session.to_owned() };
        assert_eq!(ServerMessage::decode(&close.encode()), Ok(close));
    }
    let unsaid = [
        ("no text", join(b"c", b"u", b"\xff")),
        ("too long", join(b"c", b"u", &long(MAX_ANY_ID + 1))),
        ("no session", join(b"c", &long(300), b"")),
        ("no call", join(b"", b"u", b"a b")),
        ("no user", join(b"c", b"", b"a b")),
        ("no join", [b"\xa5leave".as_slice(), &join(b"c", b"u", b"a b")[5..]].concat()),
        ("torn", join(b"c", b"u", b"a b")[..30].to_vec()),
        ("larger than a message", [join(b"c", b"u", b"a b"), long(MAX_MESSAGE)].concat()),
    ];
    for (what, bytes) in unsaid {
        assert_eq!(refused(&bytes), None, "{what}");
    }
    assert_eq!(ClientMessage::refused_join(&join(b"c", b"u", b"s")), None, "it is not refused");
}

#[test]
fn what_no_socket_message_may_be_is_refused() {
    let map = |more: &[u8]| [b"\xa5leave".as_slice(), more].concat();
    let texts = || DecodeError::Wrong { member: "data", expected: "a map of texts" };
    let token = || DecodeError::Wrong { member: "sessionID", expected: "1–64 characters of a token" };
    let deep = [b"\xa4join\x81\xa1x".as_slice(), &[0x91; 70_000]].concat();
    let long = |length: u8| {
        [b"\xa5leave\x81\xa9sessionID\xd9".as_slice(), &[length], &vec![b's'; length.into()]].concat()
    };
    let rows: Vec<(&str, Vec<u8>, DecodeError)> = vec![
        ("nil key", map(b"\x81\xc0\xa1x"), texts()),
        ("nil value", map(b"\x81\xa9sessionID\xc0"), texts()),
        ("bin value", map(b"\x81\xa9sessionID\xc4\x01s"), texts()),
        ("a type of bad UTF-8", b"\xa2\xff\xfe\x80".to_vec(), DecodeError::UnknownType),
        ("a nil type", b"\xc0\x80".to_vec(), DecodeError::UnknownType),
        (
            "four thousand million pairs",
            b"\xa4join\xdf\xff\xff\xff\xff\xa1x\xa1x".to_vec(),
            DecodeError::NotMsgpack,
        ),
        ("a text of 4 GiB", map(b"\x81\xa9sessionID\xdb\xff\xff\xff\xff"), DecodeError::NotMsgpack),
        ("a nil key of a join", b"\xa4join\x81\xc0\xc0".to_vec(), texts()),
        ("deep", deep, DecodeError::TooDeep { limit: 8 }),
        ("larger than a message", vec![0xc0; MAX_MESSAGE + 1], DecodeError::TooLarge { limit: MAX_MESSAGE }),
        ("an id with a space", map(b"\x81\xa9sessionID\xa3a b"), token()),
        ("an id of bad UTF-8", map(b"\x81\xa9sessionID\xa1\xff"), texts()),
        ("an id of 65", long(65), token()),
        (
            "a call with a newline",
            b"\xa4join\x83\xa6callID\xa1\n\xa6userID\xa1u\xa9sessionID\xa1s".to_vec(),
            DecodeError::Wrong { member: "callID", expected: "an id" },
        ),
    ];
    for (what, bytes, fault) in rows {
        assert_eq!(ClientMessage::decode(&bytes), Err(fault), "{what}");
    }
    assert_eq!(ClientMessage::decode(&long(64)), Ok(ClientMessage::Leave { session: "s".repeat(64) }));
}

#[test]
fn an_rtc_message_may_come_in_every_form_that_rtcds_own_decoder_takes() {
    let plain = Rtc {
        group: String::new(),
        user: "u".into(),
        session: "s".into(),
        call: String::new(),
        kind: RtcKind::Mute,
        data: Vec::new(),
    };
    let rows: [(&str, &[u8]); 4] = [
        ("any order, unknown keys, wide numbers", b"\xa3rtc\x85\xa4type\xcf\0\0\0\0\0\0\0\x03\xa1x\x92\x01\x02\xaasession_id\xa1s\xa7user_id\xa1u\xa4data\xc0"),
        ("bytes for texts", b"\xc4\x03rtc\x83\xaasession_id\xc4\x01s\xa7user_id\xc4\x01u\xa4type\x03"),
        ("an array of six", b"\xa3rtc\x96\xa0\xa1u\xa1s\xa0\x03\xc0"),
        ("bytes behind it", b"\xa3rtc\x83\xaasession_id\xa1s\xa7user_id\xa1u\xa4type\x03\xff\xff"),
    ];
    for (what, bytes) in rows {
        assert_eq!(ClientMessage::decode(bytes), Ok(ClientMessage::Rtc(plain.clone())), "{what}");
    }
}

#[test]
fn channel_messages_of_browsers_are_shorter() {
    let rows: [(&[u8], ChannelMessage); 8] = [
        (&[0x01], ChannelMessage::Ping),
        (&[0x02], ChannelMessage::Pong),
        (&[0xcd, 0, 1], ChannelMessage::Ping),
        (&[0x04, 0x00], ChannelMessage::LossRate(0.0)),
        (&[0x05, 0xcb, 0x3f, 0xa9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], ChannelMessage::RoundTripTime(0.05)),
        (&[0x06, 0xca, 0x3f, 0, 0, 0], ChannelMessage::Jitter(0.5)),
        (&[0x07], ChannelMessage::LockRequest),
        (&[0x08], ChannelMessage::Unlock),
    ];
    for (bytes, message) in rows {
        assert_eq!(ChannelMessage::decode(bytes), Ok(message));
    }
    let sdp = bytes("cc03c422789cab562aa92c4855b252ca4f4b4b2d52d2512a4e2900f2ca6c0d946a01845308a7");
    let offer = ChannelMessage::Sdp(Description::Offer(Masked("v=0".into())));
    assert_eq!(ChannelMessage::decode(&sdp), Ok(offer));
    let mapped = |kind, sender: &str| Mapped { kind, sender: sender.into() };
    let map = MediaMap::from([
        ("1".into(), mapped(Tracked::Voice, "s2")),
        ("2".into(), mapped(Tracked::Screen, "s2")),
    ]);
    let hex = "cc0982a13182a474797065a5766f696365a973656e6465725f6964a27332a13282a474797065a673637265656ea973656e6465725f6964a27332";
    assert_eq!(ChannelMessage::MediaMap(map.clone()).encode(), bytes(hex));
    assert_eq!(ChannelMessage::decode(&bytes(hex)), Ok(ChannelMessage::MediaMap(map)));
}

#[test]
fn what_no_channel_message_may_be_is_refused() {
    let deflate = |bytes: &[u8]| {
        let stream = miniz_oxide::deflate::compress_to_vec_zlib(bytes, 6);
        let length = u16::try_from(stream.len()).unwrap().to_be_bytes();
        [&[3, 0xc5][..], &length, &stream].concat()
    };
    let bomb = deflate(&vec![b' '; MAX_INFLATED + 1]);
    let mut torn = deflate(br#"{"type":"offer","sdp":"v=0"}"#);
    let last = torn.len() - 1;
    torn[last] ^= 1;
    let quantity = |member| DecodeError::Wrong { member, expected: "a number that is not negative" };
    let map = || DecodeError::Wrong { member: "media map", expected: "a map of tracks" };
    let rows: Vec<(&str, Vec<u8>, DecodeError)> = vec![
        ("a bomb", bomb, DecodeError::TooLarge { limit: MAX_INFLATED }),
        ("4 GiB declared", vec![3, 0xc6, 0xff, 0xff, 0xff, 0xff], DecodeError::NotMsgpack),
        ("a wrong checksum", torn, DecodeError::NotZlib),
        ("not zlib", vec![3, 0xc4, 2, 1, 2], DecodeError::NotZlib),
        ("no payload", vec![3, 0xc0], DecodeError::NotZlib),
        ("not JSON", deflate(b"v=0"), DecodeError::NotJson),
        ("a rollback", deflate(br#"{"type":"rollback","sdp":""}"#), DecodeError::UnknownType),
        ("a negative loss", vec![4, 0xff], quantity("loss rate")),
        (
            "an endless time",
            [&[5, 0xcb][..], &f64::INFINITY.to_be_bytes()].concat(),
            quantity("round-trip time"),
        ),
        ("no number", [&[6, 0xcb][..], &f64::NAN.to_be_bytes()].concat(), quantity("jitter")),
        ("a text", vec![6, 0xa1, b'1'], quantity("jitter")),
        ("a lock of nil", vec![7, 0xc0], DecodeError::Wrong { member: "lock", expected: "true or false" }),
        ("a map of nothing", vec![9, 0x81, 0xa1, b'1', 0x80], map()),
        ("a map of nil", vec![9, 0xc0], map()),
        ("a nil type", vec![0xc0], DecodeError::Wrong { member: "type", expected: "a whole number" }),
        ("type 0", vec![0], DecodeError::UnknownType),
        ("too long", vec![1; MAX_DEFLATED + 1], DecodeError::TooLarge { limit: MAX_DEFLATED }),
    ];
    for (what, bytes, fault) in rows {
        assert_eq!(ChannelMessage::decode(&bytes), Err(fault), "{what}");
    }
    let fits = format!(r#"{{"type":"offer","sdp":"{}"}}"#, "x".repeat(MAX_INFLATED - 25));
    assert_eq!(fits.len(), MAX_INFLATED);
    assert!(ChannelMessage::decode(&deflate(fits.as_bytes())).is_ok());
}

#[test]
fn announcements_name_streams_that_can_be() {
    let announce = |json: &str, kind| {
        let data = json.as_bytes().to_vec();
        Signal::read(&Rtc {
            group: String::new(),
            user: String::new(),
            session: "s".into(),
            call: String::new(),
            kind,
            data,
        })
    };
    let wrong = |member, expected| Err(DecodeError::Wrong { member, expected });
    let screen = "screenStreamID";
    let id = "{4b5c-11}";
    let good = announce(&json!({ screen: id }).to_string(), RtcKind::ScreenOn);
    assert_eq!(good, Ok(Signal::ScreenOn { stream: id.into() }));
    for bad in ["", "a b", "a\r\n"] {
        let said = announce(&json!({ screen: bad }).to_string(), RtcKind::ScreenOn);
        assert_eq!(said, wrong(screen, "the id of a stream"), "{bad:?}");
    }
    let long = announce(&json!({ screen: "x".repeat(65) }).to_string(), RtcKind::ScreenOn);
    assert_eq!(long, wrong(screen, "a text of the allowed length"));
    assert_eq!(announce("{}", RtcKind::VideoOn), Err(DecodeError::Missing("videoStreamID")));
    assert_eq!(announce("", RtcKind::VoiceOn), Err(DecodeError::UnknownType));
}

/// What a message of a client says, as the vectors write it.
fn told(message: &ClientMessage) -> Value {
    let data = match message {
        ClientMessage::Join(join) => {
            let mut data = json!({"callID": join.call, "userID": join.user, "sessionID": join.session});
            let channel = join.channel.as_ref().map(|channel| ("channelID", json!(channel)));
            let av1 = join.av1.map(|flag| ("av1Support", json!(flag)));
            let by_channel = join.by_channel.map(|flag| ("dcSignaling", json!(flag)));
            for (name, value) in [channel, av1, by_channel].into_iter().flatten() {
                data[name] = value;
            }
            data
        }
        ClientMessage::Reconnect { session } | ClientMessage::Leave { session } => {
            json!({"sessionID": session})
        }
        ClientMessage::Rtc(rtc) => {
            let number = [
                RtcKind::Ice,
                RtcKind::Sdp,
                RtcKind::Mute,
                RtcKind::Unmute,
                RtcKind::ScreenOn,
                RtcKind::ScreenOff,
                RtcKind::VoiceOn,
                RtcKind::VoiceOff,
                RtcKind::VideoOn,
                RtcKind::VideoOff,
            ]
            .iter()
            .position(|kind| *kind == rtc.kind);
            let mut data = json!({
                "group_id": rtc.group, "user_id": rtc.user, "session_id": rtc.session, "call_id": rtc.call,
                "type": number.unwrap() + 1,
            });
            if !rtc.data.is_empty() {
                data["data"] = json!({"json": serde_json::from_slice::<Value>(&rtc.data).unwrap()});
            }
            data
        }
    };
    json!([message.kind(), data])
}

fn frames(text: &str) -> Vec<Value> {
    let mut scenario: Value = serde_json::from_str(text).unwrap();
    let frames = scenario["frames"].as_array_mut().map(std::mem::take).unwrap();
    frames.into_iter().filter(|frame| frame["channel"] != "http").collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
