//! What other advisories change: when they come into use, only the images with a package version of
//! which something else is said are judged again. All others come to the same, which is noted.
//!
//! Both files of advisories are compared once; of the packages that differ, each version that an
//! image has is judged by both, once. An image whose package versions, analyzers or advisories are
//! not known here is judged again as a whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bonded_model::{Digest, Timestamp};
use bonded_scan::{Advisories, ChangedPackages, PackageVersion, PackageVersions};
use bonded_store::{OlderResult, OlderResults, RepositoryId};

use crate::Registry;
use crate::advisories::{LoadedAdvisories, map};
use crate::error::{Error, Result};
use crate::layer_index::analyzers;

/// How many images are looked at in one step.
const STEP: u32 = 200;

/// How many images are enqueued at once to be judged again as a whole.
const JUDGED_AT_ONCE: u32 = 100;

/// How far this node is with the results of an older generation.
#[derive(Default)]
pub(crate) struct Rematching(Mutex<Option<Progress>>);

#[derive(Clone)]
struct Progress {
    from: u64,
    to: u64,
    /// `None` if the results have to be made anew.
    changes: Option<Arc<Changes>>,
    after: Option<(RepositoryId, Digest)>,
}

/// What is said differently of packages.
struct Changes {
    before: Advisories,
    now: Arc<LoadedAdvisories>,
    packages: ChangedPackages,
    /// Whether something else is said of a package version, of those that were asked for.
    known: Mutex<HashMap<PackageVersion, bool>>,
}

impl Changes {
    /// Whether another result is possible for an image with these package versions.
    fn concern(&self, packages: &PackageVersions) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        packages.of_packages(&self.packages).any(|version| {
            if let Some(changed) = known.get(&version) {
                return *changed;
            }
            let changed = version.changed(&self.before, &self.now.advisories);
            known.insert(version, changed);
            changed
        })
    }
}

impl Registry {
    /// One step of bringing the results of older generations up to the advisories in use; says
    /// whether there may be jobs now. A step that enqueued nothing wakes the workers for the next.
    pub(crate) async fn rematch(&self, now: Timestamp) -> Result<bool> {
        let Some(loaded) = self.advisories() else {
            return Ok(false);
        };
        let (store, to) = (self.store(), loaded.judged_by.generation);
        let Some(older) = store.oldest_results(to).await? else {
            self.set_progress(None);
            return Ok(false);
        };
        let progress = match self.progress() {
            Some(progress) if progress.from == older.generation && progress.to == to => progress,
            _ => Progress {
                from: older.generation,
                to,
                changes: self.changes(&older, &loaded).await?,
                after: None,
            },
        };
        let Some(changes) = progress.changes.clone() else {
            self.set_progress(Some(progress));
            return Ok(store.judge_again(to, JUDGED_AT_ONCE, now).await? > 0);
        };
        let after = progress.after.as_ref();
        let page = store.results_of(older.generation, after, STEP).await?;
        let last = page.last();
        let last = last.map(|last| (last.repository.clone(), last.image.clone()));
        self.set_progress(Some(Progress {
            after: last.clone(),
            ..progress
        }));
        if last.is_none() {
            // What was enqueued is found again until it is done.
            return Ok(false);
        }
        let sorted = tokio::task::spawn_blocking(move || sort(&changes, page)).await;
        let (same, other) = sorted.map_err(|e| Error::Unwritable(e.to_string()))?;
        let enqueued = !other.is_empty();
        store
            .rematched(older.generation, &loaded.judged_by, same, other, now)
            .await?;
        Ok(enqueued)
    }

    fn progress(&self) -> Option<Progress> {
        let progress = &self.rematching().0;
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.clone()
    }

    fn set_progress(&self, progress: Option<Progress>) {
        let current = &self.rematching().0;
        *current.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// What is said differently from what older results were judged by; `None` if that cannot be
    /// known here.
    async fn changes(
        &self,
        older: &OlderResults,
        loaded: &Arc<LoadedAdvisories>,
    ) -> Result<Option<Arc<Changes>>> {
        let digest = older.advisories_sha256.as_ref();
        let digest = digest.and_then(|text| text.parse::<Digest>().ok());
        let Some(digest) = digest.filter(|_| older.analyzers == analyzers()) else {
            return Ok(None);
        };
        let Some(file) = self.store().open_advisories(&digest)? else {
            return Ok(None);
        };
        let Ok(before) = map(&file).await else {
            return Ok(None);
        };
        let now = Arc::clone(loaded);
        let compared = tokio::task::spawn_blocking(move || Changes {
            packages: ChangedPackages::between(&before, &now.advisories),
            before,
            now,
            known: Mutex::default(),
        });
        let changes = compared
            .await
            .map_err(|e| Error::Unwritable(e.to_string()))?;
        Ok(Some(Arc::new(changes)))
    }
}

/// Those for which nothing changes, and the others.
fn sort(changes: &Changes, results: Vec<OlderResult>) -> (Vec<OlderResult>, Vec<OlderResult>) {
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for mut result in results {
        // What cannot be read is judged again, which writes it anew.
        let packages = result.packages.take();
        let packages = packages.and_then(|bytes| PackageVersions::decode(&bytes).ok());
        match packages.is_some_and(|packages| !changes.concern(&packages)) {
            true => same.push(result),
            false => other.push(result),
        }
    }
    (same, other)
}
