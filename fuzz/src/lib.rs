//! What the targets share.

pub mod lines;
pub mod room;
