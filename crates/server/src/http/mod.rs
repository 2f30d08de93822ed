//! The doors: what every request passes before a face sees it.

pub mod body;
pub mod crowd;
pub mod limits;
pub mod origin;
pub mod peer;
pub mod problem;
