//! What people say to each other, by the data channel labelled `room`.

use serde::Serialize;

use super::{ErrorCode, Id};
use crate::DecodeError;
use crate::json::Object;

/// Label of the data channel.
pub const CHANNEL: &str = "room";
/// Limit of one message of the channel, in bytes: the longest text with every character escaped has 24,000.
pub const MAX_SAID: usize = 32 * 1024;
/// Limit of a chat text, in characters.
pub const MAX_CHAT: usize = 2_000;

/// Something that a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// A text: 1–2,000 characters and not white space alone, no control character but the newline.
    Chat {
        /// As it is to be shown; never as markup.
        text: String,
    },
    /// A sign that is shown for a moment.
    React {
        /// Which.
        emoji: Emoji,
    },
}

impl Saying {
    /// Reads one message of at most [`MAX_SAID`] bytes.
    ///
    /// # Errors
    /// Not one bounded JSON object, an unknown type, or a member that is missing or of another form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut object = Object::read(bytes, MAX_SAID)?;
        match object.text("type", 16)?.as_str() {
            "chat" => chat(object.text("text", MAX_SAID)?),
            "react" => {
                let emoji = Emoji::parse(&object.text("emoji", 64)?);
                let emoji =
                    emoji.ok_or(DecodeError::Wrong { member: "emoji", expected: "one of the list" })?;
                Ok(Self::React { emoji })
            }
            _ => Err(DecodeError::UnknownType),
        }
    }
}

fn chat(text: String) -> Result<Saying, DecodeError> {
    let fits = text.chars().count() <= MAX_CHAT && !text.trim().is_empty();
    if !fits || text.chars().any(|character| character.is_control() && character != '\n') {
        let expected = "1–2,000 characters without control characters";
        return Err(DecodeError::Wrong { member: "text", expected });
    }
    Ok(Saying::Chat { text })
}

/// One of the signs that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emoji(&'static str);

impl Emoji {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 8] = [
        Self("\u{1f44d}"),
        Self("\u{2764}\u{fe0f}"),
        Self("\u{1f44f}"),
        Self("\u{1f602}"),
        Self("\u{1f62e}"),
        Self("\u{1f914}"),
        Self("\u{1f389}"),
        Self("\u{1f44b}"),
    ];

    /// Reads the wire form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|emoji| emoji.0 == text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

/// What the server says by the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Said {
    /// Somebody wrote.
    Chat {
        /// Who, by the session and not by what it says of itself.
        participant_id: Id,
        /// In milliseconds since the Unix epoch.
        at: u64,
        /// As [`Saying::Chat`].
        text: String,
    },
    /// Somebody made a sign.
    React {
        /// Who, by the session.
        participant_id: Id,
        /// In milliseconds since the Unix epoch.
        at: u64,
        /// Which.
        emoji: String,
    },
    /// What one said was refused, and nobody heard it.
    Error {
        /// What to do about it.
        code: ErrorCode,
        /// For the developer of a client; no contract.
        message: String,
    },
}

impl Said {
    /// The JSON text.
    #[must_use]
    pub fn encode(&self) -> String {
        // Cannot fail: there is no map and no number that is not finite.
        serde_json::to_string(self).unwrap_or_default()
    }
}
