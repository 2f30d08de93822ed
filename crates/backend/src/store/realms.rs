//! Tenants that host calls, with what their keys and tokens are verified against.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use identity::{
    Grant, KeyHash, Permission, Permissions, Principal, RealmId, TokenHash, TokenRecord, UnixMillis,
};

use super::column::{parsed, stored, text, time};
use super::{AuditEntry, Store, StoreError, audit};

/// A stored realm, and one to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmRecord {
    /// Its id, chosen by its operator.
    pub id: RealmId,
    /// The hash of its key.
    pub key: KeyHash,
    /// When it was registered.
    pub created_at: UnixMillis,
}

/// A bearer token to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRealmToken {
    /// Whose it is.
    pub realm: RealmId,
    /// The hash of the key that it was given for.
    pub key: KeyHash,
    /// The hash of the token.
    pub hash: TokenHash,
    /// The first moment at which it is refused.
    pub expires_at: UnixMillis,
}

impl Store {
    /// Registers a realm: of several at once with one id one succeeds.
    ///
    /// # Errors
    /// `Conflict` when the id is taken, `Unavailable`.
    pub async fn register_realm(&self, realm: &RealmRecord, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        if insert(&mut change, realm).await? == 0 {
            return Err(StoreError::Conflict);
        }
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Registers those of the realms whose ids are not taken, all in one change; returns how many they were.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn import_realms(
        &self,
        realms: &[RealmRecord],
        entry: &AuditEntry,
    ) -> Result<usize, StoreError> {
        let (mut change, mut registered) = (self.write().await?, 0);
        for realm in realms {
            registered += usize::from(insert(&mut change, realm).await? > 0);
        }
        audit::append(&mut change, entry).await?;
        change.commit().await?;
        Ok(registered)
    }

    /// Returns a realm. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn realm(&self, realm: &RealmId) -> Result<Option<RealmRecord>, StoreError> {
        sqlx::query("SELECT realm_id, key_hash, created_at FROM realms WHERE realm_id = $1")
            .bind(realm.as_str())
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// Returns all realms in the order of their ids.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn realms(&self) -> Result<Vec<RealmRecord>, StoreError> {
        let rows = sqlx::query("SELECT realm_id, key_hash, created_at FROM realms ORDER BY realm_id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Forgets a realm and its token.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn unregister_realm(&self, realm: &RealmId, entry: &AuditEntry) -> Result<(), StoreError> {
        let deleted = sqlx::query("DELETE FROM realms WHERE realm_id = $1").bind(realm.as_str());
        self.change_one(deleted, entry).await
    }

    /// Keeps a token in the place of the one that its realm had.
    ///
    /// # Errors
    /// `NotFound` when the realm is not there or has another key by now, `Conflict` when the hash is another realm's, `Unavailable`.
    pub async fn put_realm_token(&self, token: &NewRealmToken, entry: &AuditEntry) -> Result<(), StoreError> {
        let kept = sqlx::query(
            "INSERT INTO realm_tokens (realm_id, token_hash, expires_at)
             SELECT realm_id, $1, $2 FROM realms WHERE realm_id = $3 AND key_hash = $4
             ON CONFLICT (realm_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at",
        )
        .bind(token.hash.to_hex())
        .bind(stored(token.expires_at.0))
        .bind(token.realm.as_str())
        .bind(token.key.to_string());
        self.change_one(kept, entry).await
    }

    /// Returns the token with this hash, also one that has expired: the caller verifies it. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn realm_token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        let row =
            sqlx::query("SELECT realm_id, token_hash, expires_at FROM realm_tokens WHERE token_hash = $1")
                .bind(hash.to_hex())
                .fetch_optional(&self.readers)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let service = Principal::service(RealmId::new(text(&row, "realm_id")?));
        let permissions = Permissions::NONE.with(Permission::HostCalls);
        Ok(Some(TokenRecord {
            hash: parsed(&row, "token_hash")?,
            grant: Grant::new(service, permissions, time(&row, "expires_at")?),
            revoked: None,
        }))
    }
}

async fn insert(change: &mut Transaction<'static, Any>, realm: &RealmRecord) -> Result<u64, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO realms (realm_id, key_hash, created_at) VALUES ($1, $2, $3) ON CONFLICT (realm_id) DO NOTHING",
    )
    .bind(realm.id.as_str())
    .bind(realm.key.to_string())
    .bind(stored(realm.created_at.0))
    .execute(&mut **change)
    .await?;
    Ok(inserted.rows_affected())
}

fn read(row: &AnyRow) -> Result<RealmRecord, StoreError> {
    Ok(RealmRecord {
        id: RealmId::new(text(row, "realm_id")?),
        key: parsed(row, "key_hash")?,
        created_at: time(row, "created_at")?,
    })
}
