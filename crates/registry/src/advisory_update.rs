//! Renewing the advisories from where they come from, on one node at a time.
//!
//! When it is time follows from what became of the last attempt ([`AdvisoryUpdate::due`]); whoever
//! comes first takes a lease and makes a new file of advisories, which is loaded as the operator's
//! are. The other nodes take it up from where nodes share them (`Registry::follow_advisories`).

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bonded_store::{AdvisoryUpdate, ClaimedUpdate, StoreError, UpdateEnd, Watcher};

use crate::Registry;
use crate::advisories::AdvisoriesReport;
use crate::error::{Error, Result};

/// How long an attempt is ours without another word.
const LEASE: Duration = Duration::from_secs(60);

/// How often that is prolonged.
const RENEWAL: Duration = Duration::from_secs(15);

/// What this node knows of renewing the advisories.
#[derive(Default)]
pub struct UpdateState(Mutex<Option<AdvisoryUpdate>>);

/// What an attempt came to.
#[derive(Debug)]
pub enum UpdateOutcome {
    /// Others are in use now.
    Loaded(AdvisoriesReport),
    /// Those in use are as new as their sources.
    Unchanged(AdvisoriesReport),
    /// Another node is at it.
    Elsewhere,
    /// They stay as they were, for this reason.
    Failed(String),
    /// It was given up, as the node stops.
    Stopped,
}

impl Registry {
    /// What became of the last attempt to renew the advisories, on any node.
    ///
    /// # Errors
    /// As every read.
    pub async fn advisory_update(&self) -> Result<Option<AdvisoryUpdate>> {
        let update = self.store().advisory_update().await?;
        let known = &self.update_state().0;
        known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&update);
        Ok(update)
    }

    /// What was last read of it: for whoever cannot wait for the database.
    #[must_use]
    pub fn known_advisory_update(&self) -> Option<AdvisoryUpdate> {
        let known = &self.update_state().0;
        known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Renews the advisories by the file that `make` makes from `sources`, unless another attempt
    /// was begun after the one `seen`. What is refused or fails leaves those in use where they are;
    /// `force` takes them although an ecosystem has shrunk. When `stop` is ready it is given up.
    ///
    /// # Errors
    /// The store's: then it is not known what became of it, and it is tried again.
    pub async fn update_advisories<F: AsRef<Path>>(
        &self,
        seen: Option<&AdvisoryUpdate>,
        sources: &str,
        force: bool,
        watcher: &Watcher,
        make: impl Future<Output = std::result::Result<F, String>>,
        stop: impl Future<Output = ()>,
    ) -> Result<UpdateOutcome> {
        let (store, now) = (self.store(), self.clock().now());
        let claimed = store.claim_advisory_update(seen, sources, now, LEASE);
        let Some(claimed) = claimed.await? else {
            return Ok(UpdateOutcome::Elsewhere);
        };
        let renewed = async {
            let file = make.await?;
            let before = self.advisories_in_use().map(|report| report.digest);
            let loaded = self.load_advisories(file.as_ref(), force, watcher).await;
            let report = loaded.map_err(|error| error.in_full())?;
            Ok(match before.as_ref() == Some(&report.digest) {
                true => UpdateOutcome::Unchanged(report),
                false => UpdateOutcome::Loaded(report),
            })
        };
        let outcome = tokio::select! {
            renewed = renewed => renewed.unwrap_or_else(UpdateOutcome::Failed),
            lost = self.hold_update(&claimed) => match lost {
                Error::Store(StoreError::Conflict) => return Ok(UpdateOutcome::Elsewhere),
                lost => UpdateOutcome::Failed(lost.in_full()),
            },
            () = stop => UpdateOutcome::Stopped,
        };
        let end = match &outcome {
            UpdateOutcome::Failed(error) => UpdateEnd::Failed(error.clone()),
            UpdateOutcome::Stopped => UpdateEnd::Stopped,
            _ => UpdateEnd::Done,
        };
        let now = self.clock().now();
        match store.end_advisory_update(&claimed, &end, now).await {
            // What was loaded is loaded.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        self.advisory_update().await?;
        Ok(outcome)
    }

    /// Prolongs an attempt until that fails.
    async fn hold_update(&self, claimed: &ClaimedUpdate) -> Error {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let until = self.clock().now().after(LEASE);
            if let Err(error) = self.store().renew_advisory_update(claimed, until).await {
                return error.into();
            }
        }
    }
}
