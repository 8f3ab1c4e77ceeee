//! The advisories that images are judged by: one file, swapped while the server serves.
//!
//! The operator's file is copied, checked as a whole and mapped before it takes the place of the
//! one before; scans that run go on with theirs. Each pair of analyzers and advisories is a
//! *generation*, numbered in the order of coming into use, so that of several nodes the one that
//! has the latest has its way and the others do not undo it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bonded_model::{Digest, Timestamp};
use bonded_scan::{Advisories, InvalidAdvisories};
use bonded_store::{JudgedBy, ScanGeneration, Unit, Watcher};
use serde::{Deserialize, Serialize};

use crate::Registry;
use crate::error::{Error, Result};
use crate::layer_index::analyzers;

/// How much smaller an ecosystem may become, as a part of what it was.
const SHRINKAGE: u64 = 10;

/// Advisories in use.
pub(crate) struct LoadedAdvisories {
    pub(crate) advisories: Advisories,
    pub(crate) judged_by: JudgedBy,
}

/// The place of the advisories in use.
#[derive(Default)]
pub(crate) struct CurrentAdvisories(RwLock<Option<Arc<LoadedAdvisories>>>);

/// Advisories, as the operator sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvisoriesReport {
    /// The digest that names the advisories.
    pub digest: Digest,
    /// How old they are: when the newest of them was modified.
    pub as_of: Timestamp,
    /// How many there are for each ecosystem.
    pub ecosystems: BTreeMap<String, u64>,
    /// The number of their generation.
    pub generation: u64,
}

impl AdvisoriesReport {
    /// How old they are at `now`: how long it is since the newest of them was modified. A date in the
    /// future is no age.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        let seconds = now.as_seconds() - self.as_of.as_seconds();
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }
}

/// Why advisories were not loaded.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoriesRefused {
    /// The file is not one of advisories.
    #[error("{0}")]
    Invalid(String),
    /// The file is of a form that this version does not read.
    #[error("{0}")]
    Outdated(String),
    /// Another node uses them, and they cannot be had here.
    #[error(
        "the advisories '{0}' that another node has loaded are neither here nor in a bucket that \
         the nodes share; load them here too with 'bonded advisories load FILE'"
    )]
    Elsewhere(Digest),
    /// An ecosystem has lost more than a tenth of its advisories.
    #[error(
        "'{ecosystem}' has {now} advisories, and {before} before: more than a tenth is missing. \
         Look at where they come from, or load them with --force"
    )]
    Shrunk {
        /// Which ecosystem.
        ecosystem: String,
        /// How many advisories it has in the file.
        now: u64,
        /// How many it has in the advisories in use.
        before: u64,
    },
}

impl LoadedAdvisories {
    fn report(&self) -> AdvisoriesReport {
        AdvisoriesReport {
            digest: self.advisories.digest().clone(),
            as_of: self.advisories.as_of(),
            ecosystems: counts(&self.advisories),
            generation: self.judged_by.generation,
        }
    }
}

impl Registry {
    /// What images are judged by on this node; `None` if no advisories are loaded.
    #[must_use]
    pub fn advisories_in_use(&self) -> Option<AdvisoriesReport> {
        self.advisories().map(|loaded| loaded.report())
    }

    /// The advisories in use; `None` if none are loaded.
    pub(crate) fn advisories(&self) -> Option<Arc<LoadedAdvisories>> {
        let current = &self.current_advisories().0;
        let loaded = current.read().unwrap_or_else(PoisonError::into_inner);
        loaded.clone()
    }

    /// What images are judged by now.
    pub(crate) fn judged_by(&self) -> JudgedBy {
        let none = || JudgedBy {
            analyzers: analyzers(),
            ..JudgedBy::default()
        };
        self.advisories()
            .map_or_else(none, |loaded| loaded.judged_by.clone())
    }

