//! The JSON inside: descriptions, candidates, and the announcements of streams.

use serde::Serialize;

use super::{Rtc, RtcKind};
use crate::json::Object;
use crate::{DecodeError, Masked};

/// Limit of the JSON of a description, in bytes: that of a call of 200 has some hundred KiB.
pub const MAX_DESCRIPTION: usize = 1024 * 1024;
/// Limit of a candidate's text, in bytes; one with a long host name and extensions (RFC 8839) stays well below.
pub const MAX_CANDIDATE: usize = 1_024;
/// Limit of a stream's id, in characters, as `sfu` reads it from descriptions.
const MAX_STREAM: usize = 64;

/// What a message about a session asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A candidate, RFC 8839 text; empty at the end of the list.
    Candidate(Masked),
    /// An offer or an answer.
    Description(Description),
    /// The voice is not to be forwarded.
    Mute,
    /// It is again.
    Unmute,
    /// Sound and picture of this stream are a screen.
    ScreenOn {
        /// As the description names it.
        stream: String,
    },
    /// They are no more.
    ScreenOff,
    /// The picture of this stream is a camera.
    VideoOn {
        /// As the description names it.
        stream: String,
    },
    /// It is no more.
    VideoOff,
}

impl Signal {
    /// Reads what a client's `rtc` message asks for.
    ///
    /// # Errors
    /// [`DecodeError::UnknownType`] for a type that only servers send, and what is wrong with the JSON.
    pub fn read(rtc: &Rtc) -> Result<Self, DecodeError> {
        let data = rtc.data.as_slice();
        Ok(match rtc.kind {
            RtcKind::Ice => {
                let mut object = Object::read(data, 8 * MAX_CANDIDATE)?;
                Self::Candidate(Masked(object.text("candidate", MAX_CANDIDATE)?))
            }
            RtcKind::Sdp => Self::Description(Description::decode(data)?),
            RtcKind::Mute => Self::Mute,
            RtcKind::Unmute => Self::Unmute,
            RtcKind::ScreenOn => Self::ScreenOn { stream: stream(data, "screenStreamID")? },
            RtcKind::ScreenOff => Self::ScreenOff,
            RtcKind::VideoOn => Self::VideoOn { stream: stream(data, "videoStreamID")? },
            RtcKind::VideoOff => Self::VideoOff,
            RtcKind::VoiceOn | RtcKind::VoiceOff => return Err(DecodeError::UnknownType),
        })
    }

    /// Returns the type and the data that say it, as a client.
    #[must_use]
    pub fn write(&self) -> (RtcKind, Vec<u8>) {
        let json = |member: &str, text: &str| {
            let object = serde_json::Map::from_iter([(member.to_owned(), text.into())]);
            serde_json::Value::Object(object).to_string().into_bytes()
        };
        match self {
            Self::Candidate(text) => (RtcKind::Ice, json("candidate", &text.0)),
            Self::Description(description) => (RtcKind::Sdp, description.encode()),
            Self::Mute => (RtcKind::Mute, Vec::new()),
            Self::Unmute => (RtcKind::Unmute, Vec::new()),
            Self::ScreenOn { stream } => (RtcKind::ScreenOn, json("screenStreamID", stream)),
            Self::ScreenOff => (RtcKind::ScreenOff, Vec::new()),
            Self::VideoOn { stream } => (RtcKind::VideoOn, json("videoStreamID", stream)),
            Self::VideoOff => (RtcKind::VideoOff, Vec::new()),
        }
    }
}

/// Returns whether this can be a stream's id: 1–64 characters of a token (RFC 8830, section 2).
#[must_use]
pub fn is_stream_id(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    (1..=MAX_STREAM).contains(&text.len()) && text.bytes().all(token)
}

fn stream(data: &[u8], member: &'static str) -> Result<String, DecodeError> {
    let id = Object::read(data, 1_024)?.text(member, MAX_STREAM)?;
    if is_stream_id(&id) {
        Ok(id)
    } else {
        Err(DecodeError::Wrong { member, expected: "the id of a stream" })
    }
}

/// A description, as JSON the same on both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Description {
    /// Wants an answer.
    Offer(Masked),
    /// Answers one.
    Answer(Masked),
}

impl Description {
    /// Reads JSON of at most [`MAX_DESCRIPTION`] bytes.
    ///
    /// # Errors
    /// What is wrong with the JSON; [`DecodeError::UnknownType`] for anything but an offer or an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(bytes, MAX_DESCRIPTION)?;
        let sdp = Masked(object.text("sdp", MAX_DESCRIPTION)?);
        match object.text("type", 16)?.as_str() {
            "offer" => Ok(Self::Offer(sdp)),
            "answer" => Ok(Self::Answer(sdp)),
            _ => Err(DecodeError::UnknownType),
        }
    }

    /// Returns the JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Json<'a> {
            r#type: &'static str,
            sdp: &'a str,
        }
        let (r#type, sdp) = match self {
            Self::Offer(sdp) => ("offer", sdp.0.as_str()),
            Self::Answer(sdp) => ("answer", sdp.0.as_str()),
        };
        // Cannot fail: two texts.
        serde_json::to_vec(&Json { r#type, sdp }).unwrap_or_default()
    }
}

/// A candidate of the server: its JSON is another one than that of a client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate(pub Masked);

impl Candidate {
    /// Reads the JSON of a server.
    ///
    /// # Errors
    /// What is wrong with the JSON; [`DecodeError::UnknownType`] if it is no candidate.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(bytes, 8 * MAX_CANDIDATE)?;
        if object.text("type", 16)? != "candidate" {
            return Err(DecodeError::UnknownType);
        }
        let mut inner = object.object("candidate")?;
        Ok(Self(Masked(inner.text("candidate", MAX_CANDIDATE)?)))
    }

    /// Returns the JSON: of the first m-line, which carries everything.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Json<'a> {
            candidate: Inner<'a>,
            r#type: &'static str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Inner<'a> {
            candidate: &'a str,
            sdp_mid: &'static str,
            #[serde(rename = "sdpMLineIndex")]
            sdp_m_line_index: u16,
            username_fragment: Option<&'static str>,
        }
        let candidate =
            Inner { candidate: &self.0.0, sdp_mid: "0", sdp_m_line_index: 0, username_fragment: None };
        // Cannot fail: texts and a number.
        serde_json::to_vec(&Json { candidate, r#type: "candidate" }).unwrap_or_default()
    }
}
