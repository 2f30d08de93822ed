//! Paths, and what shards tell each other and their drivers of them.

use std::net::SocketAddr;

use crate::command::ShardIndex;
use crate::shard::Transport;

/// How packets of one participant come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// What carries them.
    pub transport: Transport,
    /// The participant's address, as we see it.
    pub source: SocketAddr,
    /// Ours, as the participant sees it.
    pub destination: SocketAddr,
}

/// Whose a datagram is that came to the wrong shard; the driver still has it, and hands it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandOver {
    /// To [`Shard::handle_handed_over`](crate::Shard::handle_handed_over) of this shard.
    pub to: ShardIndex,
}

/// What one shard tells another of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A participant of the teller has proven it: what comes on it is for the teller.
    Mine(Path),
    /// It is nobody's there.
    NotMine(Path),
}

/// What the driver learns of a path over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A participant has proven it.
    Proven,
    /// Nobody needs it any more: close the connection when what was sent before has been written.
    Gone,
}

/// What a change of the demultiplexer's means for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Note(ShardIndex, Note),
    Stream(Path, Standing),
}
