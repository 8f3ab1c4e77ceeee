//! SQLite: one writer thread with group commit (`writer`), readers inline on the caller's thread.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use super::writer::{Writer, run_now};
use super::{Body, Durability, Row, Value};
use crate::error::{Result, StoreError};

/// How many connections read. A look-up takes microseconds; this bounds the worker threads that
/// can be in one at the same time.
const READERS: usize = 4;

/// Waiting for another process's lock: only start-up can meet one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Statements kept prepared on each connection; more than there are.
const STATEMENTS: usize = 256;

pub(crate) struct Sqlite {
    writer: Writer,
    readers: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self> {
        create(path)?;
        let writer = connect(path, OpenFlags::default())?;
        writer
            .execute_batch("PRAGMA journal_mode = WAL")
            .map_err(error)?;
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            readers.push(Mutex::new(connect(path, flags)?));
        }
        Ok(Self {
            writer: Writer::start(writer)?,
            readers,
            next: AtomicUsize::new(0),
        })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        body: Body<T>,
    ) -> Result<T> {
        self.writer.write(durability, body).await
    }

    pub(super) fn read<T>(&self, body: &Body<T>) -> Result<T> {
        self.with_reader(|connection| {
            execute(connection, "BEGIN", &[])?;
            let result = run_now(body, connection);
            execute(connection, "ROLLBACK", &[])?;
            result
        })
    }

    pub(super) fn all(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        self.with_reader(|connection| all(connection, sql, values))
    }

    /// Runs `read` on a connection that is free, else waits for the next in turn.
    fn with_reader<T>(&self, read: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        for i in 0..READERS {
            if let Ok(mut connection) = self.readers[(start + i) % READERS].try_lock() {
                return read(&mut connection);
            }
        }
        let reader = &self.readers[start % READERS];
        read(&mut reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the rows of this moment into a new database `path`.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<()> {
        create(path)?;
        self.with_reader(|connection| {
            let path = path.to_string_lossy();
            connection
                .execute("VACUUM INTO ?1", [path])
                .map(drop)
                .map_err(error)
        })
    }

    pub(super) async fn close(&self) {
        self.writer.stop().await;
    }
}

/// Makes the file for its owner alone, if it is not there; SQLite gives its companions the same mode.
fn create(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let what = || format!("cannot open the database '{}'", path.display());
    options.open(path).map(drop).map_err(StoreError::io(what()))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags).map_err(error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan never depends on the values bound; otherwise most statements would be planned anew each
    // time they run.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(error)?;
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;")
        .map_err(error)?;
    Ok(connection)
}

pub(super) fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64> {
    let mut statement = connection.prepare_cached(sql).map_err(error)?;
    let changed = statement
        .execute(rusqlite::params_from_iter(values))
        .map_err(error)?;
    Ok(changed as u64)
}

pub(super) fn all(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql).map_err(error)?;
    let columns = statement.column_count();
    let mut rows = statement
        .query(rusqlite::params_from_iter(values))
        .map_err(error)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(error)? {
        out.push(Row::from_sqlite(row, columns)?);
    }
    Ok(out)
}

/// The driver's error as ours.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
pub(super) fn error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error().map(|e| (e.code, e.extended_code)) {
        Some((
            _,
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
        )) => StoreError::Conflict,
        Some((ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked, _)) => {
            StoreError::Busy
        }
        Some((ffi::ErrorCode::DiskFull, _)) => StoreError::Full(error.to_string()),
        Some((ffi::ErrorCode::ReadOnly, _)) => StoreError::Unavailable(error.to_string()),
        Some((ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase, _)) => {
            StoreError::Corrupt(error.to_string())
        }
        _ => StoreError::Database(error.to_string()),
    }
}
