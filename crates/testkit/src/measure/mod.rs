//! A shard and callers who do no more than they must, so that what the shard costs can be measured.
//!
//! Unlike on the stage, what the shard sends leaves by a real socket, and every one of its steps is weighed.

mod caller;
mod hall;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub use caller::{Caller, PACKETS_PER_FRAME};
pub use hall::{Hall, profile};

/// Processor time of this thread.
#[must_use]
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}
