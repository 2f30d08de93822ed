use identity::RealmId;

/// The only kind of address. Always inside a realm, so nothing can be sent across realms by accident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    realm: RealmId,
    name: String,
}

impl Channel {
    /// Returns the channel of those who are in a call.
    #[must_use]
    pub fn call(realm: &RealmId, call: &str) -> Self {
        Self { realm: realm.clone(), name: call.to_owned() }
    }

    /// Returns the realm that the channel is in.
    #[must_use]
    pub const fn realm(&self) -> &RealmId {
        &self.realm
    }

    /// Returns the name that its constructor was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
