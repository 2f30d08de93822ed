//! Whatever comes by the rtcd face's WebSocket is read or refused, and what is read is said again in bytes that mean the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rtcd::{
    Candidate, ClientMessage, Description, MAX_ANY_ID, MAX_ID, MAX_MESSAGE, MAX_SESSION_ID, ServerMessage,
    Signal,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = ClientMessage::decode(bytes) {
        assert!(bytes.len() <= MAX_MESSAGE);
        assert_eq!(ClientMessage::decode(&message.encode()).as_ref(), Ok(&message));
        match message {
            ClientMessage::Join(join) => {
                assert!(
                    join.session.len() <= MAX_SESSION_ID && join.call.len().max(join.user.len()) <= MAX_ID
                );
            }
            ClientMessage::Reconnect { session } | ClientMessage::Leave { session } => {
                assert!((1..=MAX_SESSION_ID).contains(&session.len()));
            }
            ClientMessage::Rtc(rtc) => {
                if let Ok(signal) = Signal::read(&rtc) {
                    let (kind, data) = signal.write();
                    assert_eq!(kind, rtc.kind);
                    let again = Signal::read(&wire::rtcd::Rtc { data, ..rtc });
                    assert_eq!(again, Ok(signal));
                }
            }
        }
    }
    if let Some(session) = ClientMessage::refused_join(bytes) {
        assert!(ClientMessage::decode(bytes).is_err() && (1..=MAX_ANY_ID).contains(&session.len()));
        let close = ServerMessage::Close { session };
        assert_eq!(ServerMessage::decode(&close.encode()).as_ref(), Ok(&close));
    }
    if let Ok(message) = ServerMessage::decode(bytes) {
        assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
    }
    let _ = Candidate::decode(bytes);
    if let Ok(description) = Description::decode(bytes) {
        assert_eq!(Description::decode(&description.encode()), Ok(description));
    }
});
