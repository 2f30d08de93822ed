//! Whatever a client sends over the WebSocket or the data channel is read or refused, within its limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::rooms::{
    ClientMessage, Emoji, MAX_CHAT, MAX_FIRST_MESSAGE, MAX_MESSAGE, MAX_SAID, MAX_TILES, MAX_TRACKS, Saying,
};

fuzz_target!(|bytes: &[u8]| {
    if ClientMessage::decode(bytes, MAX_FIRST_MESSAGE).is_ok() {
        assert!(bytes.len() <= MAX_FIRST_MESSAGE);
    }
    match ClientMessage::decode(bytes, MAX_MESSAGE) {
        Ok(ClientMessage::Offer { tracks, .. }) => assert!(tracks.len() <= MAX_TRACKS),
        Ok(ClientMessage::View { tiles: Some(tiles) }) => {
            assert!(tiles.len() <= MAX_TILES && tiles.iter().all(|tile| tile.height > 0));
        }
        _ => {}
    }
    match Saying::decode(bytes) {
        Ok(Saying::Chat { text }) => {
            assert!(bytes.len() <= MAX_SAID && (1..=MAX_CHAT).contains(&text.chars().count()));
            assert!(text.chars().all(|character| !character.is_control() || character == '\n'));
        }
        Ok(Saying::React { emoji }) => assert_eq!(Emoji::parse(emoji.as_str()), Some(emoji)),
        Err(_) => {}
    }
});
