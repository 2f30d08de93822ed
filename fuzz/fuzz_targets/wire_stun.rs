//! Whatever claims to be a STUN server's answer to our request, and whatever claims to be a check for one of our shards.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::stun::{HEADER, Transaction, mapped_address, request};

const OURS: Transaction = Transaction(*b"countersign!");

fuzz_target!(|input: &[u8]| {
    let _ = mapped_address(input, OURS);
    let _ = sfu::shard_of(input);
    // The same attributes behind a good header.
    let Ok(length) = u16::try_from(input.len()) else { return };
    let mut answer = request(OURS);
    answer[0] = 1;
    answer[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(answer.len(), HEADER);
    let answer = [&answer, input].concat();
    if let Some(outer) = mapped_address(&answer, OURS) {
        assert!(input.len() >= if outer.is_ipv4() { 12 } else { 24 });
        assert_eq!(mapped_address(&answer, Transaction([0; 12])), None);
    }
});
