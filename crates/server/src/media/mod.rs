//! The media threads: sockets in, shards between, sockets out.
//!
//! `pool.rs` is what services hold, and starts the threads; `placement.rs` says which has which room. `driver.rs` is the loop of one thread:
//! `leavers.rs` says whose commands are of no matter any more,
//! `sockets.rs` its UDP ports, `mailbox.rs` what other threads put before it, `outlet.rs` what comes out of its shard, `departures.rs` how that
//! leaves by UDP, `streams.rs` its TCP connections, `figures.rs` what it tells of itself. `acceptor.rs` is the thread
//! that takes TCP connections and finds out whose they are; `bound.rs` is what is bound: `ports.rs` takes the ports, `addresses.rs` says what clients are told of them by
//! what `advertise.rs` holds of the operator's wishes, `names.rs` looks names up, and `discovery.rs` asks STUN servers. `sender.rs` is the way
//! out by itself, for benches.

mod acceptor;
mod addresses;
mod advertise;
mod bound;
mod departures;
mod discovery;
mod driver;
mod figures;
mod leavers;
mod mailbox;
mod names;
mod outlet;
mod placement;
mod pool;
mod ports;
mod sender;
mod sockets;
mod streams;

pub use advertise::{Advertise, AdvertisePort, Host, is_host_name};
pub use figures::ShardFigures;
pub use pool::{Busy, MediaConfig, MediaError, MediaPool, StartedMedia};
pub use sender::Sender;
