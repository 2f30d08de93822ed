//! Messages of the WebSocket: two MessagePack values after each other, the type and the data.

use std::collections::BTreeMap;

use super::msgpack::{Head, Reader, Writer};
use super::signal::is_stream_id;
use crate::DecodeError;

/// Limit of one message, in bytes (rtcd: service/ws/server.go).
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// Limit of the id of a call, a user or a channel, in bytes. Mattermost's have 26.
pub const MAX_ID: usize = 128;
/// Limit of a session's id, in characters: it stands in descriptions as the name of a stream. Mattermost's have 26.
pub const MAX_SESSION_ID: usize = 64;

/// Limit of a session's id in any form, in bytes, when a join is answered that it kept from being a session.
pub const MAX_ANY_ID: usize = 1_024;

/// A message of the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// A user joins a call.
    Join(Join),
    /// The session is to be reached by this connection.
    Reconnect {
        /// Which.
        session: String,
    },
    /// The session ends.
    Leave {
        /// Which.
        session: String,
    },
    /// Something for the session.
    Rtc(Rtc),
}

/// Who joins, and what its client can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Which call; made by the first who names it.
    pub call: String,
    /// Who.
    pub user: String,
    /// Its session: a name in descriptions, so a token (RFC 8830).
    pub session: String,
    /// Where the call is shown.
    pub channel: Option<String>,
    /// Whether the client sends and takes AV1.
    pub av1: Option<bool>,
    /// Whether our offers go by the data channel.
    pub by_channel: Option<bool>,
}

/// Something about a session, either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rtc {
    /// The client's id; the plugin leaves it empty, and it is never believed.
    pub group: String,
    /// As `group`.
    pub user: String,
    /// Which session.
    pub session: String,
    /// As `group`.
    pub call: String,
    /// What.
    pub kind: RtcKind,
    /// JSON, or nothing.
    pub data: Vec<u8>,
}

/// What an [`Rtc`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RtcKind {
    /// A candidate.
    Ice,
    /// A description.
    Sdp,
    /// To the server: the voice is muted.
    Mute,
    /// To the server: it is not.
    Unmute,
    /// To the server: a screen is shared.
    ScreenOn,
    /// To the server: it is not.
    ScreenOff,
    /// Of the server: the user speaks.
    VoiceOn,
    /// Of the server: the user has ceased to.
    VoiceOff,
    /// To the server: a camera is on.
    VideoOn,
    /// To the server: it is off.
    VideoOff,
}

impl RtcKind {
    const ALL: [Self; 10] = [
        Self::Ice,
        Self::Sdp,
        Self::Mute,
        Self::Unmute,
        Self::ScreenOn,
        Self::ScreenOff,
        Self::VoiceOn,
        Self::VoiceOff,
        Self::VideoOn,
        Self::VideoOff,
    ];

    /// The first has number 1.
    fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self).unwrap_or_default();
        u8::try_from(place + 1).unwrap_or_default()
    }

    fn of(number: i128) -> Option<Self> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(place).copied()
    }
}

