//! What is known of the vulnerabilities of images: the last scan of each, and its findings, sealed.

use std::collections::BTreeMap;

use bonded_model::{Digest, ScanStatus, Timestamp};

use crate::Store;
use crate::change::Change;
use crate::error::Result;
use crate::image_put::IMAGE_DIGEST;
use crate::job::{ClaimedJob, Job, Priority, close, enqueue};
use crate::keys::Place;
use crate::meta::{Row, Tx, Value};
use crate::repository::{RepositoryId, json};

/// Findings by severity; severities without findings are absent.
pub type SeverityCounts = BTreeMap<String, u64>;

/// The last scan of an image, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageScan {
    /// What has become of it.
    pub status: ScanStatus,
    /// Why, in words.
    pub description: Option<String>,
    /// When it was asked for last.
    pub requested_at: Timestamp,
    /// When the image was judged last; of an earlier scan while this one runs.
    pub completed_at: Option<Timestamp>,
    /// What it was judged by.
    pub judged_by: JudgedBy,
    /// How many findings it has of each severity.
    pub severity_counts: SeverityCounts,
    /// How many findings are stored.
    pub findings: u64,
}

/// What an image was judged by: two results of the same generation and image are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedBy {
    /// The number of analyzers and advisories; 0 without advisories.
    pub generation: u64,
    /// The set of analyzers.
    pub analyzers: String,
    /// The sha256 digest of the advisories; `None` if there were none.
    pub advisories_sha256: Option<String>,
    /// The date of the advisories.
    pub advisories_at: Option<Timestamp>,
}

/// What a scan came to.
#[derive(Debug, Clone)]
pub struct ScanResult {
    /// What has become of it; not [`ScanStatus::InProgress`].
    pub status: ScanStatus,
    /// Why, in words.
    pub description: Option<String>,
    /// What it was judged by.
    pub judged_by: JudgedBy,
    /// How many findings it has of each severity.
    pub severity_counts: SeverityCounts,
    /// How many findings there are in `parts`.
    pub findings: u64,
    /// The findings in order, some hundred a part.
    pub parts: Vec<Vec<u8>>,
}

/// What became of [`Store::start_scan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartScan {
    /// It will be done, or is being done.
    Started,
    /// The last one is complete, recent, and another one would come to the same.
    NothingNew,
    /// The image is gone.
    ImageNotFound,
}

impl ImageScan {
    /// Reads the columns `status` to `findings`.
    pub(crate) fn from_row(row: &mut Row) -> Result<Self> {
        let time = |row: &mut Row| Ok(row.opt_int()?.map(Timestamp::from_millis));
        Ok(Self {
            status: row.parse()?,
            description: row.opt_text()?,
            requested_at: row.time()?,
            completed_at: time(row)?,
            judged_by: JudgedBy {
                generation: row.size()?,
                analyzers: row.opt_text()?.unwrap_or_default(),
                advisories_sha256: row.opt_text()?,
                advisories_at: time(row)?,
            },
            severity_counts: row.json()?,
            findings: row.size()?,
        })
    }
}

fn findings_place(repository: &str, image: &str, part: i64) -> Place {
    let part = part.to_string();
    Place::new(&[
        "image_findings",
        "sealed_findings",
        repository,
        image,
        &part,
    ])
}

/// Notes that the scan of an image was asked for, and enqueues it.
pub(crate) async fn request_scan(
    tx: &mut Tx<'_>,
    repository: &RepositoryId,
    image: &Digest,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO image_scans \
         (repository, image, status, requested_at, generation, severity_counts, findings) \
         VALUES ($1, $2, 'IN_PROGRESS', $3, 0, '{}', 0) \
         ON CONFLICT (repository, image) DO UPDATE SET status = excluded.status, \
         description = NULL, requested_at = excluded.requested_at";
    let values = [(&repository.0).into(), image.as_str().into(), now.into()];
    tx.execute(SQL, &values).await?;
    let job = Job::ScanImage(repository.clone(), image.clone());
    enqueue(tx, &job, Priority::Normal, now).await
}

/// Deletes what is known of an image's vulnerabilities, with the image.
pub(crate) async fn delete_scan(tx: &mut Tx<'_>, image: &[Value; 2]) -> Result<()> {
    const SCAN: &str = "DELETE FROM image_scans WHERE repository = $1 AND image = $2";
    const FINDINGS: &str = "DELETE FROM image_findings WHERE repository = $1 AND image = $2";
    for sql in [SCAN, FINDINGS] {
        tx.execute(sql, image).await?;
    }
    Ok(())
}

