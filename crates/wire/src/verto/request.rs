use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::{Broadcast, MAX_DEPTH};
use crate::Masked;
use crate::json::read_members;

/// Limits of `loginParams` and `userVariables`: members of one, and bytes.
const MAX_LOGIN_MEMBERS: usize = 16;
const MAX_LOGIN_BYTES: usize = 1_024;
/// Limit of a session ID that a client chose, in bytes.
const MAX_SESSID: usize = 64;
/// Limit of a signature that is handed on, in bytes.
const MAX_SIGNATURE: usize = 512;
/// Members of `verto.info` that make it call control, where there is no `msg`.
const CALL_CONTROL: [&str; 4] = ["dtmf", "txt", "command", "type"];

/// One text frame of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Part of a measurement of speed: begins with `#`, is no JSON, and gets no answer.
    SpeedTest,
    /// The answer to something that the server said; gets none itself.
    Acknowledgement,
    /// Asks for something.
    Request(Request),
    /// Is refused as [`super::Fault::InvalidRequest`]; to whom, where that can be told.
    Invalid(Option<Id>),
}

/// How a client names its request; the answer says it again, as the same JSON type.
#[derive(Debug, Clone, PartialEq)]
pub enum Id {
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
}

/// A well-formed envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Without one, nothing is answered.
    pub id: Option<Id>,
    method: Option<String>,
    params: Option<Map<String, Value>>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// To be believed.
    Login(Login),
    /// To be told the same; `None` without `params`.
    Echo(Option<Map<String, Value>>),
    /// To be told that we are there.
    Ping,
    /// To hear these event channels; `None` when none is named.
    Subscribe(Option<Vec<String>>),
    /// To hear them no more.
    Unsubscribe(Option<Vec<String>>),
    /// To be heard by all who have subscribed.
    Broadcast(Broadcast),
    /// To be heard by one.
    Info(Info),
    /// To be told once more what is needed for ICE.
    IceServers,
    /// A method that this face does not have: call control of a PBX, and whatever else.
    Unknown,
}

/// `login`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Shows nothing: the client wants to be told that it has to.
    Priming,
    /// Shows something that no credential looks like.
    Malformed,
    /// Shows this.
    Shown(Credentials),
}

/// What a client shows to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client ID, without the domain that may follow it.
    pub name: String,
    /// The password.
    pub password: Masked,
    /// The session ID, 1 to 64 letters, digits and hyphens, if there is one.
    pub sessid: Option<Masked>,
    /// The signature of `loginParams.signature`, by which a client proves that it holds its key.
    pub signature: Option<String>,
}

/// `verto.info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Info {
    /// Call control of a PBX.
    CallControl,
    /// No recipient, or nothing to say.
    Incomplete,
    /// Something to say to one client.
    Message {
        /// The recipient, as the client wrote it.
        to: String,
        /// What.
        body: Masked,
        /// A signature over what the body describes; handed on beside the message, for the recipient to verify.
        signature: Option<String>,
    },
}

impl Frame {
    /// Reads a frame. Duplicate members, more than [`MAX_DEPTH`] levels, batches, and `params` that are no object are invalid.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if text.starts_with('#') {
            return Self::SpeedTest;
        }
        let Ok(mut envelope) = read_members(text.as_bytes(), MAX_DEPTH) else {
            return Self::Invalid(id_of_broken(text));
        };
        if envelope.contains_key("result") || envelope.contains_key("error") {
            return Self::Acknowledgement;
        }
        let Ok(id) = envelope.remove("id").map(Id::try_from).transpose() else { return Self::Invalid(None) };
        if envelope.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Self::Invalid(id);
        }
        let params = match envelope.remove("params") {
            None => None,
            Some(Value::Object(params)) => Some(params),
            Some(_) => return Self::Invalid(id),
        };
        Self::Request(Request { id, method: envelope.remove("method").and_then(text_of), params })
    }
}

/// The request's name, where only something else in the frame is broken.
fn id_of_broken(text: &str) -> Option<Id> {
    #[derive(Deserialize)]
    struct Envelope {
        id: Value,
    }
    // A list is no envelope, though its first item could be read as the first member of one.
    let object = text.trim_start().starts_with('{').then_some(text)?;
    let envelope: Envelope = serde_json::from_str(object).ok()?;
    envelope.id.try_into().ok()
}

