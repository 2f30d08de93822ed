//! One client a protocol.

pub mod rooms;
