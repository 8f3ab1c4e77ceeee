//! Pushing an image: one transaction that checks what the manifest refers to and whether its tags
//! may move, and writes all of it or nothing.

use std::collections::BTreeSet;

use bonded_model::{Digest, Manifest, ManifestKind, Tag, TagMutability, Timestamp};

use crate::Store;
use crate::attached_document::{NewDocument, attach, rejudge_images_of};
use crate::change::Change;
use crate::error::Result;
use crate::image::{TAG_DIGEST, manifest_place};
use crate::image_facts::insert_image_facts;
use crate::image_scan::scan_unless_scanned;
use crate::layer::missing_layers;
use crate::meta::{Tx, Value};
use crate::registry_scanning::scans_on_push;
use crate::repository::{Repository, tag_mutability};

/// What is pushed.
pub struct PutImage<'a> {
    /// To where.
    pub repository: &'a Repository,
    /// What `bytes` say.
    pub manifest: &'a Manifest,
    /// The manifest.
    pub bytes: &'a [u8],
    /// Its digest, verified by the caller.
    pub digest: &'a Digest,
    /// The tags it gets.
    pub tags: &'a [Tag],
    /// Whether it is taken although what it refers to is not there. Nothing is linked by that: a
    /// layer that is missing comes by an upload or a mount of its own.
    pub sparse: bool,
    /// What it is to the scan of its subject, if that looks at it.
    pub document: Option<NewDocument>,
    /// When.
    pub now: Timestamp,
}

/// What a push changed. If neither, the same image was there under the same tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutImageOutcome {
    /// Whether the image is new in the repository.
    pub created: bool,
    /// The tags that are new or moved.
    pub moved: Vec<MovedTag>,
}

/// A tag that names another image than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedTag {
    /// The tag.
    pub tag: Tag,
    /// What it named before; `None` if it is new.
    pub from: Option<Digest>,
}

/// Why an image was not taken; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutImageRefused {
    /// The repository was deleted meanwhile.
    RepositoryNotFound,
    /// These blobs are not in the repository.
    LayersNotFound(Vec<Digest>),
    /// These manifests are not in the repository.
    ReferencedImagesNotFound(Vec<Digest>),
    /// The tag may not move and names another image.
    TagImmutable {
        /// The tag.
        tag: Tag,
        /// What it names.
        digest: Digest,
    },
    /// The image would have more than [`TAGS_LIMIT`] tags.
    TooManyTags,
}

/// How many tags one image may have (ECR's limit): they all go with it in one transaction.
pub const TAGS_LIMIT: usize = 1000;

/// [`PutImage`] as rows.
pub(crate) struct NewImage {
    pub(crate) repository: String,
    pub(crate) digest: Digest,
    media_type: String,
    kind: ManifestKind,
    artifact_type: Option<String>,
    subject: Option<Digest>,
    size: i64,
    sealed_bytes: Vec<u8>,
    blobs: Vec<Digest>,
    children: Vec<Digest>,
    tags: Vec<Tag>,
    sparse: bool,
    /// Whether this server made it.
    pub(crate) generated: bool,
    document: Option<NewDocument>,
    now: Timestamp,
    change: Change,
}

impl Store {
    /// Takes an image with its tags, if everything it refers to is there and its tags may move by
    /// what the repository's setting is by then. Blobs that clients must not push are not asked
    /// for.
    ///
    /// # Errors
    /// As every write; the inner error is the caller's to explain.
    pub async fn put_image(
        &self,
        image: PutImage<'_>,
        change: &Change,
    ) -> Result<Result<PutImageOutcome, PutImageRefused>> {
        let new = self.new_image(&image, change)?;
        let put = self
            .meta()
            .transact(new, |tx, new| {
                Box::pin(async move { put_image(tx, &new).await })
            })
            .await?;
        self.wake_jobs();
        Ok(put)
    }

