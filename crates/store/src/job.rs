//! Jobs: work that a committed change made necessary.
//!
//! A job is a row, enqueued in the transaction that makes it necessary, once for what it is about.
//! [`Store::claim_job`] commits a lease and a new attempt number; the transaction that closes the
//! job demands that attempt, so a worker whose lease ended and was given to another cannot close
//! anything. Any worker may die at any time: the job is taken again when its lease has ended, and
//! so it may run twice. After [`ATTEMPTS`] attempts it is `failed` and stays visible.
//! ```text
//!  enqueue ──▶ queued ──claim──▶ running ──close──▶ (no row)
//!                ▲  ▲               │ │
//!                │  └──release──────┘ │ fail, or the lease ends
//!                └────────────────────┴──▶ failed      after five attempts
//! ```

use std::fmt;
use std::time::Duration;

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::blobs::ObjectId;
use crate::error::{Result, StoreError};
use crate::meta::{Row, Tx, Value, malformed};
use crate::repository::RepositoryId;

/// How often a job is tried.
pub const ATTEMPTS: u32 = 5;

/// How many jobs one look at the queue considers: another node may take the first ones.
const CANDIDATES: u32 = 8;

/// The longest error that a row keeps, in bytes.
const ERROR_LIMIT: usize = 1000;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Find out what an object holds, seen as a layer.
    IndexLayer(ObjectId),
    /// Judge an image by the inventories of its layers.
    ScanImage(RepositoryId, Digest),
    /// Make the bills of materials of an image that was scanned its referrers.
    AttachSboms(RepositoryId, Digest),
}

/// Which of two jobs is done first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// When there is nothing else to do.
    Background = 0,
    /// In the order of enqueueing.
    Normal = 1,
    /// Somebody waits for it.
    Awaited = 2,
}

/// A job that was taken.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    /// What is to be done.
    pub job: Job,
    /// Its attempts are used up: it did not end by itself, and must only be given up.
    pub exhausted: bool,
    /// The number of the taking.
    pub(crate) attempt: i64,
    /// The number of the last taking that it has.
    last_attempt: i64,
}

/// How a job ends that is not tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done, and forgotten.
    Done,
    /// It is done, and has made this one necessary, from now on.
    Then(Job, Timestamp),
    /// It cannot be done, for this reason, which stays visible.
    Failed(String),
}

impl ClaimedJob {
    /// Whether this attempt is the last one.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.attempt >= self.last_attempt
    }

    /// Kind, subject and attempt.
    fn key(&self) -> [Value; 3] {
        let [kind, subject] = self.job.key();
        [kind, subject, self.attempt.into()]
    }
}

/// A job that will not be tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// What was to be done: its kind and what it is about.
    pub job: String,
    /// When it was enqueued.
    pub enqueued_at: Timestamp,
    /// Why the last attempt failed.
    pub error: String,
}

impl Job {
    /// The columns `kind` and `subject`.
    pub(crate) fn key(&self) -> [Value; 2] {
        let (kind, subject) = self.parts();
        [kind.into(), subject.into()]
    }

    fn parts(&self) -> (&'static str, String) {
        let of_image = |RepositoryId(id): &RepositoryId, image| format!("{id} {image}");
        match self {
            Self::IndexLayer(object) => (INDEX_LAYER, object.to_string()),
            Self::ScanImage(repository, image) => (SCAN_IMAGE, of_image(repository, image)),
            Self::AttachSboms(repository, image) => (ATTACH_SBOMS, of_image(repository, image)),
        }
    }

