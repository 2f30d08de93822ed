//! What the server says over the WebSocket.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use super::{Id, MediaLabel, Permission, Source};

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// The first message on a socket.
    Hello {
        /// To be signed.
        nonce: Nonce,
    },
    /// The socket is the session's.
    Welcome {
        /// Oneself.
        participant_id: Id,
        /// The room.
        room_id: Id,
        /// As people see it.
        room_name: String,
        /// One's own name.
        name: String,
        /// One's own rights.
        permissions: Vec<Permission>,
        /// The media connection that is still up.
        media: Option<MediaLabel>,
    },
    /// Everybody in the room, in order of joining.
    Roster {
        /// The whole list.
        participants: Vec<MemberShown>,
    },
    /// Answers the client's offer.
    Answer {
        /// The media connection.
        media: MediaLabel,
        /// Of the offer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
    },
    /// Wants an answer.
    Offer {
        /// The media connection.
        media: MediaLabel,
        /// To be repeated in the answer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
        /// Mid → publisher of everything that the server sends after this offer.
        tracks: BTreeMap<String, SendingShown>,
    },
    /// Who speaks, whole, on every change.
    Speaking {
        /// Whom the room listens to.
        active: Option<Id>,
        /// Everybody who speaks at this moment.
        speaking: Vec<Id>,
    },
    /// Answers a ping.
    Pong,
    /// The last message before the server closes the socket.
    Goodbye {
        /// Why.
        reason: GoodbyeReason,
    },
    /// Something was refused, or went away.
    Error {
        /// What to do about it.
        code: ErrorCode,
        /// For the developer of a client; no contract.
        message: String,
        /// Type of the message that it answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        about: Option<&'static str>,
        /// The media connection that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        media: Option<MediaLabel>,
    },
}

impl ServerMessage {
    /// The JSON text.
    #[must_use]
    pub fn encode(&self) -> String {
        // Cannot fail: no map of ours has a key that is not a text, and no number is not finite.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// 32 random bytes, good for one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 32]);

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// One entry of a roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberShown {
    /// Who.
    pub participant_id: Id,
    /// As people see it.
    pub name: String,
    /// What they may do.
    pub permissions: Vec<Permission>,
    /// Whether a socket is attached.
    pub connected: bool,
    /// Sources that are not forwarded.
    pub muted: Vec<Source>,
}

/// Whose track the server sends on an m-line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendingShown {
    /// The publisher.
    pub participant_id: Id,
    /// What it carries.
    pub source: Source,
}

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoodbyeReason {
    /// The participant left.
    Left,
    /// A moderator or the operator removed the participant.
    Removed,
    /// The invite was revoked.
    Revoked,
    /// The session went to another socket.
    Replaced,
    /// The room ended.
    Ended,
    /// The session's time is over.
    Expired,
    /// The client reads slower than the server has to say.
    Slow,
    /// The server stops.
    Shutdown,
}

/// What kind of refusal an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not in the form of this document.
    Malformed,
    /// Above a limit of size.
    TooLarge,
    /// Not believed.
    Denied,
    /// Not permitted.
    Forbidden,
    /// The description's fingerprint is not the bound one.
    FingerprintRefused,
    /// The engine did not take the media, or lost it.
    MediaRefused,
    /// Nobody of that id is here.
    NotFound,
    /// Above a limit of rate, or the server has no room; try again.
    Busy,
}
