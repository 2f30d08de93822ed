//! Calls made up from seeds. `make sim` plays many; here are a few, and those that once showed something.
//!
//! `make sim SEED=7` plays one, `make sim SEEDS=500` the first 500.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use testkit::stage::story::Story;

/// Played by every run of the tests.
const FEW: u64 = 30;

/// Seeds that once failed, and what they showed.
const SHOWED: [(u64, &str); 2] = [
    (2, "who is taken out and comes again has to be muted again"),
    (
        5,
        "str0m adds up the numbers of a lying TWCC report with overflow (a panic only where that is checked)",
    ),
];

#[test]
fn stories_end_well() {
    let seeds = number("SEEDS").unwrap_or(FEW);
    let chosen = number("SEED");
    let next = AtomicU64::new(chosen.unwrap_or(0));
    let end = chosen.map_or(seeds, |seed| seed + 1);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| Story::new(seed).play())).is_err() {
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {end} failed; again: make sim SEED={}", failed.len(), failed[0]);
}

#[test]
fn seeds_that_once_showed_something_end_well() {
    for (seed, showed) in SHOWED {
        let ended = catch_unwind(AssertUnwindSafe(|| Story::new(seed).play()));
        assert!(ended.is_ok(), "seed {seed}, which once showed: {showed}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
