//! The way of one packet from a publisher's track to a viewer.

pub(crate) mod codec;
pub(crate) mod keyframe;
mod packet;
pub(crate) mod rewriter;
