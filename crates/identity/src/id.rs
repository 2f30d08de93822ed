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

/// Version and variant of a random UUID (RFC 9562 §5.4).
const UUID_MARKS: u128 = 0x4000 << 64 | 0x8 << 60;
const UUID_MARKED: u128 = 0xf000 << 64 | 0xc << 60;
const UUID_LENGTH: usize = 36;
const UUID_EXPECTED: Malformed = Malformed { expected: "a lower-case UUIDv4" };

/// Writes the traits of an id that is a random UUID: text is its lower-case form with hyphens, and nothing else parses.
macro_rules! uuid_id {
    ($name:ident) => {
        impl $name {
            /// Makes an id out of 128 random bits, of which six give way to the marks of a UUIDv4.
            #[must_use]
            pub const fn from_random(random: u128) -> Self {
                Self(random & !UUID_MARKED | UUID_MARKS)
            }

            /// Returns a form for logs and the audit record: the first eight digits.
            #[must_use]
            pub fn short(&self) -> String {
                format!("{:08x}..", self.0 >> 96)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let [a, b, c, d] = [96, 80, 64, 48].map(|shift| self.0 >> shift);
                let (b, c, d) = (b & 0xffff, c & 0xffff, d & 0xffff);
                write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}", self.0 & 0xffff_ffff_ffff)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                parse_uuid(text).map(Self)
            }
        }
    };
}

/// A verto channel. It is a realm of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(u128);
uuid_id!(ChannelId);

impl ChannelId {
    /// Returns the realm that the channel is: its name is the channel's text form.
    #[must_use]
    pub fn realm(self) -> RealmId {
        RealmId(self.to_string())
    }
}

/// A client of a verto channel: the name by which its peers know it, and the session that it has there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u128);
uuid_id!(ClientId);

impl ClientId {
    /// Returns the client's session in the realm of its channel: the same number.
    #[must_use]
    pub const fn session(self) -> SessionId {
        SessionId(self.0)
    }

    /// Returns the client whose session it is; for sessions that [`ClientId::session`] returned.
    #[must_use]
    pub const fn of_session(session: SessionId) -> Self {
        Self(session.0)
    }
}

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

fn parse_uuid(text: &str) -> Result<u128, Malformed> {
    let is_placed = |(at, byte): (usize, u8)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23);
    if text.len() != UUID_LENGTH || !text.bytes().enumerate().all(is_placed) {
        return Err(UUID_EXPECTED);
    }
    let number = parse_hex(&text.replace('-', "")).map_err(|_| UUID_EXPECTED)?;
    if number & UUID_MARKED == UUID_MARKS { Ok(number) } else { Err(UUID_EXPECTED) }
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
    fn only_a_lower_case_uuid_of_version_4_is_a_channel() {
        let rows = [
            ("0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb", true),
            ("00000000-0000-4000-8000-000000000000", true),
            ("ffffffff-ffff-4fff-bfff-ffffffffffff", true),
            ("0B38FC9B-EA40-46CB-B7A9-EE9DD01AE7BB", false),
            ("0b38fc9b-ea40-16cb-b7a9-ee9dd01ae7bb", false),
            ("0b38fc9b-ea40-46cb-c7a9-ee9dd01ae7bb", false),
            ("0b38fc9b-ea40-46cb-77a9-ee9dd01ae7bb", false),
            ("0b38fc9bea4046cbb7a9ee9dd01ae7bb", false),
            ("0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7b", false),
            ("0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bbb", false),
            ("0b38fc9b-ea40-46cb-b7a9ee-9dd01ae7bb", false),
            ("-b38fc9b-ea40-46cb-b7a9-ee9dd01ae7bb", false),
            ("{0b38fc9b-ea40-46cb-b7a9-ee9dd01ae7b", false),
            ("", false),
        ];
        for (text, expected) in rows {
            let read = text.parse::<ChannelId>();
            assert_eq!(read.is_ok(), expected, "{text:?}");
            assert_eq!(text.parse::<ClientId>().is_ok(), expected, "{text:?}");
            assert!(read.is_err() || read.map(|id| id.to_string()).as_deref() == Ok(text), "{text:?}");
        }
    }

    #[test]
    fn random_bits_make_a_uuid_of_version_4() {
        for random in [0, 1, u128::MAX, 0x1234_5678_9abc_def0_1234_5678_9abc_def0] {
            let id = ChannelId::from_random(random);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.realm().as_str(), id.to_string());
        }
        let id = ClientId::from_random(u128::MAX);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.session().to_string(), "ffffffffffff4fffbfffffffffffffff");
        assert_eq!(id.short(), "ffffffff..");
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
