//! The truth that outlives a process: one set of SQL through sqlx, over SQLite.
//!
//! Every change is one transaction that [`Store::write`] begins, and holds its own audit row. Reads go over connections of their
//! own and wait for no writer.

mod audit;
mod column;
mod console;
mod invites;
mod rooms;
mod schema;
mod sessions;

pub use audit::{AuditEntry, AuditRecord, Outcome};
pub use console::{ConsoleKind, NewConsoleToken};
pub use invites::{InviteRecord, NewInvite, Redeemed};
pub use rooms::{NewRoom, RoomRecord};
pub use sessions::{NewSession, SessionRecord};

use std::path::Path;

use sqlx::{Any, AnyPool, Transaction};

/// A handle on the store; clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
}

impl Store {
    /// Opens the SQLite database in this file, makes it (mode 0600) where there is none, and brings its tables up to date.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be opened or is locked by another process, `Corrupt` when it is not our database.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let (writer, readers) = schema::open(file).await?;
        Ok(Self { writer, readers })
    }

    /// Waits for the changes under way and closes every connection; later calls answer `Unavailable`.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Begins a change; every change begins here. It is undone when dropped before its commit.
    ///
    /// IMMEDIATE, because a deferred transaction that reads and then writes fails at once when another has written in between,
    /// whatever the busy timeout.
    async fn write(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Why the store did not do what was asked. Nothing was changed. The texts are for the log; they hold no stored value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Locked, full, closed, unreadable: the same call may succeed later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A row with that id or that hash is there already.
    #[error("the store has such a row already")]
    Conflict,
    /// The row that was to be changed is not there, or is past that change.
    #[error("the store has no such row")]
    NotFound,
    /// What is stored cannot be what we stored.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

/// SQLite's primary result codes for a damaged file and for a file that is no database (sqlite.org/rescode.html).
const SQLITE_DAMAGED: [i32; 2] = [11, 26];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::Decode(_)
                | sqlx::Error::TypeNotFound { .. } => Self::Corrupt(error.to_string()),
                _ => Self::Unavailable(error.to_string()),
            };
        };
        if database.is_unique_violation() {
            return Self::Conflict;
        }
        if database.is_foreign_key_violation() {
            return Self::NotFound;
        }
        // The low byte of an extended result code is its primary code.
        let primary = database.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
        if primary.is_some_and(|code| SQLITE_DAMAGED.contains(&code)) {
            return Self::Corrupt(database.to_string());
        }
        Self::Unavailable(database.to_string())
    }
}