impl ClientMessage {
    /// The type, of one of four: may name a metric.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Join(_) => "join",
            Self::Reconnect { .. } => "reconnect",
            Self::Leave { .. } => "leave",
            Self::Rtc(_) => "rtc",
        }
    }

    /// Reads one message of at most [`MAX_MESSAGE`] bytes. Text and bytes may stand for each other, unknown members are passed over, and so
    /// is what follows the second value, as rtcd's own decoder does.
    ///
    /// # Errors
    /// Not two MessagePack values, an unknown type, or a member that is missing, empty, too long or of another form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(DecodeError::TooLarge { limit: MAX_MESSAGE });
        }
        let mut reader = Reader::new(bytes);
        match kind(&mut reader)? {
            b"join" => Members::read(&mut reader)?.join().map(Self::Join),
            b"reconnect" => Ok(Self::Reconnect { session: named_session(&mut reader)? }),
            b"leave" => Ok(Self::Leave { session: named_session(&mut reader)? }),
            b"rtc" => rtc(&mut reader).map(Self::Rtc),
            _ => Err(DecodeError::UnknownType),
        }
    }

    /// Returns the session's id, in any form of at most [`MAX_ANY_ID`] bytes, of a join that [`Self::decode`] refuses although none of its
    /// ids is missing: whoever waits for that session is to be told.
    #[must_use]
    pub fn refused_join(bytes: &[u8]) -> Option<String> {
        let mut reader = Reader::new(bytes);
        let is_join = bytes.len() <= MAX_MESSAGE && kind(&mut reader).is_ok_and(|kind| kind == b"join");
        let members = is_join.then(|| Members::read(&mut reader).ok()).flatten()?;
        let [_, _, session] = members.ids().ok()?;
        let session = str::from_utf8(session).ok().filter(|session| session.len() <= MAX_ANY_ID)?;
        members.join().is_err().then(|| session.to_owned())
    }

    /// Returns the bytes, as the plugin writes them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Join(join) => {
                let channel = join.channel.iter().map(|channel| ("channelID", channel));
                let texts = [("callID", &join.call), ("userID", &join.user), ("sessionID", &join.session)];
                let flags = [("av1Support", join.av1), ("dcSignaling", join.by_channel)];
                let flags = flags.into_iter().filter_map(|(name, flag)| flag.map(|flag| (name, flag)));
                let count = 3 + channel.len() + flags.clone().count();
                let writer = Writer::default().text("join").map(count);
                let texts = texts.into_iter().chain(channel);
                let writer = texts.fold(writer, |writer, (name, text)| writer.text(name).text(text));
                flags.fold(writer, |writer, (name, flag)| writer.text(name).flag(flag)).end()
            }
            Self::Reconnect { session } => about_session("reconnect", session),
            Self::Leave { session } => about_session("leave", session),
            Self::Rtc(rtc) => rtc.encode("rtc"),
        }
    }
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerMessage {
    /// The first on a connection.
    Hello {
        /// Who is believed to be there; empty for the admin.
        client: String,
        /// This connection.
        connection: String,
    },
    /// A candidate or a description.
    Rtc(Rtc),
    /// Somebody has begun, or ceased, to speak.
    Vad(Rtc),
    /// A session has ended, or a join has made none.
    Close {
        /// Which; in the second case in any form.
        session: String,
    },
}

impl ServerMessage {
    /// Reads one message, as the plugin does.
    ///
    /// # Errors
    /// As [`ClientMessage::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match kind(&mut reader)? {
            b"hello" => {
                let mut texts = texts(&mut reader)?;
                let mut take = |member| texts.remove(member).ok_or(DecodeError::Missing(member));
                Ok(Self::Hello { client: take("clientID")?, connection: take("connID")? })
            }
            b"rtc" => rtc(&mut reader).map(Self::Rtc),
            b"vad" => rtc(&mut reader).map(Self::Vad),
            b"close" => {
                let session = texts(&mut reader)?.remove("sessionID").filter(|id| !id.is_empty());
                Ok(Self::Close { session: session.ok_or(DecodeError::Missing("sessionID"))? })
            }
            _ => Err(DecodeError::UnknownType),
        }
    }

    /// Returns the bytes, as rtcd writes them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello { client, connection } => {
                let writer = Writer::default().text("hello").map(2).text("clientID").text(client);
                writer.text("connID").text(connection).end()
            }
            Self::Rtc(rtc) => rtc.encode("rtc"),
            Self::Vad(rtc) => rtc.encode("vad"),
            Self::Close { session } => about_session("close", session),
        }
    }
}

impl Rtc {
    fn encode(&self, kind: &str) -> Vec<u8> {
        let count = if self.data.is_empty() { 5 } else { 6 };
        let texts = [
            ("group_id", &self.group),
            ("user_id", &self.user),
            ("session_id", &self.session),
            ("call_id", &self.call),
        ];
        let writer = Writer::default().text(kind).map(count);
        let writer = texts.into_iter().fold(writer, |writer, (name, text)| writer.text(name).text(text));
        let writer = writer.text("type").number(self.kind.number());
        if self.data.is_empty() { writer.end() } else { writer.text("data").bytes(&self.data).end() }
    }
}

fn about_session(kind: &str, session: &str) -> Vec<u8> {
    Writer::default().text(kind).map(1).text("sessionID").text(session).end()
}

fn kind<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    match reader.head()? {
        Head::Text(kind) | Head::Bytes(kind) => Ok(kind),
        _ => Err(DecodeError::UnknownType),
    }
}

/// The members of a join, by their names.
struct Members<'a> {
    texts: BTreeMap<&'a [u8], &'a [u8]>,
    flags: BTreeMap<&'a [u8], bool>,
}

