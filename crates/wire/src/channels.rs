//! Bodies of HTTP for verto channels (reference on verto, 8.2 to 8.4), spelled as its clients spell them. Unlike bodies of the rooms face
//! they may hold nothing that is not named here.

use serde::Serialize;

use crate::json::{Object, Range};
use crate::legible::is_legible;
use crate::{DecodeError, Masked};

/// Limit of a body, in bytes.
pub const MAX_BODY: usize = 4 * 1_024;
/// Longest topic, in characters.
const MAX_TOPIC: usize = 128;
/// Most origins of a channel.
const MAX_ORIGINS: usize = 8;
/// Longest text of any other kind, in bytes.
const MAX_TEXT: usize = 512;
const DEFAULT_TTL: u32 = 86_400;

/// Settings of a channel, as far as they are said; texts are not checked further.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelSettings {
    /// Empty, or at most 128 characters that can be read.
    pub topic: Option<String>,
    /// `open`, `invitation`.
    pub admission: Option<String>,
    /// At least 1.
    pub capacity: Option<u32>,
    /// `required`, `optional`.
    pub cookie_binding: Option<String>,
    /// `strict-login-id`, `strict-registered`, `optional`.
    pub sessid_policy: Option<String>,
    /// `strict`, `opaque`.
    pub content: Option<String>,
    /// `off`, `page`.
    pub delivery: Option<String>,
    /// At most 8.
    pub origins: Option<Vec<String>>,
}

impl ChannelSettings {
    /// Reads the body of `PATCH /v1/admin/channels/{channelId}`.
    ///
    /// # Errors
    /// Not one bounded JSON object, a member that is unknown, or one of another form.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        let settings = Self::take(&mut object)?;
        object.end()?;
        Ok(settings)
    }

    fn take(object: &mut Object) -> Result<Self, DecodeError> {
        let topic = if object.has("topic") { Some(topic(object)?) } else { None };
        let origins = object.texts("origins")?;
        if origins.as_ref().is_some_and(|origins| origins.len() > MAX_ORIGINS) {
            return Err(DecodeError::Wrong { member: "origins", expected: "at most 8 origins" });
        }
        Ok(Self {
            topic,
            admission: object.optional_text("admission", MAX_TEXT)?,
            capacity: object.ranged("capacity", &Range::POSITIVE)?,
            cookie_binding: object.optional_text("cookie_binding", MAX_TEXT)?,
            sessid_policy: object.optional_text("sessid_policy", MAX_TEXT)?,
            content: object.optional_text("content", MAX_TEXT)?,
            delivery: object.optional_text("delivery", MAX_TEXT)?,
            origins,
        })
    }
}

/// `POST /v1/admin/channels`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateChannel {
    /// Its id, form not checked.
    pub channel_id: Option<String>,
    /// What holds for it.
    pub settings: ChannelSettings,
}

impl CreateChannel {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`ChannelSettings::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        let channel_id = object.optional_text("channelId", MAX_TEXT)?;
        let settings = ChannelSettings::take(&mut object)?;
        object.end()?;
        Ok(Self { channel_id, settings })
    }
}

/// `POST /v1/admin/channels/{channelId}/clients`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssueHeadless {
    /// What the client calls its session, form not checked.
    pub session_id: Option<Masked>,
}

impl IssueHeadless {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`ChannelSettings::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        let session_id = object.optional_text("sessionId", MAX_BODY)?.map(Masked);
        object.end()?;
        Ok(Self { session_id })
    }
}

/// `POST /v1/admin/channels/{channelId}/invitations`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteVisitors {
    /// How many visitors it admits: 1 to 10,000, by default 1.
    pub uses: u32,
    /// Good for so many seconds: 1 to 31,536,000, by default a day.
    pub ttl: u32,
}