    /// The rows of an image that a client pushes.
    pub(crate) fn new_image(&self, image: &PutImage<'_>, change: &Change) -> Result<NewImage> {
        let repository = &image.repository.id.0;
        let manifest = image.manifest;
        let place = manifest_place(repository, image.digest);
        let blobs = manifest.blobs.iter().filter(|b| !b.is_nondistributable());
        let tags: BTreeSet<&Tag> = image.tags.iter().collect();
        Ok(NewImage {
            repository: repository.clone(),
            digest: image.digest.clone(),
            media_type: manifest.media_type.to_string(),
            kind: manifest.kind(),
            artifact_type: manifest.artifact_type.as_ref().map(ToString::to_string),
            subject: manifest.subject.as_ref().map(|s| s.digest.clone()),
            size: i64::try_from(image.bytes.len()).unwrap_or(i64::MAX),
            sealed_bytes: self.keys().seal_row(&place, image.bytes)?,
            blobs: distinct(blobs.map(|b| &b.digest)),
            children: distinct(manifest.manifests.iter().map(|m| &m.digest)),
            tags: tags.into_iter().cloned().collect(),
            sparse: image.sparse,
            generated: false,
            document: image.document.clone(),
            now: image.now,
            change: change.clone(),
        })
    }
}

/// Whether a repository has an image.
pub(crate) const IMAGE_DIGEST: &str =
    "SELECT digest FROM images WHERE repository = $1 AND digest = $2";

fn distinct<'a>(digests: impl Iterator<Item = &'a Digest>) -> Vec<Digest> {
    let set: BTreeSet<&Digest> = digests.collect();
    set.into_iter().cloned().collect()
}

/// Takes an image in a transaction.
pub(crate) async fn put_image(
    tx: &mut Tx<'_>,
    new: &NewImage,
) -> Result<Result<PutImageOutcome, PutImageRefused>> {
    const REPOSITORY: &str = "SELECT r.tag_mutability, r.tag_filters, r.scan_on_push, r.name, \
         s.configuration FROM repositories r LEFT JOIN registry_scanning s \
         ON s.account = r.account AND s.region = r.region WHERE r.id = $1";
    let repository = tx.optional(REPOSITORY, &[(&new.repository).into()]).await?;
    let Some(mut row) = repository else {
        return Ok(Err(PutImageRefused::RepositoryNotFound));
    };
    let mutability = tag_mutability(&mut row)?;
    let scans = scans_on_push(&mut row)?;
    let created = !image_exists(tx, &new.repository, &new.digest).await?;
    // An image that is there keeps what it refers to.
    if created
        && !new.sparse
        && let Some(refused) = missing_references(tx, new).await?
    {
        return Ok(Err(refused));
    }
    let moved = match moved_tags(tx, new, &mutability).await? {
        Ok(moved) => moved,
        Err(refused) => return Ok(Err(refused)),
    };
    if created {
        insert_image(tx, new).await?;
        insert_image_facts(tx, &new.repository, &new.digest, new.kind).await?;
        rejudge_images_of(tx, &new.repository, &new.digest, new.now).await?;
    } else if !moved.is_empty() && count_tags(tx, new).await? + moved.len() > TAGS_LIMIT {
        return Ok(Err(PutImageRefused::TooManyTags));
    }
    if scans && new.kind == ManifestKind::Image {
        scan_unless_scanned(tx, &new.repository, &new.digest, new.now).await?;
    }
    if let (Some(document), Some(subject)) = (&new.document, &new.subject) {
        let about = (new.repository.as_str(), subject);
        attach(tx, about, &new.digest, document, new.now).await?;
    }
    set_tags(tx, new, &moved).await?;
    new.change.insert(tx).await?;
    Ok(Ok(PutImageOutcome { created, moved }))
}

pub(crate) async fn image_exists(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
) -> Result<bool> {
    let values = [repository.into(), digest.as_str().into()];
    Ok(tx.optional(IMAGE_DIGEST, &values).await?.is_some())
}

