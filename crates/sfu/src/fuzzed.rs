//! What the fuzz targets reach past the shard (`fuzz/`); no other build has it.

use crate::command::Codec;
use crate::crypto::pieces;
use crate::forward::codec;

/// As forwarding asks it of every packet.
#[must_use]
pub fn starts_keyframe(codec: Codec, payload: &[u8]) -> bool {
    codec::starts_keyframe(codec, payload)
}

/// As forwarding asks it of key frames.
#[must_use]
pub fn height(codec: Codec, payload: &[u8]) -> Option<u16> {
    codec::height(codec, payload)
}

/// As forwarding asks it for those who take no redundancy.
#[must_use]
pub fn red_primary(payload: &[u8]) -> Option<&[u8]> {
    codec::red_primary(payload)
}

/// As every datagram of a handshake goes through it.
#[derive(Debug, Default)]
pub struct Pieces(pieces::Pieces);

/// What of a datagram is to be seen.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// All.
    AsItIs,
    /// This.
    Cut(Vec<u8>),
    /// Nothing.
    Nothing,
}

impl Pieces {
    /// Takes the next datagram.
    pub fn take(&mut self, datagram: &[u8]) -> Seen {
        match self.0.take(datagram) {
            pieces::Seen::AsItIs => Seen::AsItIs,
            pieces::Seen::Cut(cut) => Seen::Cut(cut),
            pieces::Seen::Nothing => Seen::Nothing,
        }
    }
}
