//! Tokens that open the console: one-time sign-in links, and the sessions they are exchanged for.

use sqlx::{Any, Transaction};

use identity::{Grant, Permission, Permissions, Principal, TokenHash, TokenRecord, UnixMillis, UserId};

use super::column::{parsed, stored, text, time};
use super::{AuditEntry, Store, StoreError, audit};

/// What a console token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsoleKind {
    /// A one-time link.
    SignIn,
    /// An operator's session.
    Console,
}

impl ConsoleKind {
    const fn text(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Console => "console",
        }
    }
}

/// A console token to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConsoleToken {
    /// The hash of the token.
    pub hash: TokenHash,
    /// What it is good for.
    pub kind: ConsoleKind,
    /// Whom it signs in.
    pub operator: UserId,
    /// When it is made; tokens that have expired by then are forgotten.
    pub created_at: UnixMillis,
    /// The first moment at which it is refused.
    pub expires_at: UnixMillis,
}

impl Store {
    /// Keeps a token.
    ///
    /// # Errors
    /// `Conflict` when the hash is taken, `Unavailable`.
    pub async fn put_console_token(
        &self,
        token: &NewConsoleToken,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        insert(&mut change, token).await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Returns the token of this kind with this hash, also one that has expired: the caller verifies it. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn find_console_token(
        &self,
        kind: ConsoleKind,
        hash: &TokenHash,
    ) -> Result<Option<TokenRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT token_hash, operator, expires_at FROM console_tokens WHERE token_hash = $1 AND kind = $2",
        )
        .bind(hash.to_hex())
        .bind(kind.text())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let operator = Principal::operator(UserId::new(text(&row, "operator")?));
        let permissions = Permissions::NONE.with(Permission::ManageRealm);
        Ok(Some(TokenRecord {
            hash: parsed(&row, "token_hash")?,
            grant: Grant::new(operator, permissions, time(&row, "expires_at")?),
            revoked: None,
        }))
    }

    /// Exchanges a sign-in link for a token, once: of several exchanges of one link one succeeds.
    ///
    /// # Errors
    /// `NotFound` when the link is unknown, used or expired at the time the token is made, `Conflict`, `Unavailable`.
    pub async fn exchange_sign_in(
        &self,
        link: &TokenHash,
        token: &NewConsoleToken,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let taken = sqlx::query(
            "DELETE FROM console_tokens WHERE token_hash = $1 AND kind = $2 AND operator = $3 AND expires_at > $4",
        )
        .bind(link.to_hex())
        .bind(ConsoleKind::SignIn.text())
        .bind(token.operator.as_str())
        .bind(stored(token.created_at.0))
        .execute(&mut *change)
        .await?;
        if taken.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        insert(&mut change, token).await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Forgets a token.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_console_token(&self, hash: &TokenHash, entry: &AuditEntry) -> Result<(), StoreError> {
        let deleted = sqlx::query("DELETE FROM console_tokens WHERE token_hash = $1").bind(hash.to_hex());
        self.change_one(deleted, entry).await
    }
}

async fn insert(change: &mut Transaction<'static, Any>, token: &NewConsoleToken) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM console_tokens WHERE expires_at <= $1")
        .bind(stored(token.created_at.0))
        .execute(&mut **change)
        .await?;
    sqlx::query(
        "INSERT INTO console_tokens (token_hash, kind, operator, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(token.hash.to_hex())
    .bind(token.kind.text())
    .bind(token.operator.as_str())
    .bind(stored(token.created_at.0))
    .bind(stored(token.expires_at.0))
    .execute(&mut **change)
    .await?;
    Ok(())
}
