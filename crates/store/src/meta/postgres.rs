//! PostgreSQL: a pool of connections, SERIALIZABLE transactions that are run again when they met
//! another one (SQLSTATE 40001, 40P01).

use std::time::Duration;

use bonded_model::Secret;
use deadpool_postgres::{
    GenericClient, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, IsolationLevel, NoTls};

use super::{Body, Durability, Row, Tx, Value};
use crate::error::{Result, StoreError};
use crate::random;

/// The most connections of one node.
const CONNECTIONS: usize = 16;

/// How long a request waits for a connection.
const WAIT: Duration = Duration::from_secs(10);

/// How long sent data may stay unacknowledged before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);

/// How often a transaction that met another is run before the caller hears of it.
const ATTEMPTS: u32 = 12;

pub(crate) struct Postgres(Pool);

impl Postgres {
    pub(super) async fn open(url: &Secret) -> Result<Self> {
        // The driver's message could repeat parts of the URL, and so the password.
        let mut config: Config = url.expose().parse().map_err(|_| {
            StoreError::Schema(
                "the PostgreSQL URL is not understood; the form is \
                 'postgres://USER:PASSWORD@HOST:PORT/DATABASE'"
                    .to_owned(),
            )
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(StoreError::Schema(
                "TLS to PostgreSQL is not supported yet; use a Unix socket or a private network \
                 and leave 'sslmode' out of the URL"
                    .to_owned(),
            ));
        }
        config.ssl_mode(SslMode::Disable);
        config.connect_timeout(WAIT);
        config.tcp_user_timeout(SILENCE);
        config.application_name("bonded");
        let manager = Manager::from_config(
            config,
            NoTls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .build()
            .map_err(|e| StoreError::Database(e.to_string()))?;
        let postgres = Self(pool);
        postgres.check_order().await?;
        Ok(postgres)
    }

    /// Names are compared and listed in byte order, as SQLite does it.
    async fn check_order(&self) -> Result<()> {
        // The locale provider may override `datcollate`, so the order itself is asked for too.
        const SQL: &str = "SELECT CAST(datcollate AS TEXT), \
             CAST(pg_encoding_to_char(encoding) AS TEXT), \
             CAST(CASE WHEN 'a-c' < 'a/b' AND 'B' < 'a' AND 'a' < 'b' THEN 1 ELSE 0 END AS BIGINT) \
             FROM pg_database WHERE datname = current_database()";
        let rows = self.all(SQL, &[]).await?;
        let mut row = rows
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::Database("the database does not name itself".to_owned()))?;
        let (collation, encoding, in_order) = (row.text()?, row.text()?, row.boolean()?);
        if (collation == "C" || collation == "POSIX") && encoding == "UTF8" && in_order {
            return Ok(());
        }
        Err(StoreError::Schema(format!(
            "the PostgreSQL database has collation '{collation}' and encoding '{encoding}', or \
             another locale provider, and does not order texts by their bytes; create it with: CREATE DATABASE bonded TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        )))
    }

    async fn connection(&self) -> Result<Object> {
        self.0.get().await.map_err(|e| match e {
            PoolError::Backend(e) => StoreError::Unavailable(described(&e)),
            PoolError::Timeout(_) => StoreError::Busy,
            PoolError::Closed => StoreError::Closed,
            other => StoreError::Database(other.to_string()),
        })
    }

    pub(super) async fn write<T>(&self, durability: Durability, body: Body<T>) -> Result<T> {
        let mut attempt = 1;
        loop {
            let result = self.try_write(IsolationLevel::Serializable, durability, &body);
            match result.await {
                Err(StoreError::Busy) if attempt < ATTEMPTS => {
                    pause(attempt).await?;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Runs a step of a migration once: READ COMMITTED, so that what others did while it waited
    /// for the lock is seen.
    pub(super) async fn write_once<T>(&self, body: Body<T>) -> Result<T> {
        self.try_write(IsolationLevel::ReadCommitted, Durability::Now, &body)
            .await
    }

    async fn try_write<T>(
        &self,
        isolation: IsolationLevel,
        durability: Durability,
        body: &Body<T>,
    ) -> Result<T> {
        let mut connection = self.connection().await?;
        let transaction = connection
            .build_transaction()
            .isolation_level(isolation)
            .start()
            .await
            .map_err(error)?;
        if durability == Durability::Soon {
            let sql = "SET LOCAL synchronous_commit = off";
            transaction.batch_execute(sql).await.map_err(error)?;
        }
        let value = body(&mut Tx::Postgres(&transaction)).await?;
        transaction.commit().await.map_err(error)?;
        Ok(value)
    }

    pub(super) async fn read<T>(&self, body: Body<T>) -> Result<T> {
        let mut connection = self.connection().await?;
        let transaction = connection
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await
            .map_err(error)?;
        let value = body(&mut Tx::Postgres(&transaction)).await?;
        transaction.commit().await.map_err(error)?;
        Ok(value)
    }

    pub(super) async fn all(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let connection = self.connection().await?;
        all(&connection, sql, values).await
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// Waits a random time below 2^attempt milliseconds (at most a quarter of a second), so that
/// transactions that met do not meet again.
async fn pause(attempt: u32) -> Result<()> {
    let bound = 1_u64 << attempt.min(8);
    let drawn = u64::from_le_bytes(random::bytes()?) % bound;
    tokio::time::sleep(Duration::from_millis(drawn)).await;
    Ok(())
}

pub(super) async fn execute<C: GenericClient>(
    client: &C,
    sql: &str,
    values: &[Value],
) -> Result<u64> {
    let statement = client.prepare_cached(sql).await.map_err(error)?;
    client
        .execute(&statement, &parameters(values))
        .await
        .map_err(error)
}

pub(super) async fn all<C: GenericClient>(
    client: &C,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Row>> {
    let statement = client.prepare_cached(sql).await.map_err(error)?;
    let rows = client
        .query(&statement, &parameters(values))
        .await
        .map_err(error)?;
    rows.iter().map(Row::from_postgres).collect()
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|v| v as &(dyn ToSql + Sync)).collect()
}

/// The driver's error as ours. [`StoreError::Busy`] is what [`Postgres::write`] tries again.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
pub(super) fn error(error: tokio_postgres::Error) -> StoreError {
    match error.code() {
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
            StoreError::Busy
        }
        Some(&SqlState::UNIQUE_VIOLATION | &SqlState::FOREIGN_KEY_VIOLATION) => {
            StoreError::Conflict
        }
        Some(&SqlState::DISK_FULL) => StoreError::Full(described(&error)),
        Some(
            &SqlState::ADMIN_SHUTDOWN
            | &SqlState::CRASH_SHUTDOWN
            | &SqlState::CANNOT_CONNECT_NOW
            | &SqlState::DATABASE_DROPPED
            | &SqlState::READ_ONLY_SQL_TRANSACTION,
        ) => StoreError::Unavailable(described(&error)),
        None if error.is_closed() || is_io(&error) => StoreError::Unavailable(described(&error)),
        _ => StoreError::Database(described(&error)),
    }
}

/// Whether the connection itself failed.
fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// The error with its cause, which the driver's text leaves out.
fn described(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
