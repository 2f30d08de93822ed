use crate::{Fingerprint, Permission, Permissions, Principal, RealmId, SessionId, UnixMillis};

/// What a principal may do, until when, and bound to which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    principal: Principal,
    permissions: Permissions,
    expires: UnixMillis,
    bound_to: Vec<Fingerprint>,
}

impl Grant {
    /// Returns a grant that is bound to no certificate and good until just before `expires`.
    #[must_use]
    pub const fn new(principal: Principal, permissions: Permissions, expires: UnixMillis) -> Self {
        Self { principal, permissions, expires, bound_to: Vec::new() }
    }

    /// Returns the grant, bound to this certificate too.
    #[must_use]
    pub fn bind(mut self, fingerprint: Fingerprint) -> Self {
        self.bound_to.push(fingerprint);
        self
    }

    /// Returns who holds the grant.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns the permissions, of whatever age the grant is; [`Grant::require`] is the gate.
    #[must_use]
    pub const fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Returns the first moment at which the grant is void.
    #[must_use]
    pub const fn expires(&self) -> UnixMillis {
        self.expires
    }

    /// Returns the certificates that its media may come from; empty means unbound.
    #[must_use]
    pub fn bound_to(&self) -> &[Fingerprint] {
        &self.bound_to
    }

    /// Returns whether the grant is void at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixMillis) -> bool {
        self.expires <= now
    }

    /// The single gate every service passes first.
    ///
    /// # Errors
    /// The permission is not in the grant, or the grant is of another realm, or it has expired.
    pub fn require(&self, permission: Permission, realm: &RealmId, now: UnixMillis) -> Result<(), Forbidden> {
        let holds = self.permissions.contains(permission);
        if holds && self.principal.realm == *realm && !self.is_expired(now) {
            Ok(())
        } else {
            Err(Forbidden { missing: permission })
        }
    }
}

/// A grant does not allow what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the grant does not allow {missing} here and now")]
pub struct Forbidden {
    /// The permission that was required.
    pub missing: Permission,
}

/// A live, authenticated presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The name that others see.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserId;

    #[test]
    fn a_grant_allows_its_permissions_in_its_realm_until_it_expires() {
        let principal = Principal::operator(UserId::new("ana"));
        let permissions = Permissions::NONE.with(Permission::Speak);
        let grant = Grant::new(principal, permissions, UnixMillis(100));
        let (here, elsewhere) = (RealmId::installation(), RealmId::new("elsewhere"));
        let rows = [
            (Permission::Speak, &here, 99, true),
            (Permission::Speak, &here, 100, false),
            (Permission::Speak, &elsewhere, 0, false),
            (Permission::Moderate, &here, 0, false),
            (Permission::ManageRealm, &here, 0, false),
        ];
        for (permission, realm, now, allowed) in rows {
            let expected = if allowed { Ok(()) } else { Err(Forbidden { missing: permission }) };
            assert_eq!(
                grant.require(permission, realm, UnixMillis(now)),
                expected,
                "{permission} {realm:?} {now}"
            );
        }
    }

    #[test]
    fn a_grant_keeps_what_it_is_bound_to() {
        let (one, two) = (Fingerprint::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
        let grant = Grant::new(Principal::guest(SessionId(1)), Permissions::NONE, UnixMillis::MAX);
        assert!(grant.bound_to().is_empty());
        assert_eq!(grant.bind(one).bind(two).bound_to(), [one, two]);
    }
}
