//! Tenants that host calls: who they are, what they show, and until when they are believed (rtcd's clients; `docs/faces/rtcd.md`).

mod caller;
mod clients;
mod desk;
mod operator;
mod proven;
mod refused;
mod registered;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use backend::{Outcome, RealmRecord, Store};
use identity::{
    Denied, Permission, RealmId, Secret, SessionId, hash_realm_token, verify_realm_key, verify_token,
};
use wire::rtcd::authorization::Authorization;

pub use caller::{Caller, NotBelieved};
pub use clients::Registrar;
pub use refused::{LoginRefused, RegisterRefused, UnregisterRefused};

use super::Refusal;
use crate::ambient::{now, random};
use crate::audit::{Act, Audit};
use crate::http::limits::{Action, Key, Limits};
use crate::http::peer::Peer;
use desk::Desk;
use proven::Proven;
use registered::{Ended, Late, Registered};

/// How long who finds everything busy should wait.
const BUSY: Duration = Duration::from_secs(1);
/// How the audit record names whoever shows the admin key.
const ADMIN: &str = "rtcd admin";

/// What holds for all tenants.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Opens the administration by rtcd's own requests, as the password of Basic with any name.
    pub admin_key: Option<Secret>,
    /// Who may register a client.
    pub registration: Registration,
    /// How long a bearer token is good.
    pub token_good_for: Duration,
}

/// Who may register a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Whoever can reach the server.
    Open,
    /// Who shows the admin key.
    AdminOnly,
}

impl Default for Rules {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { admin_key: None, registration: Registration::AdminOnly, token_good_for: day }
    }
}

/// Registers tenants, and believes them.
#[derive(Debug)]
pub struct Realms {
    store: Store,
    audit: Audit,
    limits: Arc<Limits>,
    rules: Rules,
    desk: Arc<Desk>,
    proven: Arc<Proven>,
    registered: Arc<Registered>,
    late: Late,
}

/// Why a client's key was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unproven {
    Unknown,
    WrongKey,
    TooMany(Duration),
    Unavailable,
}