impl<'a> Members<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let Head::Map(count) = reader.head()? else {
            return Err(DecodeError::Wrong { member: "data", expected: "a map" });
        };
        let (mut texts, mut flags) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..count {
            let (Head::Text(name) | Head::Bytes(name)) = reader.head()? else {
                return Err(DecodeError::Wrong { member: "data", expected: "a map of texts" });
            };
            let before = *reader;
            match reader.head()? {
                Head::Text(text) => _ = texts.insert(name, text),
                Head::Bool(flag) => _ = flags.insert(name, flag),
                // Of another form, so as if it were not there; but it may be anything.
                _ => {
                    *reader = before;
                    reader.skip()?;
                }
            }
        }
        Ok(Self { texts, flags })
    }

    fn join(&self) -> Result<Join, DecodeError> {
        let [call, user, session] = self.ids()?;
        let call = id_text(call, "callID")?;
        let user = id_text(user, "userID")?;
        let session = session_id(id_text(session, "sessionID")?)?;
        // It is only told again, so one in another form is as if it were not there.
        let channel = self.texts.get(b"channelID".as_slice());
        let channel = channel.and_then(|text| id_text(text, "channelID").ok());
        let flag = |name: &[u8]| self.flags.get(name).copied();
        Ok(Join { call, user, session, channel, av1: flag(b"av1Support"), by_channel: flag(b"dcSignaling") })
    }

    /// Of the call, the user and the session, looked for in rtcd's own order; in any form.
    fn ids(&self) -> Result<[&'a [u8]; 3], DecodeError> {
        let id = |member: &'static str| {
            let text = self.texts.get(member.as_bytes()).copied().filter(|text| !text.is_empty());
            text.ok_or(DecodeError::Missing(member))
        };
        Ok([id("callID")?, id("userID")?, id("sessionID")?])
    }
}

fn id_text(bytes: &[u8], member: &'static str) -> Result<String, DecodeError> {
    let text = str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_ID);
    let text = text.filter(|text| !text.chars().any(char::is_control));
    text.map(str::to_owned).ok_or(DecodeError::Wrong { member, expected: "an id" })
}

fn session_id(text: String) -> Result<String, DecodeError> {
    if is_stream_id(&text) {
        Ok(text)
    } else {
        Err(DecodeError::Wrong { member: "sessionID", expected: "1–64 characters of a token" })
    }
}

fn named_session(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let id = texts(reader)?.remove("sessionID").filter(|id| !id.is_empty());
    session_id(id.ok_or(DecodeError::Missing("sessionID"))?)
}

/// Reads a map of nothing but texts. A nil in such a map once ended rtcd itself (`docs/faces/rtcd-messages.md`).
fn texts(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>, DecodeError> {
    let wrong = DecodeError::Wrong { member: "data", expected: "a map of texts" };
    let Head::Map(count) = reader.head()? else {
        return Err(wrong);
    };
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let (Head::Text(name), Head::Text(text)) = (reader.head()?, reader.head()?) else {
            return Err(wrong);
        };
        let owned = |bytes| str::from_utf8(bytes).map(str::to_owned).map_err(|_| wrong.clone());
        map.insert(owned(name)?, owned(text)?);
    }
    Ok(map)
}

/// Reads the six fields, by name or, as rtcd's decoder also takes them, in order.
fn rtc(reader: &mut Reader<'_>) -> Result<Rtc, DecodeError> {
    const FIELDS: [&str; 6] = ["group_id", "user_id", "session_id", "call_id", "type", "data"];
    let mut fields = Fields::default();
    match reader.head()? {
        Head::Map(count) => {
            for _ in 0..count {
                let name = reader.bytes("data")?;
                match FIELDS.into_iter().find(|field| field.as_bytes() == name) {
                    Some(name) => fields.take(name, reader)?,
                    None => reader.skip()?,
                }
            }
        }
        Head::Array(6) => FIELDS.into_iter().try_for_each(|name| fields.take(name, reader))?,
        _ => return Err(DecodeError::Wrong { member: "data", expected: "a map" }),
    }
    let session = fields.session.ok_or(DecodeError::Missing("session_id"))?;
    let kind = RtcKind::of(fields.kind).ok_or(DecodeError::UnknownType)?;
    let Fields { group, user, call, data, .. } = fields;
    Ok(Rtc { group, user, session: session_id(session)?, call, kind, data })
}

#[derive(Default)]
struct Fields {
    group: String,
    user: String,
    session: Option<String>,
    call: String,
    kind: i128,
    data: Vec<u8>,
}

impl Fields {
    fn take(&mut self, name: &'static str, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        match name {
            "group_id" => self.group = id_text(reader.bytes(name)?, name)?,
            "user_id" => self.user = id_text(reader.bytes(name)?, name)?,
            "call_id" => self.call = id_text(reader.bytes(name)?, name)?,
            "type" => self.kind = reader.number(name)?,
            "data" => self.data = reader.bytes(name)?.to_vec(),
            _ => self.session = Some(id_text(reader.bytes(name)?, name)?).filter(|id| !id.is_empty()),
        }
        Ok(())
    }
}
