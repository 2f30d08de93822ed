//! The clock and the chance of the operating system.

use std::time::{SystemTime, UNIX_EPOCH};

use identity::UnixMillis;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::services::Refusal;

/// Returns the time of day. A clock before 1970 reads as 1970, where nothing is good yet and nothing has expired.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Returns random bytes.
///
/// # Errors
/// [`Refusal::Unavailable`] when the operating system has none.
pub fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bytes");
        Refusal::Unavailable
    })?;
    Ok(bytes)
}

/// Returns a random 128-bit id.
///
/// # Errors
/// As [`random`].
pub fn random_id() -> Result<u128, Refusal> {
    random().map(u128::from_be_bytes)
}
