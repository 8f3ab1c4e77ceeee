//! How the server is, as the operator asks for it.

use std::time::Duration;

use bonded_model::Timestamp;
use bonded_registry::AdvisoriesReport;
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;

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
    const TIME_LIMIT: Duration = Duration::from_secs(60);
    type Output = HostStatus;

    async fn run(self, host: &Host) -> Result<HostStatus, String> {
        let statistics = host.registry.statistics().await;
        let statistics = statistics.map_err(|error| with_sources(&error))?;
        let (advisories, now) = (
            host.registry.advisories_in_use(),
            host.registry.clock().now(),
        );
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
        })
    }
}
