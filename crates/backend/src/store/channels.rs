//! Verto channels: what their operators set, and their invitations.

use std::collections::BTreeMap;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Transaction};

use identity::{ChannelId, ChannelRules, TokenHash, UnixMillis};

use super::column::{number, parsed, stored, text, time};
use super::{AuditEntry, Store, StoreError, audit};

/// A stored channel, and one to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRecord {
    /// Its id.
    pub id: ChannelId,
    /// What its operator set.
    pub rules: ChannelRules,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// An invitation to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// Into which channel.
    pub channel: ChannelId,
    /// The hash of its secret.
    pub token: TokenHash,
    /// How many visitors it admits.
    pub uses: u32,
    /// When it is made.
    pub created_at: UnixMillis,
    /// The first moment at which it is refused.
    pub expires_at: UnixMillis,
}

const SELECT: &str = "SELECT channel_id, topic, admission, capacity, cookie_binding, sessid_policy, content, delivery, created_at
    FROM channels";

impl Store {
    /// Makes a channel.
    ///
    /// # Errors
    /// `Conflict` when the id is taken, `Unavailable`.
    pub async fn create_channel(
        &self,
        channel: &ChannelRecord,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let rules = &channel.rules;
        with_rules(
            "INSERT INTO channels (channel_id, topic, admission, capacity, cookie_binding, sessid_policy, content, delivery,
                created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            channel.id,
            rules,
        )
        .bind(stored(channel.created_at.0))
        .execute(&mut *change)
        .await?;
        put_origins(&mut change, channel.id, &rules.origins).await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Sets what holds for a channel from then on.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn change_channel(
        &self,
        channel: ChannelId,
        rules: &ChannelRules,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let changed = with_rules(
            "UPDATE channels SET topic = $2, admission = $3, capacity = $4, cookie_binding = $5, sessid_policy = $6,
                content = $7, delivery = $8 WHERE channel_id = $1",
            channel,
            rules,
        )
        .execute(&mut *change)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        sqlx::query("DELETE FROM channel_origins WHERE channel_id = $1")
            .bind(channel.to_string())
            .execute(&mut *change)
            .await?;
        put_origins(&mut change, channel, &rules.origins).await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Returns a channel. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn channel(&self, channel: ChannelId) -> Result<Option<ChannelRecord>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE channel_id = $1")))
            .bind(channel.to_string())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let origins = sqlx::query(
            "SELECT channel_id, origin FROM channel_origins WHERE channel_id = $1 ORDER BY place",
        )
        .bind(channel.to_string())
        .fetch_all(&self.readers)
        .await?;
        let origins = origins.iter().map(|row| text(row, "origin")).collect::<Result<_, _>>()?;
        read(&row, origins).map(Some)
    }

    /// Returns all channels, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn channels(&self) -> Result<Vec<ChannelRecord>, StoreError> {
        // One statement after the other: a channel that is gone in between has no origins left, which then nobody misses.
        let rows = sqlx::query("SELECT channel_id, origin FROM channel_origins ORDER BY channel_id, place")
            .fetch_all(&self.readers)
            .await?;
        let mut origins: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &rows {
            origins.entry(text(row, "channel_id")?).or_default().push(text(row, "origin")?);
        }
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY seq")))
            .fetch_all(&self.readers)
            .await?;
        let with_origins =
            |row: &AnyRow| read(row, origins.remove(&text(row, "channel_id")?).unwrap_or_default());
        rows.iter().map(with_origins).collect()
    }

    /// Returns whether this origin is on the list of any channel. Takes no write lock.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn is_origin_of_a_channel(&self, origin: &str) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM channel_origins WHERE origin = $1 LIMIT 1")
            .bind(origin)
            .fetch_optional(&self.readers)
            .await?;
        Ok(found.is_some())
    }

    /// Forgets a channel, its clients, their passwords and its invitations.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_channel(&self, channel: ChannelId, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        let deleted = sqlx::query("DELETE FROM channels WHERE channel_id = $1")
            .bind(channel.to_string())
            .execute(&mut *change)
            .await?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }

    /// Makes an invitation; those of the channel that admit nobody any more are forgotten.
    ///
    /// # Errors
    /// `NotFound` when there is no such channel, `Conflict` when the hash is taken, `Unavailable`.
    pub async fn create_invitation(
        &self,
        invitation: &NewInvitation,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query(
            "DELETE FROM channel_invitations WHERE channel_id = $1 AND (expires_at <= $2 OR used >= uses)",
        )
        .bind(invitation.channel.to_string())
        .bind(stored(invitation.created_at.0))
        .execute(&mut *change)
        .await?;
        sqlx::query(
            "INSERT INTO channel_invitations (token_hash, channel_id, uses, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(invitation.token.to_hex())
        .bind(invitation.channel.to_string())
        .bind(i64::from(invitation.uses))
        .bind(stored(invitation.created_at.0))
        .bind(stored(invitation.expires_at.0))
        .execute(&mut *change)
        .await?;
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }
}

/// A statement whose first eight values are a channel's id and its rules, in the order of the table.
fn with_rules<'q>(
    statement: &'static str,
    channel: ChannelId,
    rules: &'q ChannelRules,
) -> Query<'q, Any, AnyArguments> {
    sqlx::query(statement)
        .bind(channel.to_string())
        .bind(rules.topic.as_str())
        .bind(rules.admission.text())
        .bind(i64::from(rules.capacity))
        .bind(rules.cookie_binding.text())
        .bind(rules.sessid_policy.text())
        .bind(rules.content.text())
        .bind(rules.delivery.text())
}

async fn put_origins(
    change: &mut Transaction<'static, Any>,
    channel: ChannelId,
    origins: &[String],
) -> Result<(), StoreError> {
    for (place, origin) in (0_i64..).zip(origins) {
        sqlx::query("INSERT INTO channel_origins (channel_id, place, origin) VALUES ($1, $2, $3)")
            .bind(channel.to_string())
            .bind(place)
            .bind(origin.as_str())
            .execute(&mut **change)
            .await?;
    }
    Ok(())
}

/// Reads the columns of a channel, under the names that they have in its table.
pub(super) fn rules(row: &AnyRow, origins: Vec<String>) -> Result<ChannelRules, StoreError> {
    Ok(ChannelRules {
        topic: text(row, "topic")?,
        admission: parsed(row, "admission")?,
        capacity: number(row, "capacity")?,
        cookie_binding: parsed(row, "cookie_binding")?,
        sessid_policy: parsed(row, "sessid_policy")?,
        content: parsed(row, "content")?,
        delivery: parsed(row, "delivery")?,
        origins,
    })
}

fn read(row: &AnyRow, origins: Vec<String>) -> Result<ChannelRecord, StoreError> {
    Ok(ChannelRecord {
        id: parsed(row, "channel_id")?,
        rules: rules(row, origins)?,
        created_at: time(row, "created_at")?,
    })
}