    /// Loads the advisories in the file at `path`, which stays as it is, and has every image judged
    /// by them from now on. What is refused leaves those in use where they are. `force` takes a
    /// file although an ecosystem has shrunk. `watcher` is told how far it is.
    ///
    /// # Errors
    /// [`Error::AdvisoriesRefused`]; the store's.
    pub async fn load_advisories(
        &self,
        path: &Path,
        force: bool,
        watcher: &Watcher,
    ) -> Result<AdvisoriesReport> {
        self.load(path, force, true, watcher).await
    }

    /// Loads what the server begins with: the file of its settings if it was never in use, else
    /// the advisories that came into use last, else that file.
    ///
    /// # Errors
    /// As [`Registry::load_advisories`].
    pub async fn begin_with_advisories(
        &self,
        setting: Option<&Path>,
    ) -> Result<Option<AdvisoriesReport>> {
        let nobody = Watcher::nobody();
        let last = self.store().last_generation().await?;
        let last_sha256 = last.as_ref().map(|last| last.advisories_sha256.clone());
        if let Some(path) = setting {
            let copy = self.store().copy_advisories(path).await?;
            let digest = map(copy.file()).await?.digest().to_string();
            let known = self.store().knows_advisories(&digest).await?;
            if !known || last_sha256.as_ref() == Some(&digest) {
                return self.load(path, false, false, &nobody).await.map(Some);
            }
        }
        if let Some(digest) = last_sha256.and_then(|text| text.parse::<Digest>().ok())
            && let Some(advisories) = self.kept(&digest, None).await.transpose()
        {
            match advisories {
                Ok(advisories) => return self.enter(advisories, false).await.map(Some),
                // Another version of this program made it: no reason not to serve. What was found
                // stays, and grows older.
                Err(Error::AdvisoriesRefused(error @ AdvisoriesRefused::Outdated(_))) => {
                    tracing::error!(%error, "the advisories that were used last cannot be used");
                }
                Err(error) => return Err(error),
            }
        }
        match setting {
            Some(path) => self.load(path, false, false, &nobody).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes up the advisories that came into use last on any node, if they are not in use here;
    /// says whether they were not.
    ///
    /// # Errors
    /// [`Error::AdvisoriesRefused`] if they cannot be had or used here; the store's.
    pub async fn follow_advisories(&self) -> Result<Option<AdvisoriesReport>> {
        let Some(last) = self.store().last_generation().await? else {
            return Ok(None);
        };
        let ours = self.advisories();
        let ours = ours.as_ref().map(|loaded| &loaded.advisories);
        let Ok(digest) = last.advisories_sha256.parse::<Digest>() else {
            return Ok(None);
        };
        if ours.is_some_and(|ours| *ours.digest() == digest) {
            return Ok(None);
        }
        match self.kept(&digest, ours.map(Advisories::digest)).await? {
            Some(advisories) => self.enter(advisories, false).await.map(Some),
            None => Err(AdvisoriesRefused::Elsewhere(digest).into()),
        }
    }

    /// The advisories `digest` from the disk, or from where nodes share them; then those of
    /// `before` stay beside them.
    async fn kept(&self, digest: &Digest, before: Option<&Digest>) -> Result<Option<Advisories>> {
        let store = self.store();
        if let Some(file) = store.open_advisories(digest)? {
            return map(&file).await.map(Some);
        }
        let Some(copy) = store.fetch_advisories(digest).await? else {
            return Ok(None);
        };
        let advisories = map(copy.file()).await?;
        if advisories.digest() != digest {
            let found = advisories.digest();
            let problem = format!("the advisories '{digest}' in the bucket are '{found}'");
            return Err(AdvisoriesRefused::Invalid(problem).into());
        }
        store.keep_advisories(copy, digest, before).await?;
        Ok(Some(advisories))
    }

    async fn load(
        &self,
        path: &Path,
        force: bool,
        again: bool,
        watcher: &Watcher,
    ) -> Result<AdvisoriesReport> {
        let store = self.store();
        let step = watcher.begin("copy", None, Unit::Bytes);
        let copy = store.copy_advisories(path).await?;
        step.end();
        let step = watcher.begin("check", None, Unit::Bytes);
        let advisories = map(copy.file()).await?;
        step.end();
        let last = store.last_generation().await?;
        if let Some(before) = last.as_ref().filter(|_| !force) {
            not_shrunk(&before.counts, &counts(&advisories))?;
        }
        let last = last.and_then(|last| last.advisories_sha256.parse().ok());
        let digest = advisories.digest();
        store.keep_advisories(copy, digest, last.as_ref()).await?;
        let now = self.clock().now();
        store.share_advisories(digest, last.as_ref(), now).await?;
        self.enter(advisories, again).await
    }

    /// Puts checked advisories into use.
    async fn enter(&self, advisories: Advisories, again: bool) -> Result<AdvisoriesReport> {
        let as_of = advisories.as_of();
        let new = ScanGeneration {
            generation: 0,
            analyzers: analyzers(),
            advisories_sha256: advisories.digest().to_string(),
            advisories_at: as_of,
            counts: counts(&advisories),
        };
        let now = self.clock().now();
        let generation = self.store().enter_generation(&new, again, now).await?;
        let loaded = LoadedAdvisories {
            advisories,
            judged_by: JudgedBy {
                generation,
                analyzers: new.analyzers,
                advisories_sha256: Some(new.advisories_sha256),
                advisories_at: Some(as_of),
            },
        };
        let report = loaded.report();
        let current = &self.current_advisories().0;
        *current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(loaded));
        Ok(report)
    }
}

/// Maps and checks a file; its length in time, so not on a thread that serves.
pub(crate) async fn map(file: &File) -> Result<Advisories> {
    let refused = |text: String| Error::AdvisoriesRefused(AdvisoriesRefused::Invalid(text));
    let file = file.try_clone().map_err(|e| refused(e.to_string()))?;
    let mapped = tokio::task::spawn_blocking(move || Advisories::map(&file)).await;
    mapped
        .map_err(|e| refused(e.to_string()))?
        .map_err(|error| match error {
            InvalidAdvisories::Version(_) => {
                Error::AdvisoriesRefused(AdvisoriesRefused::Outdated(error.to_string()))
            }
            error => refused(error.to_string()),
        })
}

fn counts(advisories: &Advisories) -> BTreeMap<String, u64> {
    let totals = advisories.ecosystems();
    totals
        .map(|total| (total.ecosystem, u64::from(total.advisories)))
        .collect()
}

/// Refuses what has lost too much of an ecosystem: an import that broke off looks like safety.
fn not_shrunk(
    before: &BTreeMap<String, u64>,
    now: &BTreeMap<String, u64>,
) -> std::result::Result<(), AdvisoriesRefused> {
    for (ecosystem, &before) in before {
        let now = now.get(ecosystem).copied().unwrap_or_default();
        if now.saturating_mul(SHRINKAGE) < before.saturating_mul(SHRINKAGE - 1) {
            return Err(AdvisoriesRefused::Shrunk {
                ecosystem: ecosystem.clone(),
                now,
                before,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_an_ecosystem_may_go_and_no_more() {
        let of = |debian, pypi| -> BTreeMap<String, u64> {
            let all = [("Debian:12", debian), ("PyPI", pypi)];
            let some = all.into_iter().filter(|(_, count)| *count > 0);
            some.map(|(name, count)| (name.to_owned(), count)).collect()
        };
        for (before, now, refused) in [
            (of(100, 10), of(90, 9), None),
            (of(100, 10), of(89, 10), Some("Debian:12")),
            (of(100, 10), of(1000, 0), Some("PyPI")),
            (of(0, 0), of(1, 0), None),
            (of(u64::MAX, 1), of(u64::MAX, 1), None),
        ] {
            let shrunk = not_shrunk(&before, &now).err().map(|e| e.to_string());
            let named = refused.map(|name| format!("'{name}' has "));
            assert_eq!(shrunk.is_some(), named.is_some(), "{shrunk:?}");
            assert!(
                shrunk
                    .unwrap_or_default()
                    .starts_with(&named.unwrap_or_default())
            );
        }
    }
}
