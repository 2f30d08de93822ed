use std::fmt;
use std::str::FromStr;

use crate::Malformed;
use crate::fingerprint::sha256;

/// A tenant: one Mattermost installation, one appID, one address-book domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealmId(String);

impl RealmId {
    /// Returns the realm with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the realm of this installation itself: its operators, its rooms, and the guests in them. Its name is empty, which no
    /// tenant's is, so that nobody can register it.
    #[must_use]
    pub fn installation() -> Self {
        Self::new("")
    }

    /// Returns the realm's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a user within a realm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// Returns the user with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the user's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Length of the text form of a 128-bit id.
const ID_DIGITS: usize = 32;

/// Writes the traits of a 128-bit id: text is 32 lower-case hex digits (docs/faces/rooms.md, "Types"), and nothing else parses.
macro_rules! hex_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:032x})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                parse_hex(text).map(Self)
            }
        }
    };
}

/// A live, authenticated presence; outlives the connection it came by. On the wire of the rooms face: `participant_id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);
hex_id!(SessionId);

/// Names a room, in its link and in the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomKey(pub u128);
hex_id!(RoomKey);

/// Names an invite; public, unlike the invite's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InviteId(pub u128);
hex_id!(InviteId);

/// Text that stands before what is hashed, one for each kind of name, so that a session and a call of one name are two numbers.
const SESSION_OF_REALM: &str = "countersign session of a realm v1";
const ROOM_OF_REALM: &str = "countersign room of a realm v1";

impl SessionId {
    /// Returns the session that a realm calls by this name: the first 128 bits of SHA-256. No two realms reach one session, whatever
    /// names they choose.
    #[must_use]
    pub fn named(realm: &RealmId, name: &str) -> Self {
        Self(named(SESSION_OF_REALM, realm, name))
    }
}

impl RoomKey {
    /// Returns the room of the call that a realm calls by this name, as [`SessionId::named`].
    #[must_use]
    pub fn named(realm: &RealmId, name: &str) -> Self {
        Self(named(ROOM_OF_REALM, realm, name))
    }
}

/// Each part stands behind its length, so that no two pairs are one text.
fn named(kind: &str, realm: &RealmId, name: &str) -> u128 {
    let mut text = Vec::with_capacity(3 * 8 + kind.len() + realm.0.len() + name.len());
    for part in [kind, realm.as_str(), name] {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    let digest = sha256(&text);
    let (number, _) = digest.split_at(16);
    number.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn parse_hex(text: &str) -> Result<u128, Malformed> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != ID_DIGITS || !text.bytes().all(digits) {
        return Err(Malformed { expected: "32 lower-case hex digits" });
    }
    u128::from_str_radix(text, 16).map_err(|_| Malformed { expected: "32 lower-case hex digits" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_of_an_id_parses() {
        let rows = [
            ("0000000000000000000000000000000f", Some(15)),
            ("ffffffffffffffffffffffffffffffff", Some(u128::MAX)),
            ("0000000000000000000000000000000F", None),
            ("000000000000000000000000000000f", None),
            ("00000000000000000000000000000000f", None),
            ("+000000000000000000000000000000f", None),
            (" 000000000000000000000000000000f", None),
            ("0x0000000000000000000000000000ff", None),
            ("éééééééééééééééé", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<RoomKey>().ok(), expected.map(RoomKey), "{text:?}");
        }
    }

    #[test]
    fn a_name_belongs_to_one_realm() {
        // printf '\0\0\0\0\0\0\0\x21countersign session of a realm v1\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2bc' | sha256sum
        let known = SessionId::named(&RealmId::new("a"), "bc");
        assert_eq!(known.to_string(), "ac8bf132a5996c49f4f021a55bb573bd");
        let pairs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("b", "bc"), ("a", "bd")];
        let mut all = std::collections::BTreeSet::new();
        for (realm, name) in pairs {
            all.insert(SessionId::named(&RealmId::new(realm), name).0);
            all.insert(RoomKey::named(&RealmId::new(realm), name).0);
        }
        assert_eq!(all.len(), 2 * pairs.len());
    }

    #[test]
    fn an_id_prints_the_text_it_parses() {
        let id = SessionId(0xab);
        assert_eq!(id.to_string(), "000000000000000000000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "SessionId(000000000000000000000000000000ab)");
    }
}
