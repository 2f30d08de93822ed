//! Makes whatever feeds a subscriber's track look like one stream: no gap, no repeat.
//!
//! Numbers start below 65,536, since the extended sequence number carries SRTP's rollover counter (RFC 3711 §3.3.1), which the
//! subscriber counts from zero.

use std::time::Instant;

use str0m::rtp::{Vp8Descriptor, Vp8Patch};

/// Where a packet comes from: changes with the publisher's media connection and with its SSRC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub incarnation: u32,
    pub ssrc: u32,
}

/// What the rewriter must know of a publisher's packet. Read once, used for every subscriber.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    pub origin: Origin,
    /// Extended sequence number.
    pub seq: u64,
    /// RTP time in the codec's clock.
    pub time: u32,
    /// Ticks per second.
    pub clock: u32,
    /// Whether a stream may begin with it: any packet of sound, the first packet of a key frame.
    pub start: bool,
    pub vp8: Option<Vp8Descriptor>,
}

/// Numbers for the subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewritten {
    pub seq: u64,
    pub time: u32,
    pub vp8: Option<Vp8Patch>,
    /// Whether with it the stream goes over to another origin.
    pub begins: bool,
}

/// A packet that is not for this subscriber now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The stream can only begin with a key frame.
    AwaitingKeyFrame,
    /// It is of a layer that the subscriber is not sent.
    OtherLayer,
    /// It precedes what the subscriber has been given as the beginning.
    TooOld,
}

#[derive(Debug)]
pub(crate) struct Rewriter {
    current: Option<Current>,
    next_seq: u64,
    last: Option<Last>,
}

#[derive(Debug)]
struct Current {
    origin: Origin,
    first_seq: u64,
    seq_offset: u64,
    time_offset: u32,
    picture_offset: u16,
    tl0_offset: u8,
}

/// The newest packet given to the subscriber.
#[derive(Debug)]
struct Last {
    time: u32,
    at: Instant,
    picture: u16,
    tl0: u8,
}

impl Rewriter {
    /// `first_seq`: the first number the subscriber sees.
    pub(crate) fn new(first_seq: u16) -> Self {
        Self { current: None, next_seq: u64::from(first_seq), last: None }
    }

    /// Forgets the origin: what comes next starts like a stream of its own, without a gap in the numbers. Returns whether there was one.
    pub(crate) fn restart(&mut self) -> bool {
        self.current.take().is_some()
    }

    /// Whether the subscriber is sent this stream of the publisher.
    pub(crate) fn follows(&self, ssrc: u32) -> bool {
        self.current.as_ref().is_some_and(|current| current.origin.ssrc == ssrc)
    }

    /// The numbers that a packet gets. `chosen`: whether the subscriber is meant to be sent this packet's layer; then the stream goes over
    /// to it as soon as it may. Until then the layer before is sent on.
    pub(crate) fn rewrite(
        &mut self,
        now: Instant,
        packet: &Incoming,
        chosen: bool,
    ) -> Result<Rewritten, Skip> {
        let mut begins = false;
        if self.current.as_ref().is_none_or(|current| current.origin != packet.origin) {
            if !chosen {
                return Err(Skip::OtherLayer);
            }
            if !packet.start {
                return Err(Skip::AwaitingKeyFrame);
            }
            self.current = Some(self.begin(now, packet));
            begins = true;
        }
        let current = self.current.as_ref().ok_or(Skip::AwaitingKeyFrame)?;
        if packet.seq < current.first_seq {
            return Err(Skip::TooOld);
        }
        let seq = packet.seq.wrapping_add(current.seq_offset);
        let time = packet.time.wrapping_add(current.time_offset);
        let numbers = packet.vp8.as_ref().map(|vp8| current.picture_numbers(vp8));
        let vp8 = packet.vp8.zip(numbers).and_then(|(descriptor, numbers)| numbers.patch(&descriptor));
        if seq >= self.next_seq {
            self.next_seq = seq + 1;
            let before = self.last.as_ref().map_or((0, 0), |last| (last.picture, last.tl0));
            let (picture, tl0) = numbers.map_or(before, |numbers| {
                (numbers.picture.unwrap_or(before.0), numbers.tl0.unwrap_or(before.1))
            });
            self.last = Some(Last { time, at: now, picture, tl0 });
        }
        Ok(Rewritten { seq, time, vp8, begins })
    }

    fn begin(&self, now: Instant, packet: &Incoming) -> Current {
        let mut current = Current {
            origin: packet.origin,
            first_seq: packet.seq,
            seq_offset: self.next_seq.wrapping_sub(packet.seq),
            time_offset: 0,
            picture_offset: 0,
            tl0_offset: 0,
        };
        if let Some(last) = &self.last {
            let elapsed = now.saturating_duration_since(last.at).as_millis();
            let ticks = elapsed.saturating_mul(u128::from(packet.clock)) / 1_000;
            let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(1);
            current.time_offset = last.time.wrapping_add(ticks).wrapping_sub(packet.time);
            if let Some(vp8) = &packet.vp8 {
                current.picture_offset =
                    last.picture.wrapping_add(1).wrapping_sub(vp8.picture_id().unwrap_or(0));
                current.tl0_offset = last.tl0.wrapping_add(1).wrapping_sub(vp8.tl0_pic_idx().unwrap_or(0));
            }
        }
        current
    }
}

#[derive(Clone, Copy)]
struct PictureNumbers {
    picture: Option<u16>,
    tl0: Option<u8>,
}

