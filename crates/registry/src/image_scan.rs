//! Judging an image: a job when it is pushed, asked for, or when the advisories have changed.
//!
//! The inventories of the layers are laid over each other and compared with the advisories that
//! are loaded, on a thread of its own: a pure function, so that two scans of the same generation
//! come to the same. A layer that was not indexed yet is waited for. What is not known is said:
//! a scan is complete only if everything in the image was read and judged.

mod attach;
mod attached;
mod configuration;
mod describe;
mod history;
mod judge;
mod report;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bonded_model::{Digest, Manifest, Reference, ScanStatus};
use bonded_scan::LayerProblem;
use bonded_store::{
    ClaimedJob, JobEnd, LayerToScan, ObjectId, RepositoryId, ScanState, StoreError,
};

use crate::Registry;
use crate::error::Result;
use crate::layer_index::analyzers;
use crate::worker_thread::on_a_thread;
use judge::{Judged, LayerToJudge, judge};

pub(crate) use attach::Attaching;
pub use attach::{AttachedSboms, SbomFormat};
pub use configuration::ImageConfiguration;
pub use describe::ecr_description;
pub use history::finding_arn;
pub(crate) use judge::{FindingsPart, PART};
pub use judge::{Observed, ecr_severity};
pub use report::ReportFormat;

/// How long laying layers over each other and comparing may take.
const TIME_LIMIT: Duration = Duration::from_mins(10);

/// How long an image waits for its layers before it looks again; it is woken when they are there.
const LAYER_WAIT: Duration = Duration::from_secs(30);

/// How long a scan is left to nodes with later advisories.
const NODE_WAIT: Duration = Duration::from_mins(1);

/// How long until another node is offered the scan again.
const NODE_PAUSE: Duration = Duration::from_secs(2);

/// The most layers that an image may have; runtimes stop at some hundred.
const LAYERS_LIMIT: usize = 1000;

/// The most bytes of inventories that are laid over each other.
const INVENTORIES_LIMIT: usize = 128 * 1024 * 1024;

/// What is known of the layers of an image before they are laid over each other.
enum Layers {
    /// All that there is to know, the lowest first.
    Known(Vec<LayerToJudge>),
    /// These were not indexed yet.
    Awaited(Vec<ObjectId>),
    /// They are more than are looked at.
    TooMany(String),
}

