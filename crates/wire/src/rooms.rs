//! The rooms face: `docs/faces/rooms.md` as types.

mod channel;
mod client;
mod http;
mod server;

use std::fmt;

use serde::{Serialize, Serializer};

pub use channel::{CHANNEL, Emoji, MAX_CHAT, MAX_SAID, Said, Saying};
pub use client::{BadMessage, ClientMessage, Signature, Tile};
pub use http::{
    AuditPage, AuditRecord, CreateInvite, CreateRoom, InviteCreated, InviteShown, Me, Redeem, Redeemed,
    RoomCreated, RoomList, RoomListed, RoomShown, SignIn, SignInLink, Status,
};
pub use server::{ErrorCode, GoodbyeReason, MemberShown, Nonce, SendingShown, ServerMessage};

use crate::DecodeError;
use crate::json::Object;
use crate::legible::is_legible;

/// Limit of one WebSocket message after the welcome, in bytes: the description of a room of 100 with sound and picture has 300 KiB.
pub const MAX_MESSAGE: usize = 512 * 1024;
/// Limit of the first message, in bytes.
pub const MAX_FIRST_MESSAGE: usize = 8 * 1024;
/// Limit of the body of one HTTP request, in bytes.
pub const MAX_BODY: usize = 8 * 1024;
/// Limit of the sending m-lines that a client may name in one offer.
pub const MAX_TRACKS: usize = 16;
/// Limit of the pictures that a client may name in one view.
pub const MAX_TILES: usize = 64;
/// Limit of a room's or a participant's name, in characters.
pub const MAX_NAME: usize = 64;
/// Longest name accepted before trimming and counting characters, in bytes.
const MAX_NAME_BYTES: usize = 1_024;

/// A 128-bit id: a participant, a room or an invite. On the wire 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u128);

impl Id {
    /// Reads the wire form; `None` for anything else, upper case too, so that an id has one spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !canonical {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A microphone.
    Voice,
    /// A camera.
    Camera,
    /// A shared screen.
    Screen,
    /// The sound of a shared screen.
    ScreenAudio,
}

impl Source {
    /// Reads the wire form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "voice" => Some(Self::Voice),
            "camera" => Some(Self::Camera),
            "screen" => Some(Self::Screen),
            "screen-audio" => Some(Self::ScreenAudio),
            _ => None,
        }
    }
}

/// One right of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// May send `voice`.
    Speak,
    /// May send `camera`.
    Camera,
    /// May send `screen` and `screen-audio`.
    Share,
    /// May remove others and end the room.
    Moderate,
}

impl Permission {
    /// Reads the wire form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "speak" => Some(Self::Speak),
            "camera" => Some(Self::Camera),
            "share" => Some(Self::Share),
            "moderate" => Some(Self::Moderate),
            _ => None,
        }
    }
}

/// A client's name for one of its media connections: 1–32 of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MediaLabel(String);

impl MediaLabel {
    /// Reads the wire form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes a name that people see: trimmed, 1–64 characters that can be read.
fn name(object: &mut Object) -> Result<String, DecodeError> {
    let fits = |text: &str| {
        let name = text.trim();
        name.chars().count() <= MAX_NAME && is_legible(name)
    };
    let said = "1 to 64 characters of text that can be seen";
    Ok(object.shown("name", MAX_NAME_BYTES, said, fits)?.trim().to_owned())
}
