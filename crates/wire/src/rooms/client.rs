//! What a browser says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Id, MAX_MESSAGE, MAX_TILES, MAX_TRACKS, MediaLabel, Source};
use crate::json::Object;
use crate::{DecodeError, Masked};

/// Longest secret text that is looked at; ours have 47 characters.
pub(super) const MAX_SECRET: usize = 64;
/// RFC 5888 sets no limit for a mid; browsers use one or two digits.
const MAX_MID: usize = 32;
/// A candidate line of RFC 8839 with a long host name and extensions stays well below.
const MAX_CANDIDATE: usize = 1_024;

/// A message of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// The first message: whose socket this is.
    Authenticate {
        /// The session's secret.
        session_token: Masked,
        /// Over the nonce of this socket.
        signature: Signature,
    },
    /// A description that wants an answer.
    Offer {
        /// The media connection.
        media: MediaLabel,
        /// Comes back in the answer.
        id: u32,
        /// RFC 8866 text.
        sdp: Masked,
        /// Mid → source of every m-line that sends.
        tracks: BTreeMap<String, Source>,
    },
    /// Answers our offer `id`.
    Answer {
        /// The media connection.
        media: MediaLabel,
        /// Of the offer.
        id: u32,
        /// RFC 8866 text.
        sdp: Masked,
    },
    /// A trickled candidate.
    Candidate {
        /// The media connection.
        media: MediaLabel,
        /// RFC 8839 text; empty at the end of the list.
        candidate: Masked,
    },
    /// Stops or resumes the forwarding of a source of one's own.
    Mute {
        /// Which.
        source: Source,
        /// Whether it is to be silent.
        muted: bool,
    },
    /// What the page shows, all of it.
    View {
        /// The most important first, each picture once; `None`: it does not say.
        tiles: Option<Vec<Tile>>,
    },
    /// Removes somebody.
    Remove {
        /// Whom.
        participant_id: Id,
    },
    /// Ends the room for everybody.
    End,
    /// Ends one's own session.
    Leave,
    /// Wants a pong.
    Ping,
}

/// A picture on a client's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Whose.
    pub participant_id: Id,
    /// A camera or a screen.
    pub source: Source,
    /// In device pixels, at least 1.
    pub height: u16,
}

/// An ECDSA P-256 signature in the WebCrypto form: r ‖ s.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// A message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMessage {
    /// The message's type, when it was one of ours.
    pub about: Option<&'static str>,
    /// What was wrong.
    pub error: DecodeError,
}

impl ClientMessage {
    /// Reads one message of at most `limit` bytes: [`MAX_MESSAGE`], or [`super::MAX_FIRST_MESSAGE`] from a stranger.
    ///
    /// # Errors
    /// Not one bounded JSON object, an unknown type, or a member that is missing or of another form.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, BadMessage> {
        let stranger = |error| BadMessage { about: None, error };
        let mut object = Object::read(bytes, limit).map_err(stranger)?;
        let kind = object.text("type", MAX_SECRET).map_err(stranger)?;
        let (about, message) = match kind.as_str() {
            "authenticate" => ("authenticate", authenticate(&mut object)),
            "offer" => ("offer", offer(&mut object)),
            "answer" => ("answer", answer(&mut object)),
            "candidate" => ("candidate", candidate(&mut object)),
            "mute" => ("mute", mute(&mut object)),
            "view" => ("view", view(&mut object)),
            "remove" => ("remove", remove(&mut object)),
            "end" => ("end", Ok(Self::End)),
            "leave" => ("leave", Ok(Self::Leave)),
            "ping" => ("ping", Ok(Self::Ping)),
            _ => return Err(stranger(DecodeError::UnknownType)),
        };
        message.map_err(|error| BadMessage { about: Some(about), error })
    }

    /// The message's type on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Authenticate { .. } => "authenticate",
            Self::Offer { .. } => "offer",
            Self::Answer { .. } => "answer",
            Self::Candidate { .. } => "candidate",
            Self::Mute { .. } => "mute",
            Self::View { .. } => "view",
            Self::Remove { .. } => "remove",
            Self::End => "end",
            Self::Leave => "leave",
            Self::Ping => "ping",
        }
    }
}