impl Current {
    fn picture_numbers(&self, vp8: &Vp8Descriptor) -> PictureNumbers {
        PictureNumbers {
            // RFC 7741 §4.2: 15 bits.
            picture: vp8.picture_id().map(|picture| picture.wrapping_add(self.picture_offset) & 0x7FFF),
            tl0: vp8.tl0_pic_idx().map(|tl0| tl0.wrapping_add(self.tl0_offset)),
        }
    }
}

impl PictureNumbers {
    fn patch(self, descriptor: &Vp8Descriptor) -> Option<Vp8Patch> {
        if (self.picture, self.tl0) == (descriptor.picture_id(), descriptor.tl0_pic_idx()) {
            return None;
        }
        let mut patch = descriptor.patch();
        if let Some(picture) = self.picture {
            patch = patch.picture_id(picture);
        }
        if let Some(tl0) = self.tl0 {
            patch = patch.tl0_pic_idx(tl0);
        }
        // A descriptor with a 7-bit picture id that does not hold the number goes out as it came.
        patch.build().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const ANA: Origin = Origin { incarnation: 1, ssrc: 10 };
    const ANA_AGAIN: Origin = Origin { incarnation: 2, ssrc: 11 };

    #[test]
    fn numbers_go_on_over_gaps_reordering_roll_over_and_a_new_origin() {
        // (origin, seq, time, may begin) → what the subscriber sees
        let rows = [
            (ANA, 65_534, 1_000, false, Err(Skip::AwaitingKeyFrame)),
            (ANA, 65_535, 2_000, true, Ok((100, 2_000))),
            (ANA, 65_536, 2_960, false, Ok((101, 2_960))),
            (ANA, 65_534, 1_000, false, Err(Skip::TooOld)),
            (ANA, 65_539, 4_880, false, Ok((104, 4_880))),
            (ANA, 65_538, 4_880, false, Ok((103, 4_880))),
            (ANA_AGAIN, 9_999, 7, false, Err(Skip::AwaitingKeyFrame)),
            (ANA_AGAIN, 10_000, u32::MAX, true, Ok((105, 4_881))),
            (ANA_AGAIN, 10_001, 959, false, Ok((106, 5_841))),
        ];
        let now = Instant::now();
        let mut rewriter = Rewriter::new(100);
        for (origin, seq, time, start, expected) in rows {
            let packet = Incoming { origin, seq, time, clock: 48_000, start, vp8: None };
            let seen = rewriter.rewrite(now, &packet, true).map(|out| (out.seq, out.time));
            assert_eq!(seen, expected, "{origin:?} {seq}");
        }
    }

    #[test]
    fn time_passes_while_a_track_is_silent() {
        let now = Instant::now();
        let mut rewriter = Rewriter::new(0);
        rewriter.rewrite(now, &sound(ANA, 5, 0), true).unwrap();
        rewriter.restart();
        let out = rewriter.rewrite(now + Duration::from_secs(2), &sound(ANA, 50, 77), true).unwrap();
        assert_eq!((out.seq, out.time), (1, 96_000));
    }

    #[test]
    fn picture_ids_go_on_when_the_origin_changes() {
        let now = Instant::now();
        let mut rewriter = Rewriter::new(0);
        assert_eq!(rewriter.rewrite(now, &key_frame(ANA, 1, 0x7FFF, 255), true).unwrap().vp8, None);
        let out = rewriter.rewrite(now, &key_frame(ANA_AGAIN, 900, 5, 9), true).unwrap();
        let expected = descriptor(5, 9).patch().picture_id(0).tl0_pic_idx(0).build().unwrap();
        assert_eq!(out.vp8, Some(expected));
    }

    proptest! {
        #[test]
        fn a_number_is_never_given_twice(
            first in 0_u16..=u16::MAX,
            steps in proptest::collection::vec((0_u32..4, 0_u64..40, any::<bool>()), 1..300),
        ) {
            let now = Instant::now();
            let mut rewriter = Rewriter::new(first);
            let (mut heard, mut given) = (BTreeSet::new(), BTreeSet::new());
            for (incarnation, ahead, start) in steps {
                let origin = Origin { incarnation, ssrc: 1 };
                // Each packet of an origin arrives once (SRTP's replay window); origins never come back.
                let newest = heard.iter().map(|(incarnation, _)| *incarnation).max().unwrap_or(0);
                let seq = 70_000 + ahead + heard.len() as u64;
                if incarnation < newest || !heard.insert((incarnation, seq)) {
                    continue;
                }
                let packet = Incoming { origin, seq, time: 0, clock: 90_000, start, vp8: None };
                if let Ok(out) = rewriter.rewrite(now, &packet, true) {
                    prop_assert!(given.insert(out.seq), "{} twice", out.seq);
                    prop_assert!(given.len() > 1 || out.seq == u64::from(first));
                }
            }
        }
    }

    fn sound(origin: Origin, seq: u64, time: u32) -> Incoming {
        Incoming { origin, seq, time, clock: 48_000, start: true, vp8: None }
    }

    fn key_frame(origin: Origin, seq: u64, picture: u16, tl0: u8) -> Incoming {
        Incoming { origin, seq, time: 0, clock: 90_000, start: true, vp8: Some(descriptor(picture, tl0)) }
    }

    fn descriptor(picture: u16, tl0: u8) -> Vp8Descriptor {
        let [high, low] = picture.to_be_bytes();
        Vp8Descriptor::parse(&[0x90, 0xE0, 0x80 | high, low, tl0, 0, 0]).unwrap()
    }
}
