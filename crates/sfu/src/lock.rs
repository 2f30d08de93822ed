//! Whose turn it is to change the tracks of one participant: its own, who asks for a lock, or ours.

use std::time::{Duration, Instant};

/// How long the participant may keep the lock. Its clients need a round trip of an offer, and give up after 5 s.
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// How long our next offer waits for a participant that asked in vain. Clients ask again every 50 or 100 ms.
const LEFT_FREE: Duration = Duration::from_millis(300);

/// The lock. That it is ours while an offer of ours waits for its answer is for the caller to know.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    /// Until when the participant has it at most.
    held_until: Option<Instant>,
    /// Until when it is left to the participant, who has asked in vain.
    left_free_until: Option<Instant>,
    /// When the participant gave it back last.
    released_at: Option<Instant>,
}

impl Lock {
    /// The participant asks for it, and gets it unless it is `ours` or its own already. One that asks in vain has the next turn.
    pub(crate) fn ask(&mut self, now: Instant, ours: bool) -> bool {
        if ours {
            self.left_free_until = Some(now + LEFT_FREE);
            return false;
        }
        if self.held_until.is_some_and(|until| now < until) {
            return false;
        }
        *self = Self { held_until: Some(now + LONGEST_HOLD), ..Self::default() };
        true
    }

    /// The participant is done. What it does not have it cannot give back.
    pub(crate) fn release(&mut self, now: Instant) {
        if let Some(until) = self.held_until.take() {
            self.released_at = Some(until.min(now));
        }
    }

    /// How long it has kept us, who may offer now, from an offer that was due since then.
    pub(crate) fn kept_since(&self, due: Instant) -> Duration {
        let until = self.ours_from().max(self.released_at);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(due))
    }

    /// From when on we may make an offer, as far as the participant is concerned; `None`: at once.
    pub(crate) fn ours_from(&self) -> Option<Instant> {
        self.held_until.max(self.left_free_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_has_one_owner_and_ends_by_itself() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut lock = Lock::default();
        assert_eq!(lock.ours_from(), None);
        assert!(lock.ask(start, false));
        assert!(!lock.ask(at(9_999), false), "it has it already");
        assert_eq!(lock.ours_from(), Some(at(10_000)));
        assert_eq!(lock.kept_since(at(4_000)), Duration::from_millis(6_000), "to its end");
        assert!(lock.ask(at(10_000), false), "it has had it too long");
        lock.release(at(10_500));
        assert_eq!(lock.ours_from(), None);
        lock.release(at(10_600));
        let kept = [10_000, 10_400, 10_500, 11_000].map(|due| lock.kept_since(at(due)).as_millis());
        assert_eq!(kept, [500, 100, 0, 0], "what it does not have it cannot give back");
        assert!(lock.ask(at(10_001), false));
    }

    #[test]
    fn one_that_asks_in_vain_has_the_next_turn_but_not_the_one_after() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut lock = Lock::default();
        assert!(!lock.ask(at(0), true) && !lock.ask(at(50), true));
        assert_eq!(lock.ours_from(), Some(at(350)));
        assert_eq!(lock.kept_since(at(50)), Duration::from_millis(300));
        assert!(lock.ask(at(100), false));
        assert_eq!(lock.ours_from(), Some(at(10_100)));
        lock.release(at(200));
        assert_eq!(lock.ours_from(), None);
    }
}
