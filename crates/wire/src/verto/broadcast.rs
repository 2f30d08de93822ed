use serde_json::{Map, Value};

use super::content::{self, NotKnown};

/// Members that the server writes itself, or that concern nobody else.
const NOT_HANDED_ON: [&str; 8] =
    ["eventChannel", "sessid", "userid", "passwd", "login", "fromDisplay", "eventSerno", "subscribedChannel"];
/// A member that every implementation hands on and none needs.
const LOCAL: &str = "localBroadcast";

/// `verto.broadcast`: who hears it, and what of it they hear.
#[derive(Debug, Clone, PartialEq)]
pub struct Broadcast {
    /// The event channel as the client wrote it; `None` when it names none.
    pub channel: Option<String>,
    carried: Map<String, Value>,
}

impl Broadcast {
    pub(super) fn read(mut params: Map<String, Value>) -> Self {
        let channel = match params.get("eventChannel") {
            Some(Value::String(name)) => Some(name.clone()),
            _ => None,
        };
        for member in NOT_HANDED_ON {
            params.remove(member);
        }
        Self { channel, carried: params }
    }

    /// Returns the bytes of what it carries: of a text without its quotes, of anything else as it is written.
    #[must_use]
    pub fn weight(&self) -> usize {
        let carried = self.carried.iter().filter(|(member, _)| *member != LOCAL);
        let weights = carried.map(|(member, value)| match value {
            Value::String(text) if member == "eventData" => text.len(),
            Value::String(text) => member.len() + text.len(),
            _ => member.len() + value.to_string().len(),
        });
        weights.fold(0, usize::saturating_add)
    }

    /// Checks that it says nothing but who is here, in a form of tessercat's (`docs/faces/verto.md`, "Strict content").
    ///
    /// # Errors
    /// Everything else.
    pub fn check(&self) -> Result<(), NotKnown> {
        let mut said = self.carried.iter().filter(|(member, _)| *member != LOCAL);
        let (Some((member, value)), None) = (said.next(), said.next()) else { return Err(NotKnown) };
        match (member.as_str(), value) {
            ("eventData", Value::String(data)) => content::check_presence(data),
            ("isAvailable", Value::Bool(_)) | ("isDisconnected", Value::Bool(true)) => Ok(()),
            _ => Err(NotKnown),
        }
    }

    /// Returns what all who hear it are told alike: the members of an object without its braces. Each of them is told more by
    /// [`super::event`].
    #[must_use]
    pub fn shared(&self, channel: &str, userid: &str) -> String {
        let mut told = self.carried.clone();
        told.insert("eventChannel".into(), channel.into());
        told.insert("userid".into(), userid.into());
        let text = Value::Object(told).to_string();
        text.get(1..text.len().saturating_sub(1)).unwrap_or_default().to_owned()
    }
}
