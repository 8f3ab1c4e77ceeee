//! How the server is, as the operator asks for it.

use std::time::Duration;

use bonded_model::Timestamp;
use bonded_registry::{AdvisoriesReport, AdvisoryUpdate};
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;
use crate::config::AdvisoryUpdates;

/// How much there is, and what waits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetStatus {}

/// The answer; the names are those of `bonded status -o json`. Times are RFC 3339.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostStatus {
    /// The version of the server, which may be older than the command's.
    pub(crate) version: String,
    /// Its default region.
    pub(crate) region: String,
    /// Its default account.
    pub(crate) account: String,
    pub(crate) accounts: u64,
    pub(crate) repositories: u64,
    pub(crate) images: u64,
    /// Blobs, each once for its registry.
    pub(crate) objects: u64,
    /// Their bytes in clear.
    pub(crate) object_bytes: u64,
    /// Unfinished ones.
    pub(crate) uploads: u64,
    /// Jobs that wait or are being done.
    pub(crate) jobs: u64,
    /// Since when the oldest waits.
    pub(crate) oldest_job_at: Option<String>,
    /// Jobs that were given up.
    pub(crate) failed_jobs: u64,
    /// What images are judged by on this node; `None` if nothing is loaded.
    pub(crate) advisories: Option<AdvisoriesInUse>,
    /// How they are renewed; `None` if only the operator does it.
    pub(crate) updates: Option<UpdatesInForce>,
}

/// How advisories are renewed, and what became of it on any node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatesInForce {
    /// Where they come from.
    pub(crate) sources: Vec<String>,
    /// How long after a success, in seconds.
    pub(crate) interval_seconds: u64,
    /// When the last attempt began.
    pub(crate) attempted_at: Option<String>,
    /// When one succeeded last.
    pub(crate) succeeded_at: Option<String>,
    /// How many have failed since.
    pub(crate) failures: u32,
    /// Why the last one failed.
    pub(crate) error: Option<String>,
    /// Whether a node is at it.
    pub(crate) running: bool,
    /// When the next one is to be made.
    pub(crate) due_at: Option<String>,
}

impl UpdatesInForce {
    /// By these settings, after this attempt.
    fn new(settings: &AdvisoryUpdates, last: Option<&AdvisoryUpdate>, now: Timestamp) -> Self {
        let running = last.is_some_and(|last| last.is_running(now));
        let due = AdvisoryUpdate::due(last, settings.interval).max(now);
        Self {
            sources: settings.sources.iter().map(ToString::to_string).collect(),
            interval_seconds: settings.interval.as_secs(),
            attempted_at: last.map(|last| last.attempted_at.to_string()),
            succeeded_at: last.and_then(|last| Some(last.succeeded_at?.to_string())),
            // One under way is counted as if it had failed.
            failures: last.map_or(0, |last| last.failures - u32::from(running)),
            error: last.and_then(|last| last.error.clone()),
            running,
            due_at: (!running).then(|| due.to_string()),
        }
    }
}

/// The advisories in use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvisoriesInUse {
    /// The digest that names them.
    pub(crate) digest: String,
    /// When the newest of them was modified.
    pub(crate) as_of: String,
    /// How long that is ago, in seconds.
    pub(crate) age_seconds: u64,
    /// How many there are, of all ecosystems.
    pub(crate) advisories: u64,
    /// Of how many ecosystems.
    pub(crate) ecosystems: usize,
}

impl AdvisoriesInUse {
    /// Those of a report, as old as they are `now`.
    fn new(report: &AdvisoriesReport, now: Timestamp) -> Self {
        Self {
            digest: report.digest.to_string(),
            as_of: report.as_of.to_string(),
            age_seconds: report.age(now).as_secs(),
            advisories: report.ecosystems.values().sum(),
            ecosystems: report.ecosystems.len(),
        }
    }
}

impl Operation for GetStatus {
    const NAME: &'static str = "GetStatus";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = HostStatus;

    async fn run(self, host: &Host) -> Result<HostStatus, String> {
        let statistics = host.registry.statistics().await;
        let statistics = statistics.map_err(|error| with_sources(&error))?;
        let (advisories, now) = (
            host.registry.advisories_in_use(),
            host.registry.clock().now(),
        );
        let settings = host.updates.settings();
        let last = host.registry.advisory_update().await;
        let last = last.map_err(|error| with_sources(&error))?;
        Ok(HostStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            region: host.region.to_string(),
            account: host.registry.default_account().to_string(),
            accounts: statistics.accounts,
            repositories: statistics.repositories,
            images: statistics.images,
            objects: statistics.objects,
            object_bytes: statistics.object_bytes,
            uploads: statistics.uploads,
            jobs: statistics.jobs,
            oldest_job_at: statistics.oldest_job.map(|time| time.to_string()),
            failed_jobs: statistics.failed_jobs,
            advisories: advisories.map(|report| AdvisoriesInUse::new(&report, now)),
            updates: (!settings.updates.sources.is_empty())
                .then(|| UpdatesInForce::new(&settings.updates, last.as_ref(), now)),
        })
    }
}