const FIND: &str = "SELECT status, description, requested_at, completed_at, generation, \
     analyzers, advisories_sha256, advisories_at, severity_counts, findings \
     FROM image_scans WHERE repository = $1 AND image = $2";

impl Store {
    /// Has an image scanned, unless its last scan is complete, not older than `recent`, and of the
    /// same generation and analyzers as `judged_by`.
    ///
    /// # Errors
    /// As every write.
    pub async fn start_scan(
        &self,
        repository: &RepositoryId,
        image: &Digest,
        judged_by: &JudgedBy,
        recent: Timestamp,
        change: &Change,
    ) -> Result<StartScan> {
        let id = (repository.clone(), image.clone());
        let input = (id, judged_by.clone(), recent, change.clone());
        let started = self
            .meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let ((repository, image), judged_by, recent, change) = &*input;
                    let key: [Value; 2] = [(&repository.0).into(), image.as_str().into()];
                    if tx.optional(IMAGE_DIGEST, &key).await?.is_none() {
                        return Ok(StartScan::ImageNotFound);
                    }
                    let last = tx.optional(FIND, &key).await?;
                    let last = last
                        .map(|mut row| ImageScan::from_row(&mut row))
                        .transpose()?;
                    let is_same = |last: ImageScan| {
                        last.status == ScanStatus::Complete
                            && last.judged_by == *judged_by
                            && last.completed_at >= Some(*recent)
                    };
                    if last.is_some_and(is_same) {
                        return Ok(StartScan::NothingNew);
                    }
                    request_scan(tx, repository, image, change.at).await?;
                    change.insert(tx).await?;
                    Ok(StartScan::Started)
                })
            })
            .await?;
        self.wake_jobs();
        Ok(started)
    }

    /// The last scan of an image.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_image_scan(
        &self,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<Option<ImageScan>> {
        let values = [(&repository.0).into(), image.as_str().into()];
        let row = self.meta().optional(FIND, &values).await?;
        row.map(|mut row| ImageScan::from_row(&mut row)).transpose()
    }

    /// The findings of an image in the part `part`, counted from 0; `None` behind the last.
    ///
    /// # Errors
    /// As every read; they are not what was written.
    pub async fn find_findings(
        &self,
        repository: &RepositoryId,
        image: &Digest,
        part: u32,
    ) -> Result<Option<Vec<u8>>> {
        const SQL: &str = "SELECT sealed_findings FROM image_findings \
             WHERE repository = $1 AND image = $2 AND part = $3";
        let values = [(&repository.0).into(), image.as_str().into(), part.into()];
        let Some(mut row) = self.meta().optional(SQL, &values).await? else {
            return Ok(None);
        };
        let place = findings_place(&repository.0, image.as_str(), part.into());
        let opened = self.keys().open_row(&place, &row.bytes()?)?;
        Ok(Some(opened.to_vec()))
    }

    /// Writes what the scan of an image came to, in place of what was known before, and closes its
    /// job. An image that is gone leaves nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the job was taken again meanwhile; nothing has changed
    /// then.
    pub async fn finish_scan(
        &self,
        claimed: &ClaimedJob,
        repository: &RepositoryId,
        image: &Digest,
        result: ScanResult,
        now: Timestamp,
    ) -> Result<()> {
        let (repository, image) = (repository.0.clone(), image.to_string());
        let mut parts = Vec::with_capacity(result.parts.len());
        for (part, findings) in (0_i64..).zip(&result.parts) {
            let place = findings_place(&repository, &image, part);
            let sealed = self.keys().seal_row(&place, findings)?;
            let values: [Value; 4] = [
                (&repository).into(),
                (&image).into(),
                part.into(),
                sealed.into(),
            ];
            parts.push(values);
        }
        let scan = scan_values(&repository, &image, &result, now)?;
        let input = (
            claimed.clone(),
            [repository.into(), image.into()],
            scan,
            parts,
        );
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (claimed, key, scan, parts) = &*input;
                    finish(tx, claimed, key, scan, parts).await
                })
            })
            .await
    }

    /// Enqueues, in the background, the scans of up to `limit` images that were judged by an older
    /// generation; says how many. What it enqueues is found again until it has been done.
    ///
    /// # Errors
    /// As every write.
    pub async fn judge_again(&self, generation: u64, limit: u32, now: Timestamp) -> Result<u64> {
        const SQL: &str = "SELECT repository, image FROM image_scans \
             WHERE completed_at IS NOT NULL AND generation < $1 ORDER BY generation LIMIT $2";
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        let values = [generation.into(), limit.min(1000).into()];
        let mut jobs = Vec::new();
        for mut row in self.meta().all(SQL, &values).await? {
            jobs.push(Job::ScanImage(RepositoryId(row.text()?), row.parse()?));
        }
        if jobs.is_empty() {
            return Ok(0);
        }
        self.meta()
            .transact((jobs, now), |tx, input| {
                Box::pin(async move {
                    let (jobs, now) = &*input;
                    for job in jobs {
                        enqueue(tx, job, Priority::Background, *now).await?;
                    }
                    Ok(jobs.len() as u64)
                })
            })
            .await
    }

    /// Moves the scan of an image, if it is enqueued, and the indexing of its layers to the front:
    /// somebody waits for it. Says whether there is one, enqueued or running.
    ///
    /// # Errors
    /// As every write.
    pub async fn hurry_scan(&self, repository: &RepositoryId, image: &Digest) -> Result<bool> {
        const FIND: &str = "SELECT state, priority FROM jobs WHERE kind = $1 AND subject = $2";
        const SCAN: &str = "UPDATE jobs SET priority = 2 WHERE kind = $1 AND subject = $2";
        const LAYERS: &str = "UPDATE jobs SET priority = 2 WHERE kind = 'index_layer' \
             AND subject IN (SELECT l.object FROM image_blobs b JOIN layers l \
             ON l.repository = b.repository AND l.digest = b.blob \
             WHERE b.repository = $1 AND b.image = $2)";
        let key = Job::ScanImage(repository.clone(), image.clone()).key();
        let Some(mut row) = self.meta().optional(FIND, &key).await? else {
            return Ok(false);
        };
        if row.text()? == "failed" {
            return Ok(false);
        }
        if row.int()? < Priority::Awaited as i64 {
            let image: [Value; 2] = [(&repository.0).into(), image.as_str().into()];
            self.meta()
                .transact((key, image), |tx, input| {
                    Box::pin(async move {
                        tx.execute(SCAN, &input.0).await?;
                        tx.execute(LAYERS, &input.1).await
                    })
                })
                .await?;
            self.wake_jobs();
        }
        Ok(true)
    }
}

