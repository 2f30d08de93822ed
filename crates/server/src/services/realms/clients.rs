//! What clients and rtcd's admin do: register, log in, unregister.

use std::sync::Arc;

use backend::{NewRealmToken, Outcome, RealmRecord, StoreError};
use identity::{BadRealmKey, KeyHash, RealmId, Secret, check_realm_key, hash_realm_token, mint_realm_token};

use super::{
    ADMIN, BUSY, Caller, LoginRefused, NotBelieved, Realms, RegisterRefused, Registration, Unproven,
    UnregisterRefused, shown,
};
use crate::ambient::{now, random};
use crate::audit::{Act, entry};
use crate::http::limits::Action;
use crate::http::peer::Peer;
use crate::services::{Refusal, accounts};

/// Longest id, in bytes: what rtcd's store takes.
const LONGEST_ID: usize = 64;

/// Who may register somebody.
#[derive(Debug, Clone)]
pub struct Registrar {
    /// As the audit record names it; empty for whoever can reach the server.
    pub(super) actor: String,
}

impl Realms {
    /// Believes somebody who wants to register a client: anybody when self-registration is on, otherwise the admin alone.
    ///
    /// # Errors
    /// `NotBelieved`, `NotTheAdmin`, `TooMany`.
    pub async fn registrar(
        &self,
        authorization: Option<&[u8]>,
        from: Peer,
    ) -> Result<Registrar, RegisterRefused> {
        if self.rules.registration == Registration::Open {
            return match self.limits.check(Action::Register, from) {
                Err(Refusal::Busy { retry_after }) => Err(RegisterRefused::TooMany { retry_after }),
                _ => Ok(Registrar { actor: String::new() }),
            };
        }
        let caller = self.caller(authorization, from).await.map_err(RegisterRefused::NotBelieved)?;
        match caller.grant().map(accounts::actor) {
            None => Ok(Registrar { actor: ADMIN.to_owned() }),
            Some(actor) => {
                self.audit.counted(Act::by(&actor, "realm.register", "", from), Outcome::Refused);
                Err(RegisterRefused::NotTheAdmin)
            }
        }
    }

    /// Registers a client.
    ///
    /// # Errors
    /// As [`RegisterRefused`] says; of several faults the one that rtcd would name.
    pub async fn register(
        &self,
        registrar: &Registrar,
        id: String,
        key: Secret,
        from: Peer,
    ) -> Result<RealmId, RegisterRefused> {
        let too_long = match check_realm_key(&key) {
            Err(BadRealmKey::TooShort) => return Err(RegisterRefused::KeyTooShort),
            Err(BadRealmKey::TooLong) => true,
            Ok(()) => false,
        };
        if id.is_empty() {
            return Err(RegisterRefused::EmptyId);
        }
        let realm = RealmId::new(id);
        let subject = shown(&realm);
        let act = Act::by(&registrar.actor, "realm.register", &subject, from);
        if self.store.realm(&realm).await.map_err(unavailable)?.is_some() {
            self.audit.counted(act, Outcome::Refused);
            return Err(RegisterRefused::Taken);
        }
        if too_long {
            return Err(RegisterRefused::KeyTooLong);
        }
        if realm.as_str().len() > LONGEST_ID {
            return Err(RegisterRefused::IdTooLong);
        }
        let kept = self.hash(&realm, &key, from).await?;
        let record = RealmRecord { id: realm.clone(), key: kept, created_at: now() };
        let act = entry(act);
        let refused = |_: &StoreError| self.audit.refused(&act);
        self.store.register_realm(&record, &act).await.inspect_err(refused).map_err(unavailable)?;
        self.proven.learn(&realm, &kept, &key);
        tracing::info!(realm = subject, %from, "a client was registered");
        Ok(realm)
    }

    async fn hash(&self, realm: &RealmId, key: &Secret, from: Peer) -> Result<KeyHash, RegisterRefused> {
        let salt = random().map_err(|_| RegisterRefused::Unavailable)?;
        let key = key.clone();
        let work = move || KeyHash::of(&key, salt);
        let standing = self.late.standing(from.block());
        match self.desk.run(standing, from.block(), realm, work).await {
            Ok(Ok(kept)) => Ok(kept),
            Ok(Err(BadRealmKey::TooShort)) => Err(RegisterRefused::KeyTooShort),
            Ok(Err(BadRealmKey::TooLong)) => Err(RegisterRefused::KeyTooLong),
            Err(_) => Err(RegisterRefused::TooMany { retry_after: BUSY }),
        }
    }

