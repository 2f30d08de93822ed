//! The translator of one connection: frames in, intents out; what is said in, frames out. Pure.

use wire::DecodeError;
use wire::rtcd::{Candidate, ClientMessage, Join, Rtc, RtcKind, ServerMessage, Signal as Wire};
use wire::{Masked, rtcd};

use crate::services::hosting::{Description, Joining, News, Props, Said, Signal};

/// What a realm's server wants.
#[derive(Debug)]
pub(super) enum Intent {
    Join(Joining),
    Reconnect(String),
    Leave(String),
    Signal(String, Signal),
}

/// Reads one frame, and says what kind of message it is. What cannot be read is not answered, a join apart: rtcd's clients have no message
/// for that.
pub(super) fn intent(frame: &[u8]) -> Result<(Intent, &'static str), DecodeError> {
    let message = ClientMessage::decode(frame)?;
    let kind = message.kind();
    let intent = match message {
        ClientMessage::Join(Join { call, user, session, channel, av1, by_channel }) => {
            Intent::Join(Joining { call, user, session, props: Props { channel, av1, by_channel } })
        }
        ClientMessage::Reconnect { session } => Intent::Reconnect(session),
        ClientMessage::Leave { session } => Intent::Leave(session),
        ClientMessage::Rtc(rtc) => {
            let signal = Wire::read(&rtc)?;
            Intent::Signal(rtc.session, read_signal(signal))
        }
    };
    Ok((intent, kind))
}

fn read_signal(signal: Wire) -> Signal {
    match signal {
        Wire::Candidate(text) => Signal::Candidate(text.0),
        Wire::Description(description) => Signal::Described(read_description(description)),
        Wire::Mute => Signal::Mute,
        Wire::Unmute => Signal::Unmute,
        Wire::ScreenOn { stream } => Signal::ScreenOn(stream),
        Wire::ScreenOff => Signal::ScreenOff,
        Wire::VideoOn { stream } => Signal::VideoOn(stream),
        Wire::VideoOff => Signal::VideoOff,
    }
}

pub(super) fn read_description(description: rtcd::Description) -> Description {
    match description {
        rtcd::Description::Offer(sdp) => Description::Offer(sdp.0),
        rtcd::Description::Answer(sdp) => Description::Answer(sdp.0),
    }
}

pub(super) fn description(description: Description) -> rtcd::Description {
    match description {
        Description::Offer(sdp) => rtcd::Description::Offer(Masked(sdp)),
        Description::Answer(sdp) => rtcd::Description::Answer(Masked(sdp)),
    }
}

/// Returns the message that tells it.
pub(super) fn message(said: Said) -> ServerMessage {
    let place = said.place;
    let rtc = |kind, data| Rtc {
        group: place.realm.as_str().to_owned(),
        user: place.user.clone(),
        session: place.name.clone(),
        call: place.call.clone(),
        kind,
        data,
    };
    match said.news {
        News::Candidate(text) => ServerMessage::Rtc(rtc(RtcKind::Ice, Candidate(Masked(text)).encode())),
        News::Described(told) => ServerMessage::Rtc(rtc(RtcKind::Sdp, description(told).encode())),
        News::Speaks(true) => ServerMessage::Vad(rtc(RtcKind::VoiceOn, Vec::new())),
        News::Speaks(false) => ServerMessage::Vad(rtc(RtcKind::VoiceOff, Vec::new())),
        News::Ended => ServerMessage::Close { session: place.name.clone() },
    }
}

/// Returns the name of a connection: a random UUID (version 4, RFC 9562 §5.4) in z-base-32, 26 characters (rtcd service/random/id.go).
pub(super) fn connection_id(random: [u8; 16]) -> String {
    const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
    const LENGTH: u32 = 26;
    let uuid = u128::from_be_bytes(random);
    let uuid = (uuid & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    // 130 bits: the last character carries three of the 128.
    let digit = |place: u32| {
        let shift = 128_i64 - 5 * i64::from(place + 1);
        let bits = if shift >= 0 { uuid >> shift } else { uuid << -shift };
        usize::try_from(bits & 0x1f)
            .ok()
            .and_then(|bits| ALPHABET.get(bits))
            .map_or('y', |digit| char::from(*digit))
    };
    (0..LENGTH).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use identity::RealmId;

    use super::*;
    use crate::services::hosting::Place;

    #[test]
    fn a_connections_name_is_a_uuid_in_z_base_32() {
        let rows = [
            // The version and the variant are set whatever was drawn.
            ([0; 16], "yyyyyyyyybyybyyyyyyyyyyyyy"),
            ([0xff; 16], "9999999997899x99999999999h"),
            (0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes(), "yrtwk3hjipg69yjdeiuauk6p7h"),
        ];
        for (random, name) in rows {
            assert_eq!(connection_id(random), name);
        }
    }

    #[test]
    fn what_is_said_goes_out_as_rtcd_says_it() {
        let place = Arc::new(Place {
            realm: RealmId::new("clientA"),
            call: "c1".into(),
            user: "u1".into(),
            name: "s1".into(),
        });
        let rtc = |kind, data: &str| Rtc {
            group: "clientA".into(),
            user: "u1".into(),
            session: "s1".into(),
            call: "c1".into(),
            kind,
            data: data.as_bytes().to_vec(),
        };
        let candidate = r#"{"candidate":{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null},"type":"candidate"}"#;
        let rows = [
            (News::Candidate("candidate:1".into()), ServerMessage::Rtc(rtc(RtcKind::Ice, candidate))),
            (
                News::Described(Description::Answer("v=0".into())),
                ServerMessage::Rtc(rtc(RtcKind::Sdp, r#"{"type":"answer","sdp":"v=0"}"#)),
            ),
            (News::Speaks(true), ServerMessage::Vad(rtc(RtcKind::VoiceOn, ""))),
            (News::Speaks(false), ServerMessage::Vad(rtc(RtcKind::VoiceOff, ""))),
            (News::Ended, ServerMessage::Close { session: "s1".into() }),
        ];
        for (news, expected) in rows {
            assert_eq!(message(Said { place: place.clone(), news }), expected);
        }
    }
}
