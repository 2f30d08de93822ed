//! One client a protocol.

pub mod media;
pub mod rooms;
pub mod rtcd;
pub mod verto;
