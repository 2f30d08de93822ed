//! The truth that outlives a process: one set of SQL through sqlx, over SQLite.
//!
//! Every change is one transaction that `Store::write` begins, and holds its own audit row. Reads go over connections of their
//! own and wait for no writer.

mod audit;
mod channels;
mod clients;
mod column;
mod console;
mod dialogs;
mod invites;
mod issue;
mod realms;
mod rooms;
mod schema;
mod sessions;

pub use audit::{AuditEntry, AuditRecord, Expiry, Outcome};
pub use channels::{ChannelRecord, NewInvitation};
pub use clients::{Entry, Leaving, ListedClient};
pub use console::{ConsoleKind, NewConsoleToken};
pub use dialogs::{DialogRecord, DialogSide};
pub use invites::{InviteRecord, NewInvite, Redeemed};
pub use issue::{Bearer, Issue, Issued, NotIssued};
pub use realms::{NewRealmToken, RealmRecord};
pub use rooms::{NewRoom, RoomRecord};
pub use sessions::{NewSession, SessionRecord};

use std::path::Path;

use sqlx::query::Query;
use sqlx::{Any, AnyPool, Database, Transaction};

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

    /// Changes what a statement names, and writes the act down with it.
    ///
    /// # Errors
    /// `NotFound` when it names nothing, `Conflict`, `Unavailable`.
    async fn change_one(&self, statement: Statement<'_>, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        if statement.execute(&mut *change).await?.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        audit::append(&mut change, entry).await?;
        Ok(change.commit().await?)
    }
}

type Statement<'a> = Query<'a, Any, <Any as Database>::Arguments>;

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

#[cfg(test)]
mod tests {
    use identity::{RoomKey, UnixMillis};

    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_unavailable_until_there_is_room_again() {
        let (store, _folder) = opened().await;
        set(&store, "PRAGMA max_page_count = 1").await;
        let mut written = 0;
        let refused = loop {
            match make_room(&store, written).await {
                Ok(()) => written += 1,
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused, StoreError::Unavailable("(code: 13) database or disk is full".into()));
        assert_eq!(store.rooms().await.map(|rooms| rooms.len()), Ok(usize::try_from(written).unwrap()));
        set(&store, "PRAGMA max_page_count = 1000000").await;
        assert_eq!(make_room(&store, written).await, Ok(()));
    }

    #[tokio::test]
    async fn a_store_that_another_process_has_locked_is_unavailable_until_it_lets_go() {
        let (store, folder) = opened().await;
        set(&store, "PRAGMA busy_timeout = 20").await;
        let other = Store::open(&folder.path().join("countersign.db")).await.unwrap();
        let held = other.write().await.unwrap();
        assert!(matches!(make_room(&store, 1).await, Err(StoreError::Unavailable(_))));
        assert_eq!(store.rooms().await, Ok(vec![]));
        drop(held);
        other.close().await;
        assert_eq!(make_room(&store, 1).await, Ok(()));
    }

    #[tokio::test]
    async fn every_connection_is_as_the_store_wants_it() {
        let (store, _folder) = opened().await;
        for pool in [&store.writer, &store.readers] {
            let read = async |pragma: &'static str| -> i64 {
                sqlx::query_scalar(pragma).fetch_one(pool).await.unwrap()
            };
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            assert_eq!(mode, "wal");
            assert_eq!(read("PRAGMA synchronous").await, 2);
            assert_eq!(read("PRAGMA foreign_keys").await, 1);
            assert_eq!(read("PRAGMA busy_timeout").await, 5_000);
        }
    }

    #[tokio::test]
    async fn a_reader_writes_nothing() {
        let (store, _folder) = opened().await;
        let refused = sqlx::query("DELETE FROM rooms").execute(&store.readers).await;
        assert!(refused.unwrap_err().to_string().contains("readonly"));
    }

    async fn opened() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Store::open(&folder.path().join("countersign.db")).await.unwrap(), folder)
    }

    async fn set(store: &Store, pragma: &'static str) {
        sqlx::query(pragma).execute(&store.writer).await.unwrap();
    }

    async fn make_room(store: &Store, number: u128) -> Result<(), StoreError> {
        let room = NewRoom { id: RoomKey(number), name: "x".repeat(1_000), created_at: UnixMillis(1) };
        let entry = AuditEntry {
            at: UnixMillis(1),
            actor: String::new(),
            action: String::new(),
            subject: String::new(),
            outcome: Outcome::Accepted,
            address: String::new(),
            count: 1,
            detail: String::new(),
        };
        store.create_room(&room, &entry).await
    }
}
