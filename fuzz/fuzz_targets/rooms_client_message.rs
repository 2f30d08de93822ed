//! Whatever a client sends over the WebSocket is read or refused, within its limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rooms::{ClientMessage, MAX_MESSAGE, MAX_TRACKS};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = ClientMessage::decode(bytes, MAX_MESSAGE) {
        assert!(bytes.len() <= MAX_MESSAGE);
        if let ClientMessage::Offer { tracks, .. } = message {
            assert!(tracks.len() <= MAX_TRACKS);
        }
    }
});
