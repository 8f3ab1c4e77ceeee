//! What images are judged by: analyzers and advisories, numbered in the order they came into use.

use std::collections::BTreeMap;

use bonded_model::Timestamp;

use crate::Store;
use crate::error::Result;
use crate::meta::{FromRow, Row, Value, json};

/// Analyzers and advisories that images are or were judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanGeneration {
    /// Grows by one with each.
    pub generation: u64,
    /// The set of analyzers.
    pub analyzers: String,
    /// The sha256 digest of the advisories.
    pub advisories_sha256: String,
    /// The date of the advisories.
    pub advisories_at: Timestamp,
    /// How many advisories there are for each ecosystem.
    pub counts: BTreeMap<String, u64>,
}

impl FromRow for ScanGeneration {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            generation: row.size()?,
            analyzers: row.text()?,
            advisories_sha256: row.text()?,
            advisories_at: row.time()?,
            counts: row.json()?,
        })
    }
}

impl Store {
    /// The last generation, if there is one.
    ///
    /// # Errors
    /// As every read.
    pub async fn last_generation(&self) -> Result<Option<ScanGeneration>> {
        const SQL: &str = "SELECT generation, analyzers, advisories_sha256, advisories_at, counts \
             FROM scan_generations ORDER BY generation DESC LIMIT 1";
        self.meta().find(SQL, &[]).await
    }

    /// Whether the advisories with this sha256 digest were ever in use.
    ///
    /// # Errors
    /// As every read.
    pub async fn knows_advisories(&self, sha256: &str) -> Result<bool> {
        const SQL: &str =
            "SELECT generation FROM scan_generations WHERE advisories_sha256 = $1 LIMIT 1";
        Ok(self.meta().optional(SQL, &[sha256.into()]).await?.is_some())
    }

    /// The number of `new`, whose own does not count: the one it has if these analyzers and
    /// advisories were in use before and `again` is not set, else the next.
    ///
    /// # Errors
    /// As every write; [`crate::StoreError::Conflict`] if another node takes the number.
    pub async fn enter_generation(
        &self,
        new: &ScanGeneration,
        again: bool,
        now: Timestamp,
    ) -> Result<u64> {
        const KNOWN: &str = "SELECT generation FROM scan_generations \
             WHERE analyzers = $1 AND advisories_sha256 = $2 ORDER BY generation DESC LIMIT 1";
        const LAST: &str = "SELECT generation FROM scan_generations \
             ORDER BY generation DESC LIMIT 1";
        const INSERT: &str = "INSERT INTO scan_generations (generation, analyzers, \
             advisories_sha256, advisories_at, loaded_at, counts) VALUES ($1, $2, $3, $4, $5, $6)";
        let key: [Value; 2] = [(&new.analyzers).into(), (&new.advisories_sha256).into()];
        let rest: [Value; 3] = [
            new.advisories_at.into(),
            now.into(),
            json(&new.counts)?.into(),
        ];
        self.meta()
            .transact((key, rest, again), |tx, input| {
                Box::pin(async move {
                    let (key, rest, again) = &*input;
                    let number = |row: Option<Row>| row.map_or(Ok(0), |mut row| row.int());
                    let known = number(tx.optional(KNOWN, key).await?)?;
                    let last = number(tx.optional(LAST, &[]).await?)?;
                    let number = if known == 0 || (*again && known < last) {
                        let [analyzers, sha256] = key.clone();
                        let [made_at, loaded_at, counts] = rest.clone();
                        let next = Value::Int(last + 1);
                        let values = [next, analyzers, sha256, made_at, loaded_at, counts];
                        tx.execute(INSERT, &values).await?;
                        last + 1
                    } else {
                        known
                    };
                    Ok(u64::try_from(number).unwrap_or(0))
                })
            })
            .await
    }
}
