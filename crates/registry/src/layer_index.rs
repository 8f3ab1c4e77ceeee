//! Finding out what a layer holds: a job for each finished blob, once for its object.
//!
//! The stored bytes are read back, verified as they are by their frames, and go through the
//! scanner's one pass on a thread of its own. What comes of it is kept, sealed, for every image
//! that has the layer, in any repository of the registry.

use std::time::Duration;

use bonded_scan::{INVENTORY_VERSION, LayerInventory, LayerLimits, inspect_layer};
use bonded_store::{ClaimedJob, JobEnd, ObjectId, StoreError};

use crate::Registry;
use crate::error::{Error, Result};
use crate::worker_thread::on_a_thread;

/// How long a layer may be looked at.
const TIME_LIMIT: Duration = Duration::from_mins(30);

/// The set of analyzers, as inventories are filed under it.
pub(crate) fn analyzers() -> String {
    format!("inventory-{INVENTORY_VERSION}")
}

/// What is kept of a layer: an inventory, or why there is none.
pub(crate) enum IndexedLayer {
    /// What it holds.
    Inventory(LayerInventory),
    /// It could not be inspected, by a fault of ours.
    Failed(String),
}

impl IndexedLayer {
    const INVENTORY: u8 = b'i';
    const FAILED: u8 = b'f';

    fn failed(reason: &str) -> Vec<u8> {
        [&[Self::FAILED], reason.as_bytes()].concat()
    }

    fn inventory(inventory: &LayerInventory) -> std::io::Result<Vec<u8>> {
        Ok([&[Self::INVENTORY], &inventory.encode()?[..]].concat())
    }

    /// From what is kept.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let corrupt = |what: String| StoreError::Corrupt(what);
        match bytes.split_first() {
            Some((&Self::INVENTORY, encoded)) => {
                let decoded = LayerInventory::decode(encoded);
                Ok(Self::Inventory(
                    decoded.map_err(|e| corrupt(e.to_string()))?,
                ))
            }
            Some((&Self::FAILED, reason)) => {
                Ok(Self::Failed(String::from_utf8_lossy(reason).into_owned()))
            }
            _ => Err(corrupt("the inventory of a layer has no known form".to_owned()).into()),
        }
    }
}

impl Registry {
    /// The job: inspects the object and writes down what it holds.
    pub(crate) async fn index_layer(&self, claimed: &ClaimedJob, object: ObjectId) -> Result<()> {
        let (store, analyzers) = (self.store(), analyzers());
        if store.is_indexed(object, &analyzers).await? {
            let now = self.clock().now();
            return Ok(store.close_indexed(claimed, object, now).await?);
        }
        let Some(stream) = store.open_object(object).await? else {
            // Collected meanwhile: nobody can ask for it.
            return Ok(store.close_job(claimed).await?);
        };
        let inspected = on_a_thread(TIME_LIMIT, move |interrupt| {
            let inventory = inspect_layer(interrupt.watch(stream), &LayerLimits::default())?;
            IndexedLayer::inventory(&inventory)
        });
        let indexed = match inspected.await {
            Ok(Ok(indexed)) => indexed,
            Ok(Err(error)) => return Err(Error::Unreadable(object, error)),
            Err(broken) => IndexedLayer::failed(&broken.to_string()),
        };
        let now = self.clock().now();
        let end = JobEnd::Done;
        let put = store.put_inventory(claimed, object, &analyzers, &indexed, end, now);
        Ok(put.await?)
    }

    /// Writes down that the object cannot be inspected.
    pub(crate) async fn give_up_layer(
        &self,
        claimed: &ClaimedJob,
        object: ObjectId,
        reason: &str,
    ) -> Result<()> {
        let (analyzers, now) = (analyzers(), self.clock().now());
        let failed =
            IndexedLayer::failed("it failed several times; the log of the server says why");
        let end = JobEnd::Failed(reason.to_owned());
        let put = self
            .store()
            .put_inventory(claimed, object, &analyzers, &failed, end, now);
        Ok(put.await?)
    }
}