/// The value is neither a number nor a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoId;

impl TryFrom<Value> for Id {
    type Error = NoId;

    fn try_from(value: Value) -> Result<Self, NoId> {
        match value {
            Value::Number(number) => Ok(Self::Number(number)),
            Value::String(text) => Ok(Self::Text(text)),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(NoId),
        }
    }
}

impl From<&Id> for Value {
    fn from(id: &Id) -> Self {
        match id {
            Id::Number(number) => Self::Number(number.clone()),
            Id::Text(text) => Self::String(text.clone()),
        }
    }
}

impl Request {
    /// Returns what the request asks for. Whatever has another form than it must have counts as missing, except at `login`.
    #[must_use]
    pub fn call(self) -> Call {
        let params = self.params;
        match self.method.as_deref() {
            Some("login") => Call::Login(Login::read(params.unwrap_or_default())),
            Some("echo") => Call::Echo(params),
            Some("verto.ping") => Call::Ping,
            Some("verto.subscribe") => Call::Subscribe(names(params)),
            Some("verto.unsubscribe") => Call::Unsubscribe(names(params)),
            Some("verto.broadcast") => Call::Broadcast(Broadcast::read(params.unwrap_or_default())),
            Some("verto.info") => Call::Info(Info::read(params.unwrap_or_default())),
            Some("countersign.iceServers") => Call::IceServers,
            _ => Call::Unknown,
        }
    }
}

fn names(params: Option<Map<String, Value>>) -> Option<Vec<String>> {
    match params?.remove("eventChannel")? {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) if !names.is_empty() => names.into_iter().map(text_of).collect(),
        _ => None,
    }
}

impl Login {
    fn read(mut params: Map<String, Value>) -> Self {
        let password = match params.remove("passwd") {
            None => None,
            Some(Value::String(password)) => Some(password),
            Some(_) => return Self::Malformed,
        };
        let name = match params.remove("login") {
            None => return Self::Priming,
            Some(Value::String(name)) if name.is_empty() => return Self::Priming,
            Some(name) => text_of(name),
        };
        let sessid = match params.remove("sessid") {
            None => None,
            Some(Value::String(sessid)) if sessid.is_empty() => None,
            Some(Value::String(sessid)) if is_sessid(&sessid) => Some(Masked(sessid)),
            Some(_) => return Self::Malformed,
        };
        if !["loginParams", "userVariables"].iter().all(|member| is_small(params.get(*member))) {
            return Self::Malformed;
        }
        let signature = params.get("loginParams").and_then(|given| given.get("signature")?.as_str());
        let signature = signature.map(str::to_owned);
        let (Some(name), Some(password)) = (name, password) else { return Self::Malformed };
        let name = name.split_once('@').map_or(name.as_str(), |(name, _)| name).to_owned();
        Self::Shown(Credentials { name, password: Masked(password), sessid, signature })
    }
}

fn is_sessid(text: &str) -> bool {
    text.len() <= MAX_SESSID && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_small(given: Option<&Value>) -> bool {
    let Some(Value::Object(members)) = given else { return given.is_none() };
    members.len() <= MAX_LOGIN_MEMBERS && given.map_or(0, |given| given.to_string().len()) <= MAX_LOGIN_BYTES
}

impl Info {
    fn read(mut params: Map<String, Value>) -> Self {
        let Some(Value::Object(mut message)) = params.remove("msg") else {
            let is_control = CALL_CONTROL.iter().any(|member| params.contains_key(*member));
            return if is_control { Self::CallControl } else { Self::Incomplete };
        };
        let mut said = |member| message.remove(member).and_then(text_of).filter(|text| !text.is_empty());
        let (Some(to), Some(body)) = (said("to"), said("body")) else { return Self::Incomplete };
        let signature =
            params.remove("signature").and_then(text_of).filter(|text| text.len() <= MAX_SIGNATURE);
        Self::Message { to, body: Masked(body), signature }
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
