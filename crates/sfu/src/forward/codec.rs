//! What an RTP payload says of itself, as far as forwarding must know it.

use str0m::rtp::Vp8Descriptor;

use crate::command::Codec;

/// Ticks of RTP time a second.
pub(crate) fn clock(codec: Codec) -> u32 {
    match codec {
        Codec::Opus => 48_000,
        Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => 90_000,
    }
}

/// Whether a stream may begin with this payload: any sound, or the first packet of a key frame. What cannot be read begins nothing.
pub(crate) fn starts_keyframe(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        Codec::Vp8 => {
            Vp8Descriptor::parse(payload).is_ok_and(|descriptor| descriptor.starts_keyframe(payload))
        }
        Codec::Vp9 => vp9(payload).unwrap_or(false),
        Codec::H264 => h264(payload).unwrap_or(false),
        Codec::Av1 => av1(payload),
    }
}

/// Height of the picture that a payload begins, where it is told in the clear at a place that needs no search. A VP8 key frame tells
/// (RFC 6386 §9.1).
pub(crate) fn height(codec: Codec, payload: &[u8]) -> Option<u16> {
    if codec != Codec::Vp8 || !starts_keyframe(codec, payload) {
        return None;
    }
    // The descriptor has 1 to 6 bytes, and the frame tag 3.
    let start_code = payload.get(4..12)?.windows(3).position(|bytes| bytes == [0x9D, 0x01, 0x2A])? + 4;
    let low = *payload.get(start_code + 5)?;
    let high = *payload.get(start_code + 6)?;
    // The two upper bits scale the picture on the screen.
    Some(u16::from_le_bytes([low, high & 0x3F]))
}

/// The newest sound of a redundant payload (RFC 2198 §3).
pub(crate) fn red_primary(payload: &[u8]) -> Option<&[u8]> {
    let mut rest = Bytes(payload);
    let mut older = 0;
    while rest.0.first()? & 0x80 != 0 {
        let [_, _, high, low] = *rest.0.first_chunk()?;
        older += usize::from(u16::from_be_bytes([high & 0b11, low]));
        rest.skip(4)?;
    }
    rest.skip(1)?;
    rest.skip(older)?;
    Some(rest.0).filter(|primary| !primary.is_empty())
}

/// RFC 9628 §4.2. The descriptor alone decides: the frame behind it may be encrypted between the ends.
fn vp9(payload: &[u8]) -> Option<bool> {
    let mut rest = Bytes(payload);
    let first = rest.take()?;
    let has = |bit: u8| first & bit != 0;
    let (picture_id, inter_predicted, layers, flexible) = (has(0x80), has(0x40), has(0x20), has(0x10));
    let (begins_frame, structure) = (has(0x08), has(0x02));
    if !begins_frame || inter_predicted {
        return Some(false);
    }
    if picture_id && rest.take()? & 0x80 != 0 {
        rest.take()?;
    }
    if layers {
        let spatial = rest.take()? >> 1 & 0b111;
        if spatial != 0 {
            return Some(false);
        }
        if !flexible {
            rest.take()?;
        }
    }
    // References (P_DIFF) stand only where pictures are predicted from others.
    if structure {
        skip_vp9_structure(&mut rest)?;
    }
    Some(!rest.0.is_empty())
}

/// RFC 9628 §4.2.1.
fn skip_vp9_structure(rest: &mut Bytes<'_>) -> Option<()> {
    let first = rest.take()?;
    if first & 0x10 != 0 {
        rest.skip(4 * (usize::from(first >> 5) + 1))?;
    }
    if first & 0x08 != 0 {
        for _ in 0..rest.take()? {
            let references = rest.take()? >> 2 & 0b11;
            rest.skip(usize::from(references))?;
        }
    }
    Some(())
}

