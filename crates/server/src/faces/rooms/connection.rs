//! The translator of one connection: frames in, intents out; what is told in, messages out. Pure.

use hub::{Event, PuntReason};
use identity::{Secret, SessionId};
use sfu::{JoinRefusal, LeaveReason, ParticipantId, SignalRefusal, Source, Tile};
use wire::DecodeError;
use wire::rooms::{
    BadMessage, ClientMessage, ErrorCode, GoodbyeReason, Id, MAX_FIRST_MESSAGE, MAX_MESSAGE, MediaLabel,
    SendingShown, ServerMessage,
};

use crate::faces::shown::{member, read_source, rights, source};
use crate::services::{Complaint, Described, MediaNews, Offer, Refusal, Speakers, Told, Welcome};

/// What a stranger shows to be believed.
#[derive(Debug)]
pub(super) struct FirstMessage {
    pub(super) token: Secret,
    pub(super) signature: [u8; 64],
}

/// What a participant wants.
#[derive(Debug)]
pub(super) enum Intent {
    Offer(Offer),
    Answer { label: String, id: u32, sdp: String },
    Candidate { label: String, candidate: String },
    Mute { source: Source, muted: bool },
    View(Option<Vec<Tile>>),
    Remove(SessionId),
    End,
    Leave,
    Ping,
}

/// Reads a first message; whatever else it is, it is refused, and why is not told.
pub(super) fn first_message(frame: &[u8]) -> Option<FirstMessage> {
    match ClientMessage::decode(frame, MAX_FIRST_MESSAGE) {
        Ok(ClientMessage::Authenticate { session_token, signature }) => {
            Some(FirstMessage { token: Secret::new(session_token.0), signature: signature.0 })
        }
        Ok(_) | Err(_) => None,
    }
}

/// Reads a later message, and its type; or returns what to answer.
pub(super) fn intent(frame: &[u8]) -> Result<(Intent, &'static str), Complaint> {
    let message = ClientMessage::decode(frame, MAX_MESSAGE).map_err(|bad| malformed(&bad))?;
    let kind = message.kind();
    let intent = match message {
        ClientMessage::Authenticate { .. } => {
            let (about, said) = (Some(kind), "authenticated already".to_owned());
            return Err(Complaint { refusal: Refusal::Conflict, about, said });
        }
        ClientMessage::Offer { media, id, sdp, tracks } => Intent::Offer(Offer {
            label: media.as_str().to_owned(),
            id,
            sdp: sdp.0,
            sources: tracks.into_iter().map(|(mid, source)| (mid, read_source(source))).collect(),
        }),
        ClientMessage::Answer { media, id, sdp } => {
            Intent::Answer { label: media.as_str().to_owned(), id, sdp: sdp.0 }
        }
        ClientMessage::Candidate { media, candidate } => {
            Intent::Candidate { label: media.as_str().to_owned(), candidate: candidate.0 }
        }
        ClientMessage::Mute { source, muted } => Intent::Mute { source: read_source(source), muted },
        ClientMessage::View { tiles } => {
            Intent::View(tiles.map(|tiles| tiles.into_iter().map(tile).collect()))
        }
        ClientMessage::Remove { participant_id } => Intent::Remove(SessionId(participant_id.0)),
        ClientMessage::End => Intent::End,
        ClientMessage::Leave => Intent::Leave,
        ClientMessage::Ping => Intent::Ping,
    };
    Ok((intent, kind))
}

/// What a connection says, in order: nothing before the welcome.
#[derive(Debug, Default)]
pub(super) struct Speech {
    welcomed: bool,
    /// The latest roster that came before the welcome.
    held: Option<ServerMessage>,
}

impl Speech {
    /// Returns the messages that tell it.
    pub(super) fn tell(&mut self, told: Told) -> Vec<ServerMessage> {
        match told {
            Told::Welcome(told) => {
                self.welcomed = true;
                std::iter::once(welcome(*told)).chain(self.held.take()).collect()
            }
            Told::Media(news) => media(news).into_iter().collect(),
            Told::Refused(complaint) => {
                vec![error(code(&complaint.refusal), complaint.said, complaint.about)]
            }
            Told::Speakers(told) => vec![speaking(&told)],
            Told::Pong => vec![ServerMessage::Pong],
            Told::Event(Event::Presence { present, .. }) => {
                let roster = ServerMessage::Roster { participants: present.iter().map(member).collect() };
                if self.welcomed {
                    return vec![roster];
                }
                self.held = Some(roster);
                Vec::new()
            }
            // Nobody sends messages in a room, and a connection of a room carries one session.
            Told::Event(Event::Message { .. } | Event::Punted(_)) => Vec::new(),
        }
    }
}

/// Returns the answer to a first message that was refused, and to a socket for which there is no room.
pub(super) fn turned_away(refusal: &Refusal) -> ServerMessage {
    let code = code(refusal);
    error(code, refused(refusal).to_owned(), Some("authenticate"))
}

/// Returns the last words.
pub(super) fn goodbye(reason: PuntReason) -> ServerMessage {
    let reason = match reason {
        PuntReason::Left => GoodbyeReason::Left,
        PuntReason::Replaced => GoodbyeReason::Replaced,
        PuntReason::Removed => GoodbyeReason::Removed,
        PuntReason::Revoked => GoodbyeReason::Revoked,
        PuntReason::Ended => GoodbyeReason::Ended,
        PuntReason::Expired => GoodbyeReason::Expired,
        PuntReason::Slow => GoodbyeReason::Slow,
        PuntReason::Shutdown => GoodbyeReason::Shutdown,
    };
    ServerMessage::Goodbye { reason }
}

