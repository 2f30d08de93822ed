//! Mattermost's rtcd protocol: `docs/faces/rtcd.md`.

pub mod envelope;