impl InviteVisitors {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`ChannelSettings::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        let uses = object.ranged("uses", &Range::USES)?.unwrap_or(1);
        let ttl = object.ranged("ttl", &Range::LIFETIME)?.unwrap_or(DEFAULT_TTL);
        object.end()?;
        Ok(Self { uses, ttl })
    }
}

/// `POST /v1/channels/{channelId}/clients`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssueClient {
    /// What the browser calls its session, form not checked.
    pub session_id: Option<Masked>,
    /// An invitation, form not checked.
    pub invitation: Option<Masked>,
    /// The key to which the password is to be bound, form not checked.
    pub proof_key: Option<String>,
}

impl IssueClient {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// As [`ChannelSettings::decode`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(body, MAX_BODY)?;
        let issue = Self {
            session_id: object.optional_text("sessionId", MAX_BODY)?.map(Masked),
            invitation: object.optional_text("invitation", MAX_BODY)?.map(Masked),
            proof_key: object.optional_text("proofKey", MAX_TEXT)?,
        };
        object.end()?;
        Ok(issue)
    }
}

fn topic(object: &mut Object) -> Result<String, DecodeError> {
    let fits = |text: &str| text.is_empty() || (text.chars().count() <= MAX_TOPIC && is_legible(text));
    object.shown("topic", 4 * MAX_TOPIC, "empty, or at most 128 characters of text that can be seen", fits)
}

/// A channel, in answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct ChannelShown {
    /// Its id.
    #[serde(rename = "channelId")]
    pub channel_id: String,
    /// What it is about.
    pub topic: String,
    /// `open`, `invitation`.
    pub admission: &'static str,
    /// Clients at once.
    pub capacity: u32,
    /// `required`, `optional`.
    pub cookie_binding: &'static str,
    /// `strict-login-id`, `strict-registered`, `optional`.
    pub sessid_policy: &'static str,
    /// `strict`, `opaque`.
    pub content: &'static str,
    /// `page`; left out when it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<&'static str>,
    /// Pages beside our own.
    pub origins: Vec<String>,
    /// In seconds since the Unix epoch.
    pub created: u64,
    /// Clients that are logged in.
    pub live: usize,
    /// Oldest first; only when one channel is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<ClientShown>>,
}

/// A client of a channel, in answers to its operator.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientShown {
    /// Its id.
    pub client_id: String,
    /// In seconds since the Unix epoch.
    pub created: u64,
    /// Whether it is logged in.
    pub connected: bool,
}

/// 200 of `GET /v1/admin/channels`.
#[derive(Debug, Serialize)]
pub struct ChannelList {
    /// Oldest first.
    pub channels: Vec<ChannelShown>,
}

/// 201 of the two requests that make a client.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientIssued {
    /// Who it is.
    pub client_id: String,
    /// Its password.
    #[serde(serialize_with = "shown")]
    pub password: Masked,
    /// Where.
    pub channel_id: String,
    /// Seconds that the password waits for its first login.
    pub expires_in: u64,
    /// The path of its socket.
    pub socket: String,
    /// What the channel is about; left out when it does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// What it needs for ICE.
    #[serde(flatten)]
    pub ice: IceTold,
}

/// What a client is told for ICE: in what it is issued, and in the answer to `countersign.iceServers`.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceTold {
    /// Servers, as `RTCPeerConnection` takes them; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ice_servers: Vec<IceServer>,
    /// How long their credentials are good, in seconds; left out when they do not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_expires_in: Option<u64>,
}

/// A server for ICE (W3C WebRTC §4.2.4).
#[derive(Debug, Clone, Serialize)]
pub struct IceServer {
    /// Its addresses.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown_too")]
    pub credential: Option<Masked>,
}

/// 200 of `GET /peers/{channelId}/sessions`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionGiven {
    /// Who it is.
    pub client_id: String,
    /// Its password.
    #[serde(serialize_with = "shown")]
    pub password: Masked,
}

/// 201 of `POST /v1/admin/channels/{channelId}/invitations`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationMade {
    /// Its secret.
    #[serde(serialize_with = "shown")]
    pub invitation: Masked,
    /// The page that takes it, with it.
    #[serde(serialize_with = "shown")]
    pub link: Masked,
    /// In seconds.
    pub expires_in: u32,
}

fn shown<S: serde::Serializer>(secret: &Masked, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&secret.0)
}

fn shown_too<S: serde::Serializer>(secret: &Option<Masked>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.as_ref().map_or("", |secret| &secret.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_created_from_what_is_said_of_it() {
        let body = br#"{"channelId":"x","topic":"t","admission":"open","capacity":2,"cookie_binding":"optional",
            "sessid_policy":"optional","content":"opaque","delivery":"page","origins":["https://a.example"]}"#;
        let read = CreateChannel::decode(body).unwrap();
        assert_eq!((read.channel_id.as_deref(), read.settings.topic.as_deref()), (Some("x"), Some("t")));
        assert_eq!(
            (read.settings.capacity, read.settings.origins),
            (Some(2), Some(vec!["https://a.example".into()]))
        );
        assert_eq!(CreateChannel::decode(b"{}"), Ok(CreateChannel::default()));
    }

    #[test]
    fn what_is_unknown_or_of_another_form_is_refused() {
        let topic = |length| format!(r#"{{"topic":"{}"}}"#, "ü".repeat(length));
        let origins = |count| format!(r#"{{"origins":[{}]}}"#, vec![r#""a""#; count].join(","));
        let large = format!("{{{}}}", " ".repeat(MAX_BODY));
        let rows = [
            ("{}", true),
            (&topic(128), true),
            (&topic(129), false),
            (r#"{"topic":""}"#, true),
            (r#"{"topic":"a\u0007"}"#, false),
            (r#"{"topic":"\u200b"}"#, false),
            (r#"{"topic":"a\u202eb"}"#, false),
            (r#"{"topic":null}"#, false),
            (r#"{"topic":5}"#, false),
            (r#"{"capacity":1}"#, true),
            (r#"{"capacity":0}"#, false),
            (r#"{"capacity":-1}"#, false),
            (r#"{"capacity":1.5}"#, false),
            (r#"{"capacity":"1"}"#, false),
            (r#"{"capacity":4294967296}"#, false),
            (r#"{"admission":true}"#, false),
            (&origins(8), true),
            (&origins(9), false),
            (r#"{"origins":"a"}"#, false),
            (r#"{"origins":[1]}"#, false),
            (r#"{"more":1}"#, false),
            (r#"{"Topic":"t"}"#, false),
            (r#"{"topic":"a","topic":"a"}"#, false),
            (&large, false),
            ("[]", false),
            ("", false),
        ];
        for (body, expected) in rows {
            assert_eq!(ChannelSettings::decode(body.as_bytes()).is_ok(), expected, "{body:.60}");
            assert_eq!(CreateChannel::decode(body.as_bytes()).is_ok(), expected, "{body:.60}");
        }
        assert!(ChannelSettings::decode(br#"{"channelId":"x"}"#).is_err());
    }

    #[test]
    fn invitations_and_issues() {
        let rows = [
            ("{}", Some((1, 86_400))),
            (r#"{"uses":10000,"ttl":31536000}"#, Some((10_000, 31_536_000))),
            (r#"{"uses":0}"#, None),
            (r#"{"uses":10001}"#, None),
            (r#"{"ttl":0}"#, None),
            (r#"{"ttl":31536001}"#, None),
            (r#"{"ttl":"1"}"#, None),
            (r#"{"expires_in":1}"#, None),
        ];
        for (body, expected) in rows {
            let read = InviteVisitors::decode(body.as_bytes()).ok().map(|read| (read.uses, read.ttl));
            assert_eq!(read, expected, "{body}");
        }
        let read = IssueClient::decode(br#"{"sessionId":"s","invitation":"i","proofKey":"k"}"#).unwrap();
        assert_eq!(read.session_id, Some(Masked("s".into())));
        assert!(!format!("{read:?}").contains('i') || !format!("{read:?}").contains("\"i\""));
        for body in
            [r#"{"sessionId":5}"#, r#"{"sessionId":null}"#, r#"{"session":"s"}"#, r#"{"invitation":[]}"#]
        {
            assert!(IssueClient::decode(body.as_bytes()).is_err(), "{body}");
            assert!(IssueHeadless::decode(body.as_bytes()).is_err(), "{body}");
        }
        assert!(IssueHeadless::decode(br#"{"invitation":"i"}"#).is_err());
    }

    #[test]
    fn answers_are_spelled_as_the_reference_spells_them() {
        let shown = ChannelShown {
            channel_id: "c".into(),
            topic: "t".into(),
            admission: "invitation",
            capacity: 16,
            cookie_binding: "required",
            sessid_policy: "optional",
            content: "strict",
            delivery: None,
            origins: vec![],
            created: 1_790_000_000,
            live: 2,
            clients: Some(vec![ClientShown {
                client_id: "k".into(),
                created: 1_790_000_000,
                connected: true,
            }]),
        };
        assert_eq!(
            serde_json::to_string(&shown).unwrap(),
            r#"{"channelId":"c","topic":"t","admission":"invitation","capacity":16,"cookie_binding":"required","sessid_policy":"optional","content":"strict","origins":[],"created":1790000000,"live":2,"clients":[{"clientId":"k","created":1790000000,"connected":true}]}"#
        );
        let issued = ClientIssued {
            client_id: "k".into(),
            password: Masked("p".into()),
            channel_id: "c".into(),
            expires_in: 60,
            socket: "/peers/c/clients".into(),
            topic: String::new(),
            ice: IceTold::default(),
        };
        assert_eq!(
            serde_json::to_string(&issued).unwrap(),
            r#"{"clientId":"k","password":"p","channelId":"c","expiresIn":60,"socket":"/peers/c/clients"}"#
        );
        let server = IceServer { urls: vec!["stun:a".into()], username: None, credential: None };
        let ice = IceTold { ice_servers: vec![server], ice_expires_in: Some(900) };
        let issued = ClientIssued { topic: "t".into(), ice, ..issued };
        let text = serde_json::to_string(&issued).unwrap();
        assert!(
            text.ends_with(r#","topic":"t","iceServers":[{"urls":["stun:a"]}],"iceExpiresIn":900}"#),
            "{text}"
        );
        let made = InvitationMade { invitation: Masked("i".into()), link: Masked("l".into()), expires_in: 5 };
        assert_eq!(serde_json::to_string(&made).unwrap(), r#"{"invitation":"i","link":"l","expiresIn":5}"#);
    }
}
