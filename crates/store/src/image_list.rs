//! Images as lists show them: pages by key of what a repository holds, and what is known of each.
//!
//! A page is a range of the primary key, whatever it is filtered by: a filtered page looks at no
//! more than 1,000 images, so it may be short, or empty, with more behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bonded_model::{Digest, Tag, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::image_scan::ImageScan;
use crate::meta::{Body, FromRow, Row, Tx, Value};
use crate::page::page;
use crate::repository::RepositoryId;

/// How many images a filtered page looks at.
const SCAN: u32 = 1000;

/// What is known of an image without opening its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDetail {
    /// Its digest.
    pub digest: Digest,
    /// The media type of its manifest.
    pub media_type: String,
    /// Its artifact type, else the media type of its config.
    pub artifact_type: Option<String>,
    /// The image it is about.
    pub subject: Option<Digest>,
    /// The bytes of its blobs, each counted once; of an index, those of its largest child.
    pub size: u64,
    /// When it was first pushed to this repository.
    pub pushed_at: Timestamp,
    /// The tags that name it, in byte order.
    pub tags: Vec<Tag>,
    /// Its last scan.
    pub scan: Option<ImageScan>,
}

/// Names an image once for each of its tags, or once if it has none: the key of lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageKey {
    /// The image.
    pub digest: Digest,
    /// One of its tags.
    pub tag: Option<Tag>,
}

/// Which images a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TagStatus {
    /// All.
    #[default]
    Any,
    /// Those with a tag.
    Tagged,
    /// Those without.
    Untagged,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePage<T> {
    /// What stands on it, by digest and tag.
    pub items: Vec<T>,
    /// What the next page begins behind; `None` if this is the last.
    pub next: Option<ImageKey>,
}

impl<T> ImagePage<T> {
    /// A list without items.
    #[must_use]
    pub const fn empty() -> Self {
        let items = Vec::new();
        Self { items, next: None }
    }
}

impl ImageKey {
    const fn untagged(digest: Digest) -> Self {
        Self { digest, tag: None }
    }
}

impl FromRow for ImageKey {
    /// Reads the columns `digest` and `tag`.
    fn from_row(row: &mut Row) -> Result<Self> {
        let digest = row.parse()?;
        let tag = row.opt_text()?;
        let tag = tag.map(|tag| tag.parse()).transpose();
        let malformed = |e: bonded_model::InvalidTag| crate::meta::malformed(&e.to_string());
        Ok(Self {
            digest,
            tag: tag.map_err(malformed)?,
        })
    }
}

impl Store {
    /// A page of at most `limit` images, never more than 1,000, behind `after`; whether that has a
    /// tag does not matter.
    ///
    /// # Errors
    /// As every read.
    pub async fn describe_images(
        &self,
        repository: &RepositoryId,
        after: Option<&ImageKey>,
        status: TagStatus,
        limit: u32,
    ) -> Result<ImagePage<ImageDetail>> {
        let after = after.map_or_else(String::new, |key| key.digest.to_string());
        let input = Arc::new((repository.0.clone(), after));
        let body: Body<ImagePage<ImageDetail>> = Box::new(move |tx| {
            let input = Arc::clone(&input);
            Box::pin(async move {
                let (repository, after) = &*input;
                let ImagePage { items, next } =
                    scan(tx, repository, after, status, limit.min(SCAN)).await?;
                let (Some(first), Some(last)) = (items.first(), items.last()) else {
                    return Ok(ImagePage {
                        next,
                        ..ImagePage::empty()
                    });
                };
                let mut found = details(tx, repository, first, last).await?;
                let items = items.iter().filter_map(|digest| found.remove(digest));
                let items = items.collect();
                Ok(ImagePage { items, next })
            })
        });
        self.meta().read(body).await
    }

