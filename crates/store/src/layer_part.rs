//! Layers as ECR's API asks for them: the parts of an upload, and whether an image needs a layer.
//! `/v2` knows bytes only.

use bonded_model::Digest;

use crate::Store;
use crate::error::Result;
use crate::meta::Value;
use crate::repository::RepositoryId;
use crate::upload::{UploadId, UploadWriter, row_size};

/// What is known of an upload's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerParts {
    /// How many came by [`Store::record_part`].
    pub count: u64,
    /// Where the first short one ends; `None` if none was short.
    pub short_part_end: Option<u64>,
    /// How many bytes the upload has, however they came.
    pub offset: u64,
}

impl UploadWriter {
    /// The sha256 digest of the bytes so far.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        self.writer.digest()
    }
}

impl Store {
    /// The parts of the upload `id` of a repository.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_parts(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
    ) -> Result<Option<LayerParts>> {
        const SQL: &str = "SELECT parts, COALESCE(short_part_end, -1), received FROM uploads \
             WHERE id = $1 AND repository = $2";
        let values = [id.as_str().into(), (&repository.0).into()];
        let row = self.meta().optional(SQL, &values).await?;
        let parts = |mut row: crate::meta::Row| {
            Ok(LayerParts {
                count: row.size()?,
                short_part_end: u64::try_from(row.int()?).ok(),
                offset: row.size()?,
            })
        };
        row.map(parts).transpose()
    }

    /// Whether an image of a repository refers to the blob `digest`.
    ///
    /// # Errors
    /// As every read.
    pub async fn is_referenced(&self, repository: &RepositoryId, digest: &Digest) -> Result<bool> {
        const SQL: &str =
            "SELECT image FROM image_blobs WHERE repository = $1 AND blob = $2 LIMIT 1";
        let values = [(&repository.0).into(), digest.as_str().into()];
        Ok(self.meta().optional(SQL, &values).await?.is_some())
    }

    /// Counts a part that was appended to the upload; `short_end` is where it ends if it is a
    /// short one. An upload that is gone meanwhile is no error.
    ///
    /// # Errors
    /// As every write.
    pub async fn record_part(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
        short_end: Option<u64>,
    ) -> Result<()> {
        const SQL: &str = "UPDATE uploads SET parts = parts + 1, \
             short_part_end = COALESCE(short_part_end, CAST($1 AS BIGINT)) \
             WHERE id = $2 AND repository = $3";
        let values: [Value; 3] = [
            short_end.map(row_size).transpose()?.into(),
            id.as_str().into(),
            (&repository.0).into(),
        ];
        self.meta().execute_soon(SQL, values).await?;
        Ok(())
    }
}
