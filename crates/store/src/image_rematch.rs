//! Results that other advisories may change: which there are, and what becomes of them.

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::image_scan::JudgedBy;
use crate::job::{Job, Priority, enqueue};
use crate::keys::Place;
use crate::meta::{Tx, Value};
use crate::repository::RepositoryId;

/// What results of an older generation were judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderResults {
    /// The number of the generation.
    pub generation: u64,
    /// Its analyzers.
    pub analyzers: String,
    /// The sha256 digest of its advisories.
    pub advisories_sha256: Option<String>,
}

/// An image that was judged by an older generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderResult {
    /// Where the image is.
    pub repository: RepositoryId,
    /// Its digest.
    pub image: Digest,
    /// Its package versions, as [`crate::ScanResult::packages`] had them; `None` if they are not
    /// known.
    pub packages: Option<Vec<u8>>,
    completed_at: Timestamp,
}

pub(crate) fn packages_place(repository: &str, image: &str) -> Place {
    Place::new(&["image_packages", "sealed_packages", repository, image])
}

impl Store {
    /// What the oldest result was judged by, of those older than `generation`.
    ///
    /// # Errors
    /// As every read.
    pub async fn oldest_results(&self, generation: u64) -> Result<Option<OlderResults>> {
        const SQL: &str = "SELECT generation, analyzers, advisories_sha256 FROM image_scans \
             WHERE completed_at IS NOT NULL AND generation < $1 ORDER BY generation LIMIT 1";
        let values = [number(generation)];
        let Some(mut row) = self.meta().optional(SQL, &values).await? else {
            return Ok(None);
        };
        Ok(Some(OlderResults {
            generation: row.size()?,
            analyzers: row.opt_text()?.unwrap_or_default(),
            advisories_sha256: row.opt_text()?,
        }))
    }

    /// Images whose result is of `generation`, behind `after`, at most `limit`.
    ///
    /// # Errors
    /// As every read.
    pub async fn results_of(
        &self,
        generation: u64,
        after: Option<&(RepositoryId, Digest)>,
        limit: u32,
    ) -> Result<Vec<OlderResult>> {
        const SQL: &str = "SELECT s.repository, s.image, s.completed_at, p.sealed_packages \
             FROM image_scans s LEFT JOIN image_packages p \
             ON p.repository = s.repository AND p.image = s.image \
             WHERE s.completed_at IS NOT NULL AND s.generation = $1 \
             AND (s.repository > $2 OR (s.repository = $2 AND s.image > $3)) \
             ORDER BY s.generation, s.repository, s.image LIMIT $4";
        let (repository, image) = after.map_or(("", ""), |(id, image)| (&id.0, image.as_str()));
        let values = [
            number(generation),
            repository.into(),
            image.into(),
            limit.min(1000).into(),
        ];
        let mut results = Vec::new();
        for mut row in self.meta().all(SQL, &values).await? {
            let (repository, image): (String, Digest) = (row.text()?, row.parse()?);
            let completed_at = row.time()?;
            let place = packages_place(&repository, image.as_str());
            let sealed = row.opt_bytes()?;
            let opened = sealed.map(|sealed| self.keys().open_row(&place, &sealed));
            results.push(OlderResult {
                repository: RepositoryId(repository),
                image,
                packages: opened.transpose()?.map(|bytes| bytes.to_vec()),
                completed_at,
            });
        }
        Ok(results)
    }

    /// Whether the package versions of an image are known, so that it has been judged before.
    ///
    /// # Errors
    /// As every read.
    pub async fn was_judged(&self, repository: &RepositoryId, image: &Digest) -> Result<bool> {
        const SQL: &str = "SELECT image FROM image_packages WHERE repository = $1 AND image = $2";
        let values = [(&repository.0).into(), image.as_str().into()];
        Ok(self.meta().optional(SQL, &values).await?.is_some())
    }

    /// Notes that `same` come to the same by `judged_by`, and enqueues, in the background, the scans
    /// of `other`. What was judged, or is to be, meanwhile is left alone.
    ///
    /// # Errors
    /// As every write.
    pub async fn rematched(
        &self,
        from: u64,
        judged_by: &JudgedBy,
        same: Vec<OlderResult>,
        other: Vec<OlderResult>,
        now: Timestamp,
    ) -> Result<()> {
        let input = (from, judged_by.clone(), same, other, now);
        self.meta()
            .transact_soon(input, |tx, input| {
                Box::pin(async move {
                    let (from, judged_by, same, other, now) = &*input;
                    for result in same {
                        confirm(tx, *from, judged_by, result, *now).await?;
                    }
                    for OlderResult {
                        repository, image, ..
                    } in other
                    {
                        let job = Job::ScanImage(repository.clone(), image.clone());
                        enqueue(tx, &job, Priority::Background, *now).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.wake_jobs();
        Ok(())
    }
}

async fn confirm(
    tx: &mut Tx<'_>,
    from: u64,
    judged_by: &JudgedBy,
    result: &OlderResult,
    now: Timestamp,
) -> Result<()> {
    const SCAN: &str = "UPDATE image_scans SET generation = $1, advisories_sha256 = $2, \
         advisories_at = $3, completed_at = $4 WHERE repository = $5 AND image = $6 \
         AND generation = $7 AND completed_at = $8 AND status <> 'IN_PROGRESS'";
    const FACTS: &str = "UPDATE image_facts SET matched_at = $1, advisories_at = $2 \
         WHERE repository = $3 AND digest = $4 AND scan = 'COMPLETE'";
    let image: [Value; 2] = [(&result.repository.0).into(), result.image.as_str().into()];
    let [repository, digest] = image.clone();
    let values = [
        number(judged_by.generation),
        judged_by.advisories_sha256.as_deref().into(),
        judged_by.advisories_at.into(),
        now.into(),
        repository,
        digest,
        number(from),
        result.completed_at.into(),
    ];
    if tx.execute(SCAN, &values).await? > 0 {
        let [repository, digest] = image;
        let values = [
            now.into(),
            judged_by.advisories_at.into(),
            repository,
            digest,
        ];
        tx.execute(FACTS, &values).await?;
    }
    Ok(())
}

fn number(generation: u64) -> Value {
    i64::try_from(generation).unwrap_or(i64::MAX).into()
}
