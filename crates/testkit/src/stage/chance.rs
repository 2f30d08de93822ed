//! Takes away the last chance that is not the seed's: the order of hash maps, and what SCTP draws.
//!
//! str0m keeps its streams in hash maps, and its pacer sends in their order; sctp-proto draws tags, numbers and cookies from `rand::rng`. Both
//! begin anew in every thread, from `getrandom` of the C library, which may be preloaded. So a test plays itself once more in a process
//! with [`chance.c`](../../../src/stage/chance.c) in its place ([`replayable`]), each story on a thread of its own ([`alone`]).
//!
//! Linux with a C compiler only, which the crypto library wants in any case.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::process::Command;

use super::crypto;

/// Set in the process that has been given the seeded chance.
const GIVEN: &str = "COUNTERSIGN_STAGE_CHANCE";
const SOURCE: &str = include_str!("chance.c");

/// Runs the body of the test called `test` in a process in which a seed decides everything.
///
/// # Panics
/// When the body does, or when such a process cannot be had.
pub fn replayable(test: &str, body: impl FnOnce()) {
    if is_seeded() {
        return body();
    }
    assert!(std::env::var_os(GIVEN).is_none(), "the preloaded getrandom is not the one that std calls");
    let made = tempfile::tempdir().unwrap();
    let (source, library) = (made.path().join("chance.c"), made.path().join("chance.so"));
    std::fs::write(&source, SOURCE).unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled =
        Command::new(&compiler).args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).status();
    assert!(compiled.is_ok_and(|status| status.success()), "{compiler:?} does not compile chance.c");
    let again = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(GIVEN, "1")
        .env("LD_PRELOAD", &library)
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&again.stdout), String::from_utf8_lossy(&again.stderr));
    assert!(again.status.success(), "in the process of its own:\n{complained}\n{said}");
    assert!(said.contains("1 passed"), "no test is called {test}:\n{said}");
}

/// Runs a story on a thread of its own, with everything made before that all stories share.
///
/// # Errors
/// What the story panicked with.
pub fn alone<T: Send>(story: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    crypto::fill_pools();
    std::thread::scope(|scope| scope.spawn(story).join())
}

/// Whether hash maps have the same order in every thread.
fn is_seeded() -> bool {
    let draw = || alone(|| RandomState::new().hash_one(1)).unwrap();
    draw() == draw()
}
