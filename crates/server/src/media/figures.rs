//! What a media thread tells of itself, once a second, as absolute values.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sfu::Stats;

/// Counters of one media thread since its start, and gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardFigures {
    /// Of its shard.
    pub stats: Stats,
    /// Processor time of the thread.
    pub cpu: Duration,
    /// The part of it that was used in the last second.
    pub cpu_recent: Duration,
    /// Datagrams and notes for another shard that had no room for them.
    pub handover_dropped: u64,
    /// Data-channel messages that the signalling side has had no room for.
    pub data_lost: u64,
    /// UDP sends of several datagrams in one (GSO).
    pub joined_sends: u64,
    /// Datagrams that left in them.
    pub joined_datagrams: u64,
    /// Datagrams that the system did not take.
    pub send_lost: u64,
    /// Connections over TCP now.
    pub tcp_connections: u64,
    /// Packets that a slow reader over TCP has not got.
    pub tcp_dropped: u64,
}

/// Processor time of the calling thread.
pub(super) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
