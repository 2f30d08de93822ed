//! The translator, row by row.

use std::sync::Arc;

use hub::{Channel, Event, Present, PuntReason, Standing, State};
use identity::{
    Fingerprint, Grant, InviteId, Permission, Permissions, Principal, RealmId, RoomKey, Session, SessionId,
    TokenHash, UnixMillis,
};
use sfu::{JoinRefusal, LeaveReason, ParticipantId, Sending, SignalRefusal, Source};
use wire::rooms::ServerMessage;

use super::channel;
use super::connection::{Speech, first_message, goodbye, intent, turned_away};
use crate::services::{Admitted, Described, MediaNews, Refusal, Said, Saying, Speakers, Told, Welcome};

const ANA: &str = "000000000000000000000000000000aa";

#[test]
fn frames_become_intents() {
    let rows = [
        (
            r#"{"type":"offer","media":"m","id":1,"sdp":"v","tracks":{"0":"camera"}}"#,
            r#"Offer(Offer { label: "m", id: 1, sdp: "v", sources: {"0": Camera} })"#,
        ),
        (r#"{"type":"answer","media":"m","id":1,"sdp":"v"}"#, r#"Answer { label: "m", id: 1, sdp: "v" }"#),
        (r#"{"type":"candidate","media":"m","candidate":""}"#, r#"Candidate { label: "m", candidate: "" }"#),
        (
            r#"{"type":"mute","source":"screen-audio","muted":true}"#,
            "Mute { source: ScreenAudio, muted: true }",
        ),
        (
            r#"{"type":"remove","participant_id":"000000000000000000000000000000aa"}"#,
            "Remove(SessionId(000000000000000000000000000000aa))",
        ),
        (r#"{"type":"view","tiles":null}"#, "View(None)"),
        (
            r#"{"type":"view","tiles":[{"participant_id":"000000000000000000000000000000aa","source":"screen","height":9}]}"#,
            "View(Some([Tile { publisher: ParticipantId(170), source: Screen, height: 9 }]))",
        ),
        (r#"{"type":"end"}"#, "End"),
        (r#"{"type":"leave"}"#, "Leave"),
        (r#"{"type":"ping"}"#, "Ping"),
    ];
    for (frame, expected) in rows {
        let (intent, kind) = intent(frame.as_bytes()).unwrap();
        assert_eq!(format!("{intent:?}"), expected);
        assert!(frame.contains(&format!(r#""type":"{kind}""#)), "{frame}");
    }
}

#[test]
fn frames_that_are_refused_say_why() {
    let rows = [
        ("{", Refusal::Malformed("not a message of this face"), None, "not JSON"),
        (r#"{"type":"fly"}"#, Refusal::Malformed("not a message of this face"), None, "unknown type"),
        (
            r#"{"type":"offer","media":"m","id":1,"tracks":{}}"#,
            Refusal::Malformed("not a message of this face"),
            Some("offer"),
            "sdp is missing",
        ),
        (&" ".repeat(wire::rooms::MAX_MESSAGE + 1), Refusal::TooLarge, None, "larger than 524288 bytes"),
        (
            &format!(r#"{{"type":"authenticate","session_token":"css_x","signature":"{}"}}"#, "A".repeat(86)),
            Refusal::Conflict,
            Some("authenticate"),
            "authenticated already",
        ),
    ];
    for (frame, refusal, about, said) in rows {
        let complaint = intent(frame.as_bytes()).unwrap_err();
        assert_eq!((complaint.refusal, complaint.about, complaint.said.as_str()), (refusal, about, said));
    }
}

#[test]
fn only_authenticate_is_a_first_message() {
    let signature = "A".repeat(86);
    let first = format!(r#"{{"type":"authenticate","session_token":"css_x","signature":"{signature}"}}"#);
    assert_eq!(first_message(first.as_bytes()).unwrap().token.expose(), "css_x");
    let padded = format!("{first}{}", " ".repeat(wire::rooms::MAX_FIRST_MESSAGE));
    for frame in [r#"{"type":"ping"}"#, r#"{"type":"leave"}"#, "", "{}", &padded] {
        assert!(first_message(frame.as_bytes()).is_none(), "{frame:.60}");
    }
}

#[test]
fn what_is_told_becomes_messages() {
    let label = || "m".to_owned();
    let refused = |described, refusal| Told::Media(MediaNews::Refused { label: label(), described, refusal });
    let lost = |reason| Told::Media(MediaNews::Lost { label: label(), reason });
    let sending = vec![Sending { mid: "2".into(), publisher: ParticipantId(0xaa), source: Source::Screen }];
    let rows = [
        (Told::Pong, r#"{"type":"pong"}"#.to_owned()),
        (Told::Speakers(Speakers::default()), r#"{"type":"speaking","active":null,"speaking":[]}"#.into()),
        (
            Told::Speakers(Speakers { active: Some(SessionId(0xaa)), speaking: Arc::from([SessionId(0xaa)]) }),
            format!(r#"{{"type":"speaking","active":"{ANA}","speaking":["{ANA}"]}}"#),
        ),
        (
            Told::Media(MediaNews::Answer { label: label(), id: 1, sdp: "v".into() }),
            r#"{"type":"answer","media":"m","id":1,"sdp":"v"}"#.into(),
        ),
        (
            Told::Media(MediaNews::Offer { label: label(), id: 2, sdp: "v".into(), sending }),
            format!(
                r#"{{"type":"offer","media":"m","id":2,"sdp":"v","tracks":{{"2":{{"participant_id":"{ANA}","source":"screen"}}}}}}"#
            ),
        ),
        (
            refused(Described::Offer, SignalRefusal::Fingerprint),
            r#"{"type":"error","code":"fingerprint-refused","message":"fingerprint not accepted","about":"offer","media":"m"}"#.into(),
        ),
        (
            refused(Described::Answer, SignalRefusal::BadSdp),
            r#"{"type":"error","code":"media-refused","message":"unusable description","about":"answer","media":"m"}"#.into(),
        ),
        (
            refused(Described::Offer, SignalRefusal::SourceNotPermitted),
            r#"{"type":"error","code":"forbidden","message":"source not permitted","about":"offer","media":"m"}"#.into(),
        ),
        (
            lost(LeaveReason::TransportLost),
            r#"{"type":"error","code":"media-refused","message":"the media connection was lost","media":"m"}"#.into(),
        ),
        (
            lost(LeaveReason::Refused(JoinRefusal::RoomFull)),
            r#"{"type":"error","code":"busy","message":"the room is full","media":"m"}"#.into(),
        ),
    ];
    for (told, expected) in rows {
        let said: Vec<_> = Speech::default().tell(told).iter().map(ServerMessage::encode).collect();
        assert_eq!(said, [expected]);
    }
}

#[test]
fn nothing_is_shown_before_the_welcome() {
    let mut speech = Speech::default();
    assert_eq!(speech.tell(presence(0)), []);
    assert_eq!(speech.tell(presence(0b11)), []);
    let welcome = Welcome { admitted: admitted(), media: Some("m".into()) };
    let said = speech.tell(Told::Welcome(Box::new(welcome)));
    let roster = format!(
        r#"{{"type":"roster","participants":[{{"participant_id":"{ANA}","name":"Ana","permissions":["speak","moderate"],"connected":true,"muted":["voice","camera"]}}]}}"#
    );
    let expected = [
        format!(
            r#"{{"type":"welcome","participant_id":"{ANA}","room_id":"00000000000000000000000000000001","room_name":"Standup","name":"Ana","permissions":["speak","moderate"],"media":"m"}}"#
        ),
        roster.clone(),
    ];
    assert_eq!(said.iter().map(ServerMessage::encode).collect::<Vec<_>>(), expected);
    let said = speech.tell(presence(0b11));
    assert_eq!(said.iter().map(ServerMessage::encode).collect::<Vec<_>>(), [roster]);
}

#[test]
fn what_is_said_by_the_channel_is_translated() {
    let rows = [
        (r#"{"type":"chat","text":"hi"}"#, Ok(Saying::Chat("hi".into()))),
        (r#"{"type":"react","emoji":"🎉"}"#, Ok(Saying::React("🎉"))),
        (r#"{"type":"react","emoji":"x"}"#, Err("emoji must be one of the list")),
        (r#"{"type":"shout","text":"hi"}"#, Err("unknown type")),
    ];
    for (text, expected) in rows {
        let read = channel::read(text.as_bytes(), false);
        assert_eq!(
            read.as_ref().map_err(|complaint| complaint.said.as_str()),
            expected.as_ref().map_err(|said| *said)
        );
    }
    assert_eq!(channel::read(b"{}", true).unwrap_err().said, "not a text message");
    let large = channel::read(&[b' '; wire::rooms::MAX_SAID + 1], false).unwrap_err();
    assert_eq!(
        channel::refuse(&large),
        r#"{"type":"error","code":"too-large","message":"larger than 32768 bytes"}"#
    );
    let said = |saying| Said { by: SessionId(0xaa), at: UnixMillis(7), saying };
    let rows = [
        (
            Saying::Chat("<b>".into()),
            format!(r#"{{"type":"chat","participant_id":"{ANA}","at":7,"text":"<b>"}}"#),
        ),
        (Saying::React("🎉"), format!(r#"{{"type":"react","participant_id":"{ANA}","at":7,"emoji":"🎉"}}"#)),
    ];
    for (saying, text) in rows {
        assert_eq!(channel::tell(said(saying)), text);
    }
}

#[test]
fn last_words() {
    let rows = [
        (goodbye(PuntReason::Slow), r#"{"type":"goodbye","reason":"slow"}"#),
        (goodbye(PuntReason::Shutdown), r#"{"type":"goodbye","reason":"shutdown"}"#),
        (
            turned_away(&Refusal::Denied),
            r#"{"type":"error","code":"denied","message":"not believed","about":"authenticate"}"#,
        ),
    ];
    for (message, expected) in rows {
        assert_eq!(message.encode(), expected);
    }
}

fn admitted() -> Admitted {
    let id = SessionId(0xaa);
    let permissions = Permissions::NONE.with(Permission::Speak).with(Permission::Moderate);
    let grant =
        Grant::new(Principal::guest(id), permissions, UnixMillis::MAX).bind(Fingerprint::from_bytes([1; 32]));
    Admitted {
        session: Session { id, name: "Ana".into(), grant },
        room: RoomKey(1),
        room_name: "Standup".into(),
        invite: InviteId(2),
        token: TokenHash::from_bytes([3; 32]),
    }
}

fn presence(state: u64) -> Told {
    let session = Arc::new(admitted().session);
    let present = Present { session, standing: Standing::Attached, state: State(state) };
    let channel = Channel::call(&RealmId::installation(), "1");
    Told::Event(Event::Presence { channel, present: Arc::from([present]) })
}
