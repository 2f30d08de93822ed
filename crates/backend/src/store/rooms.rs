//! Rooms as operators made them; who is in them at this moment is the hub's matter.

use sqlx::any::AnyRow;

use identity::{RoomKey, SessionId, UnixMillis};

use super::column::{optional_time, parsed, stored, text, time};
use super::{AuditEntry, Store, StoreError, audit, sessions};

/// A room to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// Its id, drawn at random by the caller.
    pub id: RoomKey,
    /// The name that people see.
    pub name: String,
    /// When it is made.
    pub created_at: UnixMillis,
}

/// A stored room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// Its id.
    pub id: RoomKey,
    /// The name that people see.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was ended, if it was.
    pub ended_at: Option<UnixMillis>,
}

impl Store {
    /// Makes a room.
    ///
    /// # Errors
    /// `Conflict` when the id is taken, `Unavailable`.
    pub async fn create_room(&self, room: &NewRoom, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query("INSERT INTO rooms (room_id, name, created_at) VALUES ($1, $2, $3)")
            .bind(room.id.to_string())
            .bind(room.name.as_str())
            .bind(stored(room.created_at.0))
            .execute(&mut *change)
            .await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Returns a room, also one that has ended.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn room(&self, room: RoomKey) -> Result<Option<RoomRecord>, StoreError> {
        sqlx::query("SELECT room_id, name, created_at, ended_at FROM rooms WHERE room_id = $1")
            .bind(room.to_string())
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// Returns the rooms that have not ended, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT room_id, name, created_at, ended_at FROM rooms WHERE ended_at IS NULL
             ORDER BY created_at DESC, room_id",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Ends a room: from then on its invites are refused and its sessions, which this returns, are revoked.
    ///
    /// # Errors
    /// `NotFound` when there is no such room or it has ended already, `Unavailable`.
    pub async fn end_room(
        &self,
        room: RoomKey,
        now: UnixMillis,
        entry: &AuditEntry,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut change = self.write().await?;
        let ended = sqlx::query("UPDATE rooms SET ended_at = $1 WHERE room_id = $2 AND ended_at IS NULL")
            .bind(stored(now.0))
            .bind(room.to_string())
            .execute(&mut *change)
            .await?;
        if ended.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        let revoked = sqlx::query(
            "UPDATE sessions SET revoked_at = $1 WHERE room_id = $2 AND revoked_at IS NULL RETURNING session_id",
        )
        .bind(stored(now.0))
        .bind(room.to_string())
        .fetch_all(&mut *change)
        .await?;
        let revoked = sessions::ids(&revoked)?;
        audit::append(&mut change, entry).await?;
        change.commit().await?;
        Ok(revoked)
    }
}

fn read(row: &AnyRow) -> Result<RoomRecord, StoreError> {
    Ok(RoomRecord {
        id: parsed(row, "room_id")?,
        name: text(row, "name")?,
        created_at: time(row, "created_at")?,
        ended_at: optional_time(row, "ended_at")?,
    })
}
