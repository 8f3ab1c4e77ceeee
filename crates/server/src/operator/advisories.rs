//! Advisories, as the operator loads them, and jobs that have failed.

use std::path::PathBuf;
use std::time::Duration;

use bonded_registry::AdvisoriesReport;
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;

/// The advisories in a file, which take the place of those in use.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadAdvisories {
    /// The file, by its absolute path.
    pub(crate) file: PathBuf,
    /// Whether they are taken although an ecosystem has shrunk.
    pub(crate) force: bool,
}

impl Operation for LoadAdvisories {
    const NAME: &'static str = "LoadAdvisories";
    const TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
    type Output = AdvisoriesReport;

    async fn run(self, host: &Host) -> Result<AdvisoriesReport, String> {
        if !self.file.is_absolute() {
            return Err(format!("'{}' is not an absolute path", self.file.display()));
        }
        let (registry, watcher) = (&host.registry, &host.watcher);
        let loaded = registry.load_advisories(&self.file, self.force, watcher);
        let loaded = loaded.await;
        loaded.map_err(|error| with_sources(&error))
    }
}
