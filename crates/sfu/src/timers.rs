//! Deadlines of many participants in one heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::shard::Seat;

/// An earlier deadline of a seat is pushed anew, a later one waits until the old entry comes up; entries that an earlier one has made
/// void are thrown out when they have become many.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Seat)>>,
}

impl Timers {
    pub(crate) fn push(&mut self, deadline: Instant, seat: Seat) {
        self.heap.push(Reverse((deadline, seat)));
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(Instant, Seat) -> bool) {
        self.heap.retain(|Reverse((deadline, seat))| keep(*deadline, *seat));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Seat)> {
        self.next().filter(|deadline| *deadline <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
