//! Layers: blobs linked to a repository.

use std::time::Duration;

use bonded_model::{AccountId, Algorithm, Digest, Region, RepositoryArn, Timestamp};

use crate::Store;
use crate::blobs::ObjectId;
use crate::change::Change;
use crate::error::{Result, StoreError};
use crate::meta::{FromRow, Row, Tx, Value};
use crate::page::page;
use crate::repository::RepositoryId;

/// How much later than the recorded one a new `keep_until` must be to be worth a write.
const KEEP_STEP: Duration = Duration::from_hours(12);

/// A blob that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its digest, by which it was looked up.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where its bytes are.
    pub object: ObjectId,
    /// Until when it is kept although no image may refer to it.
    pub keep_until: Timestamp,
    /// Whether its bytes were found damaged or missing when they were read.
    pub damaged: bool,
}

impl FromRow for Layer {
    /// Reads the columns of [`FIND`].
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            digest: row.parse()?,
            size: row.size()?,
            object: row.parse()?,
            keep_until: row.time()?,
            damaged: row.int()? != 0,
        })
    }
}

/// Links `object` to a repository as the blob `digest`, and keeps it at least until `keep_until`.
pub(crate) async fn link(
    tx: &mut Tx<'_>,
    repository: &RepositoryId,
    digest: &Digest,
    object: &str,
    keep_until: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO layers (repository, digest, object, keep_until) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (repository, digest) DO UPDATE SET \
         object = excluded.object, keep_until = CASE WHEN layers.keep_until < excluded.keep_until \
         THEN excluded.keep_until ELSE layers.keep_until END";
    let values: [Value; 4] = [
        (&repository.0).into(),
        digest.as_str().into(),
        object.into(),
        keep_until.into(),
    ];
    tx.execute(SQL, &values).await?;
    Ok(())
}

/// The layer of a repository with a digest.
pub(crate) const FIND: &str = "SELECT l.digest, o.size, o.id, l.keep_until, o.damaged \
     FROM layers l JOIN objects o ON o.id = l.object \
     WHERE l.repository = $1 AND l.digest = $2";

impl Store {
    /// The layer `digest` of a repository.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_layer(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Layer>> {
        let values = [(&repository.0).into(), digest.as_str().into()];
        self.meta().find(FIND, &values).await
    }

    /// Keeps a layer until `until`, so that an image that is about to refer to it finds it. Written
    /// only if that is twelve hours later than what is recorded: at most twice a day. `false` if
    /// the layer is gone, and must be pushed again.
    ///
    /// # Errors
    /// As every write.
    pub async fn keep_layer(
        &self,
        repository: &RepositoryId,
        layer: &Layer,
        until: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE layers SET keep_until = $1 WHERE repository = $2 AND digest = $3";
        if until < layer.keep_until.after(KEEP_STEP) {
            return Ok(true);
        }
        let values: [Value; 3] = [
            until.into(),
            (&repository.0).into(),
            layer.digest.as_str().into(),
        ];
        Ok(self.meta().execute(SQL, values).await? > 0)
    }

    /// Links the layer `digest` of `source` to `target` too, without moving a byte. `None` if
    /// `source` does not have it, `target` does not exist, or they belong to different registries,
    /// whose keys differ: then the client pushes it.
    ///
    /// # Errors
    /// As every write.
    pub async fn mount_layer(
        &self,
        source: &RepositoryId,
        target: &RepositoryId,
        digest: &Digest,
        keep_until: Timestamp,
        change: &Change,
    ) -> Result<Option<Layer>> {
        const FIND: &str = "SELECT l.digest, o.size, o.id, l.keep_until, o.damaged FROM layers l \
             JOIN objects o ON o.id = l.object \
             JOIN repositories r ON r.account = o.account AND r.region = o.region \
             WHERE l.repository = $1 AND l.digest = $2 AND r.id = $3";
        let input = (
            [source.clone(), target.clone()],
            digest.clone(),
            keep_until,
            change.clone(),
        );
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let ([source, target], digest, keep_until, change) = &*input;
                    let values = [
                        (&source.0).into(),
                        digest.as_str().into(),
                        (&target.0).into(),
                    ];
                    let Some(mut layer) = tx.find::<Layer>(FIND, &values).await? else {
                        return Ok(None);
                    };
                    link(tx, target, digest, &layer.object.to_string(), *keep_until).await?;
                    change.insert(tx).await?;
                    layer.keep_until = *keep_until;
                    Ok(Some(layer))
                })
            })
            .await
    }

    /// The repositories of a registry that have the layer `digest`, at most `limit`: those first
    /// that got it or were asked for it last.
    ///
    /// # Errors
    /// As every read.
    pub async fn repositories_with_layer(
        &self,
        account: &AccountId,
        region: &Region,
        digest: &Digest,
        limit: u32,
    ) -> Result<Vec<RepositoryArn>> {
        // One object: so its layers come from the index in order, however many there are.
        const BY_SHA256: &str = "SELECT r.account, r.region, r.name \
             FROM layers l JOIN repositories r ON r.id = l.repository \
             WHERE l.object = (SELECT o.id FROM objects o WHERE o.account = $1 AND o.region = $2 \
             AND o.encryption = 'AES256' AND o.sha256 = $3) \
             AND l.digest = $3 ORDER BY l.keep_until DESC LIMIT $4";
        const BY_SHA512: &str = "SELECT r.account, r.region, r.name \
             FROM layers l JOIN repositories r ON r.id = l.repository \
             WHERE l.object = (SELECT o.id FROM objects o WHERE o.account = $1 AND o.region = $2 \
             AND o.sha512 = $3 LIMIT 1) \
             AND l.digest = $3 ORDER BY l.keep_until DESC LIMIT $4";
        let sql = match digest.algorithm() {
            Algorithm::Sha256 => BY_SHA256,
            Algorithm::Sha512 => BY_SHA512,
        };
        let values = [
            account.as_str().into(),
            region.as_str().into(),
            digest.as_str().into(),
            page(limit),
        ];
        let rows = self.meta().all(sql, &values).await?;
        let arn = |mut row: Row| {
            Ok(RepositoryArn {
                account: row.parse()?,
                region: row.parse()?,
                name: row.parse()?,
            })
        };
        rows.into_iter().map(arn).collect()
    }
}

/// Checks that the layers `digests` of a repository exist; gives those that do not.
pub(crate) async fn missing_layers(
    tx: &mut Tx<'_>,
    repository: &str,
    digests: &[Digest],
) -> Result<Vec<Digest>, StoreError> {
    const SQL: &str = "SELECT object FROM layers WHERE repository = $1 AND digest = $2";
    let mut missing = Vec::new();
    for digest in digests {
        let values = [repository.into(), digest.as_str().into()];
        if tx.optional(SQL, &values).await?.is_none() {
            missing.push(digest.clone());
        }
    }
    Ok(missing)
}
