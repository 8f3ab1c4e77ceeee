//! How much a principal has lying about in unfinished uploads.

use crate::Store;
use crate::error::Result;

impl Store {
    /// The bytes of the unfinished uploads that `principal` began, by the last request of each that
    /// ended well.
    ///
    /// # Errors
    /// As every read.
    pub async fn unfinished_bytes(&self, principal: &str) -> Result<u64> {
        const SQL: &str =
            "SELECT CAST(COALESCE(SUM(received), 0) AS BIGINT) FROM uploads WHERE principal = $1";
        let row = self.meta().optional(SQL, &[principal.into()]).await?;
        row.map_or(Ok(0), |mut row| row.size())
    }
}
