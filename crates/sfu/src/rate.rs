//! How many bits a second something carries.

use std::time::{Duration, Instant};

const BUCKETS: usize = 10;
const BUCKET: Duration = Duration::from_millis(100);
/// All but the newest.
const FULL_BUCKETS: Duration = Duration::from_millis(900);
/// What has only begun is measured over no less than this: the first key frame alone would look like a flood.
const LEAST_SPAN: Duration = Duration::from_millis(500);

/// Bits per second over the last second. Does not allocate.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    began: Instant,
    /// When the newest bucket began.
    newest_at: Instant,
    newest: usize,
    bytes: [u32; BUCKETS],
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, newest_at: now, newest: 0, bytes: [0; BUCKETS] }
    }

    pub(crate) fn add(&mut self, now: Instant, bytes: usize) {
        self.advance(now);
        if let Some(newest) = self.bytes.get_mut(self.newest) {
            *newest = newest.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn bits_per_second(&mut self, now: Instant) -> u64 {
        self.advance(now);
        let bytes: u64 = self.bytes.iter().copied().map(u64::from).sum();
        // The newest bucket is not full.
        let full = FULL_BUCKETS + now.saturating_duration_since(self.newest_at);
        let span = full.min(now.saturating_duration_since(self.began)).max(LEAST_SPAN);
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        bytes.saturating_mul(8_000_000) / micros
    }

    fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.newest_at);
        if passed < BUCKET {
            return;
        }
        let steps = passed.as_millis() / BUCKET.as_millis();
        let Some(steps) = u32::try_from(steps).ok().filter(|steps| (*steps as usize) < BUCKETS) else {
            // Nothing for a second: what was before does not count, nor does when it began.
            *self = Self { began: self.began, ..Self::new(now) };
            return;
        };
        for _ in 0..steps {
            self.newest = (self.newest + 1) % BUCKETS;
            if let Some(bucket) = self.bytes.get_mut(self.newest) {
                *bucket = 0;
            }
        }
        self.newest_at += BUCKET * steps;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_steady_stream_is_measured_exactly_and_its_end_within_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for step in 1..=300_u64 {
            // 1,250 bytes each 10 ms: 1 Mbit/s.
            rate.add(start + Duration::from_millis(step * 10), 1_250);
        }
        let measured = rate.bits_per_second(start + Duration::from_secs(3));
        assert!((950_000..=1_050_000).contains(&measured), "{measured}");
        assert!(rate.bits_per_second(start + Duration::from_millis(3_500)) < 600_000);
        assert_eq!(rate.bits_per_second(start + Duration::from_millis(4_100)), 0);
    }

    #[test]
    fn a_first_key_frame_is_not_a_flood() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        rate.add(start, 25_000);
        assert_eq!(rate.bits_per_second(start + Duration::from_millis(1)), 400_000);
        assert_eq!(rate.bits_per_second(start + Duration::from_millis(999)), 200_000 * 1_000 / 999);
    }

    proptest! {
        #[test]
        fn no_more_than_was_added_and_no_less_than_came_lately(
            steps in proptest::collection::vec((0_u64..2_500, 0_usize..2_000), 1..200),
        ) {
            let start = Instant::now();
            let mut rate = Rate::new(start);
            let mut at = 0;
            let mut added: Vec<(u64, u64)> = Vec::new();
            for (passed, bytes) in steps {
                at += passed;
                rate.add(start + Duration::from_millis(at), bytes);
                added.push((at, bytes as u64));
                let measured = rate.bits_per_second(start + Duration::from_millis(at));
                let since = |millis: u64| -> u64 {
                    added.iter().filter(|(when, _)| when + millis > at).map(|(_, bytes)| bytes * 8).sum()
                };
                prop_assert!(measured <= 2 * since(1_000), "{measured}");
                prop_assert!(measured >= since(900), "{measured}");
            }
        }
    }
}
