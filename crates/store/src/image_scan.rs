//! What is known of the vulnerabilities of images: the last scan of each, and its findings, sealed.

use std::collections::BTreeMap;

use bonded_model::{Digest, ScanStatus, Timestamp};

use crate::Store;
use crate::attached_document::{AttachedDocument, rejudge_if_others};
use crate::change::Change;
use crate::error::Result;
use crate::image_facts::ScanState;
use crate::image_put::IMAGE_DIGEST;
use crate::image_rematch::packages_place;
use crate::job::{ClaimedJob, Job, JobEnd, Priority, end, enqueue};
use crate::keys::Place;
use crate::meta::{FromRow, Row, Tx, Value, json};
use crate::repository::RepositoryId;
use crate::scan_event::{ScanEvent, insert_events};

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
    /// What conditions are judged by; not [`ScanState::Pending`].
    pub facts: ScanState,
    /// What it was judged by.
    pub judged_by: JudgedBy,
    /// How many findings it has of each severity.
    pub severity_counts: SeverityCounts,
    /// How many findings there are in `parts`.
    pub findings: u64,
    /// The findings in order, some hundred a part.
    pub parts: Vec<Vec<u8>>,
    /// The package versions that the findings depend on; `None` if they are not known.
    pub packages: Option<Vec<u8>>,
    /// What is to be told of it.
    pub events: Vec<ScanEvent>,
    /// The documents that were taken into account; `None` if that does not matter.
    pub documents: Option<Vec<AttachedDocument>>,
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

impl FromRow for ImageScan {
    /// Reads the columns `status` to `findings`.
    fn from_row(row: &mut Row) -> Result<Self> {
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

/// Has an image scanned that never was.
pub(crate) async fn scan_unless_scanned(
    tx: &mut Tx<'_>,
    repository: &str,
    image: &Digest,
    now: Timestamp,
) -> Result<()> {
    let key = [repository.into(), image.as_str().into()];
    if tx.optional(FIND, &key).await?.is_some() {
        return Ok(());
    }
    request_scan(tx, &RepositoryId(repository.to_owned()), image, now).await
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
    tx.await_image_scan(&repository.0, image).await?;
    let job = Job::ScanImage(repository.clone(), image.clone());
    enqueue(tx, &job, Priority::Normal, now).await
}

/// Deletes what is known of an image's vulnerabilities, with the image.
pub(crate) async fn delete_scan(tx: &mut Tx<'_>, image: &[Value; 2]) -> Result<()> {
    const SCAN: &str = "DELETE FROM image_scans WHERE repository = $1 AND image = $2";
    const FINDINGS: &str = "DELETE FROM image_findings WHERE repository = $1 AND image = $2";
    const PACKAGES: &str = "DELETE FROM image_packages WHERE repository = $1 AND image = $2";
    for sql in [SCAN, FINDINGS, PACKAGES] {
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
                    let last: Option<ImageScan> = tx.find(FIND, &key).await?;
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
        self.meta().find(FIND, &values).await
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

    /// Writes what the scan of an image came to, in place of what was known before, and ends its
    /// job as `job_end` says. An image that is gone leaves nothing.
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
        job_end: JobEnd,
        now: Timestamp,
    ) -> Result<()> {
        let (digest, facts) = (image.clone(), result.facts.clone());
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
        let place = packages_place(&repository, &image);
        let packages = result.packages.as_ref();
        let packages = packages.map(|packages| self.keys().seal_row(&place, packages));
        let finished = Finished {
            claimed: claimed.clone(),
            job_end,
            repository,
            image: digest,
            facts,
            scan,
            parts,
            packages: packages.transpose()?,
            documents: result.documents,
            events: self.seal_events(&result.events)?,
            now,
        };
        self.meta()
            .transact(finished, |tx, finished| {
                Box::pin(async move { finish(tx, &finished).await })
            })
            .await
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

/// A scan with its result.
struct Finished {
    claimed: ClaimedJob,
    job_end: JobEnd,
    repository: String,
    image: Digest,
    facts: ScanState,
    scan: [Value; 12],
    parts: Vec<[Value; 4]>,
    packages: Option<Vec<u8>>,
    documents: Option<Vec<AttachedDocument>>,
    events: Vec<[Value; 4]>,
    now: Timestamp,
}

async fn finish(tx: &mut Tx<'_>, finished: &Finished) -> Result<()> {
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
    const NO_PACKAGES: &str = "DELETE FROM image_packages WHERE repository = $1 AND image = $2";
    const PACKAGES: &str = "INSERT INTO image_packages (repository, image, sealed_packages) \
         VALUES ($1, $2, $3) ON CONFLICT (repository, image) \
         DO UPDATE SET sealed_packages = excluded.sealed_packages";
    end(tx, &finished.claimed, &finished.job_end).await?;
    let (repository, image) = (&finished.repository, &finished.image);
    if !tx
        .set_image_scan(repository, image, &finished.facts)
        .await?
    {
        return Ok(());
    }
    let key = [repository.into(), image.as_str().into()];
    tx.execute(CLEAR, &key).await?;
    tx.execute(SCAN, &finished.scan).await?;
    for part in &finished.parts {
        tx.execute(PART, part).await?;
    }
    if let Some(judged) = &finished.documents {
        rejudge_if_others(tx, repository, image, judged, finished.now).await?;
    }
    let [repository, image] = key;
    match &finished.packages {
        Some(packages) => {
            let values = [repository, image, packages.clone().into()];
            tx.execute(PACKAGES, &values).await?;
        }
        None => {
            tx.execute(NO_PACKAGES, &[repository, image]).await?;
        }
    }
    insert_events(tx, &finished.events, finished.now).await
}