    fn parse(kind: &str, subject: &str) -> Result<Self> {
        let unknown = || malformed("a job that this version does not know");
        if kind == INDEX_LAYER {
            return Ok(Self::IndexLayer(subject.parse().map_err(|_| unknown())?));
        }
        let (repository, image) = subject.split_once(' ').ok_or_else(unknown)?;
        let repository = RepositoryId(repository.to_owned());
        let image = image.parse().map_err(|_| unknown())?;
        match kind {
            SCAN_IMAGE => Ok(Self::ScanImage(repository, image)),
            ATTACH_SBOMS => Ok(Self::AttachSboms(repository, image)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, subject) = self.parts();
        write!(f, "{kind} {subject}")
    }
}

pub(crate) const INDEX_LAYER: &str = "index_layer";
pub(crate) const SCAN_IMAGE: &str = "scan_image";
const ATTACH_SBOMS: &str = "attach_sboms";

/// Enqueues a job, to be done at once. One that waits already keeps its place and gets the higher
/// priority; one that runs goes on; one that has failed gets its attempts anew. The caller calls
/// [`Store::wake_jobs`] after the commit.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    job: &Job,
    priority: Priority,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO jobs \
         (kind, subject, priority, state, due_at, attempt, last_attempt, enqueued_at) \
         VALUES ($1, $2, $3, 'queued', $4, 0, $5, $4) \
         ON CONFLICT (kind, subject) DO UPDATE SET \
         priority = CASE WHEN jobs.priority < excluded.priority THEN excluded.priority \
         ELSE jobs.priority END, \
         due_at = CASE WHEN jobs.state = 'running' \
         OR (jobs.state = 'queued' AND jobs.due_at < excluded.due_at) \
         THEN jobs.due_at ELSE excluded.due_at END, \
         last_attempt = CASE WHEN jobs.state = 'failed' THEN jobs.attempt + excluded.last_attempt \
         ELSE jobs.last_attempt END, \
         state = CASE WHEN jobs.state = 'failed' THEN 'queued' ELSE jobs.state END";
    let [kind, subject] = job.key();
    let priority = Value::Int(priority as i64);
    let values = [kind, subject, priority, now.into(), ATTEMPTS.into()];
    tx.execute(SQL, &values).await?;
    Ok(())
}

/// Ends a job in the transaction that writes what it came to.
///
/// # Errors
/// [`StoreError::Conflict`] if it was taken again meanwhile: the transaction must not be committed.
pub(crate) async fn end(tx: &mut Tx<'_>, claimed: &ClaimedJob, end: &JobEnd) -> Result<()> {
    const DONE: &str = "DELETE FROM jobs WHERE kind = $1 AND subject = $2 AND attempt = $3";
    const FAILED: &str = "UPDATE jobs SET error = $1, state = 'failed' \
         WHERE kind = $2 AND subject = $3 AND attempt = $4 AND state = 'running'";
    let [kind, subject, attempt] = claimed.key();
    let changed = match end {
        JobEnd::Done => tx.execute(DONE, &[kind, subject, attempt]).await?,
        JobEnd::Then(next, now) => {
            enqueue(tx, next, Priority::Normal, *now).await?;
            tx.execute(DONE, &[kind, subject, attempt]).await?
        }
        JobEnd::Failed(error) => {
            let values = [cut(error).into(), kind, subject, attempt];
            tx.execute(FAILED, &values).await?
        }
    };
    held(changed)
}

/// Gives a job back to be taken again from `due_at` on; the attempt does not count. Says how urgent
/// it is.
pub(crate) async fn release(
    tx: &mut Tx<'_>,
    claimed: &ClaimedJob,
    due_at: Timestamp,
) -> Result<Priority> {
    const SQL: &str = "UPDATE jobs SET state = 'queued', due_at = $1, \
         last_attempt = last_attempt + 1 \
         WHERE kind = $2 AND subject = $3 AND attempt = $4 AND state = 'running' \
         RETURNING priority";
    let [kind, subject, attempt] = claimed.key();
    let values = [due_at.into(), kind, subject, attempt];
    let row = tx.optional(SQL, &values).await?;
    Ok(match row.ok_or(StoreError::Conflict)?.int()? {
        0 => Priority::Background,
        1 => Priority::Normal,
        _ => Priority::Awaited,
    })
}

fn held(changed: u64) -> Result<()> {
    if changed == 0 {
        return Err(StoreError::Conflict);
    }
    Ok(())
}

impl Store {
    /// Takes the job whose turn it is until `lease` from `now`; `None` if there is nothing to do.
    ///
    /// # Errors
    /// As every write. Jobs of kinds that only a later version knows are left to it.
    pub async fn claim_job(&self, now: Timestamp, lease: Duration) -> Result<Option<ClaimedJob>> {
        const TURN: &str = "SELECT kind, subject, attempt, last_attempt FROM jobs \
             WHERE state <> 'failed' AND due_at <= $1 \
             AND kind IN ('index_layer', 'scan_image', 'attach_sboms') \
             ORDER BY priority DESC, due_at LIMIT $2";
        const CLAIM: &str = "UPDATE jobs SET state = 'running', attempt = $1, due_at = $2 \
             WHERE kind = $3 AND subject = $4 AND attempt = $5 AND due_at <= $6 \
             AND state <> 'failed'";
        // Read outside the transaction, so that a push that enqueues does not conflict with it.
        let turn = [now.into(), CANDIDATES.into()];
        for mut row in self.meta().all(TURN, &turn).await? {
            let (kind, subject) = (row.text()?, row.text()?);
            let (attempt, last_attempt) = (row.int()?, row.int()?);
            let job = Job::parse(&kind, &subject)?;
            let values: [Value; 6] = [
                (attempt + 1).into(),
                now.after(lease).into(),
                kind.into(),
                subject.into(),
                attempt.into(),
                now.into(),
            ];
            let claimed = self.meta().execute(CLAIM, values).await?;
            if claimed > 0 {
                return Ok(Some(ClaimedJob {
                    job,
                    exhausted: attempt >= last_attempt,
                    attempt: attempt + 1,
                    last_attempt,
                }));
            }
        }
        Ok(None)
    }

