//! The end of an upload: its bytes become a layer, durably, or are gone.

use bonded_model::{Algorithm, Digest, Timestamp};
use futures_util::StreamExt as _;
use sha2::Digest as _;

use crate::Store;
use crate::blobs::{ObjectId, unreadable};
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
    /// from now on, durably; if not, the upload is gone. An object that the registry has for these
    /// bytes already is kept if it still holds them, and replaced if it does not.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the upload was cancelled or taken over, or the repository
    /// deleted meanwhile. After another error the upload is where it was suspended last.
    pub async fn finish_upload(
        &self,
        writer: UploadWriter,
        expected: &Digest,
        keep_until: Timestamp,
        now: Timestamp,
        change: &Change,
    ) -> Result<Result<Layer, DigestMismatch>> {
        let (id, repository) = (writer.id.clone(), writer.repository.clone());
        let (object, size) = (writer.writer.object(), writer.writer.size());
        let sha256 = writer.sha256();
        let writer = match self.complete(writer, expected, now).await? {
            Ok(writer) => writer,
            Err(spoiled) => {
                self.cancel_upload(&repository, &id).await?;
                return match spoiled {
                    Spoiled::Mismatch(mismatch) => Ok(Err(mismatch)),
                    Spoiled::Contested => Err(StoreError::Conflict),
                };
            }
        };
        let known = self.known_object(&repository, &sha256, size).await?;
        let replaces = known.as_ref().is_some_and(|known| !known.intact);
        let finished = Finished {
            id,
            repository,
            lease: self.lease_of(&writer).to_owned(),
            multipart: writer.writer.multipart().map(str::to_owned),
            object: object.to_string(),
            size: row_size(size)?,
            sha256,
            digest: expected.clone(),
            known,
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
        if replaces && kept == object {
            self.relink_replaced().await?;
        }
        Ok(Ok(Layer {
            digest: expected.clone(),
            size,
            object: kept,
            keep_until,
            damaged: false,
        }))
    }

    /// Makes the object durable, if it has the digest `expected`. The writer lives on, and with it
    /// its lock or lease, until the row is gone.
    ///
    /// # Errors
    /// As [`Store::finish_upload`]; the upload is where it was then. After the inner one it is of no
    /// use any more.
    async fn complete(
        &self,
        writer: UploadWriter,
        expected: &Digest,
        now: Timestamp,
    ) -> Result<Result<UploadWriter, Spoiled>> {
        let (object, size, sha256) = (
            writer.writer.object(),
            writer.writer.size(),
            writer.sha256(),
        );
        let mismatch = |calculated| Ok(Err(Spoiled::Mismatch(DigestMismatch { calculated })));
        let announced = expected.algorithm();
        if announced == Algorithm::Sha256 && *expected != sha256 {
            return mismatch(sha256);
        }
        // Who lost the lease must not end what another one goes on with.
        let contested = match writer.lease {
            Some(_) => self.hold_lease(&writer.id, now).await?,
            None => false,
        };
        let end = move || {
            let mut writer = writer;
            Ok((writer.writer.finish()?, writer))
        };
        let (ours, writer) = match blocking(end).await {
            Err(StoreError::Conflict) => return Ok(Err(Spoiled::Contested)),
            ended => ended?,
        };
        if !contested && ours && announced == Algorithm::Sha256 {
            return Ok(Ok(writer));
        }
        match self.digests(object, size).await {
            Ok((kept, _)) if kept != sha256 => Ok(Err(Spoiled::Contested)),
            Ok((_, sha512)) if announced == Algorithm::Sha512 && sha512 != *expected => {
                mismatch(sha512)
            }
            Ok(_) => Ok(Ok(writer)),
            // Frames of another writer are in it.
            Err(StoreError::Corrupt(_)) => Ok(Err(Spoiled::Contested)),
            Err(error) => Err(error),
        }
    }

    /// The sha256 and the sha512 digest of an object, by reading it back.
    async fn digests(&self, object: ObjectId, size: u64) -> Result<(Digest, Digest)> {
        let mut stream = self.read_object(object, size, 0..size).await?;
        let (mut sha256, mut sha512) = (sha2::Sha256::new(), sha2::Sha512::new());
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|e| unreadable(object, e))?;
            let hash = move || {
                sha256.update(&piece);
                sha512.update(&piece);
                Ok((sha256, sha512))
            };
            (sha256, sha512) = blocking(hash).await?;
        }
        Ok((
            Digest::from_hash(Algorithm::Sha256, &sha256.finalize()),
            Digest::from_hash(Algorithm::Sha512, &sha512.finalize()),
        ))
    }

    /// The object that the registry of `repository` has for a digest, and whether every frame of it
    /// is what was written. What cannot be read now is as good as lost: better bytes are at hand.
    async fn known_object(
        &self,
        repository: &RepositoryId,
        sha256: &Digest,
        size: u64,
    ) -> Result<Option<Known>> {
        const FIND: &str = "SELECT o.id FROM repositories r JOIN objects o \
             ON o.account = r.account AND o.region = r.region AND o.encryption = 'AES256' \
             WHERE r.id = $1 AND o.sha256 = $2";
        let values = [(&repository.0).into(), sha256.as_str().into()];
        let Some(mut row) = self.meta().optional(FIND, &values).await? else {
            return Ok(None);
        };
        let object = row.parse()?;
        let intact = match self.read_object(object, size, 0..size).await {
            Ok(mut stream) => loop {
                match stream.next().await {
                    None => break true,
                    Some(Ok(_)) => {}
                    Some(Err(_)) => break false,
                }
            },
            Err(_) => false,
        };
        Ok(Some(Known { object, intact }))
    }
}

