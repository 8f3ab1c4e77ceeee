//! What layers hold, as an analyzer set saw it: sealed like manifests, once for each object.

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::blobs::{ObjectId, ObjectStream};
use crate::error::{Result, StoreError};
use crate::job::{ClaimedJob, Job, JobEnd, end, enqueue, release};
use crate::keys::Place;
use crate::meta::{Tx, Value};
use crate::repository::RepositoryId;

/// How many images that wait for an inventory are woken by it.
const WOKEN: u32 = 500;

/// A layer of an image on the way to its inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerToScan {
    /// The repository does not have the blob.
    Missing,
    /// It was not indexed by these analyzers yet.
    NotIndexed(ObjectId),
    /// Its inventory, as [`Store::put_inventory`] got it.
    Indexed(Vec<u8>),
}

fn inventory_place(object: &str, analyzers: &str) -> Place {
    Place::new(&["layer_inventories", "sealed_inventory", object, analyzers])
}

impl Store {
    /// An object from its first byte, for its analyzers; `None` if it is gone.
    ///
    /// # Errors
    /// The object cannot be read or is not what was written.
    pub async fn open_object(&self, object: ObjectId) -> Result<Option<ObjectStream>> {
        const SIZE: &str = "SELECT size FROM objects WHERE id = $1";
        let row = self
            .meta()
            .optional(SIZE, &[object.to_string().into()])
            .await?;
        let Some(mut row) = row else {
            return Ok(None);
        };
        let size = row.size()?;
        self.read_object(object, size, 0..size).await.map(Some)
    }

    /// Whether the object was indexed by `analyzers`.
    ///
    /// # Errors
    /// As every read.
    pub async fn is_indexed(&self, object: ObjectId, analyzers: &str) -> Result<bool> {
        const SQL: &str =
            "SELECT indexed_at FROM layer_inventories WHERE object = $1 AND analyzers = $2";
        let values = [object.to_string().into(), analyzers.into()];
        Ok(self.meta().optional(SQL, &values).await?.is_some())
    }

    /// Writes down what an object holds, or that it cannot be known; ends the job as `job_end` says
    /// and lets the images that wait for it go on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the job was taken again meanwhile; nothing has changed then.
    pub async fn put_inventory(
        &self,
        claimed: &ClaimedJob,
        object: ObjectId,
        analyzers: &str,
        inventory: &[u8],
        job_end: JobEnd,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO layer_inventories \
             (object, analyzers, sealed_inventory, indexed_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (object, analyzers) DO UPDATE SET \
             sealed_inventory = excluded.sealed_inventory, indexed_at = excluded.indexed_at";
        let object = object.to_string();
        let place = inventory_place(&object, analyzers);
        let values: [Value; 4] = [
            (&object).into(),
            analyzers.into(),
            self.keys().seal_row(&place, inventory)?.into(),
            now.into(),
        ];
        self.meta()
            .transact(
                (claimed.clone(), job_end, object, values, now),
                |tx, input| {
                    Box::pin(async move {
                        let (claimed, job_end, object, values, now) = &*input;
                        end(tx, claimed, job_end).await?;
                        tx.execute(SQL, values).await?;
                        wake_images(tx, object, *now).await
                    })
                },
            )
            .await?;
        self.wake_jobs();
        Ok(())
    }

    /// How far the layer `digest` of a repository is indexed.
    ///
    /// # Errors
    /// As every read.
    pub async fn layer_to_scan(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
        analyzers: &str,
    ) -> Result<LayerToScan> {
        const SQL: &str = "SELECT l.object, i.sealed_inventory FROM layers l \
             LEFT JOIN layer_inventories i ON i.object = l.object AND i.analyzers = $1 \
             WHERE l.repository = $2 AND l.digest = $3";
        let values = [
            analyzers.into(),
            (&repository.0).into(),
            digest.as_str().into(),
        ];
        let Some(mut row) = self.meta().optional(SQL, &values).await? else {
            return Ok(LayerToScan::Missing);
        };
        let object = row.text()?;
        let Some(sealed) = row.opt_bytes()? else {
            let malformed = |_| StoreError::Corrupt("a row holds no object id".to_owned());
            return object
                .parse()
                .map(LayerToScan::NotIndexed)
                .map_err(malformed);
        };
        let place = inventory_place(&object, analyzers);
        let inventory = self.keys().open_row(&place, &sealed)?;
        Ok(LayerToScan::Indexed(inventory.to_vec()))
    }

    /// Closes the job of an object that is indexed already.
    ///
    /// # Errors
    /// As [`Store::put_inventory`].
    pub async fn close_indexed(
        &self,
        claimed: &ClaimedJob,
        object: ObjectId,
        now: Timestamp,
    ) -> Result<()> {
        self.meta()
            .transact((claimed.clone(), object.to_string(), now), |tx, input| {
                Box::pin(async move {
                    let (claimed, object, now) = &*input;
                    end(tx, claimed, &JobEnd::Done).await?;
                    // An image may have begun to wait since the inventory was written.
                    wake_images(tx, object, *now).await
                })
            })
            .await?;
        self.wake_jobs();
        Ok(())
    }

    /// Lets the job of an image wait until `until` for the indexing of `objects`, which is
    /// enqueued as urgently if it is not already.
    ///
    /// # Errors
    /// As [`Store::renew_job`].
    pub async fn await_layers(
        &self,
        claimed: &ClaimedJob,
        objects: &[ObjectId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let input = (claimed.clone(), objects.to_vec(), until, now);
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (claimed, objects, until, now) = &*input;
                    let priority = release(tx, claimed, *until).await?;
                    for object in objects {
                        enqueue(tx, &Job::IndexLayer(*object), priority, *now).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.wake_jobs();
        Ok(())
    }
}

/// Lets the scans that wait for the inventory of `object` go on at once.
async fn wake_images(tx: &mut Tx<'_>, object: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE jobs SET due_at = $1 WHERE kind = 'scan_image' \
         AND state = 'queued' AND due_at > $1 AND subject IN \
         (SELECT b.repository || ' ' || b.image FROM layers l JOIN image_blobs b \
         ON b.repository = l.repository AND b.blob = l.digest WHERE l.object = $2 LIMIT $3)";
    let values = [now.into(), object.into(), WOKEN.into()];
    tx.execute(SQL, &values).await?;
    Ok(())
}