    /// Lets go of what processes before this one worked on, where there can be no other one: on
    /// SQLite. The attempt counts, so that a job that ends its process is not tried for ever.
    pub(crate) async fn end_job_leases(&self, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE jobs SET due_at = $1 WHERE state = 'running' AND due_at > $1";
        let values: [Value; 1] = [now.into()];
        self.meta().execute_soon(SQL, values).await.map(drop)
    }

    /// Prolongs the lease of a job to `until`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it was taken again or closed meanwhile; as every write.
    pub async fn renew_job(&self, claimed: &ClaimedJob, until: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE jobs SET due_at = $1 \
             WHERE kind = $2 AND subject = $3 AND attempt = $4 AND state = 'running'";
        let [kind, subject, attempt] = claimed.key();
        let values = [until.into(), kind, subject, attempt];
        held(self.meta().execute_soon(SQL, values).await?)
    }

    /// Gives a job back to be taken again from `due_at` on; the attempt does not count. For a job
    /// that has to wait for another, and for a node that stops.
    ///
    /// # Errors
    /// As [`Store::renew_job`].
    pub async fn release_job(&self, claimed: &ClaimedJob, due_at: Timestamp) -> Result<()> {
        self.meta()
            .transact((claimed.clone(), due_at), |tx, input| {
                Box::pin(async move { release(tx, &input.0, input.1).await.map(|_| ()) })
            })
            .await
    }

    /// Notes that an attempt failed: the job is taken again from `retry_at` on, or has `failed` if
    /// this was its last attempt; says whether it has.
    ///
    /// # Errors
    /// As [`Store::renew_job`].
    pub async fn fail_job(
        &self,
        claimed: &ClaimedJob,
        error: &str,
        retry_at: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE jobs SET error = $1, due_at = $2, \
             state = CASE WHEN attempt >= last_attempt THEN 'failed' ELSE 'queued' END \
             WHERE kind = $3 AND subject = $4 AND attempt = $5 AND state = 'running' \
             RETURNING state";
        let [kind, subject, attempt] = claimed.key();
        let error = cut(error);
        let values = [error.into(), retry_at.into(), kind, subject, attempt];
        self.meta()
            .transact(values, |tx, values| {
                Box::pin(async move {
                    let row = tx.optional(SQL, &values[..]).await?;
                    let state = row.ok_or(StoreError::Conflict)?.text()?;
                    Ok(state == "failed")
                })
            })
            .await
    }

    /// Closes a job that leaves nothing behind.
    ///
    /// # Errors
    /// As [`Store::renew_job`].
    pub async fn close_job(&self, claimed: &ClaimedJob) -> Result<()> {
        self.meta()
            .transact(claimed.clone(), |tx, claimed| {
                Box::pin(async move { end(tx, &claimed, &JobEnd::Done).await })
            })
            .await
    }

    /// The jobs that have failed, the oldest first, at most `limit` and never more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn failed_jobs(&self, limit: u32) -> Result<Vec<FailedJob>> {
        const SQL: &str = "SELECT kind, subject, enqueued_at, error FROM jobs \
             WHERE state = 'failed' ORDER BY enqueued_at LIMIT $1";
        let rows = self.meta().all(SQL, &[limit.min(1000).into()]).await?;
        let failed = |mut row: Row| {
            Ok(FailedJob {
                job: format!("{} {}", row.text()?, row.text()?),
                enqueued_at: row.time()?,
                error: row.opt_text()?.unwrap_or_default(),
            })
        };
        rows.into_iter().map(failed).collect()
    }

    /// Ends when a transaction of this process has enqueued a job, or one has since the last call.
    /// What other nodes enqueue is found by looking. For one caller at a time.
    pub async fn job_enqueued(&self) {
        self.jobs().notified().await;
    }

    /// To be called after the commit of a transaction that enqueued.
    pub(crate) fn wake_jobs(&self) {
        self.jobs().notify_one();
    }
}

/// The beginning of an error, as much as a row keeps.
pub(crate) fn cut(error: &str) -> String {
    let mut end = error.len().min(ERROR_LIMIT);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error[..end].replace('\0', " ")
}
