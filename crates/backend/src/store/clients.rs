//! Clients of verto channels: found for a login, entered, left, revoked, and forgotten when nobody has used them for long.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use identity::{
    ChannelId, ChannelRules, ClientId, ClientRecord, PasswordLife, Secret, SessionName, TokenHash, UnixMillis,
};

use super::column::{malformed, optional, optional_time, parsed, stored, text, time};
use super::{AuditEntry, Store, StoreError, audit, channels};

/// A client as its operator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedClient {
    /// Who.
    pub id: ClientId,
    /// Since when.
    pub created_at: UnixMillis,
}

/// What a client does with a password that was believed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who.
    pub client: ClientId,
    /// The hash of the password.
    pub password: TokenHash,
    /// The session id of the connection.
    pub sessid: Secret,
    /// Tells this connection from the client's others; of one process.
    pub ticket: u64,
    /// When.
    pub at: UnixMillis,
}

/// A connection of a client that is gone.
#[derive(Debug, Clone, Copy)]
pub struct Leaving {
    /// Whose.
    pub client: ClientId,
    /// Of which [`Entry`].
    pub ticket: u64,
    /// When.
    pub at: UnixMillis,
}

impl Store {
    /// Returns a client that is not revoked, with what is set for its channel. Asks the same of the database whether there is one or not, so
    /// that the time does not tell. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn client(&self, client: ClientId) -> Result<Option<(ClientRecord, ChannelRules)>, StoreError> {
        let row = sqlx::query(
            "SELECT k.client_id, k.session_id, k.visitor_hash, k.proof_key, p.password_hash, p.issued_at, p.sessid, p.dropped_at,
                 c.channel_id, c.topic, c.admission, c.capacity, c.cookie_binding, c.sessid_policy, c.content, c.delivery
             FROM channel_clients k JOIN client_passwords p ON p.client_id = k.client_id
                 JOIN channels c ON c.channel_id = k.channel_id
             WHERE k.client_id = $1 AND k.revoked_at IS NULL",
        )
        .bind(client.to_string())
        .fetch_optional(&self.readers)
        .await?;
        let origins = sqlx::query(
            "SELECT o.origin FROM channel_clients k JOIN channel_origins o ON o.channel_id = k.channel_id
             WHERE k.client_id = $1 ORDER BY o.place",
        )
        .bind(client.to_string())
        .fetch_all(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let origins = origins.iter().map(|row| text(row, "origin")).collect::<Result<_, _>>()?;
        Ok(Some((read(&row)?, channels::rules(&row, origins)?)))
    }

