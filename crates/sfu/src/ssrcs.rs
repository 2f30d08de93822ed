//! By how many SSRCs one connection brings packets. str0m keeps something of each for ever.

use std::collections::BTreeSet;

use str0m::rtp::Ssrc;

use crate::demux::is_rtcp;

/// SSRCs by which one connection may bring us media. A browser has one for each layer.
const MOST: usize = 4_096;
/// SSRCs by which packets may arrive, before anybody knows whether they are genuine, or media at all: those of retransmissions too.
const MOST_ARRIVING: usize = 4 * MOST;

#[derive(Default)]
pub(crate) struct Ssrcs {
    arriving: BTreeSet<u32>,
    media: BTreeSet<Ssrc>,
}

impl Ssrcs {
    /// Whether a datagram may go on: it is no RTP packet, or has an SSRC (RFC 3550 §5.1) that is known or that there is room for. Who
    /// forges packets fills that room up and nothing else: the SSRCs that were there before go on.
    pub(crate) fn admit(&mut self, contents: &[u8]) -> bool {
        let [128..=191, _, _, _, _, _, _, _, first, second, third, fourth, ..] = *contents else {
            return true;
        };
        let ssrc = u32::from_be_bytes([first, second, third, fourth]);
        if is_rtcp(contents) || self.arriving.contains(&ssrc) {
            return true;
        }
        self.arriving.len() < MOST_ARRIVING && self.arriving.insert(ssrc)
    }

    /// Notes one by which media have come.
    pub(crate) fn heard(&mut self, ssrc: Ssrc) {
        self.media.insert(ssrc);
    }

    /// Whether media have come by more than anybody needs.
    pub(crate) fn are_too_many(&self) -> bool {
        self.media.len() > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![128, kind, 0, 0, 0, 0, 0, 0];
        packet.extend(ssrc.to_be_bytes());
        packet
    }

    #[test]
    fn ever_new_ssrcs_are_not_let_in_for_ever_and_those_that_are_in_stay() {
        let mut ssrcs = Ssrcs::default();
        let most = u32::try_from(MOST_ARRIVING).unwrap();
        assert!((0..most).all(|ssrc| ssrcs.admit(&packet(111, ssrc))));
        assert!(!ssrcs.admit(&packet(111, most)));
        assert!(ssrcs.admit(&packet(96, 7)));
        for other in [
            packet(200, most),
            packet(205, most),
            packet(111, most)[..11].to_vec(),
            vec![22, 254, 253],
            vec![],
        ] {
            assert!(ssrcs.admit(&other), "{other:?} is no RTP");
        }
        assert_eq!(ssrcs.arriving.len(), MOST_ARRIVING);
    }
}
