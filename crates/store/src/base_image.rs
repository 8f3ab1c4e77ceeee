//! Which images share layers with another.

use bonded_model::{Digest, RepositoryName};

use crate::Store;
use crate::error::Result;
use crate::repository::RepositoryId;

impl Store {
    /// The repositories of the same registry that have the same bytes as the layer `digest` of
    /// `repository`, itself among them: the first `limit` by their names.
    ///
    /// # Errors
    /// As every read.
    pub async fn repositories_sharing_layer(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
        limit: u32,
    ) -> Result<Vec<(RepositoryId, RepositoryName)>> {
        const SQL: &str = "SELECT r.id, r.name FROM layers own \
             JOIN layers l ON l.object = own.object AND l.digest = own.digest \
             JOIN repositories r ON r.id = l.repository \
             WHERE own.repository = $1 AND own.digest = $2 ORDER BY r.name LIMIT $3";
        let values = [(&repository.0).into(), digest.as_str().into(), limit.into()];
        let rows = self.meta().all(SQL, &values).await?;
        let read = |mut row: crate::meta::Row| Ok((RepositoryId(row.text()?), row.parse()?));
        rows.into_iter().map(read).collect()
    }

    /// At most `limit` images of `repository` that have the layer `digest`.
    ///
    /// # Errors
    /// As every read.
    pub async fn images_with_layer(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
        limit: u32,
    ) -> Result<Vec<Digest>> {
        const SQL: &str = "SELECT image FROM image_blobs WHERE repository = $1 AND blob = $2 \
             ORDER BY image LIMIT $3";
        let values = [(&repository.0).into(), digest.as_str().into(), limit.into()];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter().map(|mut row| row.parse()).collect()
    }
}
