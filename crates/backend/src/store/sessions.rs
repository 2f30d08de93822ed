//! Sessions that invites gave, with the keys they are bound to.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use identity::{
    Fingerprint, Grant, InviteId, ParticipantRecord, Principal, PublicKey, RoomKey, SessionId, TokenHash,
    TokenRecord, UnixMillis,
};

use super::column::{malformed, optional_time, parsed, stored, text, time};
use super::{AuditEntry, Redeemed, Store, StoreError};

/// A session to be made by redeeming an invite; room and permissions come from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Its id, drawn at random by the caller.
    pub id: SessionId,
    /// The hash of its token.
    pub token: TokenHash,
    /// The name that others see.
    pub name: String,
    /// The certificate that its media has to come from.
    pub fingerprint: Fingerprint,
    /// The key that has to sign its first messages.
    pub key: PublicKey,
    /// The first moment at which its token is refused.
    pub expires_at: UnixMillis,
}

/// A stored session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Its room.
    pub room: RoomKey,
    /// The name of that room.
    pub room_name: String,
    /// The invite it came by.
    pub invite: InviteId,
    /// The name that others see.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// What its token and its key are verified against; the grant in it is bound to its certificate.
    pub participant: ParticipantRecord,
}

impl Store {
    /// Returns the session with this token, also one that is revoked or has expired: the caller verifies it. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn session_by_token(&self, token: &TokenHash) -> Result<Option<SessionRecord>, StoreError> {
        sqlx::query(
            "SELECT s.session_id, s.room_id, r.name AS room_name, s.invite_id, s.token_hash, s.name, s.fingerprint,
                    s.public_key, s.permissions, s.created_at, s.expires_at, s.revoked_at
             FROM sessions s JOIN rooms r ON r.room_id = s.room_id WHERE s.token_hash = $1",
        )
        .bind(token.to_hex())
        .fetch_optional(&self.readers)
        .await?
        .as_ref()
        .map(read)
        .transpose()
    }

    /// Returns the sessions of a room that are neither revoked nor expired at `now`, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn sessions_of_room(
        &self,
        room: RoomKey,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.session_id, s.room_id, r.name AS room_name, s.invite_id, s.token_hash, s.name, s.fingerprint,
                    s.public_key, s.permissions, s.created_at, s.expires_at, s.revoked_at
             FROM sessions s JOIN rooms r ON r.room_id = s.room_id
             WHERE s.room_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2
             ORDER BY s.created_at, s.session_id",
        )
        .bind(room.to_string())
        .bind(stored(now.0))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Revokes a session of this room.
    ///
    /// # Errors
    /// `NotFound` when the room has no such session or it is revoked already, `Unavailable`.
    pub async fn revoke_session(
        &self,
        room: RoomKey,
        session: SessionId,
        now: UnixMillis,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let revoked = sqlx::query(
            "UPDATE sessions SET revoked_at = $1 WHERE session_id = $2 AND room_id = $3 AND revoked_at IS NULL",
        )
        .bind(stored(now.0))
        .bind(session.to_string())
        .bind(room.to_string());
        self.change_one(revoked, entry).await
    }
}

pub(super) async fn insert(
    change: &mut Transaction<'static, Any>,
    session: &NewSession,
    redeemed: &Redeemed,
    now: UnixMillis,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (session_id, room_id, invite_id, token_hash, name, fingerprint, public_key, permissions,
                               created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(session.id.to_string())
    .bind(redeemed.room.to_string())
    .bind(redeemed.invite.to_string())
    .bind(session.token.to_hex())
    .bind(session.name.as_str())
    .bind(session.fingerprint.to_string())
    .bind(session.key.to_string())
    .bind(redeemed.permissions.to_string())
    .bind(stored(now.0))
    .bind(stored(session.expires_at.0))
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Reads the ids that an UPDATE returned.
pub(super) fn ids(rows: &[AnyRow]) -> Result<Vec<SessionId>, StoreError> {
    rows.iter().map(|row| parsed(row, "session_id")).collect()
}

fn read(row: &AnyRow) -> Result<SessionRecord, StoreError> {
    let id = parsed(row, "session_id")?;
    let grant = Grant::new(Principal::guest(id), parsed(row, "permissions")?, time(row, "expires_at")?)
        .bind(parsed(row, "fingerprint")?);
    let token =
        TokenRecord { hash: parsed(row, "token_hash")?, grant, revoked: optional_time(row, "revoked_at")? };
    let key = PublicKey::parse(&text(row, "public_key")?).map_err(|_| malformed("public_key"))?;
    Ok(SessionRecord {
        id,
        room: parsed(row, "room_id")?,
        room_name: text(row, "room_name")?,
        invite: parsed(row, "invite_id")?,
        name: text(row, "name")?,
        created_at: time(row, "created_at")?,
        participant: ParticipantRecord { token, key },
    })
}
