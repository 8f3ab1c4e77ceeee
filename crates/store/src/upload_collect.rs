//! Giving up uploads that nobody goes on with.

use bonded_model::Timestamp;

use crate::Store;
use crate::collect::{Amount, BATCH, Mode, Step};
use crate::error::{Result, StoreError};
use crate::repository::RepositoryId;
use crate::upload::UploadId;

impl Store {
    /// Gives up to 100 uploads up that nobody has opened since `before`. A writer that has been at
    /// one all the time finds it cancelled. In a dry run counts all of them.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn collect_uploads(&self, before: Timestamp, mode: Mode) -> Result<Amount> {
        const COUNT: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(received), 0) AS BIGINT) \
             FROM uploads WHERE updated_at < $1";
        const SQL: &str = "SELECT repository, id, received FROM uploads WHERE updated_at < $1 \
             ORDER BY updated_at LIMIT 100";
        if mode == Mode::DryRun {
            return self.count(COUNT, before).await;
        }
        let mut collected = Amount::default();
        for mut row in self.meta().all(SQL, &[before.into()]).await? {
            let repository = RepositoryId(row.text()?);
            let id = row.parse()?;
            let received = row.size()?;
            if self.cancel_upload(&repository, &id).await? {
                collected.add(received);
            }
        }
        Ok(collected)
    }

    /// One step through the uploads after `position` (empty: from the first): those that no request
    /// is writing to are given up, however young. A dry run counts those that are written to too.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn collect_idle_uploads(
        &self,
        position: &str,
        now: Timestamp,
        mode: Mode,
    ) -> Result<Step> {
        const SQL: &str = "SELECT repository, id, received FROM uploads WHERE id > $1 \
             ORDER BY id LIMIT 100";
        let rows = self.meta().all(SQL, &[position.into()]).await?;
        let full = rows.len() == BATCH;
        let mut step = Step::default();
        for mut row in rows {
            let repository = RepositoryId(row.text()?);
            let id: UploadId = row.parse()?;
            let received = row.size()?;
            step.next = full.then(|| id.to_string());
            if mode == Mode::DryRun {
                step.amount.add(received);
                continue;
            }
            // Whoever has opened an upload has it alone.
            let writer = match self.open_upload(&repository, &id, now).await {
                Err(StoreError::Conflict) | Ok(None) => continue,
                other => other?,
            };
            if self.cancel_upload(&repository, &id).await? {
                step.amount.add(received);
            }
            drop(writer);
        }
        Ok(step)
    }
}
