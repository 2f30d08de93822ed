//! How fast one connection may ask. Pure: the time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use identity::ClientId;

const MINUTE: Duration = Duration::from_secs(60);
/// Clients that one connection speaks to within a minute (`docs/faces/verto.md`, "Limits").
const RECIPIENTS: usize = 20;
/// Refusals within a minute after which a connection is closed.
const REFUSALS: usize = 200;

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// A second, at least one.
    pub per_second: u32,
    /// At once, at least one.
    pub burst: u32,
}

/// The measures of one connection.
#[derive(Debug)]
pub struct Pace {
    messages: Bucket,
    broadcasts: Bucket,
    recipients: BTreeMap<ClientId, Instant>,
    refusals: VecDeque<Instant>,
}

impl Pace {
    /// Returns measures of which nothing is used.
    #[must_use]
    pub fn new(now: Instant, messages: Rate, broadcasts: Rate) -> Self {
        Self {
            messages: Bucket::new(now, messages),
            broadcasts: Bucket::new(now, broadcasts),
            recipients: BTreeMap::new(),
            refusals: VecDeque::new(),
        }
    }

    /// Counts a message; returns whether it is one too many.
    pub fn is_over_messages(&mut self, now: Instant) -> bool {
        !self.messages.take(now)
    }

    /// Counts a broadcast; returns whether it is one too many.
    pub fn is_over_broadcasts(&mut self, now: Instant) -> bool {
        !self.broadcasts.take(now)
    }

    /// Counts a recipient; returns whether it is one too many.
    pub fn is_over_recipients(&mut self, now: Instant, to: ClientId) -> bool {
        self.recipients.retain(|_, at| now.saturating_duration_since(*at) < MINUTE);
        let is_over = self.recipients.len() >= RECIPIENTS && !self.recipients.contains_key(&to);
        if !is_over {
            self.recipients.entry(to).or_insert(now);
        }
        is_over
    }

    /// Counts a refusal; returns whether there were too many of them.
    pub fn is_abuse(&mut self, now: Instant) -> bool {
        while self.refusals.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.refusals.pop_front();
        }
        self.refusals.push_back(now);
        self.refusals.len() > REFUSALS
    }
}

/// GCRA: instead of tokens, when the bucket will be full again.
#[derive(Debug)]
struct Bucket {
    each: Duration,
    most: Duration,
    full: Instant,
}

impl Bucket {
    fn new(now: Instant, rate: Rate) -> Self {
        let each = Duration::from_secs(1) / rate.per_second.max(1);
        Self { each, most: each.saturating_mul(rate.burst.max(1)), full: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let full = self.full.max(now) + self.each;
        let is_there = full.saturating_duration_since(now) <= self.most;
        if is_there {
            self.full = full;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(now: Instant) -> Pace {
        Pace::new(now, Rate { per_second: 20, burst: 80 }, Rate { per_second: 2, burst: 10 })
    }

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let now = Instant::now();
        let mut pace = pace(now);
        let at = |pace: &mut Pace, now| (0..1_000).filter(|_| !pace.is_over_messages(now)).count();
        assert_eq!(at(&mut pace, now), 80);
        assert_eq!(at(&mut pace, now + Duration::from_millis(49)), 0);
        assert_eq!(at(&mut pace, now + Duration::from_secs(1)), 20);
        assert_eq!(at(&mut pace, now + Duration::from_secs(60)), 80, "no more is saved up");
        let broadcasts = (0..20).filter(|_| !pace.is_over_broadcasts(now)).count();
        assert_eq!(broadcasts, 10, "counted apart");
    }

    #[test]
    fn new_recipients_are_counted_and_known_ones_are_not() {
        let now = Instant::now();
        let mut pace = pace(now);
        let client = |number| ClientId::from_random(number);
        assert!((0..20).all(|number| !pace.is_over_recipients(now, client(number << 64))));
        assert!(pace.is_over_recipients(now, client(20 << 64)));
        assert!(!pace.is_over_recipients(now, client(19 << 64)));
        assert!(!pace.is_over_recipients(now + MINUTE, client(20 << 64)));
    }

    #[test]
    fn more_than_200_refusals_in_a_minute_are_abuse() {
        let now = Instant::now();
        let mut pace = pace(now);
        assert_eq!((0..200).filter(|_| pace.is_abuse(now)).count(), 0);
        assert!(pace.is_abuse(now + Duration::from_secs(59)));
        assert!(!pace.is_abuse(now + MINUTE));
    }
}
