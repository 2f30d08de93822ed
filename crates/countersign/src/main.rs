//! The binary: flags, logging, start, stop.
fn main() {}
