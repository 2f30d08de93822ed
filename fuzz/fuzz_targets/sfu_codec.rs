//! Whatever stands in an RTP payload: read within its bounds, and a beginning stays one when more follows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfu::{Codec, fuzzed};

fuzz_target!(|input: &[u8]| {
    let Some((first, payload)) = input.split_first() else { return };
    let codec = Codec::ALL[usize::from(*first) % Codec::ALL.len()];
    let starts = fuzzed::starts_keyframe(codec, payload);
    if fuzzed::height(codec, payload).is_some() {
        assert!(starts && codec == Codec::Vp8);
    }
    if starts && matches!(codec, Codec::Vp9 | Codec::H264 | Codec::Av1) {
        assert!(fuzzed::starts_keyframe(codec, &[payload, &[0; 64]].concat()));
    }
    if let Some(primary) = fuzzed::red_primary(payload) {
        assert!(!primary.is_empty() && primary.len() < payload.len() && payload.ends_with(primary));
    }
});
