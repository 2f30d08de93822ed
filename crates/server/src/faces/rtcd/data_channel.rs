//! How the rtcd face writes on data channels.

use wire::rtcd::{ChannelMessage, Mapped as WireMapped, MediaMap, Tracked};

use super::connection::{description, read_description};
use crate::services::hosting::{Dialect, FromChannel, Mapped, Measured, ToChannel};

/// The dialect of rtcd's clients.
pub const DIALECT: Dialect = Dialect { is_description: ChannelMessage::is_description, read, write };

fn read(bytes: &[u8]) -> Option<FromChannel> {
    match ChannelMessage::decode(bytes) {
        Ok(ChannelMessage::Ping) => Some(FromChannel::Ping),
        Ok(ChannelMessage::OldPing) => Some(FromChannel::OldPing),
        Ok(ChannelMessage::Sdp(told)) => Some(FromChannel::Described(read_description(told))),
        Ok(ChannelMessage::LockRequest) => Some(FromChannel::Lock),
        Ok(ChannelMessage::Unlock) => Some(FromChannel::Unlock),
        Ok(ChannelMessage::LossRate(share)) => Some(FromChannel::Measured(Measured::Loss(share))),
        Ok(ChannelMessage::RoundTripTime(time)) => Some(FromChannel::Measured(Measured::RoundTrip(time))),
        Ok(ChannelMessage::Jitter(time)) => Some(FromChannel::Measured(Measured::Jitter(time))),
        // Only servers say these.
        Ok(ChannelMessage::Pong | ChannelMessage::Lock { .. } | ChannelMessage::MediaMap(_)) => None,
        Err(error) => {
            tracing::debug!(%error, "a message of a data channel cannot be read");
            None
        }
    }
}

fn write(words: &ToChannel) -> (Vec<u8>, bool) {
    let message = match words {
        ToChannel::OldPong => return (ChannelMessage::OLD_PONG.to_vec(), false),
        ToChannel::Pong => ChannelMessage::Pong,
        ToChannel::Described(told) => ChannelMessage::Sdp(description(told.clone())),
        ToChannel::Lock(granted) => ChannelMessage::Lock { granted: *granted },
        ToChannel::Map(tracks) => ChannelMessage::MediaMap(tracks.iter().map(mapped).collect::<MediaMap>()),
    };
    (message.encode(), true)
}

fn mapped(track: &Mapped) -> (String, WireMapped) {
    let kind = match track.source {
        sfu::Source::Voice => Tracked::Voice,
        sfu::Source::Camera => Tracked::Video,
        sfu::Source::Screen => Tracked::Screen,
        sfu::Source::ScreenAudio => Tracked::ScreenAudio,
    };
    (track.mid.clone(), WireMapped { kind, sender: track.sender.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clients_hear_a_text_and_all_else_is_bytes() {
        assert_eq!(read(b"ping"), Some(FromChannel::OldPing));
        assert_eq!(write(&ToChannel::OldPong), (b"pong".to_vec(), false));
        assert_eq!(write(&ToChannel::Pong), (vec![0xcc, 2], true));
        assert_eq!(write(&ToChannel::Lock(true)), (vec![0xcc, 7, 0xc3], true));
    }

    #[test]
    fn descriptions_are_told_from_all_else_before_they_are_read() {
        let offer = crate::services::hosting::Description::Offer("v=0".into());
        let (bytes, _) = write(&ToChannel::Described(offer.clone()));
        assert!((DIALECT.is_description)(&bytes) && !(DIALECT.is_description)(&[0x07]));
        assert_eq!(read(&bytes), Some(FromChannel::Described(offer)));
        assert_eq!(read(&[0x07]), Some(FromChannel::Lock));
        assert_eq!(read(&[0x63]), None);
    }
}