/// The columns of a finished scan in the order of [`finish`].
fn scan_values(
    repository: &str,
    image: &str,
    result: &ScanResult,
    now: Timestamp,
) -> Result<[Value; 12]> {
    let judged_by = &result.judged_by;
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Ok([
        repository.into(),
        image.into(),
        result.status.as_str().into(),
        result.description.as_deref().into(),
        now.into(),
        now.into(),
        count(judged_by.generation).into(),
        judged_by.analyzers.as_str().into(),
        judged_by.advisories_sha256.as_deref().into(),
        judged_by.advisories_at.into(),
        json(&result.severity_counts)?.into(),
        count(result.findings).into(),
    ])
}

async fn finish(
    tx: &mut Tx<'_>,
    claimed: &ClaimedJob,
    key: &[Value; 2],
    scan: &[Value; 12],
    parts: &[[Value; 4]],
) -> Result<()> {
    const CLEAR: &str = "DELETE FROM image_findings WHERE repository = $1 AND image = $2";
    const SCAN: &str = "INSERT INTO image_scans (repository, image, status, description, \
         requested_at, completed_at, generation, analyzers, advisories_sha256, advisories_at, \
         severity_counts, findings) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (repository, image) DO UPDATE SET status = excluded.status, \
         description = excluded.description, completed_at = excluded.completed_at, \
         generation = excluded.generation, analyzers = excluded.analyzers, \
         advisories_sha256 = excluded.advisories_sha256, \
         advisories_at = excluded.advisories_at, \
         severity_counts = excluded.severity_counts, findings = excluded.findings";
    const PART: &str = "INSERT INTO image_findings (repository, image, part, sealed_findings) \
         VALUES ($1, $2, $3, $4)";
    close(tx, claimed).await?;
    if tx.optional(IMAGE_DIGEST, key).await?.is_none() {
        return Ok(());
    }
    tx.execute(CLEAR, key).await?;
    tx.execute(SCAN, scan).await?;
    for part in parts {
        tx.execute(PART, part).await?;
    }
    Ok(())
}