    /// Returns the channel of the client that has this session, also of a revoked one. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn channel_of_session(&self, session: &SessionName) -> Result<Option<ChannelId>, StoreError> {
        let row = sqlx::query("SELECT channel_id FROM channel_clients WHERE session_id = $1")
            .bind(session.expose())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(|row| parsed(row, "channel_id")).transpose()
    }

    /// Returns the client that a visitor has in a channel without a name for its session. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn nameless_client(
        &self,
        channel: ChannelId,
        visitor: &TokenHash,
    ) -> Result<Option<ClientId>, StoreError> {
        let row = sqlx::query(
            "SELECT client_id FROM channel_clients WHERE channel_id = $1 AND visitor_hash = $2
                 AND session_id = client_id AND revoked_at IS NULL ORDER BY seq LIMIT 1",
        )
        .bind(channel.to_string())
        .bind(visitor.to_hex())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(|row| parsed(row, "client_id")).transpose()
    }

    /// Returns whether this visitor has anything of any channel. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn knows_visitor(&self, visitor: &TokenHash) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM visitors WHERE visitor_hash = $1")
            .bind(visitor.to_hex())
            .fetch_optional(&self.readers)
            .await?;
        Ok(found.is_some())
    }

    /// Returns the clients of a channel that are not revoked, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn clients_of(&self, channel: ChannelId) -> Result<Vec<ListedClient>, StoreError> {
        let rows = sqlx::query(
            "SELECT client_id, created_at FROM channel_clients WHERE channel_id = $1 AND revoked_at IS NULL ORDER BY seq",
        )
        .bind(channel.to_string())
        .fetch_all(&self.readers)
        .await?;
        let listed = |row: &AnyRow| {
            Ok(ListedClient { id: parsed(row, "client_id")?, created_at: time(row, "created_at")? })
        };
        rows.iter().map(listed).collect()
    }

    /// Returns whether a channel has this client, which has entered it before and is not revoked. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn has_entered(&self, channel: ChannelId, client: ClientId) -> Result<bool, StoreError> {
        let found = sqlx::query(
            "SELECT 1 FROM channel_clients
             WHERE client_id = $1 AND channel_id = $2 AND entered_at IS NOT NULL AND revoked_at IS NULL",
        )
        .bind(client.to_string())
        .bind(channel.to_string())
        .fetch_optional(&self.readers)
        .await?;
        Ok(found.is_some())
    }

    /// Leases a password to a connection; the one that had it before has it no more.
    ///
    /// # Errors
    /// `NotFound` when the client is revoked or has another password by now, `Unavailable`.
    pub async fn enter_client(&self, entry: &Entry, line: &AuditEntry) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let leased = sqlx::query(
            "UPDATE client_passwords SET sessid = $1, dropped_at = NULL, ticket = $2
             WHERE client_id = $3 AND password_hash = $4",
        )
        .bind(entry.sessid.expose())
        .bind(stored(entry.ticket))
        .bind(entry.client.to_string())
        .bind(entry.password.to_hex())
        .execute(&mut *change)
        .await?;
        if leased.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        sqlx::query(
            "UPDATE channel_clients SET seen_at = $1, entered_at = COALESCE(entered_at, $1) WHERE client_id = $2",
        )
        .bind(stored(entry.at.0))
        .bind(entry.client.to_string())
        .execute(&mut *change)
        .await?;
        sqlx::query(
            "UPDATE channels SET used_at = $1
             WHERE channel_id = (SELECT channel_id FROM channel_clients WHERE client_id = $2)",
        )
        .bind(stored(entry.at.0))
        .bind(entry.client.to_string())
        .execute(&mut *change)
        .await?;
        audit::append(&mut change, line).await?;
        Ok(change.commit().await?)
    }

    /// Begins the end of leases, each unless another connection has it by now.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn leave_clients(&self, leavings: &[Leaving]) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        for Leaving { client, ticket, at } in leavings {
            let left = sqlx::query(
                "UPDATE client_passwords SET dropped_at = $1 WHERE client_id = $2 AND ticket = $3 AND dropped_at IS NULL",
            )
            .bind(stored(at.0))
            .bind(client.to_string())
            .bind(stored(*ticket))
            .execute(&mut *change)
            .await?;
            if left.rows_affected() > 0 {
                sqlx::query("UPDATE channel_clients SET seen_at = $1 WHERE client_id = $2")
                    .bind(stored(at.0))
                    .bind(client.to_string())
                    .execute(&mut *change)
                    .await?;
            }
        }
        Ok(change.commit().await?)
    }

    /// Begins the end of every lease that a connection of an earlier process has.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn leave_all_clients(&self, at: UnixMillis) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query(
            "UPDATE client_passwords SET dropped_at = $1 WHERE sessid IS NOT NULL AND dropped_at IS NULL",
        )
        .bind(stored(at.0))
        .execute(&mut *change)
        .await?;
        Ok(change.commit().await?)
    }

    /// Revokes a client: its password and its session are dead, and its visitor gets no other in this channel.
    ///
    /// # Errors
    /// `NotFound` when the channel has no such client, or it is revoked already; `Unavailable`.
    pub async fn revoke_client(
        &self,
        channel: ChannelId,
        client: ClientId,
        at: UnixMillis,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let revoked = sqlx::query(
            "UPDATE channel_clients SET revoked_at = $1, seen_at = $1
             WHERE client_id = $2 AND channel_id = $3 AND revoked_at IS NULL",
        )
        .bind(stored(at.0))
        .bind(client.to_string())
        .bind(channel.to_string())
        .execute(&mut *change)
        .await?;
        if revoked.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        sqlx::query("DELETE FROM client_passwords WHERE client_id = $1")
            .bind(client.to_string())
            .execute(&mut *change)
            .await?;
        sqlx::query(
            "INSERT INTO channel_bars (channel_id, visitor_hash)
             SELECT channel_id, visitor_hash FROM channel_clients WHERE client_id = $1 AND visitor_hash IS NOT NULL
             ON CONFLICT DO NOTHING",
        )
        .bind(client.to_string())
        .execute(&mut *change)
        .await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Forgets the clients that are not connected and that nobody has used since `unused_since`, then the visitors who have nothing left.
    /// Returns how many clients they were.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn forget_idle_clients(&self, unused_since: UnixMillis) -> Result<u64, StoreError> {
        let mut change = self.write().await?;
        let forgotten = sqlx::query(
            "DELETE FROM channel_clients WHERE seen_at < $1 AND NOT EXISTS (
                 SELECT 1 FROM client_passwords p
                 WHERE p.client_id = channel_clients.client_id AND p.sessid IS NOT NULL AND p.dropped_at IS NULL)",
        )
        .bind(stored(unused_since.0))
        .execute(&mut *change)
        .await?;
        forget_visitors(&mut change).await?;
        change.commit().await?;
        Ok(forgotten.rows_affected())
    }

    /// Forgets the channels that nobody has used since `unused_since`, with nobody in them; returns which.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn forget_idle_channels(
        &self,
        unused_since: UnixMillis,
        entry: impl Fn(ChannelId) -> AuditEntry + Send,
    ) -> Result<Vec<ChannelId>, StoreError> {
        let mut change = self.write().await?;
        let rows = sqlx::query(
            "DELETE FROM channels WHERE used_at < $1 AND NOT EXISTS (
                 SELECT 1 FROM channel_clients k JOIN client_passwords p ON p.client_id = k.client_id
                 WHERE k.channel_id = channels.channel_id AND p.sessid IS NOT NULL AND p.dropped_at IS NULL)
             RETURNING channel_id",
        )
        .bind(stored(unused_since.0))
        .fetch_all(&mut *change)
        .await?;
        let forgotten = rows.iter().map(|row| parsed(row, "channel_id")).collect::<Result<Vec<_>, _>>()?;
        for channel in &forgotten {
            audit::append(&mut change, &entry(*channel)).await?;
        }
        forget_visitors(&mut change).await?;
        change.commit().await?;
        Ok(forgotten)
    }
}

async fn forget_visitors(change: &mut Transaction<'static, Any>) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM visitors
         WHERE NOT EXISTS (SELECT 1 FROM channel_clients k WHERE k.visitor_hash = visitors.visitor_hash)
           AND NOT EXISTS (SELECT 1 FROM channel_admissions a WHERE a.visitor_hash = visitors.visitor_hash)
           AND NOT EXISTS (SELECT 1 FROM channel_bars b WHERE b.visitor_hash = visitors.visitor_hash)",
    )
    .execute(&mut **change)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<ClientRecord, StoreError> {
    Ok(ClientRecord {
        id: parsed(row, "client_id")?,
        channel: parsed(row, "channel_id")?,
        session: SessionName::parse(&text(row, "session_id")?).map_err(|_| malformed("session_id"))?,
        visitor: optional(row, "visitor_hash")?,
        proof_key: optional(row, "proof_key")?,
        password: parsed(row, "password_hash")?,
        life: PasswordLife {
            issued: time(row, "issued_at")?,
            sessid: row.try_get::<Option<String>, _>("sessid")?.map(Secret::new),
            dropped: optional_time(row, "dropped_at")?,
        },
    })
}
