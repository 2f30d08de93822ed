//! What participants cost who do nothing.

use std::time::Duration;

use sfu::RoomId;
use sfu::Source::{Camera, Voice};
use testkit::measure::Hall;

use crate::table::Table;
use crate::{ROUNDS, median};

const PARTICIPANTS: usize = 1_000;

/// Participants that connect at the same time; not more time may pass for all than they live without their callers.
const AT_ONCE: usize = 20;

/// The growth of the process while participants connect. Each caller is thrown away when it has connected: the next takes its place in
/// memory, and what grows is the shard. Measured once, and first: memory that was used before would be used again.
pub(crate) fn memory(table: &mut Table) {
    let mut hall = Hall::new(true);
    connect(&mut hall, AT_ONCE);
    let before = resident();
    for _ in 0..PARTICIPANTS / AT_ONCE {
        connect(&mut hall, AT_ONCE);
    }
    let grown = (resident() - before) / PARTICIPANTS as u64;
    assert_eq!(hall.shard.stats().participants as usize, PARTICIPANTS + AT_ONCE);
    table.judge("memory of an idle participant, sound and picture", grown as f64 / 1e3, "kB", 100.0);
}

fn connect(hall: &mut Hall, count: usize) {
    let first = hall.callers.len();
    for place in first..first + count {
        let index = hall.prepare();
        hall.enter(index, RoomId(place as u128), &[Voice, Camera]);
    }
    let connected = |hall: &Hall| hall.callers[first..].iter().flatten().all(|caller| caller.connected);
    hall.run_until(Duration::from_secs(1), connected);
    assert!(connected(hall));
    hall.callers[first..].iter_mut().for_each(|caller| *caller = None);
}

/// Thread time of one second with many connected who send and receive nothing.
pub(crate) fn processor(table: &mut Table) {
    for adapts in [false, true] {
        let mut hall = Hall::new(adapts);
        for room in 0..PARTICIPANTS / 100 {
            let first = hall.callers.len();
            for place in 0..100 {
                let index = hall.prepare();
                hall.enter(index, RoomId((room * 100 + place) as u128), &[Voice, Camera]);
            }
            hall.run(Duration::from_secs(1));
            assert!(hall.callers[first..].iter().flatten().all(|caller| caller.connected));
        }
        hall.run(Duration::from_secs(5));
        let rounds = (0..ROUNDS).map(|_| {
            hall.take_spent();
            hall.run(Duration::from_secs(2));
            hall.take_spent().as_micros()
        });
        // Of two seconds.
        let percent = median(rounds.collect()) as f64 / 2e6 * 100.0;
        let name = if adapts { "estimated" } else { "not estimated" };
        table.judge(format!("1,000 idle participants, {name}"), percent, "% of a core", 1.0);
    }
}

/// Bytes of memory that the process has.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1_024
}
