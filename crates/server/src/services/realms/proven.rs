//! Keys that were right before, so that they need not be hashed for tens of milliseconds again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use identity::{KeyHash, RealmId, Secret};

/// Clients whose key is remembered, each at about 150 bytes. When there are more, all are forgotten and proven anew.
const MOST: usize = 16_384;

/// Remembers right keys by a hash with a secret that only this process has, together with the stored hash that they were right for: a
/// client that registers anew has to prove its key anew.
pub(super) struct Proven {
    secret: hmac::Key,
    seals: Mutex<HashMap<RealmId, hmac::Tag>>,
}

impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proven(..)")
    }
}

impl Proven {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self { secret: hmac::Key::new(hmac::HMAC_SHA256, &secret), seals: Mutex::default() }
    }

    /// Whether this key was right for this client; takes the same time whatever the key is.
    pub(super) fn knows(&self, realm: &RealmId, kept: &KeyHash, key: &Secret) -> bool {
        let message = message(realm, kept, key);
        let seal = self.lock().get(realm).copied();
        seal.is_some_and(|seal| hmac::verify(&self.secret, &message, seal.as_ref()).is_ok())
    }

    pub(super) fn learn(&self, realm: &RealmId, kept: &KeyHash, key: &Secret) {
        let seal = hmac::sign(&self.secret, &message(realm, kept, key));
        let mut seals = self.lock();
        if seals.len() >= MOST && !seals.contains_key(realm) {
            seals.clear();
        }
        seals.insert(realm.clone(), seal);
    }

    pub(super) fn forget(&self, realm: &RealmId) {
        self.lock().remove(realm);
    }

    /// Whether two secrets are the same; takes a time that says nothing about either, their lengths included.
    pub(super) fn same(&self, one: &Secret, other: &Secret) -> bool {
        let one = hmac::sign(&self.secret, one.expose().as_bytes());
        hmac::verify(&self.secret, other.expose().as_bytes(), one.as_ref()).is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RealmId, hmac::Tag>> {
        self.seals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash has a fixed length and the key comes last, so no two of them are one text.
fn message(realm: &RealmId, kept: &KeyHash, key: &Secret) -> zeroize::Zeroizing<Vec<u8>> {
    let length = (realm.as_str().len() as u64).to_be_bytes();
    let kept = kept.to_string();
    let parts = [&length[..], realm.as_str().as_bytes(), kept.as_bytes(), key.expose().as_bytes()];
    zeroize::Zeroizing::new(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_for_its_client_and_its_hash_only() {
        let hash = |last: &str| -> KeyHash {
            format!("$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gF{last}m").parse().unwrap()
        };
        let (realm, kept, key) = (RealmId::new("a"), hash("G"), Secret::new("k".repeat(32)));
        let proven = Proven::new([1; 32]);
        assert!(!proven.knows(&realm, &kept, &key));
        proven.learn(&realm, &kept, &key);
        let other = Secret::new("k".repeat(33));
        let rows = [
            ("the same", &realm, &kept, &key, true),
            ("another key", &realm, &kept, &other, false),
            ("registered anew", &realm, &hash("H"), &key, false),
            ("another client", &RealmId::new("b"), &kept, &key, false),
        ];
        for (what, realm, kept, key, expected) in rows {
            assert_eq!(proven.knows(realm, kept, key), expected, "{what}");
        }
        proven.forget(&realm);
        assert!(!proven.knows(&realm, &kept, &key));
        assert!(proven.same(&key, &key.clone()) && !proven.same(&key, &other));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let kept = "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm".parse().unwrap();
        let proven = Proven::new([1; 32]);
        for number in 0..=MOST {
            proven.learn(&RealmId::new(number.to_string()), &kept, &Secret::new(""));
        }
        assert_eq!(proven.lock().len(), 1);
    }
}
