//! Calls made up from seeds. `make sim` plays many; here are a few, and those that once showed something.
//!
//! `make sim SEED=7` plays one, `make sim SEEDS=500` the first 500. A seed plays the same every time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::stage::chance::{alone, replayable};
use testkit::stage::story::Story;

/// Played by every run of the tests.
const FEW: u64 = 30;

/// Seeds that once failed, and what they showed.
const SHOWED: [(u64, &str); 8] = [
    (2, "who is taken out and comes again has to be muted again"),
    (
        5,
        "str0m adds up the numbers of a lying TWCC report with overflow (a panic only where that is checked)",
    ),
    (39, "an estimate of a viewer who has just enough for some of it does not grow without probes"),
    (52, "where nothing is sent for want of bandwidth, no report comes, and the estimate stands for ever"),
    (107, "the same with sound: what is reported of little does not end the fear of loss"),
    (232, "a network that turns round what leaves at once makes reports call half of it lost"),
    (351, "and the same for who sees something, but less than its link takes"),
    (373, "a probe that was forgotten half way finds too little"),
];

/// The same of demanding clients.
const SHOWED_BY_DEMANDING_CLIENTS: [(u64, &str); 1] = [(248, "the same as 232, to two viewers")];

/// The same of restless people.
const SHOWED_BY_RESTLESS_PEOPLE: [(u64, &str); 2] = [
    (277, "a lying TWCC report panics inside str0m, which takes out who sent it"),
    (777, "a rolled-back offer of several sizes has to be made again as one m-line (the stage's client)"),
];

#[test]
fn stories_end_well() {
    replayable("stories_end_well", || {
        play_chosen(FEW, Story::new);
    });
}

#[test]
fn stories_of_demanding_clients_end_well() {
    replayable("stories_of_demanding_clients_end_well", || {
        play_chosen(FEW / 2, Story::of_demanding_clients);
    });
}

#[test]
fn stories_of_restless_people_end_well() {
    replayable("stories_of_restless_people_end_well", || {
        play_chosen(FEW / 3, Story::of_restless_people);
    });
}

/// Plays the seeds that the environment chooses, or a few.
fn play_chosen(few: u64, story: fn(u64) -> Story) {
    let chosen = number("SEED");
    let first = chosen.unwrap_or(0);
    let end = chosen.map_or_else(|| number("SEEDS").unwrap_or(few), |seed| seed + 1);
    let failed = failures(&(first..end).collect::<Vec<_>>(), story);
    assert!(failed.is_empty(), "of {first}..{end} failed: {failed:?}; again: make sim SEED=<one of them>");
}

#[test]
fn seeds_that_once_showed_something_end_well() {
    replayable("seeds_that_once_showed_something_end_well", || {
        show_nothing(&SHOWED, Story::new);
        show_nothing(&SHOWED_BY_DEMANDING_CLIENTS, Story::of_demanding_clients);
        show_nothing(&SHOWED_BY_RESTLESS_PEOPLE, Story::of_restless_people);
    });
}

fn show_nothing(showed: &[(u64, &str)], story: fn(u64) -> Story) {
    let failed = failures(&showed.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), story);
    let again: Vec<_> = showed.iter().filter(|(seed, _)| failed.contains(seed)).collect();
    assert!(again.is_empty(), "these once showed something, and do again: {again:?}");
}

/// Plays seeds on all cores; returns those that failed.
fn failures(seeds: &[u64], story: fn(u64) -> Story) -> Vec<u64> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if alone(|| story(*seed).play()).is_err() {
                        failed.lock().unwrap().push(*seed);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    failed
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