    /// Gives a client a bearer token for its key; the one that it had is good no more.
    ///
    /// # Errors
    /// As [`LoginRefused`] says.
    pub async fn log_in(&self, id: String, key: &Secret, from: Peer) -> Result<Secret, LoginRefused> {
        if id.is_empty() {
            return Err(match self.stranger("realm.login", NotBelieved::Nameless, from) {
                NotBelieved::TooMany { retry_after } => LoginRefused::TooMany { retry_after },
                _ => LoginRefused::EmptyId,
            });
        }
        let realm = RealmId::new(id);
        let record = self.check(&realm, key, from, "realm.login").await?;
        let token = mint_realm_token(random().map_err(|_| LoginRefused::Unavailable)?);
        let kept = NewRealmToken {
            hash: hash_realm_token(&token).map_err(|_| LoginRefused::Unavailable)?,
            realm,
            key: record.key,
            expires_at: now().saturating_add(self.rules.token_good_for),
        };
        let name = shown(&kept.realm);
        match self.store.put_realm_token(&kept, &entry(Act::by(&name, "realm.login", &name, from))).await {
            Ok(()) => Ok(token),
            Err(StoreError::NotFound) => Err(LoginRefused::Unknown),
            Err(error) => {
                let _ = super::not_available(error);
                Err(LoginRefused::Unavailable)
            }
        }
    }

    /// Whether somebody may be unregistered at all by rtcd's own request.
    ///
    /// # Errors
    /// `NotEnabled`.
    pub fn may_unregister(&self) -> Result<(), UnregisterRefused> {
        if self.rules.admin_key.is_none() && self.rules.registration == Registration::AdminOnly {
            return Err(UnregisterRefused::NotEnabled);
        }
        Ok(())
    }

    /// Unregisters a client: itself, or any by the admin. Its token, and whoever was believed as it, end at once.
    ///
    /// # Errors
    /// As [`UnregisterRefused`] says.
    pub async fn unregister(&self, caller: &Caller, id: String, from: Peer) -> Result<(), UnregisterRefused> {
        if id.is_empty() {
            return Err(UnregisterRefused::EmptyId);
        }
        let realm = RealmId::new(id);
        let actor = caller.grant().map_or_else(|| ADMIN.to_owned(), accounts::actor);
        if caller.realm().is_some_and(|own| *own != realm) {
            self.audit.counted(Act::by(&actor, "realm.unregister", "", from), Outcome::Refused);
            return Err(UnregisterRefused::NotItself);
        }
        match self.forget(&realm, &actor, from).await {
            Ok(()) => Ok(()),
            Err(StoreError::NotFound) => Err(UnregisterRefused::Unknown),
            Err(error) => {
                let _ = super::not_available(error);
                Err(UnregisterRefused::Unavailable)
            }
        }
    }

    /// Forgets a client in the store, and then everywhere; to the end, even when the asker goes away meanwhile.
    pub(super) async fn forget(&self, realm: &RealmId, actor: &str, from: Peer) -> Result<(), StoreError> {
        let subject = shown(realm);
        let act = entry(Act::by(actor, "realm.unregister", &subject, from));
        let (store, audit, realm) = (self.store.clone(), self.audit.clone(), realm.clone());
        let (proven, registered) = (Arc::clone(&self.proven), Arc::clone(&self.registered));
        let forgetting = tokio::spawn(async move {
            store.unregister_realm(&realm, &act).await.inspect_err(|_| audit.refused(&act))?;
            proven.forget(&realm);
            registered.end(&realm);
            tracing::info!(realm = subject, %from, "a client was unregistered");
            Ok(())
        });
        forgetting.await.unwrap_or_else(|failed| Err(StoreError::Unavailable(failed.to_string())))
    }
}

fn unavailable(error: StoreError) -> RegisterRefused {
    if error == StoreError::Conflict {
        return RegisterRefused::Taken;
    }
    let _ = super::not_available(error);
    RegisterRefused::Unavailable
}

impl From<Unproven> for LoginRefused {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Unknown => Self::Unknown,
            Unproven::WrongKey => Self::WrongKey,
            Unproven::TooMany(retry_after) => Self::TooMany { retry_after },
            Unproven::Unavailable => Self::Unavailable,
        }
    }
}
