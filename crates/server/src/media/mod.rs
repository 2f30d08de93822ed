//! The media threads: sockets in, shards between, sockets out.
//!
//! `pool.rs` is what services hold, `driver.rs` the loop of one thread, `sockets.rs` the UDP port, `departures.rs` what leaves by it,
//! `addresses.rs` what clients are told of it.

mod addresses;
mod departures;
mod driver;
mod pool;
mod sender;
mod sockets;

pub use addresses::Advertise;
pub use pool::{Busy, MediaConfig, MediaError, MediaPool, StartedMedia};
pub use sender::Sender;
