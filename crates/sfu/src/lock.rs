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
        *self = Self { held_until: Some(now + LONGEST_HOLD), left_free_until: None };
        true
    }

    /// The participant is done. What it does not have it cannot give back.
    pub(crate) fn release(&mut self) {
        self.held_until = None;
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
        assert!(lock.ask(at(10_000), false), "it has had it too long");
        lock.release();
        assert_eq!(lock.ours_from(), None);
        lock.release();
        assert!(lock.ask(at(10_001), false));
    }

    #[test]
    fn one_that_asks_in_vain_has_the_next_turn_but_not_the_one_after() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut lock = Lock::default();
        assert!(!lock.ask(at(0), true) && !lock.ask(at(50), true));
        assert_eq!(lock.ours_from(), Some(at(350)));
        assert!(lock.ask(at(100), false));
        assert_eq!(lock.ours_from(), Some(at(10_100)));
        lock.release();
        assert_eq!(lock.ours_from(), None);
    }
}
