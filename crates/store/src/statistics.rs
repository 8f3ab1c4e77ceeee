//! How much there is of everything.

use bonded_model::Timestamp;

use crate::Store;
use crate::error::Result;

/// Counts of rows at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Accounts.
    pub accounts: u64,
    /// Repositories of all accounts.
    pub repositories: u64,
    /// Images in them, indexes among them.
    pub images: u64,
    /// Objects: blobs, each once for its registry.
    pub objects: u64,
    /// Their bytes in clear.
    pub object_bytes: u64,
    /// Unfinished uploads.
    pub uploads: u64,
    /// Jobs that wait or are being done.
    pub jobs: u64,
    /// Since when the oldest of them waits.
    pub oldest_job: Option<Timestamp>,
    /// Jobs that were given up.
    pub failed_jobs: u64,
}

impl Store {
    /// Counts everything: time in proportion to the number of rows, so it is for the operator and
    /// not for a request.
    ///
    /// # Errors
    /// As every read.
    pub async fn statistics(&self) -> Result<Statistics> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM accounts), \
             (SELECT COUNT(*) FROM repositories), (SELECT COUNT(*) FROM images), \
             (SELECT COUNT(*) FROM objects), \
             (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM objects), \
             (SELECT COUNT(*) FROM uploads), \
             (SELECT COUNT(*) FROM jobs WHERE state <> 'failed'), \
             (SELECT COUNT(*) FROM jobs WHERE state = 'failed'), \
             (SELECT MIN(enqueued_at) FROM jobs WHERE state <> 'failed')";
        let Some(mut row) = self.meta().optional(SQL, &[]).await? else {
            return Ok(Statistics::default());
        };
        Ok(Statistics {
            accounts: row.size()?,
            repositories: row.size()?,
            images: row.size()?,
            objects: row.size()?,
            object_bytes: row.size()?,
            uploads: row.size()?,
            jobs: row.size()?,
            failed_jobs: row.size()?,
            oldest_job: row.opt_int()?.map(Timestamp::from_millis),
        })
    }
}
