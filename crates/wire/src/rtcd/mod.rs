//! Mattermost's rtcd protocol: `docs/faces/rtcd.md`.

pub mod administration;
pub mod authorization;
pub mod bitcask;
pub mod envelope;
