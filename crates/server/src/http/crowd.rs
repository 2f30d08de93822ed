//! How many of one address may be inside at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::peer::AddressBlock;

/// Counts who is inside, by address; refuses the one too many. Its memory is bounded by the total.
#[derive(Clone)]
pub struct Crowd(Arc<Inner>);

struct Inner {
    per_address: usize,
    total: usize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    total: usize,
    by_address: HashMap<AddressBlock, usize>,
}

/// A place inside; dropping it leaves.
pub struct Seat {
    crowd: Crowd,
    block: AddressBlock,
}

impl Crowd {
    /// Returns an empty crowd that takes so many of one address, and so many in all.
    #[must_use]
    pub fn new(per_address: usize, total: usize) -> Self {
        Self(Arc::new(Inner { per_address, total, inside: Mutex::default() }))
    }

    /// Takes a seat; `None` when the address or the whole has its number.
    #[must_use]
    pub fn enter(&self, block: AddressBlock) -> Option<Seat> {
        let mut inside = self.lock();
        if inside.total >= self.0.total {
            return None;
        }
        let here = inside.by_address.get(&block).copied().unwrap_or(0);
        if here >= self.0.per_address {
            return None;
        }
        inside.total += 1;
        inside.by_address.insert(block, here + 1);
        drop(inside);
        Some(Seat { crowd: self.clone(), block })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.crowd.lock();
        inside.total = inside.total.saturating_sub(1);
        if let Some(here) = inside.by_address.get_mut(&self.block) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                inside.by_address.remove(&self.block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::peer::Peer;

    #[test]
    fn an_address_fills_only_its_own_seats() {
        let crowd = Crowd::new(2, 3);
        let [ana, ben, cem] = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
            .map(|text| Peer::new(text.parse().unwrap()).block());
        let first = crowd.enter(ana).unwrap();
        let _second = crowd.enter(ana).unwrap();
        assert!(crowd.enter(ana).is_none());
        let _third = crowd.enter(ben).unwrap();
        assert!(crowd.enter(cem).is_none(), "the whole is full");
        drop(first);
        assert!(crowd.enter(cem).is_some());
        assert_eq!(crowd.lock().by_address.len(), 2);
    }
}
