//! What the media engine costs: processor time of the thread that runs the shard, sends included, and memory.
//!
//! Medians of five. Beside what is forwarded stands the floor of the same run: to seal a packet of that size with one of as many keys,
//! and to send it by itself. Trust the ratio more than the nanoseconds. Targets are printed and not enforced.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a bench reads the clock, prints its numbers and may fail loudly"
)]

mod channels;
mod forwarding;
mod idle;
mod joins;
mod logins;
mod shards;
mod table;

use table::Table;

/// Fills in a part of the table.
type Measure = fn(&mut Table);

const ROUNDS: usize = 5;

fn main() {
    // `make bench ONLY=idle`, to look at one part.
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut table = Table::default();
    let parts: [(&str, Measure); 7] = [
        ("memory", idle::memory),
        ("forwarding", forwarding::measure),
        ("joins", joins::measure),
        ("idle", idle::processor),
        ("shards", shards::measure),
        ("logins", logins::measure),
        ("channels", channels::measure),
    ];
    for (name, measure) in parts {
        if name.contains(&only) {
            eprintln!("measuring: {name}");
            measure(&mut table);
        }
    }
    table.print();
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}
