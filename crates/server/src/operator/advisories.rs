//! Advisories, as the operator loads them, and jobs that have failed.

use std::path::PathBuf;
use std::time::Duration;

use bonded_registry::{AdvisoriesReport, UpdateOutcome};
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
    const TIME_LIMIT: Duration = Duration::from_mins(10);
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

/// New advisories from where the settings say, now.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateAdvisories {
    /// Whether they are taken although an ecosystem has shrunk.
    pub(crate) force: bool,
}

/// The advisories that are in use then.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatedAdvisories {
    /// Whether they are others than before.
    pub(crate) changed: bool,
    #[serde(flatten)]
    pub(crate) report: AdvisoriesReport,
}

impl Operation for UpdateAdvisories {
    const NAME: &'static str = "UpdateAdvisories";
    // A mirror that was never asked sends all that it has.
    const TIME_LIMIT: Duration = Duration::from_secs(12 * 60 * 60);
    type Output = UpdatedAdvisories;

    async fn run(self, host: &Host) -> Result<UpdatedAdvisories, String> {
        let (changed, report) = match host.updates.now(self.force, &host.watcher).await? {
            UpdateOutcome::Loaded(report) => (true, report),
            UpdateOutcome::Unchanged(report) => (false, report),
            UpdateOutcome::Failed(problem) => return Err(problem),
            UpdateOutcome::Elsewhere => {
                return Err(
                    "they are being renewed just now, by this server or another node; 'bonded \
                     status' says when that has ended"
                        .to_owned(),
                );
            }
            UpdateOutcome::Stopped => return Err("the server stops".to_owned()),
        };
        Ok(UpdatedAdvisories { changed, report })
    }
}
