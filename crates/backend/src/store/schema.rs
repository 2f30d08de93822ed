//! Opens the database and brings its tables up to date.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor};

use super::StoreError;
use crate::folder;

/// Embedded from `crates/backend/migrations`; a file that has shipped is never edited.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// SQLite has one writer at a time; one connection makes the others wait in turn here, and not by polling a lock.
const WRITERS: u32 = 1;

/// Reads are short and served from memory; more connections than cores of a small machine gain nothing.
const READERS: u32 = 4;

/// How long a call waits for a connection before it answers `Unavailable`: longer than the busy timeout below, so that one writer
/// that waits for another process does not fail those behind it first.
const PATIENCE: Duration = Duration::from_secs(10);

/// WAL with synchronous=FULL: a commit returns after its flush. The timeout, in milliseconds, is for locks of other processes.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

pub(super) async fn open(file: &Path) -> Result<(AnyPool, AnyPool), StoreError> {
    sqlx::any::install_default_drivers();
    let file = std::path::absolute(file).map_err(|error| unavailable(&error))?;
    // SQLite gives -wal and -shm the mode of the database file.
    folder::create_private_file(&file).map_err(|error| unavailable(&error))?;
    let url = sqlite_url(&file)?;

    update_tables(&url).await?;
    let writer = pool(WRITERS, "").connect(&url).await?;
    let readers = pool(READERS, "PRAGMA query_only = ON;").connect(&url).await?;
    Ok((writer, readers))
}

/// Over a connection of its own, since a pool would repeat a connect that fails until its patience is gone, and hide why.
async fn update_tables(url: &str) -> Result<(), StoreError> {
    let mut connection = AnyConnection::connect(url).await?;
    prepare(&mut connection, "").await?;
    MIGRATIONS.run(&mut connection).await.map_err(migration_error)?;
    Ok(connection.close().await?)
}

fn pool(connections: u32, pragmas: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| Box::pin(prepare(connection, pragmas)))
        .before_acquire(|connection, _| Box::pin(is_usable(connection)))
}

async fn prepare(connection: &mut AnyConnection, pragmas: &'static str) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(PRAGMAS)).await?;
    connection.execute(sqlx::raw_sql(pragmas)).await?;
    Ok(())
}

/// On a full disk or a failed write SQLite undoes the transaction by itself; sqlx's own ROLLBACK then fails, and it takes the connection
/// for being inside a transaction for ever. Such a connection is closed, and another one opened.
async fn is_usable(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    Ok(!connection.is_in_transaction())
}

/// Returns the URL of a database file; all but letters, digits, `/`, `.`, `-` and `_` is percent-encoded.
fn sqlite_url(file: &Path) -> Result<String, StoreError> {
    let path =
        file.to_str().ok_or_else(|| StoreError::Unavailable("the path of the store is not UTF-8".into()))?;
    let mut url = String::from("sqlite://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    Ok(url)
}

fn unavailable(error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Corrupt(other.to_string()),
    }
}