/// RFC 6184 §5.2. Parameter sets go before the picture that needs them, so a stream may begin with them.
fn h264(payload: &[u8]) -> Option<bool> {
    let (first, rest) = payload.split_first()?;
    match first & 0x1F {
        STAP_A => Some(any_unit_begins(rest)),
        // §5.7.1: a decoding order number of 16 bits precedes the units.
        STAP_B => Some(any_unit_begins(rest.get(2..)?)),
        FU_A | FU_B => {
            let (header, rest) = rest.split_first()?;
            let slice = if first & 0x1F == FU_B { rest.get(2..)? } else { rest };
            Some(header & 0x80 != 0 && unit_begins(header & 0x1F, slice))
        }
        kind => Some(unit_begins(kind, rest)),
    }
}

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

fn any_unit_begins(units: &[u8]) -> bool {
    let mut rest = Bytes(units);
    while let Some(unit) = rest.sized() {
        if unit.split_first().is_some_and(|(first, rest)| unit_begins(first & 0x1F, rest)) {
            return true;
        }
    }
    false
}

fn unit_begins(kind: u8, rest: &[u8]) -> bool {
    match kind {
        SPS => !rest.is_empty(),
        // H.264 §7.3.3: a slice begins with its first macroblock as ue(v), of which zero is a single set bit. Another slice of the
        // picture is not its beginning.
        IDR => rest.first().is_some_and(|slice| slice & 0x80 != 0),
        _ => false,
    }
}

/// RTP Payload Format for AV1, 1.0, §4.4: N marks the first packet of a coded video sequence, which cannot go on with a fragment (Z).
fn av1(payload: &[u8]) -> bool {
    match payload {
        [aggregation, _, ..] => aggregation & 0x08 != 0 && aggregation & 0x80 == 0,
        [_] | [] => false,
    }
}

