//! SQLite's one writer: a thread that commits together what has queued up.
//!
//! Each body runs in a `SAVEPOINT`; up to 256 of them share one `COMMIT`, and so one fsync
//! (`synchronous=FULL`, unless none of them needs it). A body that fails takes back its own work
//! only. Answers are given after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use futures_util::FutureExt;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::sqlite::{error, execute};
use super::{Body, Durability, Tx};
use crate::error::{Result, StoreError};

/// The most bodies in one commit.
const GROUP: usize = 256;

/// Bodies that may wait for the writer before callers do.
const QUEUE: usize = 1024;

/// The way to the writer's thread.
pub(super) struct Writer(mpsc::Sender<Message>);

enum Message {
    Run(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the thread. It ends when it is told to, or with the last sender.
    pub(super) fn start(mut connection: Connection) -> Result<Self> {
        let (sender, queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serve(&mut connection, queue))
            .map_err(StoreError::io("cannot start the writer's thread"))?;
        Ok(Self(sender))
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        body: Body<T>,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Pending {
            durability,
            body,
            result: None,
            reply,
        };
        let message = Message::Run(Box::new(job));
        self.0.send(message).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the thread after what is queued.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.0.send(Message::Stop(done)).await.is_ok() {
            // An error means that the thread has ended already.
            let _ = stopped.await;
        }
    }
}

/// A body with the place for its answer, whatever its type.
trait Job: Send {
    /// When it must be durable.
    fn durability(&self) -> Durability;
    /// Runs the body in a savepoint and keeps what it gives.
    fn run(&mut self, connection: &mut Connection);
    /// Sends what was kept, or `failure` instead if the commit failed.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

struct Pending<T> {
    durability: Durability,
    body: Body<T>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send> Job for Pending<T> {
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, connection: &mut Connection) {
        self.result = Some(in_savepoint(&self.body, connection));
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let result = match (self.result, failure) {
            (Some(Ok(_)) | None, Some(failure)) => Err(repeated(failure)),
            (Some(result), _) => result,
            (None, None) => Err(StoreError::Database(
                "the transaction did not run".to_owned(),
            )),
        };
        // Nobody waits any more if the request was dropped; the commit stands.
        let _ = self.reply.send(result);
    }
}

/// Why the commit failed, for each body in it.
fn repeated(failure: &StoreError) -> StoreError {
    match failure {
        StoreError::Full(reason) => StoreError::Full(reason.clone()),
        StoreError::Unavailable(reason) => StoreError::Unavailable(reason.clone()),
        other => StoreError::Database(other.to_string()),
    }
}

fn in_savepoint<T>(body: &Body<T>, connection: &mut Connection) -> Result<T> {
    execute(connection, "SAVEPOINT body", &[])?;
    let result = catch_unwind(AssertUnwindSafe(|| run_now(body, connection)))
        .unwrap_or_else(|_| Err(StoreError::Database("a transaction panicked".to_owned())));
    if result.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK TO body", &[])?;
    }
    if !connection.is_autocommit() {
        execute(connection, "RELEASE body", &[])?;
    }
    result
}

/// Runs a body to its end: on SQLite nothing in it ever waits.
pub(super) fn run_now<T>(body: &Body<T>, connection: &mut Connection) -> Result<T> {
    body(&mut Tx::Sqlite(connection))
        .now_or_never()
        .unwrap_or_else(|| {
            Err(StoreError::Database(
                "a transaction waited for something else than the database".to_owned(),
            ))
        })
}

/// The writer thread: takes what is queued, commits it together, answers.
fn serve(connection: &mut Connection, mut queue: mpsc::Receiver<Message>) {
    let mut stop = None;
    while stop.is_none() {
        let mut jobs: Vec<Box<dyn Job>> = Vec::new();
        let mut next = queue.blocking_recv();
        if next.is_none() {
            return;
        }
        while let Some(message) = next {
            match message {
                Message::Run(job) => jobs.push(job),
                Message::Stop(done) => {
                    stop = Some(done);
                    break;
                }
            }
            next = (jobs.len() < GROUP)
                .then(|| queue.try_recv().ok())
                .flatten();
        }
        let failure = commit(connection, &mut jobs).err();
        for job in jobs {
            job.answer(failure.as_ref());
        }
    }
    queue.close();
    if let Some(done) = stop {
        let _ = done.send(());
    }
}

/// Runs `jobs` in one transaction. An error means that none of them was kept.
fn commit(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    // In WAL mode NORMAL means: no fsync at this commit. The next FULL one covers it.
    let now = jobs.iter().any(|job| job.durability() == Durability::Now);
    connection
        .execute_batch(match now {
            true => "PRAGMA synchronous = FULL",
            false => "PRAGMA synchronous = NORMAL",
        })
        .map_err(error)?;
    execute(connection, "BEGIN IMMEDIATE", &[])?;
    for job in jobs {
        job.run(connection);
        // A full disk or a failed read makes SQLite take back the whole transaction by itself.
        if connection.is_autocommit() {
            // That one has its own error; the others were well and may be tried again.
            return Err(StoreError::Unavailable(
                "SQLite took back a transaction, and those committed with it".to_owned(),
            ));
        }
    }
    let committed = execute(connection, "COMMIT", &[]);
    if committed.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK", &[])?;
    }
    committed.map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Meta, Step};
    use super::*;

    fn open(directory: &Path) -> Meta {
        Meta::open_sqlite(&directory.join("test.db")).unwrap()
    }

    /// Adds a number, then fails or panics or not.
    const ADD: Step<(i64, &'static str), ()> = |tx, input| {
        Box::pin(async move {
            let (number, end) = &*input;
            tx.execute("INSERT INTO t (n) VALUES ($1)", &[(*number).into()])
                .await?;
            match *end {
                "error" => Err(StoreError::Conflict),
                "panic" => panic!("a body that panics"),
                _ => Ok(()),
            }
        })
    };

    async fn numbers(meta: &Meta) -> Vec<i64> {
        let rows = meta.all("SELECT n FROM t ORDER BY n", &[]).await.unwrap();
        rows.into_iter().map(|mut row| row.int().unwrap()).collect()
    }

    async fn create(meta: &Meta) {
        let create: Step<(), ()> = |tx, _| {
            Box::pin(async move { tx.batch("CREATE TABLE t (n BIGINT PRIMARY KEY)").await })
        };
        meta.transact((), create).await.unwrap();
    }

    #[tokio::test]
    async fn bodies_that_fail_or_panic_take_only_themselves_back() {
        let directory = tempfile::tempdir().unwrap();
        let meta = open(directory.path());
        create(&meta).await;
        let ends = ["", "error", "", "panic", ""];
        let writes = (0..50_usize).map(|n| meta.transact((n as i64, ends[n % 5]), ADD));
        let results = futures_util::future::join_all(writes).await;
        let expected: Vec<i64> = (0..50)
            .filter(|n| ends[n % 5].is_empty())
            .map(|n| n as i64)
            .collect();
        assert_eq!(numbers(&meta).await, expected);
        for (n, result) in results.iter().enumerate() {
            assert_eq!(result.is_ok(), ends[n % 5].is_empty());
        }
        let again = meta.transact((0, ""), ADD).await;
        assert!(matches!(again, Err(StoreError::Conflict)));
    }

    #[tokio::test]
    async fn a_failed_commit_is_an_error_for_every_body_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let meta = open(directory.path());
        create(&meta).await;
        let deferred: Step<(), ()> = |tx, _| {
            Box::pin(async move {
                tx.batch(
                    "CREATE TABLE child (n BIGINT REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)",
                )
                .await
            })
        };
        meta.transact((), deferred).await.unwrap();
        let orphan: Step<(), ()> =
            |tx, _| Box::pin(async move { tx.batch("INSERT INTO child VALUES (99)").await });
        // Both are queued before the writer's thread runs, or the first alone: either way what is
        // answered with `Ok` is there and the rest is not.
        let (first, second) = tokio::join!(meta.transact((1, ""), ADD), meta.transact((), orphan));
        assert!(second.is_err());
        assert_eq!(numbers(&meta).await.len(), usize::from(first.is_ok()));
        meta.transact((2, ""), ADD).await.unwrap();
        assert!(numbers(&meta).await.contains(&2));
    }

    #[tokio::test]
    async fn a_body_that_waits_for_something_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let meta = open(directory.path());
        let wait: Step<(), ()> = |_, _| {
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(())
            })
        };
        let waited = meta.transact((), wait).await;
        assert!(matches!(waited, Err(StoreError::Database(_))));
    }

    #[tokio::test]
    async fn a_read_sees_what_was_answered_and_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let meta = open(directory.path());
        create(&meta).await;
        for n in 0..20 {
            meta.transact_soon((n, ""), ADD).await.unwrap();
            assert_eq!(numbers(&meta).await.len() as i64, n + 1);
        }
        let insert: Body<u64> = Box::new(|tx| {
            Box::pin(async move { tx.execute("INSERT INTO t (n) VALUES (99)", &[]).await })
        });
        assert!(meta.read(insert).await.is_err());
        let mode = meta
            .all("PRAGMA journal_mode", &[])
            .await
            .unwrap()
            .remove(0)
            .text();
        assert_eq!(mode.unwrap(), "wal");
    }
}