/// Returns what to tell about an intent that was refused.
pub(super) fn refused_intent(refusal: Refusal, about: &'static str) -> Complaint {
    let said = refused(&refusal).to_owned();
    Complaint { refusal, about: Some(about), said }
}

fn malformed(bad: &BadMessage) -> Complaint {
    let said = bad.error.to_string();
    let refusal = match bad.error {
        DecodeError::TooLarge { .. } => Refusal::TooLarge,
        DecodeError::NotJson
        | DecodeError::NotMsgpack
        | DecodeError::NotZlib
        | DecodeError::NotAnObject
        | DecodeError::TooDeep { .. }
        | DecodeError::DuplicateMember
        | DecodeError::UnknownMember
        | DecodeError::UnknownType
        | DecodeError::Missing(_)
        | DecodeError::Wrong { .. } => Refusal::Malformed("not a message of this face"),
    };
    Complaint { refusal, about: bad.about, said }
}

fn tile(tile: wire::rooms::Tile) -> Tile {
    let publisher = ParticipantId(tile.participant_id.0);
    Tile { publisher, source: read_source(tile.source), height: tile.height }
}

fn speaking(told: &Speakers) -> ServerMessage {
    ServerMessage::Speaking {
        active: told.active.map(|session| Id(session.0)),
        speaking: told.speaking.iter().map(|session| Id(session.0)).collect(),
    }
}

fn welcome(told: Welcome) -> ServerMessage {
    let Welcome { admitted, media } = told;
    ServerMessage::Welcome {
        participant_id: Id(admitted.session.id.0),
        room_id: Id(admitted.room.0),
        room_name: admitted.room_name,
        name: admitted.session.name,
        permissions: rights(admitted.session.grant.permissions()),
        media: media.as_deref().and_then(MediaLabel::parse),
    }
}

/// Returns nothing only for a label that no client could have given.
fn media(news: MediaNews) -> Option<ServerMessage> {
    Some(match news {
        MediaNews::Answer { label, id, sdp } => {
            ServerMessage::Answer { media: MediaLabel::parse(&label)?, id, sdp }
        }
        MediaNews::Offer { label, id, sdp, sending } => {
            let shown = |sending: sfu::Sending| {
                let participant_id = Id(sending.publisher.0);
                (sending.mid, SendingShown { participant_id, source: source(sending.source) })
            };
            let tracks = sending.into_iter().map(shown).collect();
            ServerMessage::Offer { media: MediaLabel::parse(&label)?, id, sdp, tracks }
        }
        MediaNews::Refused { label, described, refusal } => {
            let about = match described {
                Described::Offer => "offer",
                Described::Answer => "answer",
            };
            about_media(&label, signal_code(refusal), refusal.to_string(), Some(about))
        }
        MediaNews::Lost { label, reason } => {
            let (code, said) = lost(reason);
            about_media(&label, code, said.to_owned(), None)
        }
    })
}

fn lost(reason: LeaveReason) -> (ErrorCode, &'static str) {
    match reason {
        LeaveReason::Asked | LeaveReason::Closed => {
            (ErrorCode::MediaRefused, "the media connection was closed")
        }
        LeaveReason::TransportLost => (ErrorCode::MediaRefused, "the media connection was lost"),
        LeaveReason::Spent => (ErrorCode::MediaRefused, "the media connection must be made anew"),
        LeaveReason::CertificateMismatch => {
            (ErrorCode::FingerprintRefused, "the certificate presented is not the bound one")
        }
        LeaveReason::Refused(JoinRefusal::RoomFull) => (ErrorCode::Busy, "the room is full"),
        LeaveReason::Refused(JoinRefusal::ShardFull) => (ErrorCode::Busy, "the server is full"),
        LeaveReason::Flooding => (ErrorCode::MediaRefused, "more messages or media than allowed"),
        LeaveReason::Failed => (ErrorCode::MediaRefused, "the media connection failed"),
    }
}

fn signal_code(refusal: SignalRefusal) -> ErrorCode {
    match refusal {
        SignalRefusal::NotJoined | SignalRefusal::BadSdp => ErrorCode::MediaRefused,
        SignalRefusal::Fingerprint => ErrorCode::FingerprintRefused,
        SignalRefusal::SourceNotPermitted => ErrorCode::Forbidden,
        SignalRefusal::TooLarge => ErrorCode::TooLarge,
    }
}

pub(super) fn code(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::Denied => ErrorCode::Denied,
        Refusal::Forbidden => ErrorCode::Forbidden,
        Refusal::NotFound => ErrorCode::NotFound,
        Refusal::Conflict | Refusal::Malformed(_) => ErrorCode::Malformed,
        Refusal::TooLarge => ErrorCode::TooLarge,
        Refusal::Busy { .. } | Refusal::Unavailable => ErrorCode::Busy,
    }
}

fn refused(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Denied => "not believed",
        Refusal::Forbidden => "not permitted",
        Refusal::NotFound => "nobody of that id is here",
        Refusal::Conflict => "not possible in the present state",
        Refusal::Malformed(what) => what,
        Refusal::TooLarge => "above the limit",
        Refusal::Busy { .. } => "too much at once",
        Refusal::Unavailable => "the server cannot do this at the moment",
    }
}

fn error(code: ErrorCode, message: String, about: Option<&'static str>) -> ServerMessage {
    ServerMessage::Error { code, message, about, media: None }
}

fn about_media(label: &str, code: ErrorCode, message: String, about: Option<&'static str>) -> ServerMessage {
    ServerMessage::Error { code, message, about, media: MediaLabel::parse(label) }
}
