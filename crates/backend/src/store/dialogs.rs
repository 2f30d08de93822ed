//! Which clients of verto channels have agreed to call each other.

use sqlx::any::AnyRow;

use identity::{ChannelId, ClientId, UnixMillis};

use super::column::{parsed, stored, text, time};
use super::{Store, StoreError};

/// Two clients that have agreed to call each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogRecord {
    /// The two, in whatever order.
    pub sides: [DialogSide; 2],
    /// When they agreed.
    pub agreed_at: UnixMillis,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogSide {
    /// Who.
    pub client: ClientId,
    /// The fingerprints that it named first; none of them has a line feed in it.
    pub pinned: Vec<String>,
}

impl Store {
    /// Keeps a dialog as it is now.
    ///
    /// # Errors
    /// `Unavailable`, also when one of the clients is forgotten.
    pub async fn keep_dialog(&self, dialog: &DialogRecord) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let mut sides = dialog.sides.clone();
        sides.sort();
        let [smaller, larger] = sides;
        sqlx::query(
            "INSERT INTO channel_dialogs (smaller, larger, smaller_pinned, larger_pinned, agreed_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (smaller, larger) DO UPDATE SET smaller_pinned = $3, larger_pinned = $4, agreed_at = $5",
        )
        .bind(smaller.client.to_string())
        .bind(larger.client.to_string())
        .bind(smaller.pinned.join("\n"))
        .bind(larger.pinned.join("\n"))
        .bind(stored(dialog.agreed_at.0))
        .execute(&mut *change)
        .await?;
        Ok(change.commit().await?)
    }

    /// Forgets the dialog of two clients, if there is one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drop_dialog(&self, one: ClientId, other: ClientId) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query("DELETE FROM channel_dialogs WHERE smaller = $1 AND larger = $2")
            .bind(one.min(other).to_string())
            .bind(one.max(other).to_string())
            .execute(&mut *change)
            .await?;
        Ok(change.commit().await?)
    }

    /// Returns the dialogs of clients that are not revoked, with their channel, oldest first. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn dialogs(&self) -> Result<Vec<(ChannelId, DialogRecord)>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.channel_id, d.smaller, d.larger, d.smaller_pinned, d.larger_pinned, d.agreed_at
             FROM channel_dialogs d JOIN channel_clients s ON s.client_id = d.smaller JOIN channel_clients l ON l.client_id = d.larger
             WHERE s.revoked_at IS NULL AND l.revoked_at IS NULL ORDER BY d.agreed_at",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Forgets the dialogs that were agreed on before; returns how many they were.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn forget_dialogs(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let mut change = self.write().await?;
        let forgotten = sqlx::query("DELETE FROM channel_dialogs WHERE agreed_at < $1")
            .bind(stored(before.0))
            .execute(&mut *change)
            .await?;
        change.commit().await?;
        Ok(forgotten.rows_affected())
    }
}

fn read(row: &AnyRow) -> Result<(ChannelId, DialogRecord), StoreError> {
    let side = |client, pinned| {
        let pinned = text(row, pinned)?.lines().map(str::to_owned).collect();
        Ok::<_, StoreError>(DialogSide { client: parsed(row, client)?, pinned })
    };
    let sides = [side("smaller", "smaller_pinned")?, side("larger", "larger_pinned")?];
    Ok((parsed(row, "channel_id")?, DialogRecord { sides, agreed_at: time(row, "agreed_at")? }))
}
