//! When repositories are scanned: their own setting, and that of their registry.

use bonded_model::{
    AccountId, Region, RegistryScanning, RepositoryArn, ScanFrequency, ScanningFilter,
};

use crate::Registry;
use crate::access::Allowed;
use crate::error::Result;
use crate::repository::gone;
use crate::target::{Everything, Range, Repositories};

/// When one repository is scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryScanning {
    /// The repository.
    pub arn: RepositoryArn,
    /// When.
    pub frequency: ScanFrequency,
    /// The filters of its registry that took it.
    pub filters: Vec<ScanningFilter>,
}

impl Registry {
    /// Sets whether each pushed image of the repository is scanned, as far as its registry has no
    /// rules.
    ///
    /// # Errors
    /// [`crate::Error::RepositoryNotFound`].
    pub async fn set_scan_on_push(
        &self,
        allowed: &Allowed<RepositoryArn>,
        scan_on_push: bool,
    ) -> Result<()> {
        let repository = allowed.repository()?;
        let change = allowed.change();
        let set = self
            .store()
            .set_scan_on_push(&repository.id, scan_on_push, &change)
            .await;
        set.map_err(|e| gone(e, &repository.arn))
    }

    /// How the registry of the caller scans.
    ///
    /// # Errors
    /// The store's.
    pub async fn registry_scanning(
        &self,
        allowed: &Allowed<Everything>,
    ) -> Result<RegistryScanning> {
        let Everything(account) = allowed.target();
        self.scanning_of(account, allowed.caller().region()).await
    }

    /// Sets how the registry of the caller scans, from the next push on.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_registry_scanning(
        &self,
        allowed: &Allowed<Everything>,
        scanning: &RegistryScanning,
    ) -> Result<()> {
        let (Everything(account), region) = (allowed.target(), allowed.caller().region());
        let store = self.store();
        Ok(store
            .set_registry_scanning(account, region, scanning, &allowed.change())
            .await?)
    }

    /// When each of the repositories is scanned, in the order of the request; an error for one
    /// that does not exist.
    ///
    /// # Errors
    /// The store's.
    pub async fn repository_scanning(
        &self,
        allowed: &Allowed<Repositories>,
    ) -> Result<Vec<std::result::Result<RepositoryScanning, RepositoryArn>>> {
        let (Range::Named(account, region, _) | Range::All(account, region)) =
            allowed.target().range();
        let scanning = self.scanning_of(account, region).await?;
        let found = allowed.found().iter();
        Ok(found
            .map(|(arn, repository)| {
                let repository = repository.as_ref().ok_or_else(|| arn.clone())?;
                let (frequency, filters) = scanning.of(&arn.name, repository.scan_on_push);
                Ok(RepositoryScanning {
                    arn: arn.clone(),
                    frequency,
                    filters: filters.into_iter().cloned().collect(),
                })
            })
            .collect())
    }

    pub(crate) async fn scanning_of(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<RegistryScanning> {
        let store = self.store();
        Ok(store.registry_scanning(account, region).await?)
    }
}
