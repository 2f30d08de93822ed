//! How often a publisher is asked for a key frame.

use std::time::{Duration, Instant};

/// Throttle of one layer of a published track. A key frame costs a publisher many times an ordinary one, and one serves all viewers. A request that comes too early waits; it is never lost.
#[derive(Debug, Default)]
pub(crate) struct KeyframeThrottle {
    last: Option<Instant>,
    waiting: bool,
}

impl KeyframeThrottle {
    pub(crate) fn want(&mut self) {
        self.waiting = true;
    }

    /// Returns whether to ask the publisher now.
    pub(crate) fn take_due(&mut self, now: Instant, gap: Duration) -> bool {
        let due = self.deadline(gap).is_some_and(|deadline| deadline <= now)
            || (self.waiting && self.last.is_none());
        if due {
            self.last = Some(now);
            self.waiting = false;
        }
        due
    }

    /// When the waiting request may be sent.
    pub(crate) fn deadline(&self, gap: Duration) -> Option<Instant> {
        self.last.filter(|_| self.waiting).map(|last| last + gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(500);

    #[test]
    fn many_requests_become_two() {
        let start = Instant::now();
        let mut throttle = KeyframeThrottle::default();
        assert!(!throttle.take_due(start, GAP));
        let mut asked = Vec::new();
        for step in 0..60 {
            if step < 40 {
                throttle.want();
            }
            if throttle.take_due(start + Duration::from_millis(step * 10), GAP) {
                asked.push(step * 10);
            }
        }
        assert_eq!(asked, [0, 500]);
        assert_eq!(throttle.deadline(GAP), None);
    }
}
