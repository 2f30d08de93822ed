//! Mattermost's rtcd protocol: `docs/faces/rtcd.md`.

pub mod authorization;
pub mod envelope;
