//! Bits per second over the last two seconds: a key frame alone must not look like a heavier layer.

use std::time::{Duration, Instant};

const BUCKETS: usize = 10;
const BUCKET: Duration = Duration::from_millis(BUCKET_MILLIS);

const BUCKET_MILLIS: u64 = 200;
/// A rate needs a second at least.
const FEWEST: usize = 5;

/// Ten buckets of a fifth of a second.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    bytes: [usize; BUCKETS],
    /// Buckets that have been filled since the beginning, as far as it matters.
    filled: usize,
    /// The bucket that is being filled, and since when.
    current: usize,
    since: Option<Instant>,
}

impl Rate {
    /// Counts bytes.
    pub(crate) fn add(&mut self, now: Instant, bytes: usize) {
        self.advance(now);
        if let Some(bucket) = self.bytes.get_mut(self.current) {
            *bucket = bucket.saturating_add(bytes);
        }
    }

    /// Bits a second, of the last two seconds, or since the beginning.
    pub(crate) fn bits_per_second(&self, now: Instant) -> u64 {
        // Buckets that `advance` would empty are skipped; they follow the current one.
        let expired = usize::try_from(self.passed(now)).unwrap_or(BUCKETS).min(BUCKETS);
        let order = (1..=BUCKETS).filter_map(|step| self.bytes.get((self.current + step) % BUCKETS));
        let bits: u64 = order.skip(expired).map(|bytes| *bytes as u64 * 8).sum();
        let buckets = (self.filled + expired + 1).clamp(FEWEST, BUCKETS);
        bits * 1_000 / (BUCKET_MILLIS * buckets as u64)
    }

    fn passed(&self, now: Instant) -> u128 {
        self.since.map_or(0, |since| now.saturating_duration_since(since).as_millis() / BUCKET.as_millis())
    }

    fn advance(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let passed = self.passed(now);
        if passed == 0 {
            return;
        }
        let steps = usize::try_from(passed).unwrap_or(BUCKETS).min(BUCKETS);
        for _ in 0..steps {
            self.current = (self.current + 1) % BUCKETS;
            self.filled = (self.filled + 1).min(BUCKETS);
            if let Some(bucket) = self.bytes.get_mut(self.current) {
                *bucket = 0;
            }
        }
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.since = Some(since + BUCKET.saturating_mul(passed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_are_remembered_and_no_more() {
        let start = Instant::now();
        let mut rate = Rate::default();
        for step in 0..100 {
            rate.add(start + Duration::from_millis(step * 20), 1_000);
        }
        let now = start + Duration::from_millis(1_990);
        assert!((380_000..=400_000).contains(&rate.bits_per_second(now)), "{}", rate.bits_per_second(now));
        assert_eq!(rate.bits_per_second(now + Duration::from_secs(2)), 0);
        assert_eq!(rate.bits_per_second(now + Duration::from_secs(100_000)), 0);
    }
}
