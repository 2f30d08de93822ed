//! What may be said where only the set-up of calls may pass: the messages of tessercat's clients, and nothing that only looks like them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::json::read_members;

/// An object of call set-up has one level.
const DEEPEST: usize = 2;
/// Limits of a peer's name and of the texts of a candidate, in bytes.
const MAX_PEER_NAME: usize = 32;
const MAX_CANDIDATE: usize = 1_024;
const MAX_MID: usize = 256;

/// What was said is none of the known messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of call set-up")]
pub struct NotKnown;

/// A message from one client to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// I am here too.
    Available,
    /// I want to call you.
    Offer,
    /// Call me.
    Accept,
    /// I hang up, or cannot go on.
    Over,
    /// A session description, with the fingerprints of the certificates that it names, each once.
    Description(Vec<String>),
    /// An address to try.
    Candidate,
}

impl Said {
    /// Reads the body of an info message: base64 of a word, or of a JSON object.
    ///
    /// # Errors
    /// [`NotKnown`] for everything else.
    pub fn read(body: &str) -> Result<Self, NotKnown> {
        let text = decoded(body)?;
        match text.as_str() {
            "available" => return Ok(Self::Available),
            "offer" => return Ok(Self::Offer),
            "accept" => return Ok(Self::Accept),
            "close" => return Ok(Self::Over),
            _ => (),
        }
        let object = members(&text)?;
        if object.contains_key("peerStatus") {
            return status(&object)
                .and_then(|status| if status == "available" { Ok(Self::Available) } else { Err(NotKnown) });
        }
        if object.contains_key("peerAction") {
            return action(&object);
        }
        if object.contains_key("sdp") { description(&object) } else { candidate(&object) }
    }
}

/// Checks the `eventData` of a broadcast: base64 of an object that says whether a peer is here.
///
/// # Errors
/// [`NotKnown`] for everything else.
pub fn check_presence(data: &str) -> Result<(), NotKnown> {
    let object = members(&decoded(data)?)?;
    status(&object).map(|_| ())
}

fn decoded(body: &str) -> Result<String, NotKnown> {
    let bytes = STANDARD.decode(body).map_err(|_| NotKnown)?;
    String::from_utf8(bytes).map_err(|_| NotKnown)
}

fn members(text: &str) -> Result<Map<String, Value>, NotKnown> {
    read_members(text.as_bytes(), DEEPEST).map_err(|_| NotKnown)
}

fn status(object: &Map<String, Value>) -> Result<&str, NotKnown> {
    only(object, &["peerStatus", "peerName"])?;
    check_name(object)?;
    let status = object.get("peerStatus").and_then(Value::as_str).ok_or(NotKnown)?;
    if ["ready", "available", "unavailable", "gone"].contains(&status) { Ok(status) } else { Err(NotKnown) }
}

fn action(object: &Map<String, Value>) -> Result<Said, NotKnown> {
    only(object, &["peerAction", "peerName"])?;
    check_name(object)?;
    match object.get("peerAction").and_then(Value::as_str) {
        Some("offer") => Ok(Said::Offer),
        Some("accept") => Ok(Said::Accept),
        Some("close" | "error") => Ok(Said::Over),
        _ => Err(NotKnown),
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), NotKnown> {
    if object.keys().all(|member| known.contains(&member.as_str())) { Ok(()) } else { Err(NotKnown) }
}

/// Words of letters and digits with one space between them, or nothing.
fn check_name(object: &Map<String, Value>) -> Result<(), NotKnown> {
    let name = match object.get("peerName") {
        None => return Ok(()),
        Some(name) => name.as_str().ok_or(NotKnown)?,
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if name.is_empty() || (name.len() <= MAX_PEER_NAME && name.split(' ').all(is_word)) {
        Ok(())
    } else {
        Err(NotKnown)
    }
}

/// An RTCSessionDescriptionInit (W3C WebRTC §4.6.1) whose text has the form of RFC 8866 §5: lines of a letter, `=` and a value, the
/// first of them the version.
fn description(object: &Map<String, Value>) -> Result<Said, NotKnown> {
    only(object, &["type", "sdp"])?;
    if !matches!(object.get("type").and_then(Value::as_str), Some("offer" | "answer")) {
        return Err(NotKnown);
    }
    let sdp = object.get("sdp").and_then(Value::as_str).ok_or(NotKnown)?;
    let mut fingerprints = Vec::new();
    for (index, line) in sdp.lines().enumerate() {
        if (index == 0 && line != "v=0") || !is_line(line) {
            return Err(NotKnown);
        }
        if let Some(value) = line.strip_prefix("a=fingerprint:") {
            fingerprints.push(fingerprint(value)?);
        }
    }
    fingerprints.sort_unstable();
    fingerprints.dedup();
    if sdp.is_empty() { Err(NotKnown) } else { Ok(Said::Description(fingerprints)) }
}

fn is_line(line: &str) -> bool {
    let Some((kind, value)) = line.split_once('=') else { return false };
    kind.len() == 1 && kind.bytes().all(|byte| byte.is_ascii_lowercase()) && !value.contains(char::is_control)
}

/// One spelling of a fingerprint (RFC 8122 §5): the hash in small letters, the digits in capitals.
fn fingerprint(value: &str) -> Result<String, NotKnown> {
    let (hash, digits) = value.split_once(' ').ok_or(NotKnown)?;
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if hash.is_empty()
        || hash.len() > 16
        || !is_hash
        || digits.len() > 3 * 64
        || !digits.split(':').all(is_pair)
    {
        return Err(NotKnown);
    }
    Ok(format!("{} {}", hash.to_ascii_lowercase(), digits.to_ascii_uppercase()))
}

/// An RTCIceCandidateInit (W3C WebRTC §4.8.1) with a candidate of RFC 8839 §5.1, or with none: there are no more.
fn candidate(object: &Map<String, Value>) -> Result<Said, NotKnown> {
    only(object, &["candidate", "sdpMid", "sdpMLineIndex", "usernameFragment"])?;
    let text = object.get("candidate").and_then(Value::as_str).ok_or(NotKnown)?;
    let is_short = |member: &str| match object.get(member) {
        None | Some(Value::Null) => true,
        Some(value) => {
            value.as_str().is_some_and(|text| text.len() <= MAX_MID && !text.contains(char::is_control))
        }
    };
    let is_index = match object.get("sdpMLineIndex") {
        None | Some(Value::Null) => true,
        Some(index) => index.as_u64().is_some_and(|index| index <= u64::from(u16::MAX)),
    };
    if is_short("sdpMid")
        && is_short("usernameFragment")
        && is_index
        && (text.is_empty() || is_candidate(text))
    {
        Ok(Said::Candidate)
    } else {
        Err(NotKnown)
    }
}

fn is_candidate(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("candidate:") else { return false };
    let mut parts = rest.split(' ');
    let mut part = || parts.next().filter(|part| !part.is_empty());
    let (foundation, component, transport) = (part(), part(), part());
    let (priority, address, port) = (part(), part(), part());
    let is_number = |part: Option<&str>, most: u64| {
        part.and_then(|part| part.parse().ok()).is_some_and(|number: u64| number <= most)
    };
    text.len() <= MAX_CANDIDATE
        && !text.contains(char::is_control)
        && foundation.is_some()
        && is_number(component, 256)
        && transport.is_some()
        && is_number(priority, u64::from(u32::MAX))
        && address.is_some()
        && is_number(port, u64::from(u16::MAX))
        && part() == Some("typ")
        && part().is_some()
}
