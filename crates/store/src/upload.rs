//! Uploads: objects that are being written, across requests and restarts.
//!
//! The row has the object's id and header, how much was received, and the sealed state of the
//! writer (hash, unsealed tail) at the end of the last request that ended well. The writer's lease
//! is a lock on the object's file, which ends with its holder. A state recorded by another run of
//! the process is not trusted: the file may have lost what was not synced, so it is read back and
//! hashed anew.

use std::fmt;
use std::str::FromStr;

use bonded_model::Timestamp;

use crate::Store;
use crate::blobs::{Header, ObjectId, ObjectWriter, WriterState};
use crate::error::{Result, StoreError};
use crate::keys::Place;
use crate::meta::{Row, Value};
use crate::random;
use crate::repository::{RepositoryId, found};
use crate::thread::blocking;

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

/// Where an upload's state is kept.
fn state_place(id: &UploadId) -> Place {
    Place::new(&["uploads", "sealed_state", &id.0])
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

    /// Opens an upload for writing, where it was suspended; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while another writer has it.
    pub async fn open_upload(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
        now: Timestamp,
    ) -> Result<Option<UploadWriter>> {
        const FIND: &str = "SELECT object, header FROM uploads WHERE id = $1 AND repository = $2";
        const STATE: &str = "UPDATE uploads SET updated_at = $1 \
             WHERE id = $2 AND repository = $3 RETURNING received, sealed_state";
        let values = [id.as_str().into(), (&repository.0).into()];
        let Some(mut row) = self.meta().optional(FIND, &values).await? else {
            return Ok(None);
        };
        let object: ObjectId = row.parse()?;
        let header = Header::from_bytes(&row.bytes()?, object)?;
        let key_version = self
            .keys()
            .version(self.meta(), header.key_version())
            .await?;
        let key = header.open(&key_version)?;
        let (file, created) = self.blobs().stage(object)?;
        // Only now, with the file locked, does the row say where its last writer stopped.
        let [id_value, repository_value] = values;
        let state = self
            .meta()
            .transact_soon([now.into(), id_value, repository_value], |tx, values| {
                Box::pin(async move { tx.optional(STATE, &values[..]).await })
            })
            .await?;
        let Some(mut row) = state else {
            // A file that was there may be an object by now.
            if created {
                self.blobs().delete(object).await?;
            }
            return Ok(None);
        };
        let fresh = row.size()? == 0;
        let trusted = match row.opt_bytes()? {
            Some(sealed) => self.open_state(id, &sealed)?,
            None => None,
        };
        let open = move || match trusted {
            _ if fresh => ObjectWriter::begin(file, object, &header, key),
            Some(state) => ObjectWriter::restore(file, object, key, &state),
            None => ObjectWriter::recover(file, object, &header, key),
        };
        Ok(Some(UploadWriter {
            id: id.clone(),
            repository: repository.clone(),
            writer: blocking(open).await?,
        }))
    }

    /// The state in `sealed`; `None` if another run of the process recorded it.
    fn open_state(&self, id: &UploadId, sealed: &[u8]) -> Result<Option<WriterState>> {
        let bytes = self.keys().open_row(&state_place(id), sealed)?;
        let Some(state) = bytes.strip_prefix(self.run().as_bytes()) else {
            return Ok(None);
        };
        let damaged = || StoreError::Corrupt(format!("the state of the upload '{id}'"));
        WriterState::decode(state).map(Some).ok_or_else(damaged)
    }

    /// Ends a request that wrote to an upload, so that another may go on; gives the offset.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the upload was cancelled meanwhile.
    pub async fn suspend_upload(&self, mut writer: UploadWriter, now: Timestamp) -> Result<u64> {
        const SQL: &str = "UPDATE uploads \
             SET received = $1, sealed_state = $2, updated_at = $3 WHERE id = $4";
        let state = writer.writer.suspend()?;
        let encoded = state.encode();
        let plain = zeroize::Zeroizing::new([self.run().as_bytes(), &encoded[..]].concat());
        let sealed = self.keys().seal_row(&state_place(&writer.id), &plain)?;
        let values: [Value; 4] = [
            row_size(state.size)?.into(),
            sealed.into(),
            now.into(),
            writer.id.as_str().into(),
        ];
        self.meta()
            .transact_soon(values, |tx, values| {
                Box::pin(async move { found(tx.execute(SQL, &values[..]).await?) })
            })
            .await?;
        Ok(state.size)
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
        self.blobs().delete(row.parse()?).await?;
        Ok(true)
    }
}

/// `size` as a column.
pub(crate) fn row_size(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(|_| StoreError::Corrupt("an impossible size".to_owned()))
}