    /// What is known of each of `digests`, in that order; `None` for one that is not there.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_image_details(
        &self,
        repository: &RepositoryId,
        digests: &[Digest],
    ) -> Result<Vec<Option<ImageDetail>>> {
        let input = Arc::new((repository.0.clone(), digests.to_vec()));
        let body: Body<Vec<Option<ImageDetail>>> = Box::new(move |tx| {
            let input = Arc::clone(&input);
            Box::pin(async move {
                let (repository, digests) = &*input;
                let mut found = Vec::with_capacity(digests.len());
                for digest in digests {
                    let mut one = details(tx, repository, digest, digest).await?;
                    found.push(one.remove(digest));
                }
                Ok(found)
            })
        });
        self.meta().read(body).await
    }

    /// A page of at most `limit` keys, never more than 1,000, behind `after`.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_image_keys(
        &self,
        repository: &RepositoryId,
        after: Option<&ImageKey>,
        status: TagStatus,
        limit: u32,
    ) -> Result<ImagePage<ImageKey>> {
        let limit = limit.min(SCAN);
        let input = Arc::new((repository.0.clone(), after.cloned()));
        let body: Body<ImagePage<ImageKey>> = Box::new(move |tx| {
            let input = Arc::clone(&input);
            Box::pin(async move {
                let (repository, after) = &*input;
                let after = after.as_ref();
                match status {
                    TagStatus::Any => all_keys(tx, repository, after, limit).await,
                    TagStatus::Tagged => tagged_keys(tx, repository, after, limit).await,
                    TagStatus::Untagged => {
                        let after = after.map_or("", |key| key.digest.as_str());
                        let page = scan(tx, repository, after, status, limit).await?;
                        let items = page.items.into_iter().map(ImageKey::untagged).collect();
                        let next = page.next;
                        Ok(ImagePage { items, next })
                    }
                }
            })
        });
        self.meta().read(body).await
    }
}

/// The next images of a status by digest, at most `limit`.
async fn scan(
    tx: &mut Tx<'_>,
    repository: &str,
    after: &str,
    status: TagStatus,
    limit: u32,
) -> Result<ImagePage<Digest>> {
    const SQL: &str = "SELECT i.digest, CAST(CASE WHEN EXISTS (SELECT 1 FROM tags t \
         WHERE t.repository = i.repository AND t.digest = i.digest) THEN 1 ELSE 0 END AS BIGINT) \
         FROM images i WHERE i.repository = $1 AND i.digest > $2 ORDER BY i.digest LIMIT $3";
    let asked = match status {
        TagStatus::Any => limit + 1,
        TagStatus::Tagged | TagStatus::Untagged => SCAN,
    };
    let rows = tx
        .all(SQL, &[repository.into(), after.into(), page(asked)])
        .await?;
    let full = rows.len() == asked as usize;
    let mut items = Vec::new();
    let mut last = None;
    for mut row in rows {
        let (digest, tagged): (Digest, bool) = (row.parse()?, row.boolean()?);
        let shown = match status {
            TagStatus::Any => true,
            TagStatus::Tagged => tagged,
            TagStatus::Untagged => !tagged,
        };
        if shown && items.len() == limit as usize {
            let next = items.last().cloned().map(ImageKey::untagged);
            return Ok(ImagePage { items, next });
        }
        last = Some(digest.clone());
        if shown {
            items.push(digest);
        }
    }
    let next = last.filter(|_| full).map(ImageKey::untagged);
    Ok(ImagePage { items, next })
}

/// A page of `keys`, of which one more than `limit` was asked for.
fn cut(mut keys: Vec<ImageKey>, limit: u32) -> ImagePage<ImageKey> {
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next = keys.last().filter(|_| more).cloned();
    ImagePage { items: keys, next }
}

async fn tagged_keys(
    tx: &mut Tx<'_>,
    repository: &str,
    after: Option<&ImageKey>,
    limit: u32,
) -> Result<ImagePage<ImageKey>> {
    const SQL: &str = "SELECT digest, tag FROM tags WHERE repository = $1 \
         AND (digest, tag) > ($2, $3) ORDER BY digest, tag LIMIT $4";
    let (digest, tag) = position(after);
    let values = [repository.into(), digest, tag, page(limit + 1)];
    let keys = tx.list(SQL, &values).await?;
    Ok(cut(keys, limit))
}

