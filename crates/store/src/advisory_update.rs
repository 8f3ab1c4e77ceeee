//! Renewing the advisories: one node at a time, by a lease, and what became of it.

use std::time::Duration;

use bonded_model::Timestamp;

use crate::Store;
use crate::error::{Result, StoreError};
use crate::job::cut;
use crate::meta::{Row, Value};

/// How long after an attempt that failed the next one is made; then twice as long each time,
const RETRY: Duration = Duration::from_secs(60);

/// up to this.
const RETRY_AT_MOST: Duration = Duration::from_secs(6 * 60 * 60);

/// What became of renewing the advisories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvisoryUpdate {
    /// The number of the last attempt.
    attempt: i64,
    /// Until when a node works on it, unless it says so again.
    pub leased_until: Timestamp,
    /// Where they were to come from, in that attempt.
    pub sources: String,
    /// When it began.
    pub attempted_at: Timestamp,
    /// When one succeeded last.
    pub succeeded_at: Option<Timestamp>,
    /// How many have failed since, one that is under way included.
    pub failures: u32,
    /// Why the last failed that has ended.
    pub error: Option<String>,
}

/// An attempt that is ours.
#[derive(Debug, Clone)]
pub struct ClaimedUpdate(i64);

/// How an attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateEnd {
    /// The advisories are as new as their sources.
    Done,
    /// They are not, for this reason.
    Failed(String),
    /// It was given up in the middle, and does not count.
    Stopped,
}

impl AdvisoryUpdate {
    fn from_row(mut row: Row) -> Result<Self> {
        Ok(Self {
            attempt: row.int()?,
            leased_until: row.time()?,
            sources: row.text()?,
            attempted_at: row.time()?,
            succeeded_at: row.opt_int()?.map(Timestamp::from_millis),
            failures: u32::try_from(row.int()?).unwrap_or(u32::MAX),
            error: row.opt_text()?,
        })
    }

    /// When the attempt after `last` is to be made: `interval` after one that succeeded, and after one
    /// that failed sooner.
    #[must_use]
    pub fn due(last: Option<&Self>, interval: Duration) -> Timestamp {
        let Some(last) = last else {
            return Timestamp::from_millis(0);
        };
        let next = match last.failures {
            0 => last.succeeded_at.map(|at| at.after(interval)),
            failures => {
                let factor = 2_u32.saturating_pow(failures - 1);
                let pause = RETRY.saturating_mul(factor).min(RETRY_AT_MOST);
                Some(last.attempted_at.after(pause.min(interval)))
            }
        };
        let next = next.unwrap_or(last.attempted_at);
        next.max(last.leased_until)
    }

    /// Whether a node works on it.
    #[must_use]
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.leased_until > now
    }
}

impl Store {
    /// What became of the last attempt; `None` if there was none.
    ///
    /// # Errors
    /// As every read.
    pub async fn advisory_update(&self) -> Result<Option<AdvisoryUpdate>> {
        const SQL: &str = "SELECT attempt, leased_until, sources, attempted_at, succeeded_at, \
             failures, error FROM advisory_updates WHERE id = 1";
        let row = self.meta().optional(SQL, &[]).await?;
        row.map(AdvisoryUpdate::from_row).transpose()
    }

    /// Begins an attempt from `sources` and holds it until `lease` from `now`, if the last one was
    /// `seen`, and has ended; `None` if another node was faster.
    ///
    /// # Errors
    /// As every write.
    pub async fn claim_advisory_update(
        &self,
        seen: Option<&AdvisoryUpdate>,
        sources: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<ClaimedUpdate>> {
        const FIRST: &str = "INSERT INTO advisory_updates \
             (id, attempt, leased_until, sources, attempted_at, failures) \
             VALUES (1, 1, $1, $2, $3, 1) ON CONFLICT (id) DO NOTHING";
        const NEXT: &str = "UPDATE advisory_updates SET attempt = attempt + 1, leased_until = $1, \
             sources = $2, attempted_at = $3, failures = failures + 1 \
             WHERE id = 1 AND attempt = $4 AND leased_until <= $3";
        let seen = seen.map_or(0, |seen| seen.attempt);
        let mut values: Vec<Value> = vec![now.after(lease).into(), sources.into(), now.into()];
        let sql = match seen {
            0 => FIRST,
            seen => {
                values.push(seen.into());
                NEXT
            }
        };
        match self.change_update(sql, values).await {
            Ok(()) => Ok(Some(ClaimedUpdate(seen + 1))),
            Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Prolongs an attempt to `until`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another node has begun one; as every write.
    pub async fn renew_advisory_update(
        &self,
        claimed: &ClaimedUpdate,
        until: Timestamp,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE advisory_updates SET leased_until = $1 WHERE id = 1 AND attempt = $2";
        self.change_update(SQL, vec![until.into(), claimed.0.into()])
            .await
    }

    /// Ends an attempt.
    ///
    /// # Errors
    /// As [`Store::renew_advisory_update`].
    pub async fn end_advisory_update(
        &self,
        claimed: &ClaimedUpdate,
        end: &UpdateEnd,
        now: Timestamp,
    ) -> Result<()> {
        const DONE: &str = "UPDATE advisory_updates SET leased_until = 0, failures = 0, \
             error = NULL, succeeded_at = $1 WHERE id = 1 AND attempt = $2";
        const FAILED: &str = "UPDATE advisory_updates SET leased_until = 0, error = $1 \
             WHERE id = 1 AND attempt = $2";
        const STOPPED: &str = "UPDATE advisory_updates SET leased_until = 0, \
             failures = failures - 1 WHERE id = 1 AND attempt = $1";
        let attempt = claimed.0;
        match end {
            UpdateEnd::Done => {
                self.change_update(DONE, vec![now.into(), attempt.into()])
                    .await
            }
            UpdateEnd::Failed(error) => {
                let values = vec![cut(error).into(), attempt.into()];
                self.change_update(FAILED, values).await
            }
            UpdateEnd::Stopped => self.change_update(STOPPED, vec![attempt.into()]).await,
        }
    }

    /// Lets go of an attempt of a process before this one, where there can be no other one. It
    /// counts, so that one that ends its process is not made for ever.
    pub(crate) async fn end_update_lease(&self, now: Timestamp) -> Result<()> {
        const SQL: &str = "UPDATE advisory_updates SET leased_until = 0, \
             error = 'the server ended in the middle of it' WHERE id = 1 AND leased_until > $1";
        match self.change_update(SQL, vec![now.into()]).await {
            Err(StoreError::Conflict) => Ok(()),
            done => done,
        }
    }

    async fn change_update(&self, sql: &'static str, values: Vec<Value>) -> Result<()> {
        let changed = self
            .meta()
            .transact_soon((sql, values), |tx, input| {
                Box::pin(async move { tx.execute(input.0, &input.1).await })
            })
            .await?;
        match changed {
            0 => Err(StoreError::Conflict),
            _ => Ok(()),
        }
    }
}
