//! Giving up uploads that nobody goes on with.

use bonded_model::Timestamp;

use crate::Store;
use crate::collect::{Amount, Mode};
use crate::error::Result;
use crate::repository::RepositoryId;

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
}