async fn all_keys(
    tx: &mut Tx<'_>,
    repository: &str,
    after: Option<&ImageKey>,
    limit: u32,
) -> Result<ImagePage<ImageKey>> {
    const SAME_IMAGE: &str = "SELECT digest, tag FROM tags WHERE repository = $1 \
         AND digest = $2 AND tag > $3 ORDER BY tag LIMIT $4";
    const NEXT_IMAGES: &str = "SELECT i.digest, t.tag FROM images i LEFT JOIN tags t \
         ON t.repository = i.repository AND t.digest = i.digest \
         WHERE i.repository = $1 AND i.digest > $2 ORDER BY i.digest, t.tag LIMIT $3";
    let (digest, tag) = position(after);
    let mut keys = Vec::new();
    if after.is_some_and(|key| key.tag.is_some()) {
        let values = [repository.into(), digest.clone(), tag, page(limit + 1)];
        keys = tx.list(SAME_IMAGE, &values).await?;
    }
    if keys.len() <= limit as usize {
        let values = [repository.into(), digest, page(limit + 1)];
        keys.append(&mut tx.list(NEXT_IMAGES, &values).await?);
    }
    Ok(cut(keys, limit))
}

/// The two halves of a key, less than every key if there is none.
fn position(after: Option<&ImageKey>) -> (Value, Value) {
    let digest = after.map_or("", |key| key.digest.as_str());
    let tag = after.and_then(|key| key.tag.as_ref());
    (digest.into(), tag.map_or("", Tag::as_str).into())
}

/// What is known of the images from `first` to `last`.
async fn details(
    tx: &mut Tx<'_>,
    repository: &str,
    first: &Digest,
    last: &Digest,
) -> Result<BTreeMap<Digest, ImageDetail>> {
    const IMAGES: &str = "SELECT digest, media_type, artifact_type, subject, pushed_at \
         FROM images WHERE repository = $1 AND digest >= $2 AND digest <= $3";
    const TAGS: &str = "SELECT digest, tag FROM tags \
         WHERE repository = $1 AND digest >= $2 AND digest <= $3 ORDER BY digest, tag";
    // Of an image itself, and of each child of an index.
    const OWN_SIZES: &str = "SELECT b.image, CAST(SUM(o.size) AS BIGINT) FROM image_blobs b \
         JOIN layers l ON l.repository = b.repository AND l.digest = b.blob \
         JOIN objects o ON o.id = l.object \
         WHERE b.repository = $1 AND b.image >= $2 AND b.image <= $3 GROUP BY b.image";
    const CHILD_SIZES: &str = "SELECT c.image, CAST(SUM(o.size) AS BIGINT) \
         FROM image_children c \
         JOIN image_blobs b ON b.repository = c.repository AND b.image = c.child \
         JOIN layers l ON l.repository = b.repository AND l.digest = b.blob \
         JOIN objects o ON o.id = l.object WHERE c.repository = $1 \
         AND c.image >= $2 AND c.image <= $3 GROUP BY c.image, c.child";
    let range: [Value; 3] = [
        repository.into(),
        first.as_str().into(),
        last.as_str().into(),
    ];
    const SCANS: &str = "SELECT image, status, description, requested_at, completed_at, \
         generation, analyzers, advisories_sha256, advisories_at, severity_counts, findings \
         FROM image_scans WHERE repository = $1 AND image >= $2 AND image <= $3";
    let mut found = BTreeMap::new();
    for image in tx.list::<ImageDetail>(IMAGES, &range).await? {
        found.insert(image.digest.clone(), image);
    }
    for mut row in tx.all(TAGS, &range).await? {
        if let Some(image) = found.get_mut(&row.parse()?) {
            image.tags.push(row.parse()?);
        }
    }
    for mut row in tx.all(SCANS, &range).await? {
        if let Some(image) = found.get_mut(&row.parse()?) {
            image.scan = Some(ImageScan::from_row(&mut row)?);
        }
    }
    for sql in [OWN_SIZES, CHILD_SIZES] {
        for mut row in tx.all(sql, &range).await? {
            if let Some(image) = found.get_mut(&row.parse()?) {
                image.size = image.size.max(row.size()?);
            }
        }
    }
    Ok(found)
}

impl FromRow for ImageDetail {
    /// Reads the columns `digest` to `pushed_at`.
    fn from_row(row: &mut Row) -> Result<Self> {
        let digest = row.parse()?;
        let media_type = row.text()?;
        let artifact_type = row.opt_text()?;
        let subject = row.opt_text()?.map(|text| text.parse()).transpose();
        let malformed = |e: bonded_model::InvalidDigest| crate::meta::malformed(&e.to_string());
        Ok(Self {
            digest,
            media_type,
            artifact_type,
            subject: subject.map_err(malformed)?,
            size: 0,
            pushed_at: row.time()?,
            tags: Vec::new(),
            scan: None,
        })
    }
}
