//! Whatever a client sends over the WebSocket or the data channel is read or refused, within its limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rooms::{ClientMessage, MAX_CHAT, MAX_MESSAGE, MAX_SAID, MAX_TILES, MAX_TRACKS, Saying};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = ClientMessage::decode(bytes, MAX_MESSAGE) {
        assert!(bytes.len() <= MAX_MESSAGE);
        match message {
            ClientMessage::Offer { tracks, .. } => assert!(tracks.len() <= MAX_TRACKS),
            ClientMessage::View { tiles: Some(tiles) } => assert!(tiles.len() <= MAX_TILES),
            _ => (),
        }
    }
    if let Ok(Saying::Chat { text }) = Saying::decode(bytes) {
        assert!(bytes.len() <= MAX_SAID && text.chars().count() <= MAX_CHAT);
    }
});