/// Reads from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// A length of 16 bits, then as many bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.0 = rest;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vp8_key_frame_tells_its_height() {
        let frame = [0x90, 0xE0, 0x80, 5, 9, 0, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x41, 0];
        assert_eq!(height(Codec::Vp8, &frame), Some(360));
        assert_eq!(height(Codec::Vp8, &frame[..14]), None);
        assert_eq!(height(Codec::Vp9, &frame), None);
        assert_eq!(height(Codec::Vp8, &[0x90, 0xE0, 0x80, 5, 9, 0, 0x11, 0, 0]), None);
    }

    #[test]
    fn the_newest_of_redundant_sound_is_last() {
        let two = [0x80 | 111, 0x0F, 0x00, 2, 111, 1, 2, 7, 8, 9];
        assert_eq!(red_primary(&two), Some(&[7, 8, 9][..]));
        assert_eq!(red_primary(&[111, 7, 8]), Some(&[7, 8][..]));
        for cut in 0..7 {
            assert_eq!(red_primary(&two[..cut]), None, "{cut}");
        }
        assert_eq!(red_primary(&[0x80 | 111, 0, 3, 255, 111, 1, 2]), None);
    }

    /// Codec, what the payload is, bytes of which all are needed, whether a stream may begin with it.
    type Row<'a> = (Codec, &'a str, &'a [u8], bool);

    const ROWS: &[Row<'_>] = &[
        (Codec::Opus, "any sound", &[0x7C], true),
        // X S, I M, picture id, then the payload header: its lowest bit is clear in a key frame.
        (Codec::Vp8, "key frame", &[0x90, 0x80, 0x81, 0x02, 0x00], true),
        (Codec::Vp8, "predicted", &[0x90, 0x80, 0x81, 0x02, 0x01], false),
        (Codec::Vp8, "second packet", &[0x80, 0x80, 0x81, 0x02, 0x00], false),
        // I B, 7-bit picture id.
        (Codec::Vp9, "key frame", &[0x88, 0x11, 0x82], true),
        (Codec::Vp9, "key frame, 15-bit picture id", &[0x88, 0x91, 0x11, 0x82], true),
        (Codec::Vp9, "predicted", &[0xC8, 0x11, 0x82], false),
        (Codec::Vp9, "not the frame's first packet", &[0x80, 0x11, 0x82], false),
        // I L B: TID 0, SID 0, then TL0PICIDX.
        (Codec::Vp9, "base layer", &[0xA8, 0x11, 0x00, 0x07, 0x82], true),
        (Codec::Vp9, "layer predicted from the one below", &[0xA8, 0x11, 0x03, 0x07, 0x82], false),
        // I L F B: no TL0PICIDX.
        (Codec::Vp9, "base layer, flexible mode", &[0xB8, 0x11, 0x00, 0x82], true),
        // I B V: two spatial layers with their sizes, and a group of two pictures: one reference, none.
        (
            Codec::Vp9,
            "key frame with a scalability structure",
            &[0x8A, 0x11, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x04, 0x01, 0x00, 0x82],
            true,
        ),
        (Codec::H264, "IDR slice", &[0x65, 0x88], true),
        (Codec::H264, "a later slice of an IDR picture", &[0x65, 0x40], false),
        (Codec::H264, "SPS", &[0x67, 0x42], true),
        (Codec::H264, "PPS", &[0x68, 0xCE], false),
        (Codec::H264, "slice", &[0x41, 0x9A], false),
        (Codec::H264, "STAP-A: SPS, PPS", &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xCE], true),
        (Codec::H264, "STAP-A: delimiter, IDR", &[0x78, 0, 2, 0x09, 0x10, 0, 2, 0x65, 0x88], true),
        (Codec::H264, "STAP-A: PPS, slice", &[0x78, 0, 2, 0x68, 0xCE, 0, 2, 0x41, 0x9A], false),
        (Codec::H264, "STAP-A: empty unit, SPS", &[0x78, 0, 0, 0, 2, 0x67, 0x42], true),
        (Codec::H264, "STAP-B: IDR", &[0x79, 0, 1, 0, 2, 0x65, 0x88], true),
        (Codec::H264, "FU-A: start of IDR", &[0x7C, 0x85, 0x88], true),
        (Codec::H264, "FU-A: start of SPS", &[0x7C, 0x87, 0x42], true),
        (Codec::H264, "FU-A: IDR goes on", &[0x7C, 0x05, 0x88], false),
        (Codec::H264, "FU-A: end of IDR", &[0x7C, 0x45, 0x88], false),
        (Codec::H264, "FU-A: start of slice", &[0x7C, 0x81, 0x9A], false),
        (Codec::H264, "FU-B: start of IDR", &[0x7D, 0x85, 0, 1, 0x88], true),
        (Codec::Av1, "N, W=1, sequence header", &[0x18, 0x0A], true),
        (Codec::Av1, "N but goes on with a fragment", &[0x98, 0x0A], false),
        (Codec::Av1, "no new sequence", &[0x10, 0x32], false),
    ];

    #[test]
    fn payloads_tell_whether_a_stream_may_begin() {
        for (codec, what, bytes, starts) in ROWS {
            assert_eq!(starts_keyframe(*codec, bytes), *starts, "{codec:?} {what}");
        }
    }

    #[test]
    fn what_is_cut_short_begins_nothing() {
        for (codec, what, bytes, _) in ROWS.iter().filter(|row| row.0 != Codec::Opus && row.3) {
            // Two units of which the first suffices.
            let enough = if *what == "STAP-A: SPS, PPS" { 5 } else { bytes.len() };
            for length in 0..enough {
                assert!(!starts_keyframe(*codec, &bytes[..length]), "{codec:?} {what}, {length} bytes");
            }
        }
    }

    #[test]
    fn pictures_count_in_90_khz_and_sound_in_48() {
        assert_eq!(Codec::ALL.map(clock), [48_000, 90_000, 90_000, 90_000, 90_000]);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..1_500)) {
            for codec in Codec::ALL {
                let starts = starts_keyframe(codec, &bytes);
                prop_assert!(!starts || codec == Codec::Opus || bytes.len() > 1);
            }
        }

        /// Only STAPs and scalability structures are longer than a few bytes.
        #[test]
        fn lengths_that_lie_are_read_without_harm(
            first in prop::sample::select(vec![0x78_u8, 0x79, 0x8A, 0xAA]),
            rest in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [vec![first], rest].concat();
            for codec in [Codec::Vp9, Codec::H264] {
                let starts = starts_keyframe(codec, &bytes);
                let longer = [bytes.clone(), vec![0; 300]].concat();
                // More bytes never make a beginning into none.
                prop_assert!(!starts || starts_keyframe(codec, &longer));
            }
        }
    }
}
