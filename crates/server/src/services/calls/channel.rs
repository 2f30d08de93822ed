//! What people say to each other by their data channels. Whatever arrives is told to everybody in the room; nothing is kept.

use identity::{RoomKey, SessionId, UnixMillis};
use sfu::{Command, Event, EventKind, RoomId};

use super::Calls;
use super::table::{Table, participant_id, room_id};
use crate::ambient::now;
use crate::http::limits::{Action, Key};
use crate::media::Busy;
use crate::services::{Complaint, Refusal};

/// Something that somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// A text to read.
    Chat(String),
    /// A sign that is shown for a moment.
    React(&'static str),
}

/// Something that was said, as everybody hears it: who and when are ours, never the speaker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub by: SessionId,
    /// When it came.
    pub at: UnixMillis,
    /// What.
    pub saying: Saying,
}

/// How a face writes this on a data channel.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Label of the channel; messages of others are not listened to.
    pub label: &'static str,
    /// Reads what a client says; the flag tells whether it came as bytes instead of a text.
    pub read: fn(&[u8], bool) -> Result<Saying, Complaint>,
    /// Writes what everybody hears.
    pub tell: fn(Said) -> String,
    /// Writes why a client was not heard.
    pub refuse: fn(&Complaint) -> String,
}

impl Calls {
    /// Takes what the engine says of data channels.
    pub(super) fn take_data(&self, event: Event) {
        let session = SessionId(event.participant.0);
        match event.kind {
            EventKind::DataOpen { label } if label == self.dialect.label => {
                self.table().open_channel(session, event.incarnation);
            }
            EventKind::Data { label, binary, bytes } if label == self.dialect.label => {
                self.listen(session, event.incarnation, &bytes, binary);
            }
            _ => (),
        }
    }

    fn listen(&self, by: SessionId, incarnation: u32, bytes: &[u8], binary: bool) {
        let mut table = self.table();
        let Some(room) = table.room_of(by, incarnation) else {
            return;
        };
        let saying = self.allow_saying(by, room).and_then(|()| (self.dialect.read)(bytes, binary));
        // A flood is answered once: what it hears back costs as much as what it says.
        let busy = matches!(&saying, Err(Complaint { refusal: Refusal::Busy { .. }, .. }));
        if table.hush(by, busy) {
            return;
        }
        match saying {
            Ok(saying) => {
                let text = (self.dialect.tell)(Said { by, at: now(), saying });
                self.broadcast(&table, room, &text);
            }
            Err(complaint) => {
                let _ = self.write(room_id(room), by, (self.dialect.refuse)(&complaint));
            }
        }
    }

    fn allow_saying(&self, by: SessionId, room: RoomKey) -> Result<(), Complaint> {
        let limits = &self.limits;
        let allowed = limits
            .check(Action::Say, Key::Identity(by.0))
            .and_then(|()| limits.check(Action::SayInRoom, Key::Identity(room.0)));
        allowed.map_err(|refusal| Complaint { refusal, about: None, said: "too much at once".to_owned() })
    }

    fn broadcast(&self, table: &Table, room: RoomKey, text: &str) {
        let mut lost = 0_usize;
        for listener in table.listeners(room) {
            if self.write(room_id(room), listener, text.to_owned()).is_err() {
                lost = lost.saturating_add(1);
            }
        }
        if lost > 0 {
            tracing::warn!(lost, "the media engine took no more messages for data channels");
        }
    }

    fn write(&self, room: RoomId, to: SessionId, text: String) -> Result<(), Busy> {
        let label = self.dialect.label.to_owned();
        let participant = participant_id(to);
        (self.media)(room, Command::Data { participant, label, binary: false, bytes: text.into_bytes() })
    }
}
