//! What a tenant's servers show: a key that is kept as a bcrypt hash, or a token that they got for it (rtcd service/auth).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::fingerprint::sha256;
use crate::{Denied, Malformed, Secret, TokenHash};

/// Length of a key in bytes. bcrypt hashes 72 at most; a longer key would be as good as its beginning.
pub const REALM_KEY_LENGTH: RangeInclusive<usize> = 32..=72;

/// Binary logarithm of the rounds of a hash that we make (rtcd service/auth/crypto).
const COST: u32 = 10;
/// Costs of hashes that are accepted. One more doubles the time: 14 takes about a second.
const COSTS: RangeInclusive<u32> = 4..=14;

/// bcrypt's own base64. Other programs leave something in the bits beyond the last byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// A hash that no key has: what a key is compared with when there is no record, at the same cost.
const NOBODY: KeyHash = KeyHash { version: Version::A, cost: COST, salt: [0x5a; 16], hash: [0; 23] };

/// Why a key cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRealmKey {
    /// Below 32 bytes.
    #[error("the key is shorter than 32 bytes")]
    TooShort,
    /// Above 72 bytes, of which bcrypt would see the first 72 only.
    #[error("the key is longer than 72 bytes")]
    TooLong,
}

/// Checks the length of a key that is to be registered.
///
/// # Errors
/// As [`BadRealmKey`] says.
pub fn check_realm_key(key: &Secret) -> Result<(), BadRealmKey> {
    let length = key.expose().len();
    if length < *REALM_KEY_LENGTH.start() {
        Err(BadRealmKey::TooShort)
    } else if length > *REALM_KEY_LENGTH.end() {
        Err(BadRealmKey::TooLong)
    } else {
        Ok(())
    }
}

/// bcrypt hash of a realm's key. Text form: `$2a$`, `$2b$` or `$2y$`, two digits of cost, `$`, 53 characters of bcrypt's base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash {
    version: Version,
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

/// Names of the one algorithm; they differ in faults of old programs that never concerned keys like ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    A,
    B,
    Y,
}

