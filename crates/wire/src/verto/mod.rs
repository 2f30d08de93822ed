//! The verto face: JSON-RPC 2.0 as FreeSWITCH's `mod_verto` speaks it, as far as channels need it (`docs/faces/verto.md`).
//!
//! A frame is read by [`Frame::read`], and what it asks for by [`Request::call`]. What is said to clients is written by the functions of
//! this module, so that no object names a member twice and no result has a member called `result`. [`content`] knows what may be said
//! where only the set-up of calls may pass.

mod broadcast;
pub mod content;
mod reply;
mod request;

pub use broadcast::Broadcast;
pub use reply::{
    Fault, client_ready, error, event, gone, info, message, ping, punt, refused_in_result, result,
};
pub use request::{Call, Credentials, Frame, Id, Info, Login, Request};

/// Levels of objects and arrays in one message (`docs/faces/verto.md`, "Limits").
pub const MAX_DEPTH: usize = 16;
/// Limit of the body of a message from client to client, in bytes.
pub const MAX_BODY: usize = 48 * 1024;
/// Limit of what a broadcast carries, in bytes.
pub const MAX_PAYLOAD: usize = 8 * 1024;
/// Limit of what `echo` gives back, in bytes.
pub const MAX_ECHO: usize = 4 * 1024;
/// Limit of the names in one subscribe or unsubscribe.
pub const MAX_NAMES: usize = 16;
/// Limit of the name of an event channel, in bytes.
pub const MAX_NAME: usize = 128;
/// Numbers of what the server sends begin here, far from the numbers of clients: some clients take a message for the answer to their own
/// request when its number is one that they wait for.
pub const FIRST_PUSH: u64 = 1_000_000_000;
