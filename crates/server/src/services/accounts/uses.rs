//! Which uses of a credential are worth a line of the audit record: an open console asks every two seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use identity::{TokenHash, UnixMillis};

use crate::http::peer::Peer;

/// How long one line stands for the uses of one credential from one address.
const STANDS_FOR: Duration = Duration::from_secs(60 * 60);
/// Uses that are remembered, each at about 100 bytes. When there are more, all are forgotten, and each is recorded once more.
const MOST: usize = 4_096;

/// Remembers when the use of a credential was recorded last. Addresses are told apart as far as the record does, which masks them.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<([u8; 32], String), UnixMillis>>);

impl Uses {
    /// Returns whether this use is to be recorded: the first within the hour is.
    pub(super) fn is_new(&self, credential: &TokenHash, from: Peer, at: UnixMillis) -> bool {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (*credential.as_bytes(), from.masked());
        // A clock that was put back is no reason for silence.
        let is_recent = |last: &UnixMillis| u128::from(at.0.abs_diff(last.0)) < STANDS_FOR.as_millis();
        if recorded.get(&key).is_some_and(is_recent) {
            return false;
        }
        if recorded.len() >= MOST {
            recorded.clear();
        }
        recorded.insert(key, at);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const HOUR: u64 = 60 * 60 * 1_000;

    fn peer(third: u8, last: u8) -> Peer {
        Peer::new(IpAddr::V4(Ipv4Addr::new(192, 0, third, last)))
    }

    #[test]
    fn a_use_is_recorded_once_an_hour_for_each_credential_and_address() {
        let (one, other) = (TokenHash::from_bytes([1; 32]), TokenHash::from_bytes([2; 32]));
        let uses = Uses::default();
        let start = 100 * HOUR;
        let rows = [
            ("the first", &one, peer(2, 1), start, true),
            ("at once again", &one, peer(2, 1), start, false),
            ("a neighbour, whom the record does not tell apart", &one, peer(2, 2), start + 1, false),
            ("another network", &one, peer(3, 1), start + 2, true),
            ("another credential", &other, peer(2, 1), start + 3, true),
            ("just within the hour", &one, peer(2, 1), start + HOUR - 1, false),
            ("after the hour", &one, peer(2, 1), start + HOUR, true),
            ("the hour begins with that", &one, peer(2, 1), start + 2 * HOUR - 1, false),
            ("a clock put back a little", &one, peer(2, 1), start + HOUR / 2, false),
            ("a clock put back a day", &one, peer(2, 1), start - 24 * HOUR, true),
        ];
        for (what, credential, from, at, expected) in rows {
            assert_eq!(uses.is_new(credential, from, UnixMillis(at)), expected, "{what}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let uses = Uses::default();
        for number in 0..=MOST {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            assert!(uses.is_new(&TokenHash::from_bytes(bytes), peer(0, 0), UnixMillis(1)));
        }
        assert_eq!(uses.0.lock().unwrap().len(), 1);
    }
}
