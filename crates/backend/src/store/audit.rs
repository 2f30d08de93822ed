//! Who did what. Rows are added, never changed or deleted: triggers of the schema see to it.

use std::fmt;
use std::str::FromStr;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use identity::{Malformed, UnixMillis};

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
