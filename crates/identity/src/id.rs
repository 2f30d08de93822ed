use std::fmt;
use std::str::FromStr;

use crate::Malformed;

/// A tenant: one Mattermost installation, one appID, one address-book domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealmId(String);

impl RealmId {
    /// Returns the realm with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the realm of this installation itself: its operators, its rooms, and the guests in them.
    #[must_use]
    pub fn installation() -> Self {
        Self::new("installation")
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
    fn an_id_prints_the_text_it_parses() {
        let id = SessionId(0xab);
        assert_eq!(id.to_string(), "000000000000000000000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "SessionId(000000000000000000000000000000ab)");
    }
}
