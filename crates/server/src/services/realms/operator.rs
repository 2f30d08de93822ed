//! What the operator of this installation does with clients, from the console or the command line.

use backend::{RealmRecord, StoreError};
use identity::{Grant, RealmId, Secret, mint_realm_token};

use super::{Realms, RegisterRefused, Registrar, require};
use crate::ambient::random;
use crate::http::peer::Peer;
use crate::services::{Refusal, accounts};

impl Realms {
    /// Returns all clients in the order of their ids.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Unavailable`].
    pub async fn list(&self, grant: &Grant) -> Result<Vec<RealmRecord>, Refusal> {
        require(grant)?;
        Ok(self.store.realms().await?)
    }

    /// Registers a client with a key that is made here; nobody can read it afterwards.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::Conflict`] when the id is taken, [`Refusal::Malformed`], [`Refusal::Busy`],
    /// [`Refusal::Unavailable`].
    pub async fn register_as_operator(
        &self,
        grant: &Grant,
        id: String,
        from: Peer,
    ) -> Result<(RealmId, Secret), Refusal> {
        require(grant)?;
        let key = mint_realm_token(random()?);
        let registrar = Registrar { actor: accounts::actor(grant) };
        match self.register(&registrar, id, key.clone(), from).await {
            Ok(realm) => Ok((realm, key)),
            Err(RegisterRefused::Taken) => Err(Refusal::Conflict),
            Err(RegisterRefused::TooMany { retry_after }) => Err(Refusal::Busy { retry_after }),
            Err(RegisterRefused::EmptyId | RegisterRefused::IdTooLong) => {
                Err(Refusal::Malformed("realm_id: 1 to 64 bytes"))
            }
            Err(
                RegisterRefused::NotBelieved(_)
                | RegisterRefused::NotTheAdmin
                | RegisterRefused::KeyTooShort
                | RegisterRefused::KeyTooLong
                | RegisterRefused::Unavailable,
            ) => Err(Refusal::Unavailable),
        }
    }

    /// Unregisters a client; its token and its connections end.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn unregister_as_operator(
        &self,
        grant: &Grant,
        realm: &RealmId,
        from: Peer,
    ) -> Result<(), Refusal> {
        require(grant)?;
        self.forget(realm, &accounts::actor(grant), from).await.map_err(StoreError::into)
    }
}
