//! Mattermost's rtcd protocol as types: what a Calls plugin and its users' clients say to rtcd, and rtcd to them, in both directions
//! (`docs/faces/rtcd.md`, `docs/faces/rtcd-messages.md`). Read from rtcd v1.2.6: `service/client_msg.go`, `service/rtc/msg.go`,
//! `service/rtc/dc/msg.go`.

pub mod administration;
pub mod authorization;
pub mod bitcask;
mod channel;
pub mod envelope;
mod message;
mod msgpack;
mod signal;

pub use channel::{ChannelMessage, MAX_DEFLATED, MAX_INFLATED, Mapped, MediaMap, Tracked};
pub use message::{
    ClientMessage, Join, MAX_ANY_ID, MAX_ID, MAX_MESSAGE, MAX_SESSION_ID, Rtc, RtcKind, ServerMessage,
};
pub use signal::{Candidate, Description, MAX_CANDIDATE, MAX_DESCRIPTION, Signal, is_stream_id};
