//! Whatever comes by the rtcd face's data channel is read or refused, within what it may inflate to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtcd::{ChannelMessage, MAX_DEFLATED};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = ChannelMessage::decode(bytes) {
        assert!(bytes.len() <= MAX_DEFLATED);
        let again = message.encode();
        // What is deflated worse than by its sender may be too long to come back.
        if again.len() <= MAX_DEFLATED {
            assert_eq!(ChannelMessage::decode(&again), Ok(message));
        }
    }
});
