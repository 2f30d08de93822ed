use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Id;

/// What is wrong with a request: JSON-RPC's code and text (`docs/faces/verto.md`, "Errors").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No request at all.
    InvalidRequest,
    /// No such method here.
    UnknownMethod,
    /// Log in now. Clients take it for that command, so it is said for nothing else.
    AuthenticationRequired,
    /// Not believed; why is not said.
    AuthenticationFailure,
    /// Not believed without a session ID.
    MissingSessid,
    /// Somebody with the same credential is here, and came a moment ago.
    SessionInUse,
    /// As many are here as may be.
    ChannelFull,
    /// Not for this client.
    PermissionDenied,
    /// No event channel was named.
    NoChannel,
    /// More event channels were named than one request may name.
    TooManyChannels,
    /// None of the event channels had been subscribed to.
    NotSubscribed,
    /// No recipient, or nothing to say.
    NoMessage,
    /// Nothing to give back.
    NoParams,
    /// More than may be said.
    TooLarge,
    /// Not a message of call set-up, or not at its time.
    ContentRefused,
    /// Too much at once.
    RateLimit,
    /// Something inside does not work.
    Internal,
}

impl Fault {
    /// Returns the code.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::InvalidRequest => -32600,
            Self::UnknownMethod => -32601,
            Self::AuthenticationRequired => -32000,
            Self::AuthenticationFailure | Self::MissingSessid | Self::SessionInUse | Self::ChannelFull => {
                -32001
            }
            Self::PermissionDenied
            | Self::NoChannel
            | Self::TooManyChannels
            | Self::NotSubscribed
            | Self::NoMessage
            | Self::NoParams
            | Self::TooLarge
            | Self::ContentRefused => -32002,
            Self::RateLimit => -32003,
            Self::Internal => -32603,
        }
    }

    /// Returns the text; some clients show it to people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::InvalidRequest => "Invalid Request",
            Self::UnknownMethod => "Invalid Method, Missing Method or Permission Denied",
            Self::AuthenticationRequired => "Authentication Required",
            Self::AuthenticationFailure => "Authentication Failure",
            Self::MissingSessid => "Missing sessid",
            Self::SessionInUse => "Session in use",
            Self::ChannelFull => "Channel full",
            Self::PermissionDenied => "Permission Denied.",
            Self::NoChannel => "eventChannel not specified.",
            Self::TooManyChannels => "Too many channels.",
            Self::NotSubscribed => "Not subscribed.",
            Self::NoMessage => "INVALID MESSAGE to and body params required",
            Self::NoParams => "Params data missing",
            Self::TooLarge => "Message too large.",
            Self::ContentRefused => "Content refused.",
            Self::RateLimit => "Rate limit exceeded",
            Self::Internal => "Internal error",
        }
    }
}

/// Writes the answer to a request that was done. `sessid`: the client's own, once there is one; it replaces a member of that name, and a
/// member called `result` is left out, which `@signalwire/js` would take for an answer inside the answer.
#[must_use]
pub fn result(id: &Id, mut members: Map<String, Value>, sessid: Option<&str>) -> String {
    members.remove("result");
    if let Some(sessid) = sessid {
        members.insert("sessid".into(), sessid.into());
    }
    json!({"jsonrpc": "2.0", "id": Value::from(id), "result": members}).to_string()
}

/// Returns the members of a result that says a fault: so a broadcast is refused, as clients expect it.
#[must_use]
pub fn refused_in_result(fault: Fault) -> Map<String, Value> {
    Map::from_iter([("code".to_owned(), fault.code().into()), ("message".to_owned(), fault.message().into())])
}

/// Writes the answer to a request that was refused; `more` are members beside code and message.
#[must_use]
pub fn error(id: Option<&Id>, fault: Fault, more: Map<String, Value>) -> String {
    let mut error = more;
    error.extend(refused_in_result(fault));
    json!({"jsonrpc": "2.0", "id": id.map_or(Value::Null, Value::from), "error": error}).to_string()
}

/// Writes `verto.clientReady`: the client is believed, and may go on.
#[must_use]
pub fn client_ready(number: u64) -> String {
    push(number, "verto.clientReady", r#"{"reattached_sessions":[]}"#)
}

/// Writes `verto.punt`: the client shall go and not come back by itself.
#[must_use]
pub fn punt(number: u64) -> String {
    push(number, "verto.punt", "{}")
}

/// Writes `verto.ping`, which wants no answer. `serno`: the time in seconds since 1970.
#[must_use]
pub fn ping(number: u64, serno: u64) -> String {
    push(number, "verto.ping", &format!(r#"{{"serno":{serno}}}"#))
}

/// Writes `verto.event` for one who hears it. `shared` comes from [`super::Broadcast::shared`]; `serial` counts what came by this
/// subscription, from 0.
#[must_use]
pub fn event(number: u64, shared: &str, sessid: &str, serial: u64, subscribed: &str) -> String {
    let (sessid, subscribed) = (quoted(sessid), quoted(subscribed));
    let params =
        format!(r#"{{{shared},"sessid":{sessid},"eventSerno":{serial},"subscribedChannel":{subscribed}}}"#);
    push(number, "verto.event", &params)
}

/// Returns what all are told alike of a client that is in the channel no more, as that client would say it itself; for [`event`].
#[must_use]
pub fn gone(channel: &str, userid: &str) -> String {
    let said = STANDARD.encode(r#"{"peerStatus":"gone","peerName":""}"#);
    let (channel, userid) = (quoted(channel), quoted(userid));
    format!(r#""eventChannel":{channel},"eventData":"{said}","localBroadcast":true,"userid":{userid}"#)
}

/// Returns what one client is told by another, for [`info`]. `from` is the sender's bare ID: clients compare it with what stands before
/// the `@` of `userid`. `beside` are members beside the message; clients that do not know them pass over them.
#[must_use]
pub fn message(from: &str, to: &str, body: &str, mut beside: Map<String, Value>) -> String {
    beside.insert("msg".into(), json!({"from": from, "to": to, "body": body}));
    Value::Object(beside).to_string()
}

/// Writes `verto.info` with what [`message`] returned.
#[must_use]
pub fn info(number: u64, message: &str) -> String {
    push(number, "verto.info", message)
}

fn push(number: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{params}}}"#)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
