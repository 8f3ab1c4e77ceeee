//! The order of scans: what is judged again in the background, and what somebody waits for.

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::job::{Job, Priority, enqueue};
use crate::meta::Value;
use crate::repository::RepositoryId;

impl Store {
    /// Enqueues, in the background, the scans of up to `limit` images that were judged by an older
    /// generation; says how many. What it enqueues is found again until it has been done.
    ///
    /// # Errors
    /// As every write.
    pub async fn judge_again(&self, generation: u64, limit: u32, now: Timestamp) -> Result<u64> {
        const SQL: &str = "SELECT repository, image FROM image_scans \
             WHERE completed_at IS NOT NULL AND generation < $1 ORDER BY generation LIMIT $2";
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        let values = [generation.into(), limit.min(1000).into()];
        let mut jobs = Vec::new();
        for mut row in self.meta().all(SQL, &values).await? {
            jobs.push(Job::ScanImage(RepositoryId(row.text()?), row.parse()?));
        }
        if jobs.is_empty() {
            return Ok(0);
        }
        self.meta()
            .transact((jobs, now), |tx, input| {
                Box::pin(async move {
                    let (jobs, now) = &*input;
                    for job in jobs {
                        enqueue(tx, job, Priority::Background, *now).await?;
                    }
                    Ok(jobs.len() as u64)
                })
            })
            .await
    }

    /// Moves the scan of an image, if it is enqueued, and the indexing of its layers to the front:
    /// somebody waits for it. Says whether there is one, enqueued or running.
    ///
    /// # Errors
    /// As every write.
    pub async fn hurry_scan(&self, repository: &RepositoryId, image: &Digest) -> Result<bool> {
        const FIND: &str = "SELECT state, priority FROM jobs WHERE kind = $1 AND subject = $2";
        const SCAN: &str = "UPDATE jobs SET priority = 2 WHERE kind = $1 AND subject = $2";
        const LAYERS: &str = "UPDATE jobs SET priority = 2 WHERE kind = 'index_layer' \
             AND subject IN (SELECT l.object FROM image_blobs b JOIN layers l \
             ON l.repository = b.repository AND l.digest = b.blob \
             WHERE b.repository = $1 AND b.image = $2)";
        let key = Job::ScanImage(repository.clone(), image.clone()).key();
        let Some(mut row) = self.meta().optional(FIND, &key).await? else {
            return Ok(false);
        };
        if row.text()? == "failed" {
            return Ok(false);
        }
        if row.int()? < Priority::Awaited as i64 {
            let image: [Value; 2] = [(&repository.0).into(), image.as_str().into()];
            self.meta()
                .transact((key, image), |tx, input| {
                    Box::pin(async move {
                        tx.execute(SCAN, &input.0).await?;
                        tx.execute(LAYERS, &input.1).await
                    })
                })
                .await?;
            self.wake_jobs();
        }
        Ok(true)
    }
}
