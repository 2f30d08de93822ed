use std::time::Duration;

/// Milliseconds since the Unix epoch: the only wall-clock type in the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The last moment the type can name: "never" for what does not expire.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns the moment `later` after this one, in whole milliseconds; stops at [`UnixMillis::MAX`].
    #[must_use]
    pub fn saturating_add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns how long after `earlier` this moment is; zero when it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_wraps() {
        assert_eq!(UnixMillis(5).saturating_add(Duration::from_secs(1)), UnixMillis(1_005));
        assert_eq!(UnixMillis::MAX.saturating_add(Duration::MAX), UnixMillis::MAX);
        assert_eq!(UnixMillis(5).saturating_since(UnixMillis(9)), Duration::ZERO);
        assert_eq!(UnixMillis(9).saturating_since(UnixMillis(5)), Duration::from_millis(4));
    }
}
