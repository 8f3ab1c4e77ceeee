//! Collection of garbage, as the operator asks for it.

use std::time::Duration;

use bonded_registry::{Amount, Collected, Collection};
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;

/// A collection from beginning to end, while the server serves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collect {
    /// Changes nothing.
    pub(crate) dry_run: bool,
    /// Waits for nobody.
    pub(crate) no_grace: bool,
}

/// What was collected or would be; the names are those of `bonded gc -o json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CollectedAmounts {
    /// Unfinished uploads that rested.
    pub(crate) uploads: CountAndBytes,
    /// Deleted repositories of which rows were left.
    pub(crate) repositories: u64,
    /// Layers that no image refers to.
    pub(crate) layers: CountAndBytes,
    /// Objects without a layer, whose bytes go later.
    pub(crate) unlinked: CountAndBytes,
    /// Objects whose bytes went.
    pub(crate) objects: CountAndBytes,
    /// Stored bytes without a row.
    pub(crate) strays: u64,
    /// The bytes that are free now.
    pub(crate) freed_bytes: u64,
}

/// How many, and their bytes in clear.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct CountAndBytes {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl From<Amount> for CountAndBytes {
    fn from(Amount { count, bytes }: Amount) -> Self {
        Self { count, bytes }
    }
}

impl From<Collected> for CollectedAmounts {
    fn from(collected: Collected) -> Self {
        Self {
            uploads: collected.uploads.into(),
            repositories: collected.repositories,
            layers: collected.layers.into(),
            unlinked: collected.unlinked.into(),
            objects: collected.objects.into(),
            strays: collected.strays,
            freed_bytes: collected.freed(),
        }
    }
}

impl Operation for Collect {
    const NAME: &'static str = "Collect";
    const TIME_LIMIT: Duration = Duration::from_hours(24);
    type Output = CollectedAmounts;

    async fn run(self, host: &Host) -> Result<CollectedAmounts, String> {
        let Self { dry_run, no_grace } = self;
        let collection = Collection { dry_run, no_grace };
        let collected = host.registry.collect(collection, &host.watcher).await;
        collected
            .map(CollectedAmounts::from)
            .map_err(|error| with_sources(&error))
    }
}