async fn missing_references(tx: &mut Tx<'_>, new: &NewImage) -> Result<Option<PutImageRefused>> {
    let layers = missing_layers(tx, &new.repository, &new.blobs).await?;
    if !layers.is_empty() {
        return Ok(Some(PutImageRefused::LayersNotFound(layers)));
    }
    let mut images = Vec::new();
    for child in &new.children {
        if !image_exists(tx, &new.repository, child).await? {
            images.push(child.clone());
        }
    }
    Ok((!images.is_empty()).then_some(PutImageRefused::ReferencedImagesNotFound(images)))
}

/// Which tags change by this push, or the first that may not.
async fn moved_tags(
    tx: &mut Tx<'_>,
    new: &NewImage,
    mutability: &TagMutability,
) -> Result<Result<Vec<MovedTag>, PutImageRefused>> {
    let mut moved = Vec::new();
    for tag in &new.tags {
        let values = [(&new.repository).into(), tag.as_str().into()];
        let row = tx.optional(TAG_DIGEST, &values).await?;
        let from = row.map(|mut row| row.parse::<Digest>()).transpose()?;
        match from {
            Some(digest) if digest == new.digest => {}
            Some(digest) if !mutability.may_move(tag) => {
                let tag = tag.clone();
                return Ok(Err(PutImageRefused::TagImmutable { tag, digest }));
            }
            from => moved.push(MovedTag {
                tag: tag.clone(),
                from,
            }),
        }
    }
    Ok(Ok(moved))
}

/// How many tags the image has, if it is no more than the limit.
async fn count_tags(tx: &mut Tx<'_>, new: &NewImage) -> Result<usize> {
    const SQL: &str = "SELECT count(*) FROM (SELECT tag FROM tags \
         WHERE repository = $1 AND digest = $2 LIMIT $3) AS counted";
    let limit = i64::try_from(TAGS_LIMIT).unwrap_or(i64::MAX);
    let values = [
        (&new.repository).into(),
        new.digest.as_str().into(),
        limit.into(),
    ];
    let count = tx.one(SQL, &values).await?.size()?;
    Ok(usize::try_from(count).unwrap_or(TAGS_LIMIT))
}

async fn insert_image(tx: &mut Tx<'_>, new: &NewImage) -> Result<()> {
    const IMAGE: &str = "INSERT INTO images (repository, digest, media_type, artifact_type, \
         subject, size, sealed_bytes, pushed_at, generated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    const BLOB: &str = "INSERT INTO image_blobs (repository, image, blob) VALUES ($1, $2, $3)";
    const CHILD: &str = "INSERT INTO image_children (repository, image, child) VALUES ($1, $2, $3)";
    let (repository, digest): (Value, Value) =
        ((&new.repository).into(), new.digest.as_str().into());
    let values: [Value; 9] = [
        repository.clone(),
        digest.clone(),
        (&new.media_type).into(),
        new.artifact_type.as_deref().into(),
        new.subject.as_ref().map(Digest::as_str).into(),
        new.size.into(),
        new.sealed_bytes.as_slice().into(),
        new.now.into(),
        new.generated.into(),
    ];
    tx.execute(IMAGE, &values).await?;
    for (sql, targets) in [(BLOB, &new.blobs), (CHILD, &new.children)] {
        for target in targets {
            let values = [repository.clone(), digest.clone(), target.as_str().into()];
            tx.execute(sql, &values).await?;
        }
    }
    Ok(())
}

async fn set_tags(tx: &mut Tx<'_>, new: &NewImage, moved: &[MovedTag]) -> Result<()> {
    const SQL: &str = "INSERT INTO tags (repository, tag, digest, updated_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (repository, tag) \
         DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at";
    for tag in moved {
        let values = [
            (&new.repository).into(),
            tag.tag.as_str().into(),
            new.digest.as_str().into(),
            new.now.into(),
        ];
        tx.execute(SQL, &values).await?;
    }
    Ok(())
}
