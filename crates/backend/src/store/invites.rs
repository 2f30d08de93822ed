//! Invites, and the one step that turns an invite into a session.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use identity::{InviteId, Permissions, RoomKey, SessionId, TokenHash, UnixMillis};

use super::column::{number, optional_time, parsed, stored, text, time};
use super::{AuditEntry, NewSession, Store, StoreError, audit, sessions};

/// An invite to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvite {
    /// Its id, drawn at random by the caller.
    pub id: InviteId,
    /// The room it opens.
    pub room: RoomKey,
    /// The hash of its secret.
    pub token: TokenHash,
    /// How often it may be redeemed.
    pub uses: u32,
    /// What the sessions that come by it may do.
    pub permissions: Permissions,
    /// When it is made.
    pub created_at: UnixMillis,
    /// The first moment at which it is refused.
    pub expires_at: UnixMillis,
}

/// A stored invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteRecord {
    /// Its id.
    pub id: InviteId,
    /// The room it opens.
    pub room: RoomKey,
    /// How often it may be redeemed.
    pub uses: u32,
    /// How often it has been.
    pub used: u32,
    /// What the sessions that come by it may do.
    pub permissions: Permissions,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The first moment at which it is refused.
    pub expires_at: UnixMillis,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixMillis>,
}

/// What a redeemed invite gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// The invite.
    pub invite: InviteId,
    /// The room it opens.
    pub room: RoomKey,
    /// The name of that room.
    pub room_name: String,
    /// What the session may do.
    pub permissions: Permissions,
}

impl Store {
    /// Makes an invite.
    ///
    /// # Errors
    /// `NotFound` when there is no such room or it has ended, `Conflict` when the id or the hash is taken, `Unavailable`.
    pub async fn create_invite(&self, invite: &NewInvite, entry: &AuditEntry) -> Result<(), StoreError> {
        let made = sqlx::query(
            "INSERT INTO invites (invite_id, room_id, token_hash, uses, permissions, created_at, expires_at)
             SELECT $1, room_id, $2, $3, $4, $5, $6 FROM rooms WHERE room_id = $7 AND ended_at IS NULL",
        )
        .bind(invite.id.to_string())
        .bind(invite.token.to_hex())
        .bind(i64::from(invite.uses))
        .bind(invite.permissions.to_string())
        .bind(stored(invite.created_at.0))
        .bind(stored(invite.expires_at.0))
        .bind(invite.room.to_string());
        self.change_one(made, entry).await
    }

    /// Returns every invite of a room, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn invites_of(&self, room: RoomKey) -> Result<Vec<InviteRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT invite_id, room_id, uses, used, permissions, created_at, expires_at, revoked_at
             FROM invites WHERE room_id = $1 ORDER BY created_at DESC, invite_id",
        )
        .bind(room.to_string())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Revokes an invite of this room, and with it the sessions that came by it, which this returns. Revoking it again is no error,
    /// and changes no more than the audit record.
    ///
    /// # Errors
    /// `NotFound` when the room has no such invite, `Unavailable`.
    pub async fn revoke_invite(
        &self,
        room: RoomKey,
        invite: InviteId,
        now: UnixMillis,
        entry: &AuditEntry,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut change = self.write().await?;
        let found = sqlx::query(
            "UPDATE invites SET revoked_at = COALESCE(revoked_at, $1) WHERE invite_id = $2 AND room_id = $3",
        )
        .bind(stored(now.0))
        .bind(invite.to_string())
        .bind(room.to_string())
        .execute(&mut *change)
        .await?;
        if found.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        let revoked = sqlx::query(
            "UPDATE sessions SET revoked_at = $1 WHERE invite_id = $2 AND revoked_at IS NULL RETURNING session_id",
        )
        .bind(stored(now.0))
        .bind(invite.to_string())
        .fetch_all(&mut *change)
        .await?;
        let revoked = sessions::ids(&revoked)?;
        audit::append(&mut change, entry).await?;
        change.commit().await?;
        Ok(revoked)
    }

    /// Redeems an invite: one use less, and the session is there. `entry` writes the audit line of a success; a refusal leaves no
    /// trace here and is the caller's to record.
    ///
    /// `None`: unknown, expired, used up, revoked, or of an ended room. Which of them is not told, and all run the same statement.
    ///
    /// # Errors
    /// `Conflict` when the session's id or hash is taken (the invite then keeps its use), `Unavailable`.
    pub async fn redeem_invite(
        &self,
        invite: &TokenHash,
        session: &NewSession,
        now: UnixMillis,
        entry: impl FnOnce(&Redeemed) -> AuditEntry + Send,
    ) -> Result<Option<Redeemed>, StoreError> {
        let mut change = self.write().await?;
        let Some(redeemed) = take_use(&mut change, invite, now).await? else {
            change.rollback().await?;
            return Ok(None);
        };
        sessions::insert(&mut change, session, &redeemed, now).await?;
        audit::append(&mut change, &entry(&redeemed)).await?;
        change.commit().await?;
        Ok(Some(redeemed))
    }
}

const TAKE_USE: &str = "UPDATE invites SET used = used + 1
    WHERE token_hash = $1 AND used < uses AND expires_at > $2 AND revoked_at IS NULL
      AND EXISTS (SELECT 1 FROM rooms WHERE rooms.room_id = invites.room_id AND rooms.ended_at IS NULL)
    RETURNING invite_id, room_id, permissions, (SELECT name FROM rooms WHERE rooms.room_id = invites.room_id) AS name";

/// Takes one use of an invite that is good at `now`. One statement for every case, so that a refusal does not tell its reason by its cost.
async fn take_use(
    change: &mut Transaction<'static, Any>,
    invite: &TokenHash,
    now: UnixMillis,
) -> Result<Option<Redeemed>, StoreError> {
    let row =
        sqlx::query(TAKE_USE).bind(invite.to_hex()).bind(stored(now.0)).fetch_all(&mut **change).await?;
    let Some(row) = row.first() else { return Ok(None) };
    Ok(Some(Redeemed {
        invite: parsed(row, "invite_id")?,
        room: parsed(row, "room_id")?,
        room_name: text(row, "name")?,
        permissions: parsed(row, "permissions")?,
    }))
}

fn read(row: &AnyRow) -> Result<InviteRecord, StoreError> {
    Ok(InviteRecord {
        id: parsed(row, "invite_id")?,
        room: parsed(row, "room_id")?,
        uses: number(row, "uses")?,
        used: number(row, "used")?,
        permissions: parsed(row, "permissions")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    #[tokio::test]
    async fn redeeming_costs_the_same_however_many_rooms_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {TAKE_USE}");
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(&store.writer).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        assert!(!steps.is_empty() && steps.iter().all(|step| !step.starts_with("SCAN rooms")), "{steps:#?}");
    }
}
