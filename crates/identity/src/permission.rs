use std::fmt;
use std::str::FromStr;

use crate::Malformed;

/// One named right in a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// To send a voice.
    Speak,
    /// To send a camera.
    UseCamera,
    /// To send a screen and its sound.
    ShareScreen,
    /// To remove participants of one's own room and to end it.
    Moderate,
    /// To administer a realm: rooms, invites, participants, the audit record.
    ManageRealm,
    /// To host calls: to bring users of one's own realm into calls of that realm, and to speak for them.
    HostCalls,
    /// To be in a verto channel: to hear it, to tell all of it, and to tell one of its clients.
    Signal,
}

impl Permission {
    /// Every permission, in the order in which sets print.
    pub const ALL: [Self; 7] = [
        Self::Speak,
        Self::UseCamera,
        Self::ShareScreen,
        Self::Moderate,
        Self::ManageRealm,
        Self::HostCalls,
        Self::Signal,
    ];

    /// Returns the permission's text form (docs/faces/rooms.md, "Types").
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Speak => "speak",
            Self::UseCamera => "camera",
            Self::ShareScreen => "share",
            Self::Moderate => "moderate",
            Self::ManageRealm => "manage",
            Self::HostCalls => "host",
            Self::Signal => "signal",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Speak => 1,
            Self::UseCamera => 2,
            Self::ShareScreen => 4,
            Self::Moderate => 8,
            Self::ManageRealm => 16,
            Self::HostCalls => 32,
            Self::Signal => 64,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for Permission {
    type Err = Malformed;

    /// Parses what an invite may give. `manage`, `host` and `signal` are not among it: no text from outside or from the store makes
    /// an operator, a tenant, or a channel's client.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "speak" => Ok(Self::Speak),
            "camera" => Ok(Self::UseCamera),
            "share" => Ok(Self::ShareScreen),
            "moderate" => Ok(Self::Moderate),
            _ => Err(Malformed { expected: "speak, camera, share or moderate" }),
        }
    }
}

/// A set of permissions. Text form: theirs, in a fixed order, with commas between them.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Returns the set with this permission added.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// Returns whether the permission is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the set in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, permission) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{permission}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}

impl FromStr for Permissions {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        text.split(',').map(str::parse::<Permission>).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    #[test]
    fn permission_texts() {
        let rows = [
            ("", Some(Permissions::NONE)),
            ("speak", Some(Permissions::NONE.with(Permission::Speak))),
            (
                "share,speak,share",
                Some(Permissions::NONE.with(Permission::Speak).with(Permission::ShareScreen)),
            ),
            ("manage", None),
            ("speak,manage", None),
            ("host", None),
            ("Speak", None),
            ("speak,", None),
            (",", None),
            ("speak, camera", None),
            ("all", None),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Permissions>().ok(), expected, "{text:?}");
        }
    }

    fn any_permissions() -> impl Strategy<Value = Vec<Permission>> {
        proptest::collection::vec(proptest::sample::select(Permission::ALL.to_vec()), 0..12)
    }

    proptest! {
        #[test]
        fn a_set_behaves_like_a_set(list in any_permissions()) {
            let model: BTreeSet<_> = list.iter().copied().collect();
            let set: Permissions = list.into_iter().collect();
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), model.clone());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            for permission in Permission::ALL {
                prop_assert_eq!(set.contains(permission), model.contains(&permission));
            }
        }

        #[test]
        fn what_an_invite_may_give_survives_its_text(list in subsequence(&Permission::ALL[..4], 0..=4)) {
            let set: Permissions = list.into_iter().collect();
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }
    }
}