impl KeyHash {
    /// Hashes a key with this salt, 16 bytes of the operating system's chance; takes tens of milliseconds.
    ///
    /// # Errors
    /// As [`check_realm_key`].
    pub fn of(key: &Secret, salt: [u8; 16]) -> Result<Self, BadRealmKey> {
        check_realm_key(key)?;
        Ok(Self { version: Version::A, cost: COST, salt, hash: digest(COST, salt, key) })
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            Version::A => 'a',
            Version::B => 'b',
            Version::Y => 'y',
        };
        write!(f, "$2{version}${:02}${}{}", self.cost, BASE64.encode(self.salt), BASE64.encode(self.hash))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

impl FromStr for KeyHash {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const EXPECTED: Malformed = Malformed { expected: "a bcrypt hash with a cost of 4 to 14" };
        let mut parts = text.strip_prefix("$2").ok_or(EXPECTED)?.split('$');
        let (Some(version), Some(cost), Some(rest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(EXPECTED);
        };
        let version = match version {
            "a" => Version::A,
            "b" => Version::B,
            "y" => Version::Y,
            _ => return Err(EXPECTED),
        };
        let is_number = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
        let cost = cost.parse().ok().filter(|cost| is_number && COSTS.contains(cost)).ok_or(EXPECTED)?;
        let (salt, hash) = rest.split_at_checked(22).ok_or(EXPECTED)?;
        Ok(Self { version, cost, salt: decode(salt).ok_or(EXPECTED)?, hash: decode(hash).ok_or(EXPECTED)? })
    }
}

/// Verifies a key against what is kept of the realm that was named; tens of milliseconds, whatever is wrong: an absent record and a key
/// of an impossible length cost the same hash.
///
/// # Errors
/// `Unknown`, `WrongSecret`.
pub fn verify_realm_key(key: &Secret, record: Option<&KeyHash>) -> Result<(), Denied> {
    let kept = record.unwrap_or(&NOBODY);
    let presented = digest(kept.cost, kept.salt, key);
    let matches = bool::from(presented.ct_eq(&kept.hash)) & check_realm_key(key).is_ok();
    match record {
        None => Err(Denied::Unknown),
        Some(_) if matches => Ok(()),
        Some(_) => Err(Denied::WrongSecret),
    }
}

/// Makes a bearer token out of 24 bytes of the operating system's chance: 32 characters of base64url.
#[must_use]
pub fn mint_realm_token(mut random: [u8; 24]) -> Secret {
    let token = Secret::new(URL_SAFE_NO_PAD.encode(random));
    random.zeroize();
    token
}

/// Returns what the store keeps of a bearer token: the SHA-256 of its text.
///
/// # Errors
/// [`Denied::BadToken`] when the text is not 32 characters of base64url.
pub fn hash_realm_token(token: &Secret) -> Result<TokenHash, Denied> {
    let mut bytes = [0; 24];
    let length = URL_SAFE_NO_PAD.decode_slice(token.expose(), &mut bytes);
    bytes.zeroize();
    if length == Ok(24) {
        Ok(TokenHash::from_bytes(sha256(token.expose().as_bytes())))
    } else {
        Err(Denied::BadToken)
    }
}

/// The first 23 of bcrypt's 24 bytes, which is what the text form holds. A NUL ends the key, unless it fills all 72 bytes.
fn digest(cost: u32, salt: [u8; 16], key: &Secret) -> [u8; 23] {
    let mut text = [0; 72];
    let mut used = 0;
    for (place, byte) in text.iter_mut().zip(key.expose().bytes()) {
        *place = byte;
        used += 1;
    }
    let all = text.len();
    let full = bcrypt::bcrypt(cost, salt, text.get(..(used + 1).min(all)).unwrap_or(&[0]));
    text.zeroize();
    let mut digest = [0; 23];
    for (place, byte) in digest.iter_mut().zip(full) {
        *place = byte;
    }
    digest
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (BASE64.decode_slice(text, &mut bytes) == Ok(N)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: impl Into<String>) -> Secret {
        Secret::new(text)
    }

    /// Captured from rtcd: `vectors/rtcd/auth.json`.
    const KEY: &str = "Ey4-H_BJA00_TVByPi8DozE12ekN3S7L";
    const KEPT: &str = "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm";

    #[test]
    fn a_key_is_believed_only_by_its_own_hash() {
        let kept: KeyHash = KEPT.parse().unwrap();
        assert_eq!(kept.to_string(), KEPT);
        let long = "k".repeat(72);
        let of_72 = KeyHash::of(&secret(long.clone()), [7; 16]).unwrap();
        let rows = [
            ("captured", secret(KEY), Some(kept), Ok(())),
            ("2b", secret(KEY), Some(KEPT.replacen("2a", "2b", 1).parse().unwrap()), Ok(())),
            ("2y", secret(KEY), Some(KEPT.replacen("2a", "2y", 1).parse().unwrap()), Ok(())),
            ("and a space", secret(format!("{KEY} ")), Some(kept), Err(Denied::WrongSecret)),
            ("other case", secret(KEY.to_lowercase()), Some(kept), Err(Denied::WrongSecret)),
            ("without its end", secret(KEY.strip_suffix('L').unwrap()), Some(kept), Err(Denied::WrongSecret)),
            ("empty", secret(""), Some(kept), Err(Denied::WrongSecret)),
            ("the hash itself", secret(KEPT), Some(kept), Err(Denied::WrongSecret)),
            ("72 bytes", secret(long.clone()), Some(of_72), Ok(())),
            ("72 bytes and more", secret(format!("{long}x")), Some(of_72), Err(Denied::WrongSecret)),
            ("no record", secret(KEY), None, Err(Denied::Unknown)),
            ("no record and no key", secret(""), None, Err(Denied::Unknown)),
        ];
        for (what, key, record, expected) in rows {
            assert_eq!(verify_realm_key(&key, record.as_ref()), expected, "{what}");
        }
    }

    #[test]
    fn only_lengths_that_bcrypt_sees_whole_can_be_registered() {
        let rows = [
            (0, Err(BadRealmKey::TooShort)),
            (31, Err(BadRealmKey::TooShort)),
            (32, Ok(())),
            (72, Ok(())),
            (73, Err(BadRealmKey::TooLong)),
        ];
        for (length, expected) in rows {
            assert_eq!(check_realm_key(&secret("k".repeat(length))), expected, "{length}");
        }
        let made = KeyHash::of(&secret(KEY), [1; 16]).unwrap();
        assert_ne!(made, KeyHash::of(&secret(KEY), [2; 16]).unwrap());
        let text = made.to_string();
        assert!(text.starts_with("$2a$10$") && text.len() == 60, "{text}");
        assert_eq!(text.parse(), Ok(made));
    }

    #[test]
    fn a_text_in_another_form_is_no_hash() {
        let rows = [
            "",
            "$2",
            "$2a$10$",
            "$2x$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm",
            "$2a$15$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm",
            "$2a$03$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm",
            "$2a$+9$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm",
            "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFG",
            "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGmm",
            "$2a$10$zd2dZy95sa5UohIbsBDV\u{e9}OwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm",
            "$2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm$",
            " $2a$10$zd2dZy95sa5UohIbsBDVdOwhWa.l4H1Ucx/nb0uIilF5lLku9gFGm",
        ];
        for row in rows {
            assert!(row.parse::<KeyHash>().is_err(), "{row:?}");
        }
        assert_eq!(format!("{:?}", KEPT.parse::<KeyHash>().unwrap()), "KeyHash(..)");
    }

    #[test]
    fn a_token_is_32_characters_of_base64url() {
        let token = mint_realm_token([0xfb; 24]);
        assert_eq!(token.expose(), "-_v7".repeat(8));
        // printf -- '-_v7%.0s' 1 2 3 4 5 6 7 8 | sha256sum
        assert_eq!(
            hash_realm_token(&token).unwrap().to_hex(),
            "44efb206074492a69e7cd7ea56c83404d6e700d5d325488d54b6b6ad8d739db5"
        );
        let rows = [
            "",
            "A",
            &"A".repeat(31),
            &"A".repeat(33),
            &"A".repeat(40),
            &format!("{}=", "A".repeat(31)),
            &"+".repeat(32),
        ];
        for row in rows {
            assert_eq!(hash_realm_token(&secret(row)), Err(Denied::BadToken), "{row:?}");
        }
    }
}