impl Registry {
    /// The job: judges the image and writes down what comes of it.
    pub(crate) async fn scan_image(
        &self,
        claimed: &ClaimedJob,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<()> {
        let store = self.store();
        if self
            .leaves_to_another_node(claimed, repository, image)
            .await?
        {
            return Ok(());
        }
        let Some(manifest) = self.manifest_of(repository, image).await? else {
            return Ok(store.close_job(claimed).await?);
        };
        let documents = self.attached_documents(repository, image).await?;
        let known = documents.known.clone();
        let mut result = match self.layers(repository, &manifest).await? {
            Layers::Awaited(objects) => {
                let now = self.clock().now();
                let until = now.after(LAYER_WAIT);
                return Ok(store.await_layers(claimed, &objects, until, now).await?);
            }
            Layers::TooMany(reason) => self.failed(reason),
            Layers::Known(layers) => {
                let (loaded, now) = (self.advisories(), self.clock().now());
                let judged_by = self.judged_by();
                let work = move |_| judge(&layers, &documents, loaded.as_deref(), &judged_by, now);
                match on_a_thread(TIME_LIMIT, work).await {
                    Ok(result) => result?,
                    Err(broken) => self.failed(broken.to_string()),
                }
            }
        };
        result.result.documents = Some(known);
        let (now, image_of) = (self.clock().now(), (repository, image));
        let result = self.with_history(image_of, result, now).await?;
        let end = self.after_scan(repository, image, now).await?;
        let finished = store.finish_scan(claimed, repository, image, result, end, now);
        finished.await?;
        self.scan_ended();
        Ok(())
    }

    /// The manifest of an image; `None` if it is gone.
    pub(crate) async fn manifest_of(
        &self,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<Option<Manifest>> {
        let reference = Reference::Digest(image.clone());
        let stored = self.store().find_manifest(repository, &reference).await?;
        let parsed = stored.map(|stored| {
            Manifest::parse(&stored.bytes, Some(&stored.media_type))
                .map_err(|e| StoreError::Corrupt(format!("the manifest '{image}': {e}")))
        });
        Ok(parsed.transpose()?)
    }

    /// Gives the job back if another node has later advisories, or drops it if that node has judged
    /// the image already. A scan that waits for too long is made with what there is: the node with
    /// the later advisories may be gone.
    async fn leaves_to_another_node(
        &self,
        claimed: &ClaimedJob,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<bool> {
        let store = self.store();
        let ours = self.judged_by().generation;
        let last = store.last_generation().await?;
        if last.is_none_or(|last| last.generation <= ours) {
            return Ok(false);
        }
        let Some(scan) = store.find_image_scan(repository, image).await? else {
            return Ok(false);
        };
        let now = self.clock().now();
        if scan.status != ScanStatus::InProgress {
            if scan.judged_by.generation > ours {
                store.close_job(claimed).await?;
                return Ok(true);
            }
        } else if now > scan.requested_at.after(NODE_WAIT) {
            return Ok(false);
        }
        store.release_job(claimed, now.after(NODE_PAUSE)).await?;
        Ok(true)
    }

    /// Writes down that the image cannot be judged.
    pub(crate) async fn give_up_scan(
        &self,
        claimed: &ClaimedJob,
        repository: &RepositoryId,
        image: &Digest,
        reason: &str,
    ) -> Result<()> {
        let text = "the scan failed several times; the log of the server says why".to_owned();
        let (result, end) = (self.failed(text).result, JobEnd::Failed(reason.to_owned()));
        let now = self.clock().now();
        let finished = self
            .store()
            .finish_scan(claimed, repository, image, result, end, now);
        finished.await?;
        self.scan_ended();
        Ok(())
    }

    /// The inventories of the layers of an image, as far as there are any.
    async fn layers(&self, repository: &RepositoryId, manifest: &Manifest) -> Result<Layers> {
        let layers = manifest.blobs.get(1..).unwrap_or_default();
        if layers.len() > LAYERS_LIMIT {
            let text = format!("the image has more than {LAYERS_LIMIT} layers");
            return Ok(Layers::TooMany(text));
        }
        let (mut known, mut awaited) = (Vec::with_capacity(layers.len()), Vec::new());
        let mut read: HashMap<&Digest, Arc<Vec<u8>>> = HashMap::new();
        let mut bytes = 0_usize;
        for layer in layers {
            let digest = &layer.digest;
            if let Some(problem) = LayerProblem::of_media_type(layer.media_type.essence()) {
                known.push(LayerToJudge::problem(digest, problem));
                continue;
            }
            if let Some(inventory) = read.get(digest) {
                known.push(LayerToJudge::indexed(digest, inventory));
                continue;
            }
            match self
                .store()
                .layer_to_scan(repository, digest, &analyzers())
                .await?
            {
                LayerToScan::Missing => {
                    known.push(LayerToJudge::problem(digest, LayerProblem::Missing));
                }
                LayerToScan::NotIndexed(object) => awaited.push(object),
                LayerToScan::Indexed(inventory) => {
                    bytes = bytes.saturating_add(inventory.len());
                    if bytes > INVENTORIES_LIMIT {
                        let text = "the layers of the image hold more than is looked at";
                        return Ok(Layers::TooMany(text.to_owned()));
                    }
                    let inventory = Arc::new(inventory);
                    known.push(LayerToJudge::indexed(digest, &inventory));
                    read.insert(digest, inventory);
                }
            }
        }
        Ok(if awaited.is_empty() {
            Layers::Known(known)
        } else {
            Layers::Awaited(awaited)
        })
    }

    fn failed(&self, description: String) -> Judged {
        let (status, state) = (ScanStatus::Failed, ScanState::Failed);
        Judged::ended(status, state, description, self.judged_by())
    }
}