/// The stages of a check, cheapest first: the key was right before (`proven`); it is hashed in turn (`desk`, `turns`); it is not good,
/// which is counted (`limits`), and answered differently when there were too many. A right key passes whatever others did before.
impl Realms {
    /// Makes the service. `ended` is told of every client that is registered no more, once whoever was believed as it has been.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the operating system has no chance to give.
    pub fn new(
        store: Store,
        audit: Audit,
        limits: Arc<Limits>,
        rules: Rules,
        ended: Ended,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            store,
            audit,
            limits,
            rules,
            desk: Desk::new(),
            proven: Arc::new(Proven::new(random()?)),
            registered: Arc::new(Registered::new(ended)),
            late: Late::default(),
        })
    }

    /// Believes what an `Authorization` header says: Basic with the key of a client or the admin's, or Bearer with a token of
    /// [`Realms::log_in`] (rtcd service/auth.go).
    ///
    /// # Errors
    /// As [`NotBelieved`] says. A right key is never refused because of others' failures.
    pub async fn caller(&self, authorization: Option<&[u8]>, from: Peer) -> Result<Caller, NotBelieved> {
        const ACTION: &str = "realm.authenticate";
        match authorization.and_then(Authorization::decode) {
            None => Err(self.stranger(ACTION, NotBelieved::NoCredential, from)),
            Some(Authorization::Bearer(token)) => self.by_token(&Secret::new(token.0), from).await,
            Some(Authorization::Basic { name, password }) => {
                // What is no UTF-8 cannot have been registered: it is checked like an unknown name, and a key that nobody has.
                let key = Secret::new(password.map_or_else(String::new, |password| password.0));
                if self.is_admin_key(&key) {
                    self.audit.counted(Act::by(ADMIN, ACTION, "", from), Outcome::Accepted);
                    return Ok(Caller::admin());
                }
                match name {
                    Some(name) if name.is_empty() => Err(self.stranger(ACTION, NotBelieved::Nameless, from)),
                    Some(name) => self.by_key(RealmId::new(name), &key, from).await,
                    None => self.by_key(RealmId::installation(), &Secret::new(""), from).await,
                }
            }
        }
    }

    fn is_admin_key(&self, key: &Secret) -> bool {
        self.rules.admin_key.as_ref().is_some_and(|admin| self.proven.same(admin, key))
    }

    async fn by_key(&self, realm: RealmId, key: &Secret, from: Peer) -> Result<Caller, NotBelieved> {
        let proven = self.check(&realm, key, from, "realm.authenticate").await?;
        // Who is unregistered after this look is told by `registered`, and who was before it is seen here.
        let registered = self.registered.subscribe(&realm);
        match self.store.realm(&realm).await {
            Ok(Some(record)) if record.key == proven.key => Ok(self.believed(realm, registered, from)),
            Ok(_) => Err(NotBelieved::WrongKey),
            Err(error) => Err(not_available(error)),
        }
    }

    async fn by_token(&self, token: &Secret, from: Peer) -> Result<Caller, NotBelieved> {
        const ACTION: &str = "realm.authenticate";
        let Ok(presented) = hash_realm_token(token) else {
            return Err(self.stranger(ACTION, NotBelieved::BadToken, from));
        };
        let record = self.store.realm_token(&presented).await.map_err(not_available)?;
        let realm = match verify_token(&presented, record.as_ref(), now()) {
            Ok(grant) => grant.principal().realm.clone(),
            Err(Denied::Expired) => return Err(self.stranger(ACTION, NotBelieved::ExpiredToken, from)),
            Err(_) => return Err(self.stranger(ACTION, NotBelieved::BadToken, from)),
        };
        let registered = self.registered.subscribe(&realm);
        let again = self.store.realm_token(&presented).await.map_err(not_available)?;
        if again == record { Ok(self.believed(realm, registered, from)) } else { Err(NotBelieved::BadToken) }
    }

    fn believed(&self, realm: RealmId, registered: registered::Receiver, from: Peer) -> Caller {
        let caller = Caller::of(realm, registered);
        let actor = caller.grant().map(super::accounts::actor).unwrap_or_default();
        self.audit.counted(Act::by(&actor, "realm.authenticate", &actor, from), Outcome::Accepted);
        caller
    }

    /// Checks the key of a client; the same work whether there is such a client or not.
    async fn check(
        &self,
        realm: &RealmId,
        key: &Secret,
        from: Peer,
        action: &'static str,
    ) -> Result<RealmRecord, Unproven> {
        let record = self.store.realm(realm).await.map_err(|error| {
            let _ = not_available(error);
            Unproven::Unavailable
        })?;
        if let Some(record) = &record
            && self.proven.knows(realm, &record.key, key)
        {
            return Ok(record.clone());
        }
        let kept = record.as_ref().map(|record| record.key);
        let (proven, id, shown) = (Arc::clone(&self.proven), realm.clone(), key.clone());
        let work = move || {
            // Perhaps another job of this client has proven it while this one waited.
            if kept.is_some_and(|kept| proven.knows(&id, &kept, &shown)) {
                return Ok(());
            }
            verify_realm_key(&shown, kept.as_ref())
        };
        let standing = self.late.standing(from.block());
        let done = self.desk.run(standing, from.block(), realm, work).await;
        match (done, record) {
            (Err(_), _) => Err(Unproven::TooMany(BUSY)),
            (Ok(Ok(())), Some(record)) => {
                self.proven.learn(realm, &record.key, key);
                Ok(record)
            }
            (Ok(_), record) => Err(self.unproven(realm, record.as_ref(), from, action)),
        }
    }

    /// Counts a failure with this client's id and of this address.
    fn unproven(
        &self,
        realm: &RealmId,
        record: Option<&RealmRecord>,
        from: Peer,
        action: &'static str,
    ) -> Unproven {
        // The record names registered clients only, never a text that a stranger wrote.
        let subject = record.map(|record| shown(&record.id)).unwrap_or_default();
        let reason = if record.is_some() { Denied::WrongSecret } else { Denied::Unknown };
        let act = Act { detail: &reason.to_string(), ..Act::by("", action, &subject, from) };
        self.audit.counted(act, Outcome::Refused);
        let of_id = self.limits.check(Action::RealmDenied, Key::Identity(SessionId::named(realm, "").0));
        if of_id.is_err() {
            // Whoever goes on with it waits behind those who have not failed: a right key is not held up by many addresses either.
            self.late.add(from);
        }
        match (self.failed(from), of_id) {
            (Some(wait), _) | (None, Err(Refusal::Busy { retry_after: wait })) => Unproven::TooMany(wait),
            (None, _) if record.is_some() => Unproven::WrongKey,
            (None, _) => Unproven::Unknown,
        }
    }

    /// Counts a failure that names no client; returns what to answer.
    fn stranger(&self, action: &'static str, not_believed: NotBelieved, from: Peer) -> NotBelieved {
        let reason = not_believed.to_string();
        self.audit.counted(Act { detail: &reason, ..Act::by("", action, "", from) }, Outcome::Refused);
        match self.failed(from) {
            Some(retry_after) => NotBelieved::TooMany { retry_after },
            None => not_believed,
        }
    }

    /// Counts a failure of this address; returns how long it has to wait when there were too many.
    fn failed(&self, from: Peer) -> Option<Duration> {
        match self.limits.check(Action::RealmDenied, from) {
            Err(Refusal::Busy { retry_after }) => {
                self.late.add(from);
                Some(retry_after)
            }
            _ => None,
        }
    }
}

impl From<Unproven> for NotBelieved {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Unknown | Unproven::WrongKey => Self::WrongKey,
            Unproven::TooMany(retry_after) => Self::TooMany { retry_after },
            Unproven::Unavailable => Self::Unavailable,
        }
    }
}

/// Tells the log; the caller learns only that it does not work.
fn not_available(error: backend::StoreError) -> NotBelieved {
    // The conversion writes the line.
    let _ = Refusal::from(error);
    NotBelieved::Unavailable
}

/// Returns how logs and the audit record name a realm: what its operator chose, without anything that could pass for something else.
pub(super) fn shown(realm: &RealmId) -> String {
    realm.as_str().escape_default().to_string()
}

fn require(grant: &identity::Grant) -> Result<(), Refusal> {
    Ok(grant.require(Permission::ManageRealm, &RealmId::installation(), now())?)
}
