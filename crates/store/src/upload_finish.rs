//! The end of an upload: its bytes become a layer, durably, or are gone.

use bonded_model::{Algorithm, Digest, Timestamp};
use sha2::Digest as _;

use crate::Store;
use crate::blobs::ObjectId;
use crate::change::Change;
use crate::error::{Result, StoreError};
use crate::job::{Job, Priority, enqueue};
use crate::layer::{Layer, link};
use crate::meta::{Tx, Value};
use crate::repository::{RepositoryId, found};
use crate::thread::blocking;
use crate::upload::{UploadId, UploadWriter, row_size};

/// The bytes are not those that were announced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the digest of the uploaded bytes is '{calculated}'")]
pub struct DigestMismatch {
    /// The digest that they have, by the announced algorithm.
    pub calculated: Digest,
}

impl Store {
    /// Ends an upload: if its bytes have the digest `expected` they are a layer of the repository
    /// from now on, durably; if not, the upload is gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the upload was cancelled or the repository deleted meanwhile.
    /// After another error the upload is where it was suspended last.
    pub async fn finish_upload(
        &self,
        writer: UploadWriter,
        expected: &Digest,
        keep_until: Timestamp,
        now: Timestamp,
        change: &Change,
    ) -> Result<Result<Layer, DigestMismatch>> {
        let UploadWriter {
            id,
            repository,
            mut writer,
        } = writer;
        let (object, size, sha256) = (writer.object(), writer.size(), writer.digest());
        let early = expected.algorithm() == Algorithm::Sha256 && *expected != sha256;
        if early {
            self.cancel_upload(&repository, &id).await?;
            return Ok(Err(DigestMismatch { calculated: sha256 }));
        }
        let store = self.clone();
        // The writer lives on, and with it its lock, until the row is gone.
        let end = move || {
            writer.finish()?;
            store.blobs().sync_name(object)?;
            Ok(writer)
        };
        let writer = blocking(end).await?;
        if expected.algorithm() == Algorithm::Sha512 {
            let calculated = self.sha512(object, size).await?;
            if calculated != *expected {
                self.cancel_upload(&repository, &id).await?;
                return Ok(Err(DigestMismatch { calculated }));
            }
        }
        let finished = Finished {
            id,
            repository,
            object: object.to_string(),
            size: row_size(size)?,
            sha256,
            digest: expected.clone(),
            keep_until,
            now,
            change: change.clone(),
        };
        let kept: ObjectId = self
            .meta()
            .transact(finished, |tx, finished| {
                Box::pin(async move { finish(tx, &finished).await })
            })
            .await?;
        drop(writer);
        if kept == object {
            self.wake_jobs();
        } else {
            self.blobs().delete(object).await?;
        }
        Ok(Ok(Layer {
            digest: expected.clone(),
            size,
            object: kept,
            keep_until,
        }))
    }

    /// The sha512 digest of an object, by reading it back.
    async fn sha512(&self, object: ObjectId, size: u64) -> Result<Digest> {
        let mut stream = self.read_object(object, size, 0..size).await?;
        let hash = move || {
            let mut sha512 = sha2::Sha512::new();
            loop {
                let io = StoreError::io(format!("cannot read back the object '{object}'"));
                let piece = stream.next_piece().map_err(io)?;
                if piece.is_empty() {
                    return Ok(Digest::from_hash(Algorithm::Sha512, &sha512.finalize()));
                }
                sha512.update(&piece);
            }
        };
        blocking(hash).await
    }
}

/// An upload whose bytes are on the disk and have the right digest.
struct Finished {
    id: UploadId,
    repository: RepositoryId,
    object: String,
    size: i64,
    sha256: Digest,
    digest: Digest,
    keep_until: Timestamp,
    now: Timestamp,
    change: Change,
}

/// Turns an upload into a layer; gives the object that holds the bytes, which is another one if
/// the registry has them already.
async fn finish(tx: &mut Tx<'_>, upload: &Finished) -> Result<ObjectId> {
    const END: &str = "DELETE FROM uploads WHERE id = $1";
    const REGISTRY: &str = "SELECT account, region FROM repositories WHERE id = $1";
    const INSERT: &str = "INSERT INTO objects \
         (id, account, region, encryption, sha256, size, created_at) \
         VALUES ($1, $2, $3, 'AES256', $4, $5, $6) \
         ON CONFLICT (account, region, encryption, sha256) DO UPDATE SET unlinked_at = NULL \
         RETURNING id";
    const SHA512: &str = "UPDATE objects SET sha512 = $1 WHERE id = $2 AND sha512 IS NULL";
    found(tx.execute(END, &[upload.id.as_str().into()]).await?)?;
    let row = tx
        .optional(REGISTRY, &[(&upload.repository.0).into()])
        .await?;
    let mut row = row.ok_or(StoreError::Conflict)?;
    let (account, region): (Value, Value) = (row.text()?.into(), row.text()?.into());
    let values = [
        (&upload.object).into(),
        account,
        region,
        upload.sha256.as_str().into(),
        upload.size.into(),
        upload.now.into(),
    ];
    // The collector may have marked the object that is there: linked again, it stays.
    let kept = tx.one(INSERT, &values).await?.text()?;
    if upload.digest.algorithm() == Algorithm::Sha512 {
        let values = [upload.digest.as_str().into(), (&kept).into()];
        tx.execute(SHA512, &values).await?;
    }
    let (repository, digest) = (&upload.repository, &upload.digest);
    link(tx, repository, digest, &kept, upload.keep_until).await?;
    upload.change.insert(tx).await?;
    let corrupt = |_| StoreError::Corrupt("a row holds no object id".to_owned());
    let object: ObjectId = kept.parse().map_err(corrupt)?;
    if kept == upload.object {
        let job = Job::IndexLayer(object);
        enqueue(tx, &job, Priority::Normal, upload.now).await?;
    }
    Ok(object)
}
