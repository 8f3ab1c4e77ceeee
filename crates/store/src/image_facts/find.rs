//! What an image is judged by, on one snapshot: its own scan, that of its children, or that of the
//! image it is about; and the tags it bears.
//!
//! Everything is bounded: an index is looked at four levels deep, and no more than 1,000 images and
//! tags are. What lies behind a bound is unknown, never absent.

use std::sync::Arc;

use bonded_model::{Digest, ManifestKind, Reference, Tag};

use super::scans::Scans;
use super::tags::{tags_of, tags_with_layer};
use super::{DEPTH, LIMIT, ScanCounts, ScanState, kind_of};
use crate::Store;
use crate::error::Result;
use crate::image::TAG_DIGEST;
use crate::meta::{Body, FromRow, Row, Tx, Value, malformed};
use crate::page::page;
use crate::repository::RepositoryId;

/// What an image is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The image.
    pub digest: Digest,
    /// The media type of its manifest.
    pub media_type: String,
    /// Whether it may run, so that a scan of its own counts.
    pub scannable: bool,
    /// Its tags, those of the indexes that lead to it and, of something about another image, those
    /// of that image, in byte order. `None` if there are too many to be known.
    pub current_tags: Option<Vec<Tag>>,
    /// Its scan, or those that count for it.
    pub scan: JudgedScan,
    /// The images that those scans are of, in the same order.
    pub scanned: Vec<Digest>,
}

/// The scans that count for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JudgedScan {
    /// All are complete: that of an image, or those of the images of an index. Never empty.
    Complete(Vec<ScanCounts>),
    /// There is nothing that could be scanned.
    NotApplicable,
    /// At least one is not known.
    Unknown(UnknownScan),
}

/// Why what a scan found is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownScan {
    /// Nobody asked for a scan, or the image has no row of facts yet.
    NotScanned,
    /// The scans of these images are queued or run, and nothing else is unknown.
    Pending(Vec<Digest>),
    /// Something in the image cannot be scanned.
    Unsupported,
    /// A scan broke off.
    Failed,
    /// A child of an index, or the image that this one is about, is not here.
    Missing,
    /// The index is nested too deep or has too many images.
    TooMany,
}

impl Store {
    /// The facts of the images that `references` name, in that order, all on one snapshot; `None`
    /// for one that is not there. The same statements run whether it is or not.
    ///
    /// # Errors
    /// As every read.
    pub async fn image_facts(
        &self,
        repository: &RepositoryId,
        references: &[Reference],
    ) -> Result<Vec<Option<ImageFacts>>> {
        let input = Arc::new((repository.0.clone(), references.to_vec()));
        let body: Body<Vec<Option<ImageFacts>>> = Box::new(move |tx| {
            let input = Arc::clone(&input);
            Box::pin(async move {
                let (repository, references) = &*input;
                let mut found = Vec::with_capacity(references.len());
                for reference in references {
                    let digest = match reference {
                        Reference::Digest(digest) => Some(digest.clone()),
                        Reference::Tag(tag) => {
                            let key = [repository.into(), tag.as_str().into()];
                            let row = tx.optional(TAG_DIGEST, &key).await?;
                            row.map(|mut row| row.parse()).transpose()?
                        }
                    };
                    found.push(match digest {
                        Some(digest) => facts(tx, repository, &digest).await?,
                        None => None,
                    });
                }
                Ok(found)
            })
        });
        self.meta().read(body).await
    }

