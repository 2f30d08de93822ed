//! Packets on a stream: RFC 4571 §2, a length of two bytes before each. ICE over TCP speaks it (RFC 6544 §3).

use std::fmt;

/// Longest packet that is taken, in bytes: media stay below 1,500, and a DTLS flight is cut to them.
pub const MAX_PACKET: usize = 2_048;
/// Bytes before each packet.
pub const HEADER: usize = 2;

/// The other side announced a packet that is longer than [`MAX_PACKET`]; nothing after it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {length} bytes; at most {MAX_PACKET} are taken")]
pub struct TooLong {
    /// As announced.
    pub length: usize,
}

/// Returns what to write before a packet of this many bytes; `None`: it is too long to be sent.
#[must_use]
pub fn header(length: usize) -> Option<[u8; HEADER]> {
    u16::try_from(length).ok().filter(|length| usize::from(*length) <= MAX_PACKET).map(u16::to_be_bytes)
}

/// Cuts a stream into packets. Holds one unfinished packet at most.
#[derive(Default)]
pub struct Deframer {
    /// The beginning of a packet, with its header; empty between packets.
    partial: Vec<u8>,
}

impl fmt::Debug for Deframer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deframer({} bytes)", self.partial.len())
    }
}

impl Deframer {
    /// Returns one that has read nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream and gives every packet that they complete; empty packets are left out.
    ///
    /// # Errors
    /// [`TooLong`], after the packets before it. The stream is of no more use then.
    pub fn take(&mut self, mut bytes: &[u8], mut give: impl FnMut(&[u8])) -> Result<(), TooLong> {
        while !self.partial.is_empty() && !bytes.is_empty() {
            let missing = missing(&self.partial)?;
            let (now, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial.extend_from_slice(now);
            bytes = rest;
            if let Some(cut) = first(&self.partial)? {
                give_whole(cut.packet, &mut give);
                self.partial.clear();
            }
        }
        while let Some(cut) = first(bytes)? {
            give_whole(cut.packet, &mut give);
            bytes = cut.rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

fn give_whole(packet: &[u8], give: &mut impl FnMut(&[u8])) {
    if !packet.is_empty() {
        give(packet);
    }
}

/// The first packet of some bytes, and what follows it.
struct Cut<'a> {
    packet: &'a [u8],
    rest: &'a [u8],
}

fn first(bytes: &[u8]) -> Result<Option<Cut<'_>>, TooLong> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*header));
    if length > MAX_PACKET {
        return Err(TooLong { length });
    }
    Ok(rest.split_at_checked(length).map(|(packet, rest)| Cut { packet, rest }))
}

/// How many bytes an unfinished packet needs at least; never 0.
fn missing(partial: &[u8]) -> Result<usize, TooLong> {
    let Some((header, rest)) = partial.split_first_chunk::<HEADER>() else {
        return Ok(HEADER.saturating_sub(partial.len()).max(1));
    };
    let length = usize::from(u16::from_be_bytes(*header));
    if length > MAX_PACKET {
        return Err(TooLong { length });
    }
    Ok(length.saturating_sub(rest.len()).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in_however_the_stream_is_cut() {
        let packets: [&[u8]; 5] = [&[1], &[], &[2, 2], &[3; MAX_PACKET], &[4; 300]];
        let stream = framed(&packets);
        let expected: Vec<&[u8]> = packets.into_iter().filter(|packet| !packet.is_empty()).collect();
        for step in [1, 2, 3, 299, 2_050, stream.len()] {
            let mut deframer = Deframer::new();
            let mut got: Vec<Vec<u8>> = Vec::new();
            for bytes in stream.chunks(step) {
                deframer.take(bytes, |packet| got.push(packet.to_vec())).unwrap();
                assert!(deframer.partial.len() < HEADER + MAX_PACKET, "{step}");
            }
            assert_eq!(got, expected, "{step}");
        }
    }

    #[test]
    fn a_packet_that_is_too_long_is_refused_at_its_header() {
        let long = [[0, 1, 7].as_slice(), &[0x08, 0x01]].concat();
        for step in [1, 2, 5] {
            let mut deframer = Deframer::new();
            let mut got = Vec::new();
            let results: Vec<_> = long
                .chunks(step)
                .map(|bytes| deframer.take(bytes, |packet| got.push(packet.to_vec())))
                .collect();
            let more = deframer.take(&[0], |_| panic!("nothing more")).err();
            let refused = results.into_iter().find_map(Result::err).or(more);
            assert_eq!((got, refused), (vec![vec![7]], Some(TooLong { length: 2_049 })), "{step}");
        }
        assert_eq!(header(MAX_PACKET), Some([8, 0]));
        assert_eq!((header(MAX_PACKET + 1), header(70_000)), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_give_bounded_packets_and_the_same_however_cut(
            bytes in proptest::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..6_000),
            step in 1_usize..100,
        ) {
            let read = |step: usize| {
                let mut deframer = Deframer::new();
                let mut got: Vec<Vec<u8>> = Vec::new();
                for bytes in bytes.chunks(step.max(1)) {
                    if deframer.take(bytes, |packet| got.push(packet.to_vec())).is_err() {
                        break;
                    }
                }
                got
            };
            let whole = read(bytes.len());
            prop_assert!(whole.iter().all(|packet| (1..=MAX_PACKET).contains(&packet.len())));
            prop_assert_eq!(read(step), whole);
        }
    }

    fn framed(packets: &[&[u8]]) -> Vec<u8> {
        packets.iter().flat_map(|packet| [&header(packet.len()).unwrap(), *packet].concat()).collect()
    }
}
