//! Deadlines of many participants, or of many rooms, in one heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// An earlier deadline of a key is pushed anew, a later one waits until the old entry comes up; entries that an earlier one has made
/// void are thrown out when they have become many.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    pub(crate) fn push(&mut self, deadline: Instant, key: K) {
        self.heap.push(Reverse((deadline, key)));
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(Instant, K) -> bool) {
        self.heap.retain(|Reverse((deadline, key))| keep(*deadline, *key));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        self.next().filter(|deadline| *deadline <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