    /// The tags an image bears, as [`ImageFacts::current_tags`] has them; none if it is not there.
    ///
    /// # Errors
    /// As every read.
    pub async fn current_tags(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Vec<Tag>>> {
        let input = Arc::new((repository.0.clone(), digest.clone()));
        let body: Body<Option<Vec<Tag>>> = Box::new(move |tx| {
            let input = Arc::clone(&input);
            Box::pin(async move { tags_of(tx, &input.0, &input.1).await })
        });
        self.meta().read(body).await
    }

    /// The facts of a page of the images of a repository that refer to the blob `layer`: those
    /// behind `after` in byte order, at most `limit` and never more than 1,000, on one snapshot.
    ///
    /// # Errors
    /// As every read.
    pub async fn facts_of_images_with_layer(
        &self,
        repository: &RepositoryId,
        layer: &Digest,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<ImageFacts>> {
        let after = after.map_or_else(String::new, Digest::to_string);
        let input = Arc::new((repository.0.clone(), layer.clone(), after));
        let body: Body<Vec<ImageFacts>> = Box::new(move |tx| {
            let input = Arc::clone(&input);
            Box::pin(async move {
                let (repository, layer, after) = &*input;
                with_layer(tx, repository, layer, after, limit).await
            })
        });
        self.meta().read(body).await
    }

    /// Whether the image `image` refers to the blob `layer`.
    ///
    /// # Errors
    /// As every read.
    pub async fn image_has_layer(
        &self,
        repository: &RepositoryId,
        image: &Digest,
        layer: &Digest,
    ) -> Result<bool> {
        const SQL: &str = "SELECT blob FROM image_blobs \
             WHERE repository = $1 AND image = $2 AND blob = $3";
        let values = [
            (&repository.0).into(),
            image.as_str().into(),
            layer.as_str().into(),
        ];
        Ok(self.meta().optional(SQL, &values).await?.is_some())
    }
}

/// An image with its row of facts, which may not be there yet.
struct Found {
    digest: Digest,
    media_type: String,
    subject: Option<Digest>,
    facts: Option<(ManifestKind, ScanState)>,
}

impl Found {
    /// Whether it may run: without its row of facts nobody can say that it may not.
    fn is_scannable(&self) -> bool {
        match &self.facts {
            None => true,
            Some((ManifestKind::Image, scan)) => *scan != ScanState::NotApplicable,
            Some((ManifestKind::Index | ManifestKind::Artifact, _)) => false,
        }
    }
}

impl FromRow for Found {
    /// Reads `digest, media_type, subject` of an image and all columns of its facts from `kind` on.
    fn from_row(row: &mut Row) -> Result<Self> {
        let digest = row.parse()?;
        let media_type = row.text()?;
        let subject = row.opt_text()?.map(|text| text.parse()).transpose();
        let invalid = |e: bonded_model::InvalidDigest| malformed(&e.to_string());
        Ok(Self {
            digest,
            media_type,
            subject: subject.map_err(invalid)?,
            facts: kind_and_scan(row)?,
        })
    }
}

/// Reads the columns from `kind` on, which an outer join may leave NULL.
fn kind_and_scan(row: &mut Row) -> Result<Option<(ManifestKind, ScanState)>> {
    let (Some(kind), Some(scan)) = (row.opt_text()?, row.opt_text()?) else {
        return Ok(None);
    };
    Ok(Some((kind_of(&kind)?, ScanState::from_row(&scan, row)?)))
}

async fn find(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<Option<Found>> {
    const SQL: &str = "SELECT i.digest, i.media_type, i.subject, f.kind, f.scan, \
         f.max_severity, f.critical, f.high, f.fixable_critical, f.unrated, f.fixable_unrated, \
         f.matched_at, f.advisories_at FROM images i LEFT JOIN image_facts f \
         ON f.repository = i.repository AND f.digest = i.digest \
         WHERE i.repository = $1 AND i.digest = $2";
    let key = [repository.into(), digest.as_str().into()];
    tx.find(SQL, &key).await
}

async fn facts(tx: &mut Tx<'_>, repository: &str, digest: &Digest) -> Result<Option<ImageFacts>> {
    let Some(found) = find(tx, repository, digest).await? else {
        return Ok(None);
    };
    let tags = tags_of(tx, repository, digest).await?;
    judged(tx, repository, found, tags).await.map(Some)
}

/// Follows an image that has no scan of its own to the one it is about, whose scan and tags count.
async fn judged(
    tx: &mut Tx<'_>,
    repository: &str,
    found: Found,
    tags: Option<Vec<Tag>>,
) -> Result<ImageFacts> {
    let mut facts = ImageFacts {
        digest: found.digest.clone(),
        media_type: found.media_type.clone(),
        scannable: found.is_scannable(),
        current_tags: tags,
        scan: JudgedScan::Unknown(UnknownScan::TooMany),
        scanned: Vec::new(),
    };
    let mut at = found;
    for _ in 0..=DEPTH {
        let (own, scanned) = own_scan(tx, repository, &at).await?;
        let subject = at
            .subject
            .take()
            .filter(|_| own == JudgedScan::NotApplicable);
        // What was scanned and is no file system is about its subject, as any artifact is.
        let Some(subject) = subject else {
            facts.scan = own;
            facts.scanned = scanned;
            return Ok(facts);
        };
        let more = tags_of(tx, repository, &subject).await?;
        facts.current_tags = facts.current_tags.zip(more).map(|(mut tags, more)| {
            tags.extend(more);
            tags.sort_unstable();
            tags.dedup();
            tags
        });
        let Some(next) = find(tx, repository, &subject).await? else {
            facts.scan = JudgedScan::Unknown(UnknownScan::Missing);
            return Ok(facts);
        };
        at = next;
    }
    facts.current_tags = None;
    Ok(facts)
}

/// The scan of an image, or those of the images of an index, without regard to its subject.
async fn own_scan(
    tx: &mut Tx<'_>,
    repository: &str,
    found: &Found,
) -> Result<(JudgedScan, Vec<Digest>)> {
    let mut all = Scans::default();
    match &found.facts {
        None => {
            let unknown = JudgedScan::Unknown(UnknownScan::NotScanned);
            return Ok((unknown, Vec::new()));
        }
        Some((ManifestKind::Artifact, _)) => {}
        Some((ManifestKind::Image, scan)) => all.add(&found.digest, scan.clone()),
        Some((ManifestKind::Index, _)) => {
            return scans_of_index(tx, repository, &found.digest).await;
        }
    }
    Ok(all.judged())
}

/// The scans of everything in an index that can be scanned.
async fn scans_of_index(
    tx: &mut Tx<'_>,
    repository: &str,
    index: &Digest,
) -> Result<(JudgedScan, Vec<Digest>)> {
    const SQL: &str = "WITH RECURSIVE down (image, depth) AS (\
         SELECT child, CAST(1 AS BIGINT) FROM image_children WHERE repository = $1 AND image = $2 \
         UNION SELECT c.child, d.depth + 1 FROM down d \
         JOIN image_children c ON c.repository = $1 AND c.image = d.image WHERE d.depth <= $3) \
         SELECT d.image, d.depth, i.digest, f.kind, f.scan, f.max_severity, f.critical, f.high, \
         f.fixable_critical, f.unrated, f.fixable_unrated, f.matched_at, f.advisories_at \
         FROM down d LEFT JOIN images i ON i.repository = $1 AND i.digest = d.image \
         LEFT JOIN image_facts f ON f.repository = $1 AND f.digest = d.image LIMIT $4";
    let values: [Value; 4] = [
        repository.into(),
        index.as_str().into(),
        DEPTH.into(),
        page(LIMIT + 1),
    ];
    let rows = tx.all(SQL, &values).await?;
    let mut all = Scans::default();
    if rows.len() > LIMIT as usize {
        all.unknown(UnknownScan::TooMany);
    }
    for mut row in rows {
        let (digest, depth): (Digest, i64) = (row.parse()?, row.int()?);
        if depth > DEPTH {
            all.unknown(UnknownScan::TooMany);
        }
        if row.opt_text()?.is_none() {
            all.unknown(UnknownScan::Missing);
            continue;
        }
        match kind_and_scan(&mut row)? {
            None => all.unknown(UnknownScan::NotScanned),
            Some((ManifestKind::Image, scan)) => all.add(&digest, scan),
            Some((ManifestKind::Index | ManifestKind::Artifact, _)) => {}
        }
    }
    Ok(all.judged())
}

async fn with_layer(
    tx: &mut Tx<'_>,
    repository: &str,
    layer: &Digest,
    after: &str,
    limit: u32,
) -> Result<Vec<ImageFacts>> {
    const IMAGES: &str = "SELECT i.digest, i.media_type, i.subject, f.kind, f.scan, \
         f.max_severity, f.critical, f.high, f.fixable_critical, f.unrated, f.fixable_unrated, \
         f.matched_at, f.advisories_at FROM image_blobs b \
         JOIN images i ON i.repository = b.repository AND i.digest = b.image \
         LEFT JOIN image_facts f ON f.repository = b.repository AND f.digest = b.image \
         WHERE b.repository = $1 AND b.blob = $2 AND b.image > $3 ORDER BY b.image LIMIT $4";
    let values = [
        repository.into(),
        layer.as_str().into(),
        after.into(),
        page(limit),
    ];
    let found: Vec<Found> = tx.list(IMAGES, &values).await?;
    let Some(last) = found.last() else {
        return Ok(Vec::new());
    };
    let mut tags = tags_with_layer(tx, repository, layer, (after, last.digest.as_str())).await?;
    let mut facts = Vec::with_capacity(found.len());
    for image in found {
        let tags = tags
            .as_mut()
            .and_then(|tags| tags.remove(&image.digest).unwrap_or_default().known());
        facts.push(judged(tx, repository, image, tags).await?);
    }
    Ok(facts)
}
