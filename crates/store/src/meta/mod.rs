//! Rows: one SQL text on SQLite and on PostgreSQL.
//!
//! The engines differ below SQL only: in how a transaction begins, what isolates it and how its
//! parameters are bound. [`Meta`] hides that; every statement elsewhere in the crate is a constant
//! that both run. Rules of that text: `$n` numbered in order of first use (SQLite binds by first
//! appearance), no `LIKE` (case-blind in SQLite), `CAST($1 AS TEXT)` where a bare parameter meets
//! NULL, `BIGINT` for every number.
//!
//! A body holds SQL only, touches at most 1,000 rows and does not go on after an error. It may run
//! more than once (PostgreSQL is SERIALIZABLE and retries), which is why it is `Fn`.

mod migrate;
mod postgres;
mod sqlite;
mod value;
mod writer;

use std::path::Path;
use std::sync::Arc;

use bonded_model::{Secret, Timestamp};
use futures_util::future::BoxFuture;

pub(crate) use value::{FromRow, Row, Value, json, malformed};

use crate::error::{Result, StoreError};

/// What runs inside one transaction.
pub(crate) type Body<T> =
    Box<dyn for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync>;

/// A body that captures nothing but its input.
pub(crate) type Step<I, T> = for<'t, 'c> fn(&'t mut Tx<'c>, Arc<I>) -> BoxFuture<'t, Result<T>>;

/// When a transaction must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Before it is answered.
    Now,
    /// With the next transaction that must.
    Soon,
}

fn body<I, T>(input: I, step: Step<I, T>) -> Body<T>
where
    I: Send + Sync + 'static,
    T: 'static,
{
    let input = Arc::new(input);
    Box::new(move |tx| step(tx, Arc::clone(&input)))
}

/// The step of a transaction that is one statement.
fn execute<'t>(
    tx: &'t mut Tx<'_>,
    input: Arc<(&'static str, Vec<Value>)>,
) -> BoxFuture<'t, Result<u64>> {
    Box::pin(async move {
        let (sql, values) = &*input;
        tx.execute(sql, values).await
    })
}

/// The database.
pub(crate) enum Meta {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Meta {
    /// Opens or creates the SQLite database in the file `path`.
    pub(crate) fn open_sqlite(path: &Path) -> Result<Self> {
        sqlite::Sqlite::open(path).map(Self::Sqlite)
    }

    /// Connects to the PostgreSQL database at `url`, and refuses one whose text order or encoding
    /// is not ours.
    pub(crate) async fn open_postgres(url: &Secret) -> Result<Self> {
        postgres::Postgres::open(url).await.map(Self::Postgres)
    }

    /// Brings the schema up to this version; gives the names of the steps it applied.
    pub(crate) async fn migrate(&self, now: Timestamp) -> Result<Vec<String>> {
        migrate::run(self, now).await
    }

    /// Runs `body` in a transaction: all of it is visible, and durable as `durability` says, when
    /// this gives `Ok`; none of it is when it gives `Err`, unless that is a lost connection.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        body: Body<T>,
    ) -> Result<T> {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(durability, body).await,
            Self::Postgres(postgres) => postgres.write(durability, body).await,
        }
    }

    /// [`Meta::write`] for a body that needs nothing but `input`.
    pub(crate) async fn transact<I, T>(&self, input: I, step: Step<I, T>) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write(Durability::Now, body(input, step)).await
    }

    /// [`Meta::transact`] for what may be lost when the machine goes down, as long as nothing
    /// later survives it: visible when this gives `Ok`, durable with the next write that is.
    pub(crate) async fn transact_soon<I, T>(&self, input: I, step: Step<I, T>) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write(Durability::Soon, body(input, step)).await
    }

    /// Runs one statement that writes, as [`Meta::transact`]; says how many rows it changed.
    pub(crate) async fn execute(
        &self,
        sql: &'static str,
        values: impl Into<Vec<Value>>,
    ) -> Result<u64> {
        self.transact((sql, values.into()), execute).await
    }

    /// Runs one statement that writes, as [`Meta::transact_soon`]; says how many rows it changed.
    pub(crate) async fn execute_soon(
        &self,
        sql: &'static str,
        values: impl Into<Vec<Value>>,
    ) -> Result<u64> {
        self.transact_soon((sql, values.into()), execute).await
    }

    /// Runs `body` on one snapshot that it cannot change.
    pub(crate) async fn read<T: Send + 'static>(&self, body: Body<T>) -> Result<T> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(&body),
            Self::Postgres(postgres) => postgres.read(body).await,
        }
    }

    /// The rows of a single statement that reads; on PostgreSQL one round trip.
    pub(crate) async fn all(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.all(sql, values),
            Self::Postgres(postgres) => postgres.all(sql, values).await,
        }
    }

    /// The first row of a single statement that reads.
    pub(crate) async fn optional(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// What the rows of a single statement that reads are.
    pub(crate) async fn list<T: FromRow>(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<T>> {
        let rows = self.all(sql, values).await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// What the first row of such a statement is.
    pub(crate) async fn find<T: FromRow>(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<T>> {
        self.optional(sql, values).await?.map(Row::read).transpose()
    }

    /// Ends the writer after what is queued. Later writes fail.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => postgres.close(),
        }
    }
}

/// An open transaction.
pub(crate) enum Tx<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(&'c deadpool_postgres::Transaction<'c>),
}

impl Tx<'_> {
    /// Runs a statement that gives no rows; says how many it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        match self {
            Tx::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Tx::Postgres(transaction) => postgres::execute(*transaction, sql, values).await,
        }
    }

    /// All rows of a statement.
    pub(crate) async fn all(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        match self {
            Tx::Sqlite(connection) => sqlite::all(connection, sql, values),
            Tx::Postgres(transaction) => postgres::all(*transaction, sql, values).await,
        }
    }

    /// The first row of a statement.
    pub(crate) async fn optional(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// What the rows of a statement are.
    pub(crate) async fn list<T: FromRow>(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<T>> {
        let rows = self.all(sql, values).await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// What the first row of such a statement is.
    pub(crate) async fn find<T: FromRow>(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Option<T>> {
        self.optional(sql, values).await?.map(Row::read).transpose()
    }

    /// The first row of a statement that always has one.
    pub(crate) async fn one(&mut self, sql: &'static str, values: &[Value]) -> Result<Row> {
        self.optional(sql, values)
            .await?
            .ok_or_else(|| StoreError::Corrupt("a row that must exist is missing".to_owned()))
    }

    /// Runs several statements without parameters: a step of a migration.
    async fn batch(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Tx::Sqlite(connection) => connection.execute_batch(sql).map_err(sqlite::error),
            Tx::Postgres(transaction) => transaction
                .batch_execute(sql)
                .await
                .map_err(postgres::error),
        }
    }
}
