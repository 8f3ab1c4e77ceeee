//! The facts that conditions on images are judged by: one row for each image.
//!
//! The row is written with the image, which knows from its manifest what it is, and by the job that
//! scans it. An index and an image about another have no scan of their own: what they are judged by
//! is looked up when it is asked for ([`find`]), so no row is ever out of date with another.

mod find;
mod scans;
mod tags;

use bonded_model::{Digest, Manifest, ManifestKind, Severity, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::image::manifest_place;
use crate::meta::{Row, Tx, Value, malformed};
use crate::repository::RepositoryId;

pub use find::{ImageFacts, JudgedScan, UnknownScan};

/// How deep indexes may be nested, and how many images may be about each other in a row.
const DEPTH: i64 = 4;

/// How many images or tags are looked at for one image.
const LIMIT: u32 = 1000;

/// How many images get their row at once, of those that have none yet.
const STEP: i64 = 50;

/// What a scan found, as far as conditions ask for it. Findings that are suppressed count nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCounts {
    /// The worst severity of a finding that has one; `None` if none has.
    pub max_severity: Option<Severity>,
    /// How many are critical.
    pub critical: u32,
    /// How many are high.
    pub high: u32,
    /// How many are critical and fixed by some version.
    pub fixable_critical: u32,
    /// How many have no severity.
    pub unrated: u32,
    /// How many have no severity and are fixed by some version.
    pub fixable_unrated: u32,
    /// When the image was last compared with advisories.
    pub matched_at: Timestamp,
    /// The date of those advisories.
    pub advisories_at: Timestamp,
}

/// How far the scan of an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanState {
    /// Nobody asked for one.
    NotScanned,
    /// It is queued or runs, and there is none that was completed before.
    Pending,
    /// Everything in the image was read, and this was found.
    Complete(ScanCounts),
    /// Everything was read, and nothing in it is a file system: nothing of it can run, whatever
    /// its media types say. BuildKit's attestations are such images.
    NotApplicable,
    /// Something in the image cannot be read or is of no known kind, or there are no advisories
    /// for it: what was found is not all there may be.
    Unsupported,
    /// The scan broke off.
    Failed,
}

impl ScanState {
    const fn name(&self) -> &'static str {
        match self {
            Self::NotScanned => "NOT_SCANNED",
            Self::Pending => "PENDING",
            Self::Complete(_) => "COMPLETE",
            Self::NotApplicable => "NOT_APPLICABLE",
            Self::Unsupported => "UNSUPPORTED",
            Self::Failed => "FAILED",
        }
    }

    /// The state called `name`; of one that is complete, the columns from `max_severity` on are
    /// read, the last of the row.
    fn from_row(name: &str, row: &mut Row) -> Result<Self> {
        Ok(match name {
            "NOT_SCANNED" => Self::NotScanned,
            "PENDING" => Self::Pending,
            "COMPLETE" => Self::Complete(ScanCounts::from_row(row)?),
            "NOT_APPLICABLE" => Self::NotApplicable,
            "UNSUPPORTED" => Self::Unsupported,
            "FAILED" => Self::Failed,
            _ => return Err(malformed("an unknown state of a scan")),
        })
    }

    /// The values of `scan` and of the columns of [`ScanCounts`].
    fn values(&self) -> [Value; 9] {
        let counts = match self {
            Self::Complete(counts) => counts.values(),
            _ => std::array::from_fn(|_| Value::Null),
        };
        let [a, b, c, d, e, f, g, h] = counts;
        [self.name().into(), a, b, c, d, e, f, g, h]
    }
}

impl ScanCounts {
    /// Reads the columns from `max_severity` on.
    fn from_row(row: &mut Row) -> Result<Self> {
        let severity = row.opt_text()?;
        let severity = severity.map(|name| name.parse()).transpose();
        let invalid = |e: bonded_model::InvalidSeverity| malformed(&e.to_string());
        Ok(Self {
            max_severity: severity.map_err(invalid)?,
            critical: count(row)?,
            high: count(row)?,
            fixable_critical: count(row)?,
            unrated: count(row)?,
            fixable_unrated: count(row)?,
            matched_at: row.time()?,
            advisories_at: row.time()?,
        })
    }

    fn values(&self) -> [Value; 8] {
        [
            self.max_severity.map(Severity::name).into(),
            self.critical.into(),
            self.high.into(),
            self.fixable_critical.into(),
            self.unrated.into(),
            self.fixable_unrated.into(),
            self.matched_at.into(),
            self.advisories_at.into(),
        ]
    }
}

fn count(row: &mut Row) -> Result<u32> {
    u32::try_from(row.int()?).map_err(|_| malformed("a count that is negative or too large"))
}

/// The text a kind is kept as.
const fn kind_name(kind: ManifestKind) -> &'static str {
    match kind {
        ManifestKind::Index => "INDEX",
        ManifestKind::Image => "IMAGE",
        ManifestKind::Artifact => "ARTIFACT",
    }
}

fn kind_of(name: &str) -> Result<ManifestKind> {
    match name {
        "INDEX" => Ok(ManifestKind::Index),
        "IMAGE" => Ok(ManifestKind::Image),
        "ARTIFACT" => Ok(ManifestKind::Artifact),
        _ => Err(malformed("an unknown kind of manifest")),
    }
}

