//! How a registry scans: its one row, where that was set.

use bonded_model::{AccountId, Region, RegistryScanning, ScanFrequency};

use crate::Store;
use crate::change::Change;
use crate::error::Result;
use crate::meta::{Row, Value, json, malformed};

/// Whether what is pushed to a repository is scanned, by its columns `scan_on_push` and `name` and
/// the configuration of its registry, if it has one.
pub(crate) fn scans_on_push(row: &mut Row) -> Result<bool> {
    let (scan_on_push, name) = (row.boolean()?, row.parse()?);
    let registry = match row.opt_text()? {
        Some(text) => serde_json::from_str(&text).map_err(|e| malformed(&e.to_string()))?,
        None => RegistryScanning::default(),
    };
    let (frequency, _) = registry.of(&name, scan_on_push);
    Ok(frequency != ScanFrequency::Manual)
}

impl Store {
    /// How a registry scans: as it was set, or by default.
    ///
    /// # Errors
    /// As every read.
    pub async fn registry_scanning(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<RegistryScanning> {
        const SQL: &str =
            "SELECT configuration FROM registry_scanning WHERE account = $1 AND region = $2";
        let values = [account.as_str().into(), region.as_str().into()];
        let row = self.meta().optional(SQL, &values).await?;
        row.map_or_else(|| Ok(RegistryScanning::default()), |mut row| row.json())
    }

    /// Sets how a registry scans, from the next push on.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_registry_scanning(
        &self,
        account: &AccountId,
        region: &Region,
        scanning: &RegistryScanning,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO registry_scanning (account, region, configuration) \
             VALUES ($1, $2, $3) ON CONFLICT (account, region) \
             DO UPDATE SET configuration = excluded.configuration";
        let values: [Value; 3] = [
            account.as_str().into(),
            region.as_str().into(),
            json(scanning)?.into(),
        ];
        self.meta()
            .transact((values, change.clone()), |tx, input| {
                Box::pin(async move {
                    tx.execute(SQL, &input.0).await?;
                    input.1.insert(tx).await
                })
            })
            .await
    }
}
