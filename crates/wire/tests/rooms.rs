//! The rooms face, message by message, as `docs/faces/rooms.md` writes them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use wire::rooms::*;
use wire::{DecodeError, Masked};

const ANA: Id = Id(0x0123_4567_89ab_cdef_0000_0000_0000_00aa);
const ANA_TEXT: &str = "0123456789abcdef00000000000000aa";

#[test]
fn every_client_message_is_read() {
    let signature = format!("{}{}", "A".repeat(84), "_w");
    let mut signed = [0; 64];
    signed[63] = 0xff;
    let media = || MediaLabel::parse("m_1-Z").unwrap();
    let rows = [
        (
            format!(r#"{{"type":"authenticate","session_token":"css_x","signature":"{signature}"}}"#),
            ClientMessage::Authenticate {
                session_token: Masked("css_x".into()),
                signature: Signature(signed),
            },
        ),
        (
            r#"{"type":"offer","media":"m_1-Z","id":7,"sdp":"v=0\r\n","tracks":{"0":"voice","1":"camera","2":"screen","x":"screen-audio"}}"#.into(),
            ClientMessage::Offer {
                media: media(),
                id: 7,
                sdp: Masked("v=0\r\n".into()),
                tracks: BTreeMap::from([
                    ("0".into(), Source::Voice),
                    ("1".into(), Source::Camera),
                    ("2".into(), Source::Screen),
                    ("x".into(), Source::ScreenAudio),
                ]),
            },
        ),
        (
            r#"{"type":"answer","media":"m_1-Z","id":4294967295,"sdp":"v=0"}"#.into(),
            ClientMessage::Answer { media: media(), id: u32::MAX, sdp: Masked("v=0".into()) },
        ),
        (
            r#"{"type":"candidate","media":"m_1-Z","candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#.into(),
            ClientMessage::Candidate {
                media: media(),
                candidate: Masked("candidate:1 1 udp 1 192.0.2.1 9 typ host".into()),
            },
        ),
        (
            r#"{"type":"candidate","media":"m_1-Z","candidate":""}"#.into(),
            ClientMessage::Candidate { media: media(), candidate: Masked(String::new()) },
        ),
        (
            r#"{"type":"mute","source":"screen-audio","muted":true}"#.into(),
            ClientMessage::Mute { source: Source::ScreenAudio, muted: true },
        ),
        (
            format!(r#"{{"type":"remove","participant_id":"{ANA_TEXT}"}}"#),
            ClientMessage::Remove { participant_id: ANA },
        ),
        (
            format!(
                r#"{{"type":"view","tiles":[{{"participant_id":"{ANA_TEXT}","source":"screen","height":1080}},{{"participant_id":"{ANA_TEXT}","source":"camera","height":65535}}]}}"#
            ),
            ClientMessage::View {
                tiles: Some(vec![
                    Tile { participant_id: ANA, source: Source::Screen, height: 1_080 },
                    Tile { participant_id: ANA, source: Source::Camera, height: u16::MAX },
                ]),
            },
        ),
        (r#"{"type":"view","tiles":[]}"#.into(), ClientMessage::View { tiles: Some(vec![]) }),
        (r#"{"type":"view","tiles":null}"#.into(), ClientMessage::View { tiles: None }),
        (r#"{"type":"end"}"#.into(), ClientMessage::End),
        (r#"{"type":"leave"}"#.into(), ClientMessage::Leave),
        (r#"{"type":"ping","later":{"unknown":["members","are",{"ignored":null}]}}"#.into(), ClientMessage::Ping),
    ];
    for (text, message) in rows {
        assert_eq!(ClientMessage::decode(text.as_bytes(), MAX_MESSAGE), Ok(message.clone()), "{text}");
        assert!(text.contains(&format!(r#""type":"{}""#, message.kind())), "{text}");
    }
}

#[test]
fn every_client_message_in_another_form_is_refused() {
    let wrong = |member, expected| DecodeError::Wrong { member, expected };
    let (label, source) = ("1–32 of A-Z a-z 0-9 _ -", "a source");
    let (text, tracks) = ("a text of the allowed length", "mid → source");
    let hex = "32 lower-case hex digits";
    let many: Vec<_> = (0..17).map(|mid| format!(r#""{mid}":"voice""#)).collect();
    let many = format!(r#"{{"type":"offer","media":"m","id":1,"sdp":"","tracks":{{{}}}}}"#, many.join(","));
    let long_mid = format!(
        r#"{{"type":"offer","media":"m","id":1,"sdp":"","tracks":{{"{}":"voice"}}}}"#,
        "9".repeat(33)
    );
    let rows: Vec<(Option<&str>, DecodeError, &str)> = vec![
        (None, DecodeError::Missing("type"), "{}"),
        (None, wrong("type", text), r#"{"type":1}"#),
        (None, DecodeError::UnknownType, r#"{"type":"Ping"}"#),
        (None, DecodeError::UnknownType, r#"{"type":"welcome"}"#),
        (None, DecodeError::DuplicateMember, r#"{"type":"ping","type":"leave"}"#),
        (None, DecodeError::NotAnObject, r#"["ping"]"#),
        (
            Some("authenticate"),
            DecodeError::Missing("session_token"),
            r#"{"type":"authenticate","signature":"AA"}"#,
        ),
        (
            Some("authenticate"),
            wrong("signature", "base64url of 64 bytes"),
            r#"{"type":"authenticate","session_token":"css_x","signature":"AA"}"#,
        ),
        (Some("offer"), DecodeError::Missing("tracks"), r#"{"type":"offer","media":"m","id":1,"sdp":""}"#),
        (
            Some("offer"),
            wrong("media", label),
            r#"{"type":"offer","media":"a b","id":1,"sdp":"","tracks":{}}"#,
        ),
        (Some("offer"), wrong("media", label), r#"{"type":"offer","media":"","id":1,"sdp":"","tracks":{}}"#),
        (
            Some("offer"),
            wrong("tracks", tracks),
            r#"{"type":"offer","media":"m","id":1,"sdp":"","tracks":{"0":"mic"}}"#,
        ),
        (
            Some("offer"),
            wrong("tracks", tracks),
            r#"{"type":"offer","media":"m","id":1,"sdp":"","tracks":{"":"voice"}}"#,
        ),
        (Some("offer"), wrong("tracks", tracks), &long_mid),
        (Some("offer"), wrong("tracks", "at most 16 m-lines"), &many),
        (
            None,
            DecodeError::DuplicateMember,
            r#"{"type":"offer","media":"m","id":1,"sdp":"","tracks":{"0":"voice","0":"camera"}}"#,
        ),
        (
            Some("answer"),
            wrong("id", "below 2^32"),
            r#"{"type":"answer","media":"m","id":4294967296,"sdp":""}"#,
        ),
        (Some("answer"), wrong("id", "a whole number"), r#"{"type":"answer","media":"m","id":-1,"sdp":""}"#),
        (Some("answer"), wrong("sdp", text), r#"{"type":"answer","media":"m","id":1,"sdp":null}"#),
        (
            Some("candidate"),
            wrong("candidate", "a line candidate:… or empty"),
            r#"{"type":"candidate","media":"m","candidate":"a=candidate:1"}"#,
        ),
        (
            Some("candidate"),
            wrong("candidate", "a line candidate:… or empty"),
            r#"{"type":"candidate","media":"m","candidate":"candidate:1\r\na=x"}"#,
        ),
        (Some("mute"), wrong("source", source), r#"{"type":"mute","source":"all","muted":true}"#),
        (Some("mute"), wrong("muted", "true or false"), r#"{"type":"mute","source":"voice","muted":1}"#),
        (Some("remove"), wrong("participant_id", hex), r#"{"type":"remove","participant_id":"x"}"#),
        (
            Some("remove"),
            wrong("participant_id", hex),
            r#"{"type":"remove","participant_id":"0123456789ABCDEF00000000000000aa"}"#,
        ),
        (Some("remove"), DecodeError::Missing("participant_id"), r#"{"type":"remove"}"#),
    ];
    for (about, error, text) in rows {
        assert_eq!(
            ClientMessage::decode(text.as_bytes(), MAX_MESSAGE),
            Err(BadMessage { about, error }),
            "{text}"
        );
    }
    let large = format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(MAX_MESSAGE));
    let error = DecodeError::TooLarge { limit: MAX_MESSAGE };
    assert_eq!(ClientMessage::decode(large.as_bytes(), MAX_MESSAGE), Err(BadMessage { about: None, error }));
}

#[test]
fn a_view_in_another_form_is_refused() {
    let wrong = |member, expected| DecodeError::Wrong { member, expected };
    let list = wrong("tiles", "a list of objects or null");
    let height = wrong("height", "1–65,535");
    let tiles = |ends: &[&str]| {
        let tile = |end: &&str| format!(r#"{{"participant_id":"{ANA_TEXT}","source":{end}}}"#);
        format!(r#"{{"type":"view","tiles":[{}]}}"#, ends.iter().map(tile).collect::<Vec<_>>().join(","))
    };
    let rows = [
        (DecodeError::Missing("tiles"), r#"{"type":"view"}"#.to_owned()),
        (list.clone(), r#"{"type":"view","tiles":{}}"#.into()),
        (list, r#"{"type":"view","tiles":["camera"]}"#.into()),
        (DecodeError::Missing("participant_id"), r#"{"type":"view","tiles":[{}]}"#.into()),
        (wrong("source", "camera or screen"), tiles(&[r#""voice","height":1"#])),
        (DecodeError::Missing("height"), tiles(&[r#""camera""#])),
        (height.clone(), tiles(&[r#""camera","height":0"#])),
        (height, tiles(&[r#""camera","height":65536"#])),
        (wrong("height", "a whole number"), tiles(&[r#""camera","height":1.5"#])),
        (
            wrong("tiles", "a list that has each picture once"),
            tiles(&[r#""camera","height":1"#, r#""camera","height":2"#]),
        ),
        (wrong("tiles", "at most 64 tiles"), tiles(&[r#""camera","height":1"#; 65])),
    ];
    for (error, text) in rows {
        let refused = Err(BadMessage { about: Some("view"), error });
        assert_eq!(ClientMessage::decode(text.as_bytes(), MAX_MESSAGE), refused, "{text:.200}");
    }
}

#[test]
fn what_must_not_be_logged_does_not_print() {
    let text = format!(
        r#"{{"type":"authenticate","session_token":"css_hidden","signature":"{}"}}"#,
        "B".repeat(85) + "A"
    );
    let printed = format!("{:?}", ClientMessage::decode(text.as_bytes(), MAX_MESSAGE).unwrap());
    assert_eq!(printed, "Authenticate { session_token: Masked(10 bytes), signature: Signature(..) }");
}

#[test]
fn every_server_message_is_written() {
    let media = MediaLabel::parse("m1").unwrap();
    let rows = [
        (
            ServerMessage::Hello { nonce: Nonce([0xff; 32]) },
            r#"{"type":"hello","nonce":"__________________________________________8"}"#.to_owned(),
        ),
        (
            ServerMessage::Welcome {
                participant_id: ANA,
                room_id: Id(1),
                room_name: "Standup".into(),
                name: "Ana".into(),
                permissions: vec![Permission::Speak, Permission::Moderate],
                media: None,
            },
            format!(
                r#"{{"type":"welcome","participant_id":"{ANA_TEXT}","room_id":"00000000000000000000000000000001","room_name":"Standup","name":"Ana","permissions":["speak","moderate"],"media":null}}"#
            ),
        ),
        (
            ServerMessage::Roster {
                participants: vec![MemberShown {
                    participant_id: ANA,
                    name: "Ana".into(),
                    permissions: vec![Permission::Camera, Permission::Share],
                    connected: true,
                    muted: vec![Source::Voice, Source::ScreenAudio],
                }],
            },
            format!(
                r#"{{"type":"roster","participants":[{{"participant_id":"{ANA_TEXT}","name":"Ana","permissions":["camera","share"],"connected":true,"muted":["voice","screen-audio"]}}]}}"#
            ),
        ),
        (
            ServerMessage::Answer { media: media.clone(), id: 3, sdp: "v=0\r\n".into() },
            r#"{"type":"answer","media":"m1","id":3,"sdp":"v=0\r\n"}"#.into(),
        ),
        (
            ServerMessage::Offer {
                media,
                id: 9,
                sdp: "v=0".into(),
                tracks: BTreeMap::from([(
                    "2".into(),
                    SendingShown { participant_id: ANA, source: Source::Camera },
                )]),
            },
            format!(
                r#"{{"type":"offer","media":"m1","id":9,"sdp":"v=0","tracks":{{"2":{{"participant_id":"{ANA_TEXT}","source":"camera"}}}}}}"#
            ),
        ),
        (
            ServerMessage::Speaking { active: None, speaking: vec![] },
            r#"{"type":"speaking","active":null,"speaking":[]}"#.into(),
        ),
        (
            ServerMessage::Speaking { active: Some(Id(1)), speaking: vec![ANA] },
            format!(
                r#"{{"type":"speaking","active":"00000000000000000000000000000001","speaking":["{ANA_TEXT}"]}}"#
            ),
        ),
        (ServerMessage::Pong, r#"{"type":"pong"}"#.into()),
        (
            ServerMessage::Goodbye { reason: GoodbyeReason::Replaced },
            r#"{"type":"goodbye","reason":"replaced"}"#.into(),
        ),
        (
            ServerMessage::Error { code: ErrorCode::Denied, message: "denied".into(), about: None, media: None },
            r#"{"type":"error","code":"denied","message":"denied"}"#.into(),
        ),
        (
            ServerMessage::Error {
                code: ErrorCode::FingerprintRefused,
                message: "not the bound certificate".into(),
                about: Some("offer"),
                media: MediaLabel::parse("m1"),
            },
            r#"{"type":"error","code":"fingerprint-refused","message":"not the bound certificate","about":"offer","media":"m1"}"#.into(),
        ),
    ];
    for (message, text) in rows {
        assert_eq!(message.encode(), text);
    }
}

#[test]
fn what_is_said_by_the_channel_is_read() {
    let longest = "ä".repeat(MAX_CHAT);
    let escaped = "\\ud83d\\ude00".repeat(MAX_CHAT);
    let chat = |text: &str| Saying::Chat { text: text.to_owned() };
    let mut rows = vec![
        (r#"{"type":"chat","text":"hello\nyou","at":9,"participant_id":"x"}"#.to_owned(), chat("hello\nyou")),
        (r#"{"type":"chat","text":" <b>\u202e "}"#.into(), chat(" <b>\u{202e} ")),
        (format!(r#"{{"type":"chat","text":"{longest}"}}"#), chat(&longest)),
        (format!(r#"{{"type":"chat","text":"{escaped}"}}"#), chat(&"😀".repeat(MAX_CHAT))),
    ];
    for (emoji, text) in Emoji::ALL.into_iter().zip(["👍", "❤️", "👏", "😂", "😮", "🤔", "🎉", "👋"])
    {
        assert_eq!(emoji.as_str(), text);
        rows.push((format!(r#"{{"type":"react","emoji":"{text}"}}"#), Saying::React { emoji }));
    }
    for (text, saying) in rows {
        assert_eq!(Saying::decode(text.as_bytes()), Ok(saying), "{text:.60}");
    }
}

#[test]
fn what_may_not_be_said_by_the_channel_is_refused() {
    let wrong = |member, expected| DecodeError::Wrong { member, expected };
    let text = wrong("text", "1–2,000 characters without control characters");
    let emoji = wrong("emoji", "one of the list");
    let long = format!(r#"{{"type":"chat","text":"{}"}}"#, "a".repeat(MAX_CHAT + 1));
    let large = format!(r#"{{"type":"chat","text":"a"{}}}"#, " ".repeat(MAX_SAID));
    let rows = [
        ("", DecodeError::NotJson),
        ("[]", DecodeError::NotAnObject),
        ("{}", DecodeError::Missing("type")),
        (r#"{"type":"error","code":"busy","message":""}"#, DecodeError::UnknownType),
        (r#"{"type":"leave"}"#, DecodeError::UnknownType),
        (r#"{"type":"chat"}"#, DecodeError::Missing("text")),
        (r#"{"type":"chat","text":1}"#, wrong("text", "a text of the allowed length")),
        (r#"{"type":"chat","text":""}"#, text.clone()),
        (r#"{"type":"chat","text":" \n "}"#, text.clone()),
        (r#"{"type":"chat","text":"a\tb"}"#, text.clone()),
        (r#"{"type":"chat","text":"a\u0000b"}"#, text.clone()),
        (&long, text),
        (&large, DecodeError::TooLarge { limit: MAX_SAID }),
        (r#"{"type":"react"}"#, DecodeError::Missing("emoji")),
        (r#"{"type":"react","emoji":""}"#, emoji.clone()),
        (r#"{"type":"react","emoji":"x"}"#, emoji.clone()),
        (r#"{"type":"react","emoji":"👍👍"}"#, emoji),
    ];
    for (bytes, error) in rows {
        assert_eq!(Saying::decode(bytes.as_bytes()), Err(error), "{bytes:.60}");
    }
}

#[test]
fn what_the_server_says_by_the_channel_is_written() {
    let rows = [
        (
            Said::Chat { participant_id: ANA, at: 7, text: "a\n\"b\"".into() },
            format!(r#"{{"type":"chat","participant_id":"{ANA_TEXT}","at":7,"text":"a\n\"b\""}}"#),
        ),
        (
            Said::React { participant_id: ANA, at: 7, emoji: "👍".into() },
            format!(r#"{{"type":"react","participant_id":"{ANA_TEXT}","at":7,"emoji":"👍"}}"#),
        ),
        (
            Said::Error { code: ErrorCode::Busy, message: "too much at once".into() },
            r#"{"type":"error","code":"busy","message":"too much at once"}"#.into(),
        ),
    ];
    for (said, text) in rows {
        assert_eq!(said.encode(), text);
    }
}

#[test]
fn reasons_and_codes_are_spelled_as_documented() {
    use GoodbyeReason as R;
    let reasons = [R::Left, R::Removed, R::Revoked, R::Replaced, R::Ended, R::Expired, R::Slow, R::Shutdown];
    assert_eq!(
        serde_json::to_string(&reasons).unwrap(),
        r#"["left","removed","revoked","replaced","ended","expired","slow","shutdown"]"#
    );
    use ErrorCode as E;
    let codes = [
        E::Malformed,
        E::TooLarge,
        E::Denied,
        E::Forbidden,
        E::FingerprintRefused,
        E::MediaRefused,
        E::NotFound,
        E::Busy,
    ];
    assert_eq!(
        serde_json::to_string(&codes).unwrap(),
        r#"["malformed","too-large","denied","forbidden","fingerprint-refused","media-refused","not-found","busy"]"#
    );
}

#[test]
fn bodies_are_read_with_their_defaults_and_ranges() {
    let redeem = br#"{"invite":"csi_x","name":"  Ana \t","fingerprint":"sha-256 AA","public_key":"BA"}"#;
    let expected = Redeem {
        invite: Masked("csi_x".into()),
        name: "Ana".into(),
        fingerprint: "sha-256 AA".into(),
        public_key: "BA".into(),
    };
    assert_eq!(Redeem::decode(redeem), Ok(expected));
    assert_eq!(Redeem::decode(br#"{"invite":"csi_x"}"#), Err(DecodeError::Missing("name")));
    let name = DecodeError::Wrong { member: "name", expected: "1 to 64 characters of text that can be seen" };
    let (long, longer) = ("ä".repeat(65), "ä".repeat(1_000));
    for bad in ["", "   ", "a\\u0000b", "a\\nb", "\\u200b", " \\u200b ", "a\\u202eb", &long, &longer] {
        assert_eq!(
            CreateRoom::decode(format!(r#"{{"name":"{bad}"}}"#).as_bytes()),
            Err(name.clone()),
            "{bad}"
        );
    }
    assert_eq!(CreateRoom::decode(br#"{"name":5}"#), Err(name.clone()));
    assert_eq!(name.to_string(), "name must be 1 to 64 characters of text that can be seen");
    let longest = "ä".repeat(64);
    let read = CreateRoom::decode(format!(r#"{{"name":"{longest}"}}"#).as_bytes());
    assert_eq!(read, Ok(CreateRoom { name: longest }));

    use Permission as P;
    let usual = vec![P::Speak, P::Camera, P::Share];
    let rows = [
        ("{}", Ok((1, 86_400, usual.clone()))),
        (r#"{"uses":10000,"expires_in":31536000}"#, Ok((10_000, 31_536_000, usual))),
        (r#"{"permissions":["moderate","speak","speak"]}"#, Ok((1, 86_400, vec![P::Speak, P::Moderate]))),
        (r#"{"permissions":[]}"#, Ok((1, 86_400, vec![]))),
        (r#"{"uses":0}"#, Err("uses")),
        (r#"{"uses":10001}"#, Err("uses")),
        (r#"{"uses":"2"}"#, Err("uses")),
        (r#"{"expires_in":0}"#, Err("expires_in")),
        (r#"{"expires_in":31536001}"#, Err("expires_in")),
        (r#"{"expires_in":1.5}"#, Err("expires_in")),
        (r#"{"permissions":["fly"]}"#, Err("permissions")),
        (r#"{"permissions":"speak"}"#, Err("permissions")),
    ];
    for (text, expected) in rows {
        let read = CreateInvite::decode(text.as_bytes())
            .map(|invite| (invite.uses, invite.expires_in, invite.permissions))
            .map_err(|error| match error {
                DecodeError::Wrong { member, .. } => member,
                other => panic!("{other}"),
            });
        assert_eq!(read, expected, "{text}");
    }
    assert_eq!(CreateRoom::decode(&vec![b' '; MAX_BODY + 1]), Err(DecodeError::TooLarge { limit: MAX_BODY }));
    assert_eq!(SignIn::decode(br#"{"link":"csl_x"}"#), Ok(SignIn { link: Masked("csl_x".into()) }));
    assert_eq!(SignIn::decode(b"{}"), Err(DecodeError::Missing("link")));
}

#[test]
fn answers_over_http_are_written() {
    let rows = [
        (
            json(&Redeemed {
                participant_id: ANA,
                session_token: "css_x".into(),
                room_id: Id(2),
                room_name: "Standup".into(),
                name: "Ana".into(),
                permissions: vec![Permission::Speak],
                expires_at: 5,
            }),
            format!(
                r#"{{"participant_id":"{ANA_TEXT}","session_token":"css_x","room_id":"00000000000000000000000000000002","room_name":"Standup","name":"Ana","permissions":["speak"],"expires_at":5}}"#
            ),
        ),
        (
            json(&RoomCreated { room_id: Id(2), name: "Standup".into(), created_at: 7 }),
            r#"{"room_id":"00000000000000000000000000000002","name":"Standup","created_at":7}"#.into(),
        ),
        (
            json(&RoomList {
                rooms: vec![RoomListed { room_id: Id(2), name: "S".into(), created_at: 7, participants: 3 }],
            }),
            r#"{"rooms":[{"room_id":"00000000000000000000000000000002","name":"S","created_at":7,"participants":3}]}"#
                .into(),
        ),
        (
            json(&RoomShown {
                room_id: Id(2),
                name: "S".into(),
                created_at: 7,
                participants: vec![],
                invites: vec![InviteShown {
                    invite_id: ANA,
                    uses: 2,
                    used: 1,
                    expires_at: 9,
                    revoked: false,
                    permissions: vec![],
                    created_at: 8,
                }],
            }),
            format!(
                r#"{{"room_id":"00000000000000000000000000000002","name":"S","created_at":7,"participants":[],"invites":[{{"invite_id":"{ANA_TEXT}","uses":2,"used":1,"expires_at":9,"revoked":false,"permissions":[],"created_at":8}}]}}"#
            ),
        ),
        (
            json(&InviteCreated { invite_id: ANA, url: "u".into(), uses: 1, expires_at: 9, permissions: vec![] }),
            format!(r#"{{"invite_id":"{ANA_TEXT}","url":"u","uses":1,"expires_at":9,"permissions":[]}}"#),
        ),
        (json(&SignInLink { url: "u".into() }), r#"{"url":"u"}"#.into()),
        (
            json(&Status { version: "0.1.0".into(), warnings: vec!["a: b".into()] }),
            r#"{"version":"0.1.0","warnings":["a: b"]}"#.into(),
        ),
        (
            json(&Me { operator: "operator".into(), expires_at: 9 }),
            r#"{"operator":"operator","expires_at":9}"#.into(),
        ),
        (
            json(&AuditPage {
                records: vec![AuditRecord {
                    seq: 4,
                    at: 9,
                    actor: "operator".into(),
                    action: "room.create".into(),
                    subject: "x".into(),
                    outcome: "ok".into(),
                    address: "192.0.2.x".into(),
                    count: 1,
                    detail: String::new(),
                }],
            }),
            r#"{"records":[{"seq":4,"at":9,"actor":"operator","action":"room.create","subject":"x","outcome":"ok","address":"192.0.2.x","count":1,"detail":""}]}"#.into(),
        ),
    ];
    for (written, expected) in rows {
        assert_eq!(written, expected);
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_fall(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
        let _ = ClientMessage::decode(&bytes, MAX_MESSAGE);
        let _ = Saying::decode(&bytes);
        let _ = Redeem::decode(&bytes);
    }

    #[test]
    fn an_id_has_one_spelling(number in proptest::num::u128::ANY) {
        let text = Id(number).to_string();
        proptest::prop_assert_eq!(Id::parse(&text), Some(Id(number)));
        proptest::prop_assert_eq!(Id::parse(&format!("+{}", &text[1..])), None);
    }
}
