//! Messages of the data channel: a type, and for some of them a payload.

use std::collections::BTreeMap;

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::msgpack::{Head, Reader, Writer};
use super::signal::{Description, MAX_DESCRIPTION};
use crate::DecodeError;

/// Limit of a message, and so of a description before it is inflated, in bytes.
pub const MAX_DEFLATED: usize = 64 * 1024;
/// Limit of a description's JSON when it is inflated, in bytes.
pub const MAX_INFLATED: usize = MAX_DESCRIPTION;
/// As good as the default of the servers and clients there are, by effort (RFC 1951 sets none).
const EFFORT: u8 = 6;
/// More m-lines than one description of ours has.
const MAX_MAPPED: usize = 8_192;

/// Everything that is sent to one client: mid → what it is.
pub type MediaMap = BTreeMap<String, Mapped>;

/// What a client is sent on one m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// What it carries.
    pub kind: Tracked,
    /// The session that publishes it.
    pub sender: String,
}

/// Kinds of tracks, as clients tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tracked {
    /// A microphone.
    Voice,
    /// A shared screen.
    Screen,
    /// Its sound.
    ScreenAudio,
    /// A camera.
    Video,
}

impl Tracked {
    const ALL: [Self; 4] = [Self::Voice, Self::Screen, Self::ScreenAudio, Self::Video];

    /// The text, of the media map and of track ids.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Screen => "screen",
            Self::ScreenAudio => "screen-audio",
            Self::Video => "video",
        }
    }
}

/// A message of the data channel, either way.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelMessage {
    /// Is the other side there?
    Ping,
    /// It is.
    Pong,
    /// The same question as old clients ask it: a text, which is answered by [`ChannelMessage::OLD_PONG`].
    OldPing,
    /// An offer or an answer.
    Sdp(Description),
    /// Share of packets that a client lost, 0 to 1.
    LossRate(f64),
    /// Of a client's pings, in seconds.
    RoundTripTime(f64),
    /// Of what a client hears, in seconds.
    Jitter(f64),
    /// May I offer?
    LockRequest,
    /// The answer to it.
    Lock {
        /// Whether the client may.
        granted: bool,
    },
    /// I am done.
    Unlock,
    /// What the next offer carries.
    MediaMap(MediaMap),
}

impl ChannelMessage {
    /// What old clients ask, and hear.
    pub const OLD_PING: &'static [u8] = b"ping";
    /// As [`ChannelMessage::OLD_PING`]; the only message that is a text.
    pub const OLD_PONG: &'static [u8] = b"pong";

    /// Reads one message of at most [`MAX_DEFLATED`] bytes.
    ///
    /// # Errors
    /// Not MessagePack, an unknown type, a payload of another form, or one that inflates to more than [`MAX_INFLATED`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_DEFLATED {
            return Err(DecodeError::TooLarge { limit: MAX_DEFLATED });
        }
        if bytes == Self::OLD_PING {
            return Ok(Self::OldPing);
        }
        let mut reader = Reader::new(bytes);
        match reader.number("type")? {
            1 => Ok(Self::Ping),
            2 => Ok(Self::Pong),
            3 => Ok(Self::Sdp(Description::decode(&inflate(reader.bytes("sdp")?)?)?)),
            4 => Ok(Self::LossRate(quantity(&mut reader, "loss rate")?)),
            5 => Ok(Self::RoundTripTime(quantity(&mut reader, "round-trip time")?)),
            6 => Ok(Self::Jitter(quantity(&mut reader, "jitter")?)),
            7 if reader.is_empty() => Ok(Self::LockRequest),
            7 => match reader.head()? {
                Head::Bool(granted) => Ok(Self::Lock { granted }),
                _ => Err(DecodeError::Wrong { member: "lock", expected: "true or false" }),
            },
            8 => Ok(Self::Unlock),
            9 => media_map(&mut reader).map(Self::MediaMap),
            _ => Err(DecodeError::UnknownType),
        }
    }

    /// Returns whether a message is a description, which is dearer to read than any other.
    #[must_use]
    pub fn is_description(bytes: &[u8]) -> bool {
        matches!(Reader::new(bytes).head(), Ok(Head::Int(3)))
    }

    /// Returns the bytes, as rtcd writes them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let of = |kind| Writer::default().wide_number(kind);
        match self {
            Self::Ping => of(1).end(),
            Self::Pong => of(2).end(),
            Self::OldPing => Self::OLD_PING.to_vec(),
            Self::Sdp(description) => of(3).bytes(&compress_to_vec_zlib(&description.encode(), EFFORT)).end(),
            Self::LossRate(quantity) => of(4).float(*quantity).end(),
            Self::RoundTripTime(quantity) => of(5).float(*quantity).end(),
            Self::Jitter(quantity) => of(6).float(*quantity).end(),
            Self::LockRequest => of(7).end(),
            Self::Lock { granted } => of(7).flag(*granted).end(),
            Self::Unlock => of(8).end(),
            Self::MediaMap(map) => {
                let pair = |writer: Writer, (mid, mapped): (&String, &Mapped)| {
                    let writer = writer.text(mid).map(2).text("type").text(mapped.kind.as_str());
                    writer.text("sender_id").text(&mapped.sender)
                };
                map.iter().fold(of(9).map(map.len()), pair).end()
            }
        }
    }
}

/// Inflates a zlib stream (RFC 1950), whose checksum must be right.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    use miniz_oxide::inflate::TINFLStatus;
    decompress_to_vec_zlib_with_limit(bytes, MAX_INFLATED).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => DecodeError::TooLarge { limit: MAX_INFLATED },
        _ => DecodeError::NotZlib,
    })
}

/// Reads a number of any form, for JavaScript writes 0.0 as a whole one.
fn quantity(reader: &mut Reader<'_>, member: &'static str) -> Result<f64, DecodeError> {
    let wrong = DecodeError::Wrong { member, expected: "a number that is not negative" };
    let quantity = match reader.head()? {
        Head::Float(float) => float,
        Head::Int(whole) => f64::from(u32::try_from(whole).map_err(|_| wrong.clone())?),
        _ => return Err(wrong),
    };
    if quantity.is_finite() && quantity >= 0.0 { Ok(quantity) } else { Err(wrong) }
}

fn media_map(reader: &mut Reader<'_>) -> Result<MediaMap, DecodeError> {
    let wrong = DecodeError::Wrong { member: "media map", expected: "a map of tracks" };
    let owned = |bytes| str::from_utf8(bytes).map(str::to_owned).map_err(|_| wrong.clone());
    let Head::Map(count @ 0..=MAX_MAPPED) = reader.head()? else {
        return Err(wrong);
    };
    let mut map = MediaMap::new();
    for _ in 0..count {
        let (Head::Text(mid), Head::Map(members)) = (reader.head()?, reader.head()?) else {
            return Err(wrong);
        };
        let (mut kind, mut sender) = (None, None);
        for _ in 0..members {
            match reader.bytes("media map")? {
                b"type" => {
                    let text = reader.bytes("type")?;
                    kind = Tracked::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == text);
                }
                b"sender_id" => sender = Some(owned(reader.bytes("sender_id")?)?),
                _ => reader.skip()?,
            }
        }
        let (kind, sender) = (kind.ok_or(wrong.clone())?, sender.ok_or(wrong.clone())?);
        map.insert(owned(mid)?, Mapped { kind, sender });
    }
    Ok(map)
}
