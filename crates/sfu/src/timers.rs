//! Deadlines of many participants in one heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::shard::Seat;

/// Each seat stands in the heap about once: an earlier deadline is pushed anew, a later one waits until the old entry comes up.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Seat)>>,
}

impl Timers {
    pub(crate) fn push(&mut self, deadline: Instant, seat: Seat) {
        self.heap.push(Reverse((deadline, seat)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Seat)> {
        self.next().filter(|deadline| *deadline <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
