//! Who receives which packet.
//!
//! A [`Shard`] is everything one media thread owns: rooms, their participants (one str0m `Rtc` each), the demultiplexer and the timers.
//! It has no socket, clock or thread; it knows neither users nor permissions nor any signalling protocol: participants are opaque
//! 128-bit numbers, and what they may send is data in their [`Profile`].
//!
//! Contract: give it one input, with the time. Then take outputs until there are none. Then sleep until the deadline it names, or the
//! next input.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test needs some time to begin with"))]

mod activity;
mod adapt;
mod allocate;
mod codecs;
mod command;
mod crypto;
mod data;
mod demux;
mod entry;
mod estimate;
mod forward;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzed;
mod lines;
mod lock;
mod names;
mod negotiate;
mod neighbours;
mod participant;
mod path;
mod rate;
mod roam;
mod room;
mod sdp;
mod shard;
mod sources;
mod speaking;
mod ssrcs;
mod timers;
mod track;
mod ufrag;
mod voices;

pub use command::{
    Activity, Codec, Command, Event, EventKind, Extensions, Glare, JoinRefusal, LeaveReason, Manners, Names,
    ParticipantId, Profile, RoomId, Sending, ShardIndex, SignalRefusal, Source, Sources, Tile,
};
pub use crypto::{Certificate, provider};
pub use demux::shard_of;
pub use path::{HandOver, Note, Path, Standing};
pub use sdp::{Stream, streams};
pub use shard::{Datagram, Output, Shard, ShardConfig, ShardError, Stats, Transmit, Transport};
