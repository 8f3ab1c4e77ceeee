//! Uploads: objects that are being written, across requests and restarts.
//!
//! The row has the object's id and header, how much was received, and the sealed state of the
//! writer (hash, unsealed tail) at the end of the last request that ended well: see `upload_open`.

use std::fmt;
use std::str::FromStr;

use bonded_model::Timestamp;

use crate::Store;
use crate::blobs::{Blobs, Header, ObjectId, ObjectWriter};
use crate::error::{Result, StoreError};
use crate::meta::{Row, Value};
use crate::random;
use crate::repository::RepositoryId;
use crate::upload_lease::Lease;

/// Names an upload: a UUID in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UploadId(String);

/// The text is not the id of an upload.
#[derive(Debug, thiserror::Error)]
#[error("the upload id is not a UUID")]
pub struct InvalidUploadId;

impl UploadId {
    /// The UUID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    fn from_str(text: &str) -> Result<Self, InvalidUploadId> {
        let uuid = uuid::Uuid::try_parse(text).map_err(|_| InvalidUploadId)?;
        let canonical = uuid.hyphenated().to_string();
        (canonical == text)
            .then_some(Self(canonical))
            .ok_or(InvalidUploadId)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An upload that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// How many bytes it has, by the last request that ended well.
    pub offset: u64,
    /// Who began it.
    pub principal: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was last begun, opened or suspended: an upload long untouched is abandoned.
    pub updated_at: Timestamp,
}

/// The right to write to an upload, alone. Dropping it gives the right back and forgets what was
/// written since it was opened.
pub struct UploadWriter {
    pub(crate) id: UploadId,
    pub(crate) repository: RepositoryId,
    pub(crate) writer: ObjectWriter,
    /// Of an object in a bucket.
    pub(crate) lease: Option<Lease>,
}

impl UploadWriter {
    /// Hashes, encrypts and writes the next bytes. Blocks: call it on a thread that may.
    ///
    /// # Errors
    /// As the disk does. After an error only [`Store::cancel_upload`] or opening the upload anew
    /// help.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write(bytes)
    }

    /// How many bytes the upload has, written by this writer or before it. This may be less than
    /// [`Upload::offset`] if the system went down in between.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.writer.size()
    }
}

/// The principal has as many unfinished uploads as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "you have {0} unfinished uploads, which is the limit; finish or cancel some, or wait a day"
)]
pub struct TooManyUploads(pub u32);

impl Store {
    /// Begins an upload on behalf of `principal`, if it has fewer than `limit` unfinished ones.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the repository does not exist any more. The inner error changes
    /// nothing.
    pub async fn start_upload(
        &self,
        repository: &RepositoryId,
        principal: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<UploadId, TooManyUploads>> {
        const REGISTRY: &str = "SELECT account, region FROM repositories WHERE id = $1";
        const UNFINISHED: &str = "SELECT COUNT(*) FROM \
             (SELECT id FROM uploads WHERE principal = $1 LIMIT $2) AS unfinished";
        const INSERT: &str = "INSERT INTO uploads \
             (id, repository, principal, object, header, received, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, 0, $6, $7)";
        // Counted before the transaction: a bound on what may lie about, which some uploads begun
        // at the same moment may pass, not a reason for them to wait for one another.
        let values = [principal.into(), limit.into()];
        let counted = self.meta().optional(UNFINISHED, &values).await?;
        if counted.map_or(Ok(0), |mut row| row.int())? >= i64::from(limit) {
            return Ok(Err(TooManyUploads(limit)));
        }
        let values = [(&repository.0).into()];
        let row = self.meta().optional(REGISTRY, &values).await?;
        let mut row = row.ok_or(StoreError::Conflict)?;
        let (account, region) = (row.parse()?, row.parse()?);
        let key_version = self
            .keys()
            .registry(self.meta(), &account, &region, now)
            .await?;
        let id = UploadId(random::uuid()?);
        let object = ObjectId::random()?;
        let header = Header::new(object, &key_version)?;
        let values: [Value; 7] = [
            id.as_str().into(),
            (&repository.0).into(),
            principal.into(),
            object.to_string().into(),
            header.as_bytes().as_slice().into(),
            now.into(),
            now.into(),
        ];
        self.meta()
            .transact_soon(values, |tx, values| {
                Box::pin(async move {
                    // The repository may be deleted by now, and its uploads with it.
                    let repository = tx.optional(REGISTRY, &values[1..2]).await?;
                    repository.ok_or(StoreError::Conflict)?;
                    tx.execute(INSERT, &values[..]).await
                })
            })
            .await?;
        Ok(Ok(id))
    }

    /// The upload `id` of a repository.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_upload(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
    ) -> Result<Option<Upload>> {
        const SQL: &str = "SELECT received, principal, created_at, updated_at FROM uploads \
             WHERE id = $1 AND repository = $2";
        let values = [id.as_str().into(), (&repository.0).into()];
        let row = self.meta().optional(SQL, &values).await?;
        let upload = |mut row: Row| {
            Ok(Upload {
                offset: row.size()?,
                principal: row.text()?,
                created_at: row.time()?,
                updated_at: row.time()?,
            })
        };
        row.map(upload).transpose()
    }

    /// Drops an upload and its bytes; `false` if there is none.
    ///
    /// # Errors
    /// As every write.
    pub async fn cancel_upload(&self, repository: &RepositoryId, id: &UploadId) -> Result<bool> {
        const SQL: &str = "DELETE FROM uploads WHERE id = $1 AND repository = $2 RETURNING object";
        let values: [Value; 2] = [id.as_str().into(), (&repository.0).into()];
        let row = self
            .meta()
            .transact(values, |tx, values| {
                Box::pin(async move { tx.optional(SQL, &values[..]).await })
            })
            .await?;
        let Some(mut row) = row else {
            return Ok(false);
        };
        self.discard(row.parse()?).await?;
        Ok(true)
    }

    /// Drops the bytes of an upload whose row is gone. Its multipart uploads stay on record: a part
    /// that was on its way may arrive after the abort, so it is repeated later.
    pub(crate) async fn discard(&self, object: ObjectId) -> Result<()> {
        const MULTIPARTS: &str = "SELECT name FROM multiparts WHERE object = $1";
        if matches!(self.blobs(), Blobs::Bucket(_)) {
            let values = [object.to_string().into()];
            for mut row in self.meta().all(MULTIPARTS, &values).await? {
                self.blobs().abort(object, &row.text()?).await?;
            }
        }
        self.blobs().delete(object).await
    }
}

/// `size` as a column.
pub(crate) fn row_size(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(|_| StoreError::Corrupt("an impossible size".to_owned()))
}
