//! How the server is, as the operator asks for it.

use std::time::Duration;

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
}

impl Operation for GetStatus {
    const NAME: &'static str = "GetStatus";
    const TIME_LIMIT: Duration = Duration::from_secs(60);
    type Output = HostStatus;

    async fn run(self, host: &Host) -> Result<HostStatus, String> {
        let statistics = host.registry.statistics().await;
        let statistics = statistics.map_err(|error| with_sources(&error))?;
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
        })
    }
}
