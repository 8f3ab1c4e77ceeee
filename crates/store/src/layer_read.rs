//! Reading a layer; and what is done about one whose bytes are lost or damaged.
//!
//! Nobody can read such a layer, but whoever pushes it again must be able to heal it. So damage is
//! recorded when it is met, the layer is said to be absent to those who ask whether they must push,
//! and the object that the next push brings takes the place of the damaged one in every repository.

use std::ops::Range;

use crate::Store;
use crate::blobs::{ObjectId, ObjectStream};
use crate::error::{Result, StoreError};
use crate::layer::Layer;
use crate::meta::Value;

/// How many layers are led to another object in one transaction.
const RELINK_STEP: u32 = 500;

impl Store {
    /// The bytes `range` of a layer, cut to its length. The first piece has been read and
    /// authenticated when this gives `Ok`, so a damaged object is an error before the first byte.
    /// Damage is recorded, then and later.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the object is missing, cut or changed.
    pub async fn read_layer(&self, layer: &Layer, range: Range<u64>) -> Result<ObjectStream> {
        match self.read_object(layer.object, layer.size, range).await {
            Ok(mut stream) => {
                let (store, object) = (self.clone(), layer.object);
                let runtime = tokio::runtime::Handle::current();
                stream.on_damage(move || {
                    runtime.spawn(async move { store.record_damage(object).await });
                });
                Ok(stream)
            }
            Err(error) => {
                if matches!(error, StoreError::Corrupt(_)) {
                    self.record_damage(layer.object).await;
                }
                Err(error)
            }
        }
    }

    /// Whether the bytes of a layer are there, as far as that is seen without reading them: nothing
    /// was found wrong with them, and they have the right length.
    ///
    /// # Errors
    /// The disk or the bucket cannot be asked.
    pub async fn has_bytes(&self, layer: &Layer) -> Result<bool> {
        Ok(!layer.damaged && self.blobs().has(layer.object, layer.size).await?)
    }

    /// The bytes `range` of an object of `size` bytes.
    pub(crate) async fn read_object(
        &self,
        object: ObjectId,
        size: u64,
        range: Range<u64>,
    ) -> Result<ObjectStream> {
        let sealed = self.blobs().open_object(object, size, range).await?;
        let id = sealed.header().key_version();
        let key_version = self.keys().version(self.meta(), id).await?;
        let key = sealed.header().open(&key_version)?;
        sealed.read(key)
    }

    /// Best effort: the reader hears of the damage in any case.
    async fn record_damage(&self, object: ObjectId) {
        const SQL: &str = "UPDATE objects SET damaged = 1 WHERE id = $1 AND damaged = 0";
        let values: [Value; 1] = [object.to_string().into()];
        let recorded = self.meta().execute_soon(SQL, values).await;
        match recorded {
            Ok(0) => {}
            Ok(_) => {
                tracing::error!(%object, "an object is lost or damaged; push its layer again to heal it");
            }
            Err(error) => {
                tracing::error!(%object, %error, "an object is damaged, and cannot be recorded so");
            }
        }
    }

    /// Leads the layers of replaced objects to those that took their place, up to 5,000 of them;
    /// says how many. For a periodic task, and after a push that replaced one.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn relink_replaced(&self) -> Result<u64> {
        const REPLACED: &str = "SELECT o.id, o.replaced_by FROM objects o \
             WHERE o.replaced_by IS NOT NULL ORDER BY o.replaced_by LIMIT 10";
        let mut relinked = 0;
        for mut row in self.meta().all(REPLACED, &[]).await? {
            let values: [Value; 3] = [row.text()?.into(), row.text()?.into(), RELINK_STEP.into()];
            loop {
                let moved = self
                    .meta()
                    .transact(values.clone(), |tx, values| {
                        Box::pin(async move { relink(tx, &values).await })
                    })
                    .await?;
                relinked += moved;
                if moved < u64::from(RELINK_STEP) {
                    break;
                }
                if relinked >= 10 * u64::from(RELINK_STEP) {
                    return Ok(relinked);
                }
            }
        }
        Ok(relinked)
    }
}

/// One step from the old object to the new one; the last one says that it is done.
async fn relink(tx: &mut crate::meta::Tx<'_>, values: &[Value; 3]) -> Result<u64> {
    const NEW: &str = "SELECT id FROM objects WHERE id = $1";
    const STEP: &str = "UPDATE layers SET object = $1 WHERE (repository, digest) IN \
         (SELECT repository, digest FROM layers WHERE object = $2 LIMIT $3)";
    const DONE: &str = "UPDATE objects SET replaced_by = NULL WHERE id = $1";
    let [old, new, step] = values.clone();
    // It may have been collected: then nobody wants these bytes any more.
    let mut moved = 0;
    if tx
        .optional(NEW, std::slice::from_ref(&new))
        .await?
        .is_some()
    {
        moved = tx.execute(STEP, &[new, old.clone(), step]).await?;
    }
    if moved < u64::from(RELINK_STEP) {
        tx.execute(DONE, &[old]).await?;
    }
    Ok(moved)
}
