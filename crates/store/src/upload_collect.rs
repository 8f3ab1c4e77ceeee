//! Giving up uploads that nobody goes on with.

use bonded_model::Timestamp;

use crate::Store;
use crate::error::Result;
use crate::repository::RepositoryId;

impl Store {
    /// Gives up to 100 uploads up that nobody has opened since `before`; says how many. A writer
    /// that has been at one all the time finds it cancelled. For a periodic task.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn collect_uploads(&self, before: Timestamp) -> Result<u64> {
        const SQL: &str = "SELECT repository, id FROM uploads WHERE updated_at < $1 \
             ORDER BY updated_at LIMIT 100";
        let mut collected = 0;
        for mut row in self.meta().all(SQL, &[before.into()]).await? {
            let repository = RepositoryId(row.text()?);
            let id = row.parse()?;
            if self.cancel_upload(&repository, &id).await? {
                collected += 1;
            }
        }
        Ok(collected)
    }
}
