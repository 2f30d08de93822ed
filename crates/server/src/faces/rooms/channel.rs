//! The translator of the data channel. Pure.

use wire::DecodeError;
use wire::rooms as wire_rooms;
use wire::rooms::{CHANNEL, Id};

use super::connection::code;
use crate::services::{Complaint, Dialect, Refusal, Said, Saying};

/// How browsers write what people say to each other.
pub const DIALECT: Dialect = Dialect { label: CHANNEL, read, tell, refuse };

pub(super) fn read(bytes: &[u8], binary: bool) -> Result<Saying, Complaint> {
    if binary {
        return Err(malformed("not a text message".to_owned()));
    }
    match wire_rooms::Saying::decode(bytes) {
        Ok(wire_rooms::Saying::Chat { text }) => Ok(Saying::Chat(text)),
        Ok(wire_rooms::Saying::React { emoji }) => Ok(Saying::React(emoji.as_str())),
        Err(error @ DecodeError::TooLarge { .. }) => {
            Err(Complaint { refusal: Refusal::TooLarge, about: None, said: error.to_string() })
        }
        Err(error) => Err(malformed(error.to_string())),
    }
}

pub(super) fn tell(said: Said) -> String {
    let (participant_id, at) = (Id(said.by.0), said.at.0);
    let said = match said.saying {
        Saying::Chat(text) => wire_rooms::Said::Chat { participant_id, at, text },
        Saying::React(emoji) => wire_rooms::Said::React { participant_id, at, emoji: emoji.to_owned() },
    };
    said.encode()
}

pub(super) fn refuse(complaint: &Complaint) -> String {
    wire_rooms::Said::Error { code: code(&complaint.refusal), message: complaint.said.clone() }.encode()
}

fn malformed(said: String) -> Complaint {
    Complaint { refusal: Refusal::Malformed("not a message of this channel"), about: None, said }
}