fn authenticate(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    let session_token = Masked(object.text("session_token", MAX_SECRET)?);
    let signature = URL_SAFE_NO_PAD
        .decode(object.text("signature", 128)?)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(DecodeError::Wrong { member: "signature", expected: "base64url of 64 bytes" })?;
    Ok(ClientMessage::Authenticate { session_token, signature: Signature(signature) })
}

fn offer(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    Ok(ClientMessage::Offer {
        media: media(object)?,
        id: id(object)?,
        sdp: Masked(object.text("sdp", MAX_MESSAGE)?),
        tracks: tracks(object)?,
    })
}

fn answer(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    Ok(ClientMessage::Answer {
        media: media(object)?,
        id: id(object)?,
        sdp: Masked(object.text("sdp", MAX_MESSAGE)?),
    })
}

fn candidate(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    let media = media(object)?;
    let candidate = object.text("candidate", MAX_CANDIDATE)?;
    if !candidate.is_empty() && (!candidate.starts_with("candidate:") || candidate.contains(char::is_control))
    {
        return Err(DecodeError::Wrong { member: "candidate", expected: "a line candidate:… or empty" });
    }
    Ok(ClientMessage::Candidate { media, candidate: Masked(candidate) })
}

fn mute(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    let source = Source::parse(&object.text("source", MAX_MID)?)
        .ok_or(DecodeError::Wrong { member: "source", expected: "a source" })?;
    Ok(ClientMessage::Mute { source, muted: object.flag("muted")? })
}

fn view(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    let Some(mut listed) = object.objects("tiles")? else {
        return Ok(ClientMessage::View { tiles: None });
    };
    if listed.len() > MAX_TILES {
        return Err(DecodeError::Wrong { member: "tiles", expected: "at most 64 tiles" });
    }
    let tiles = listed.iter_mut().map(tile).collect::<Result<Vec<_>, _>>()?;
    let pictures: BTreeSet<_> = tiles.iter().map(|tile| (tile.participant_id, tile.source)).collect();
    if pictures.len() < tiles.len() {
        return Err(DecodeError::Wrong { member: "tiles", expected: "a list that has each picture once" });
    }
    Ok(ClientMessage::View { tiles: Some(tiles) })
}

fn tile(object: &mut Object) -> Result<Tile, DecodeError> {
    let participant_id = participant(object)?;
    let source = Source::parse(&object.text("source", MAX_MID)?)
        .filter(|source| matches!(source, Source::Camera | Source::Screen))
        .ok_or(DecodeError::Wrong { member: "source", expected: "camera or screen" })?;
    let number = object.number("height")?.ok_or(DecodeError::Missing("height"))?;
    let height = u16::try_from(number).ok().filter(|height| *height > 0);
    let height = height.ok_or(DecodeError::Wrong { member: "height", expected: "1–65,535" })?;
    Ok(Tile { participant_id, source, height })
}

fn remove(object: &mut Object) -> Result<ClientMessage, DecodeError> {
    Ok(ClientMessage::Remove { participant_id: participant(object)? })
}

fn participant(object: &mut Object) -> Result<Id, DecodeError> {
    Id::parse(&object.text("participant_id", 32)?)
        .ok_or(DecodeError::Wrong { member: "participant_id", expected: "32 lower-case hex digits" })
}

fn media(object: &mut Object) -> Result<MediaLabel, DecodeError> {
    MediaLabel::parse(&object.text("media", 32)?)
        .ok_or(DecodeError::Wrong { member: "media", expected: "1–32 of A-Z a-z 0-9 _ -" })
}

fn id(object: &mut Object) -> Result<u32, DecodeError> {
    let number = object.number("id")?.ok_or(DecodeError::Missing("id"))?;
    u32::try_from(number).map_err(|_| DecodeError::Wrong { member: "id", expected: "below 2^32" })
}

fn tracks(object: &mut Object) -> Result<BTreeMap<String, Source>, DecodeError> {
    let listed = object.text_map("tracks")?;
    if listed.len() > MAX_TRACKS {
        return Err(DecodeError::Wrong { member: "tracks", expected: "at most 16 m-lines" });
    }
    let track = |(mid, source): (String, String)| {
        let named = (1..=MAX_MID).contains(&mid.len()) && mid.bytes().all(|byte| byte.is_ascii_graphic());
        let source = Source::parse(&source).filter(|_| named);
        source
            .map(|source| (mid, source))
            .ok_or(DecodeError::Wrong { member: "tracks", expected: "mid → source" })
    };
    listed.into_iter().map(track).collect()
}
