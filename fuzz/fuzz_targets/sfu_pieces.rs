//! Handshake messages in pieces that overlap: of each byte the first to come is seen, and no byte is made up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfu::fuzzed::{Pieces, Seen};

const RECORD: usize = 13;
const HEADER: usize = 12;
/// Pieces of one message that are remembered.
const MOST: usize = 64;

/// What has been seen of the message that is being sent, byte by byte.
#[derive(Default)]
struct Model {
    message: u8,
    seen: Vec<bool>,
    pieces: usize,
}

fuzz_target!(|input: &[u8]| {
    let mut pieces = Pieces::default();
    let mut model = Model::default();
    for step in input.chunks_exact(5) {
        let [how, message, from, length, total] = *step else { return };
        let (message, from, length, total) = (message % 8, usize::from(from), usize::from(length), usize::from(total));
        let mut datagram = piece(message, from, length, total);
        if how.is_multiple_of(8) {
            // Something else: it may say anything, and must not end the server.
            let at = usize::from(how) * 7 % datagram.len();
            datagram[at] ^= 1 << (from % 8);
            let _ = pieces.take(&datagram[..datagram.len() - length / 2]);
            return;
        }
        let seen = pieces.take(&datagram);
        assert_eq!(seen, model.take(message, from, length, total));
    }
});

impl Model {
    fn take(&mut self, message: u8, from: usize, length: usize, total: usize) -> Seen {
        let to = from + length;
        if to > total || message < self.message {
            return Seen::AsItIs;
        }
        if message > self.message {
            *self = Self { message, ..Self::default() };
        }
        if self.seen.len() < total {
            self.seen.resize(total, false);
        }
        let Some(first) = (from..to).find(|at| !self.seen[*at]) else {
            let all = self.seen.iter().filter(|seen| **seen).count() == total;
            return if all { Seen::AsItIs } else { Seen::Nothing };
        };
        let last = (first..to).find(|at| self.seen[*at]).unwrap_or(to);
        if self.pieces < MOST {
            self.pieces += 1;
            self.seen[first..last].fill(true);
        }
        if (first, last) == (from, to) {
            return Seen::AsItIs;
        }
        Seen::Cut(piece(message, first, last - first, total))
    }
}

/// A record with one piece (RFC 6347 §4.1, §4.2.2), whose bytes tell where they belong.
fn piece(message: u8, from: usize, length: usize, total: usize) -> Vec<u8> {
    let two = |number: usize| u16::try_from(number).expect("no piece is as long").to_be_bytes();
    let three = |number: usize| [&[0], two(number).as_slice()].concat();
    let mut datagram = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, message];
    datagram.extend(two(HEADER + length));
    datagram.push(1);
    datagram.extend(three(total));
    datagram.extend([0, message]);
    datagram.extend(three(from));
    datagram.extend(three(length));
    assert_eq!(datagram.len(), RECORD + HEADER);
    datagram.extend((from..from + length).map(|at| (at % 251) as u8 ^ message));
    datagram
}
