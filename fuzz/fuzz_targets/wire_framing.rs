//! Whatever comes on a stream gives the same packets however it is cut, within their limit.
//!
//! The first byte of the input says how long the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::framing::{Deframer, MAX_PACKET, TooLong, header};

fuzz_target!(|input: &[u8]| {
    let Some((step, stream)) = input.split_first() else { return };
    let whole = read(stream, stream.len().max(1));
    assert_eq!(read(stream, usize::from(*step) + 1), whole);
    let (packets, end) = whole;
    assert!(packets.iter().all(|packet| (1..=MAX_PACKET).contains(&packet.len())));
    if let Err(TooLong { length }) = end {
        assert!(header(length).is_none());
    }
    let framed =
        packets.iter().flat_map(|packet| [&header(packet.len()).expect("it was taken")[..], packet].concat());
    assert_eq!(read(&framed.collect::<Vec<u8>>(), 7), (packets.clone(), Ok(())));
});

fn read(stream: &[u8], step: usize) -> (Vec<Vec<u8>>, Result<(), TooLong>) {
    let mut deframer = Deframer::new();
    let mut packets = Vec::new();
    for bytes in stream.chunks(step) {
        let taken = deframer.take(bytes, |packet| packets.push(packet.to_vec()));
        if taken.is_err() {
            return (packets, taken);
        }
    }
    (packets, Ok(()))
}
