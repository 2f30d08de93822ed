//! Who did what. Rows are added and never changed, and only the oldest are deleted: triggers of the schema see to it.
//!
//! Lines are forgotten in two steps, so that nobody waits for long: a mark says from where on the record is kept, and is a change like
//! any other, on record itself; what is before it is then deleted bit by bit, also after a restart.

use std::fmt;
use std::str::FromStr;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use identity::{Malformed, RoomKey, UnixMillis};

use super::column::{number, parsed, stored, text, time};
use super::{Store, StoreError};

/// One line of the audit record. No field ever holds a secret, a token or a whole address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: UnixMillis,
    /// Who, as far as believed.
    pub actor: String,
    /// What was asked.
    pub action: String,
    /// Upon whom or what.
    pub subject: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// From where: a masked network address.
    pub address: String,
    /// How many alike this line stands for; at least 1.
    pub count: u32,
    /// What else an operator needs to understand it.
    pub detail: String,
}

/// Whether what was asked was done. Text form: `accepted`, `refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was done.
    Accepted,
    /// It was not.
    Refused,
}

impl Outcome {
    /// Returns the text form.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for Outcome {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "accepted" => Ok(Self::Accepted),
            "refused" => Ok(Self::Refused),
            _ => Err(Malformed { expected: "accepted or refused" }),
        }
    }
}

/// A stored line and its place in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Rises by every line; never reused.
    pub seq: u64,
    /// The line.
    pub entry: AuditEntry,
}

impl Store {
    /// Appends lines that belong to no other change, all or none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        for entry in entries {
            append(&mut change, entry).await?;
        }
        Ok(change.commit().await?)
    }

    /// Returns up to `limit` lines, newest first: those before the line `before`, or the newest of all.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn audit_page(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at, actor, action, subject, outcome, address, count, detail FROM audit
             WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
        )
        .bind(before.map_or(i64::MAX, stored))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Returns a page of the lines about a room, its invites and its participants, also of those who are gone; otherwise as
    /// [`Store::audit_page`].
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn audit_page_of_room(
        &self,
        room: RoomKey,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at, actor, action, subject, outcome, address, count, detail FROM audit
             WHERE seq < $1 AND seq IN (
                 SELECT seq FROM audit WHERE subject = $2
                 UNION ALL SELECT seq FROM invites JOIN audit ON subject = invite_id WHERE room_id = $2
                 UNION ALL SELECT seq FROM sessions JOIN audit ON subject = session_id WHERE room_id = $2)
             ORDER BY seq DESC LIMIT $3",
        )
        .bind(before.map_or(i64::MAX, stored))
        .bind(room.to_string())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }
}

/// What is to be forgotten of the audit record.
#[derive(Debug, Clone, Copy)]
pub struct Expiry<'a> {
    /// Lines from this time on are kept, and so are all behind the first of them.
    pub before: UnixMillis,
    /// Of lines with this action the newest is kept all the same: what was written after it is verified with it.
    pub but: &'a str,
}

impl Store {
    /// Marks the oldest lines as forgotten, and writes that down with the line that `entry` makes of their number, which it returns.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn expire_audit(
        &self,
        expiry: Expiry<'_>,
        entry: impl FnOnce(u64) -> AuditEntry + Send,
    ) -> Result<u64, StoreError> {
        let since = self.first_kept(expiry.before).await?;
        let but =
            sqlx::query("SELECT seq FROM audit WHERE seq < $1 AND action = $2 ORDER BY seq DESC LIMIT 1")
                .bind(since)
                .bind(expiry.but)
                .fetch_optional(&self.readers)
                .await?;
        let but: i64 = but.as_ref().map_or(Ok(0), |row| number(row, "seq"))?;
        let expired = sqlx::query(
            "SELECT COUNT(*) AS count FROM audit, audit_kept
             WHERE seq < $1 AND seq <> $2 AND (seq >= since OR seq = audit_kept.but)",
        )
        .bind(since)
        .bind(but)
        .fetch_one(&self.readers)
        .await?;
        let expired: u64 = number(&expired, "count")?;
        if expired == 0 {
            return Ok(0);
        }
        let mut change = self.write().await?;
        sqlx::query("UPDATE audit_kept SET since = $1, but = $2")
            .bind(since)
            .bind(but)
            .execute(&mut *change)
            .await?;
        append(&mut change, &entry(expired)).await?;
        change.commit().await?;
        Ok(expired)
    }

    /// The first line that is not older, or the one that will be written next. One statement: a line that is written between two would be
    /// neither, and be forgotten while it is young.
    async fn first_kept(&self, before: UnixMillis) -> Result<i64, StoreError> {
        let kept = sqlx::query(
            "SELECT COALESCE(
                 (SELECT seq FROM audit WHERE at >= $1 ORDER BY seq LIMIT 1),
                 (SELECT MAX(seq) + 1 FROM audit),
                 1) AS seq",
        )
        .bind(stored(before.0))
        .fetch_one(&self.readers)
        .await?;
        number(&kept, "seq")
    }

    /// Deletes up to `limit` of the lines that are marked as forgotten, the oldest first; returns how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete_expired_audit(&self, limit: u32) -> Result<u64, StoreError> {
        let mut change = self.write().await?;
        let deleted = sqlx::query(
            "DELETE FROM audit WHERE seq IN (
                 SELECT seq FROM audit, audit_kept WHERE seq < since AND seq <> but ORDER BY seq LIMIT $1)",
        )
        .bind(i64::from(limit))
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(deleted.rows_affected())
    }
}

/// Appends one line within a change.
pub(super) async fn append(
    change: &mut Transaction<'static, Any>,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (at, actor, action, subject, outcome, address, count, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(stored(entry.at.0))
    .bind(entry.actor.as_str())
    .bind(entry.action.as_str())
    .bind(entry.subject.as_str())
    .bind(entry.outcome.text())
    .bind(entry.address.as_str())
    .bind(i64::from(entry.count))
    .bind(entry.detail.as_str())
    .execute(&mut **change)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<AuditRecord, StoreError> {
    let entry = AuditEntry {
        at: time(row, "at")?,
        actor: text(row, "actor")?,
        action: text(row, "action")?,
        subject: text(row, "subject")?,
        outcome: parsed(row, "outcome")?,
        address: text(row, "address")?,
        count: number(row, "count")?,
        detail: text(row, "detail")?,
    };
    Ok(AuditRecord { seq: number(row, "seq")?, entry })
}