/// Writes the row of an image that is new: nobody has scanned it.
pub(crate) async fn insert_image_facts(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    kind: ManifestKind,
) -> Result<()> {
    const SQL: &str = "INSERT INTO image_facts (repository, digest, kind, scan) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (repository, digest) DO NOTHING";
    let values = [
        repository.into(),
        digest.as_str().into(),
        kind_name(kind).into(),
        ScanState::NotScanned.name().into(),
    ];
    tx.execute(SQL, &values).await?;
    Ok(())
}

/// Deletes the row of an image.
pub(crate) async fn delete_image_facts(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
) -> Result<()> {
    const SQL: &str = "DELETE FROM image_facts WHERE repository = $1 AND digest = $2";
    tx.execute(SQL, &[repository.into(), digest.as_str().into()])
        .await?;
    Ok(())
}

impl Tx<'_> {
    /// Writes how far the scan of an image is; `false` if the repository has no such image any
    /// more. For the transaction that enqueues a scan and the one that closes it. A scan that is
    /// repeated leaves [`ScanState::Complete`] in place until it has a result.
    pub(crate) async fn set_image_scan(
        &mut self,
        repository: &str,
        digest: &Digest,
        state: &ScanState,
    ) -> Result<bool> {
        // Only images are scanned, so a row that is not there yet is that of one.
        const SQL: &str = "INSERT INTO image_facts (repository, digest, kind, scan, \
             max_severity, critical, high, fixable_critical, unrated, fixable_unrated, \
             matched_at, advisories_at) SELECT i.repository, i.digest, 'IMAGE', \
             CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), \
             CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS BIGINT), \
             CAST($9 AS BIGINT) FROM images i WHERE i.repository = $10 AND i.digest = $11 \
             ON CONFLICT (repository, digest) DO UPDATE SET scan = excluded.scan, \
             max_severity = excluded.max_severity, critical = excluded.critical, \
             high = excluded.high, fixable_critical = excluded.fixable_critical, \
             unrated = excluded.unrated, fixable_unrated = excluded.fixable_unrated, \
             matched_at = excluded.matched_at, advisories_at = excluded.advisories_at";
        let image: [Value; 2] = [repository.into(), digest.as_str().into()];
        let values = [&state.values()[..], &image].concat();
        Ok(self.execute(SQL, &values).await? > 0)
    }
}

impl Tx<'_> {
    /// Notes that a scan of an image is awaited, unless it has a result that stands until then.
    pub(crate) async fn await_image_scan(
        &mut self,
        repository: &str,
        digest: &Digest,
    ) -> Result<()> {
        const FIND: &str = "SELECT scan FROM image_facts WHERE repository = $1 AND digest = $2";
        let key: [Value; 2] = [repository.into(), digest.as_str().into()];
        let row = self.optional(FIND, &key).await?;
        let scan = row.map(|mut row| row.text()).transpose()?;
        if matches!(scan.as_deref(), Some("COMPLETE" | "NOT_APPLICABLE")) {
            return Ok(());
        }
        let pending = ScanState::Pending;
        self.set_image_scan(repository, digest, &pending).await?;
        Ok(())
    }
}

impl Store {
    /// Writes how far the scan of an image is, in a transaction of its own; `false` if the
    /// repository has no such image.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_image_scan(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
        state: ScanState,
    ) -> Result<bool> {
        let input = (repository.0.clone(), digest.clone(), state);
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (repository, digest, state) = &*input;
                    tx.set_image_scan(repository, digest, state).await
                })
            })
            .await
    }

    /// Writes the rows of images that were pushed before there were any, 50 at once; says whether
    /// there may be more. Until an image has its row, conditions on its scan are unknown.
    ///
    /// # Errors
    /// As every write; a manifest that cannot be opened.
    pub async fn fill_image_facts(&self) -> Result<bool> {
        const SQL: &str = "SELECT i.repository, i.digest, i.media_type, i.sealed_bytes \
             FROM images i LEFT JOIN image_facts f \
             ON f.repository = i.repository AND f.digest = i.digest \
             WHERE f.digest IS NULL LIMIT $1";
        let rows = self.meta().all(SQL, &[STEP.into()]).await?;
        let more = !rows.is_empty();
        let mut missing = Vec::with_capacity(rows.len());
        for mut row in rows {
            let (repository, digest, media_type) = (row.text()?, row.parse()?, row.text()?);
            let place = manifest_place(&repository, &digest);
            let bytes = self.keys().open_row(&place, &row.bytes()?)?;
            let manifest = Manifest::parse(&bytes, Some(&media_type))
                .map_err(|e| malformed(&format!("the manifest '{digest}': {e}")))?;
            missing.push((repository, digest, manifest.kind()));
        }
        self.meta()
            .transact(missing, |tx, missing| {
                Box::pin(async move {
                    for (repository, digest, kind) in &*missing {
                        // An image that was deleted meanwhile must not leave a row.
                        let key = [repository.into(), digest.as_str().into()];
                        if tx
                            .optional(crate::image_put::IMAGE_DIGEST, &key)
                            .await?
                            .is_some()
                        {
                            insert_image_facts(tx, repository, digest, *kind).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(more)
    }
}
