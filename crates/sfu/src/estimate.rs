//! What a viewer can take, from estimates that come several times a second.
//!
//! An estimate dips whenever a report is late, and is back within seconds; a link that has become narrow shows at once, and for good.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a dip may last before it is believed.
const DIP: Duration = Duration::from_secs(2);
/// Estimates that are remembered; as many as come within [`DIP`], and some.
const MOST: usize = 16;

/// The latest estimates, in bit/s.
#[derive(Debug)]
pub(crate) struct Estimate {
    recent: VecDeque<(Instant, u64)>,
    latest: u64,
}

impl Estimate {
    pub(crate) fn new(now: Instant, first: u64) -> Self {
        Self { recent: [(now, first)].into(), latest: first }
    }

    /// Takes an estimate; returns whether it is another than the one before.
    pub(crate) fn take(&mut self, now: Instant, estimate: u64) -> bool {
        if self.recent.iter().any(|(_, before)| estimate < before / 2) {
            self.recent.clear();
        }
        self.recent.retain(|(at, _)| now.saturating_duration_since(*at) < DIP);
        if self.recent.len() >= MOST {
            self.recent.pop_front();
        }
        self.recent.push_back((now, estimate));
        std::mem::replace(&mut self.latest, estimate) != estimate
    }

    /// What was told last.
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    /// The most of the last two seconds, unless it has fallen to less than half since.
    pub(crate) fn held(&self) -> u64 {
        self.recent.iter().map(|(_, estimate)| *estimate).max().unwrap_or(self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dip_is_passed_over_and_a_fall_is_not() {
        let start = Instant::now();
        let mut estimate = Estimate::new(start, 7_000);
        // (ms, estimate) → what to go by
        let rows = [
            (300, 4_200, 7_000),
            (900, 4_400, 7_000),
            (1_900, 4_600, 7_000),
            (2_000, 4_700, 4_700),
            (2_300, 9_000, 9_000),
            (2_600, 4_499, 4_499),
            (2_900, 250, 250),
            (3_200, 300, 300),
            (3_500, 260, 300),
        ];
        for (ms, told, expected) in rows {
            assert!(estimate.take(start + Duration::from_millis(ms), told), "{ms}");
            assert_eq!((estimate.latest(), estimate.held()), (told, expected), "{ms}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut estimate = Estimate::new(now, 0);
        for told in 0..1_000 {
            assert_eq!(estimate.take(now, told), told > 0);
        }
        assert_eq!(estimate.recent.len(), MOST);
    }
}