/// Why an upload is of no use any more.
enum Spoiled {
    Mismatch(DigestMismatch),
    /// Another writer ended it, or its bytes are in the object.
    Contested,
}

/// An object that the registry has already.
struct Known {
    object: ObjectId,
    intact: bool,
}

/// An upload whose bytes are durable and have the right digest.
struct Finished {
    id: UploadId,
    repository: RepositoryId,
    lease: String,
    multipart: Option<String>,
    object: String,
    size: i64,
    sha256: Digest,
    digest: Digest,
    known: Option<Known>,
    keep_until: Timestamp,
    now: Timestamp,
    change: Change,
}

/// Turns an upload into a layer; gives the object that holds the bytes, which is another one if
/// the registry has them already.
async fn finish(tx: &mut Tx<'_>, upload: &Finished) -> Result<ObjectId> {
    const END: &str = "DELETE FROM uploads WHERE id = $1 AND COALESCE(lease, '') = $2";
    const COMPLETED: &str = "DELETE FROM multiparts WHERE object = $1 AND name = $2";
    const REGISTRY: &str = "SELECT account, region FROM repositories WHERE id = $1";
    const INSERT: &str = "INSERT INTO objects \
         (id, account, region, encryption, sha256, size, created_at) \
         VALUES ($1, $2, $3, 'AES256', $4, $5, $6) \
         ON CONFLICT (account, region, encryption, sha256) DO UPDATE SET unlinked_at = NULL \
         RETURNING id";
    const SHA512: &str = "UPDATE objects SET sha512 = $1 WHERE id = $2 AND sha512 IS NULL";
    let ended = [upload.id.as_str().into(), (&upload.lease).into()];
    found(tx.execute(END, &ended).await?)?;
    if let Some(multipart) = &upload.multipart {
        let completed = [(&upload.object).into(), multipart.into()];
        tx.execute(COMPLETED, &completed).await?;
    }
    let row = tx
        .optional(REGISTRY, &[(&upload.repository.0).into()])
        .await?;
    let mut row = row.ok_or(StoreError::Conflict)?;
    let (account, region): (Value, Value) = (row.text()?.into(), row.text()?.into());
    let sha512 = match &upload.known {
        Some(known) => heal(tx, known, &upload.object).await?,
        None => Value::Null,
    };
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
    let sha512 = match upload.digest.algorithm() {
        Algorithm::Sha512 => upload.digest.as_str().into(),
        Algorithm::Sha256 => sha512,
    };
    if sha512 != Value::Null {
        tx.execute(SHA512, &[sha512, (&kept).into()]).await?;
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

/// Lets `object` take the place of a known one that is damaged: its digest becomes free. Whoever
/// links the old one is led to the new one later, in steps. Gives the sha512 digest it had.
async fn heal(tx: &mut Tx<'_>, known: &Known, object: &str) -> Result<Value> {
    const INTACT: &str = "UPDATE objects SET damaged = 0 WHERE id = $1 AND damaged <> 0";
    const SHA512: &str = "SELECT sha512 FROM objects WHERE id = $1 AND replaced_by IS NULL";
    const REPLACE: &str = "UPDATE objects \
         SET encryption = 'replaced ' || id, replaced_by = $1, sha512 = NULL WHERE id = $2";
    let id: Value = known.object.to_string().into();
    if known.intact {
        tx.execute(INTACT, &[id]).await?;
        return Ok(Value::Null);
    }
    let Some(mut row) = tx.optional(SHA512, std::slice::from_ref(&id)).await? else {
        // Collected, or replaced by another upload.
        return Ok(Value::Null);
    };
    let sha512 = row.opt_text()?;
    tx.execute(REPLACE, &[object.into(), id]).await?;
    Ok(sha512.into())
}
