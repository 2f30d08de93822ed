//! What the fuzz targets reach past the shard (`fuzz/`); no other build has it.

use crate::command::Codec;
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
