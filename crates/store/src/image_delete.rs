//! Deleting images and tags: one transaction for all that a request names.
//!
//! What an image referred to stays: its layers are the collector's, its children and the images
//! about it are images of their own. Only what this server made of it goes with it.

use bonded_model::{Digest, Tag, Timestamp};

use crate::Store;
use crate::attached_document::{Others, detach, leave_images};
use crate::change::Change;
use crate::error::{Result, StoreError};
use crate::image::TAG_DIGEST;
use crate::image_facts::delete_image_facts;
use crate::image_generated::delete_generated;
use crate::image_scan::delete_scan;
use crate::meta::{Tx, Value};
use crate::repository::RepositoryId;

/// What is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageToDelete {
    /// This image with all its tags.
    Image(Digest),
    /// This tag, as long as it names that image; the image stays although it may have no tag then.
    Tag(Tag, Digest),
    /// This tag, as long as it names that image; the image goes with its last tag.
    TagOrLast(Tag, Digest),
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedImage {
    /// The image that is gone, or that has lost a tag.
    pub digest: Digest,
    /// The tags that are gone, in byte order.
    pub tags: Vec<Tag>,
    /// Whether the image itself is gone.
    pub image: bool,
}

/// Why something was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteImageRefused {
    /// The repository has no such image or tag.
    NotFound,
    /// The tag names another image.
    TagDoesNotMatchDigest,
    /// These indexes refer to the image, and maybe more.
    ReferencedBy(Vec<Digest>),
}

impl Store {
    /// Deletes what is named, one after the other, and says for each what became of it: a refusal
    /// does not keep the others. If nothing is deleted nothing is recorded. With a document whose
    /// statements counted, those that were there before it count no more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the repository was deleted meanwhile; as every write.
    pub async fn delete_images(
        &self,
        repository: &RepositoryId,
        images: Vec<ImageToDelete>,
        change: &Change,
    ) -> Result<Vec<Result<DeletedImage, DeleteImageRefused>>> {
        let others = Others::BeforeNoMore;
        self.delete(repository, images, others, change).await
    }

    /// As [`Store::delete_images`], by whoever may have statements count: no other document counts
    /// less.
    ///
    /// # Errors
    /// As [`Store::delete_images`].
    pub async fn retract_images(
        &self,
        repository: &RepositoryId,
        images: Vec<ImageToDelete>,
        change: &Change,
    ) -> Result<Vec<Result<DeletedImage, DeleteImageRefused>>> {
        self.delete(repository, images, Others::Stay, change).await
    }

    async fn delete(
        &self,
        repository: &RepositoryId,
        images: Vec<ImageToDelete>,
        others: Others,
        change: &Change,
    ) -> Result<Vec<Outcome>> {
        let input = (repository.0.clone(), images, others, change.clone());
        let deleted = self
            .meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (repository, images, others, change) = &*input;
                    delete_all(tx, repository, images, *others, change).await
                })
            })
            .await?;
        self.wake_jobs();
        Ok(deleted)
    }
}

type Outcome = Result<DeletedImage, DeleteImageRefused>;

async fn delete_all(
    tx: &mut Tx<'_>,
    repository: &str,
    images: &[ImageToDelete],
    others: Others,
    change: &Change,
) -> Result<Vec<Outcome>> {
    const REPOSITORY: &str = "SELECT id FROM repositories WHERE id = $1";
    if tx
        .optional(REPOSITORY, &[repository.into()])
        .await?
        .is_none()
    {
        return Err(StoreError::Conflict);
    }
    let mut outcomes = Vec::with_capacity(images.len());
    let how = (others, change.at);
    for image in images {
        outcomes.push(match image {
            ImageToDelete::Image(digest) => delete_image(tx, repository, digest, how).await?,
            ImageToDelete::Tag(tag, of) => delete_tag(tx, repository, (tag, of), None).await?,
            ImageToDelete::TagOrLast(tag, of) => {
                delete_tag(tx, repository, (tag, of), Some(how)).await?
            }
        });
    }
    if outcomes.iter().any(Result::is_ok) {
        change.insert(tx).await?;
    }
    Ok(outcomes)
}

async fn delete_image(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
    (others, now): (Others, Timestamp),
) -> Result<Outcome> {
    const INDEXES: &str =
        "SELECT image FROM image_children WHERE repository = $1 AND child = $2 LIMIT 10";
    let key: [Value; 2] = [repository.into(), digest.as_str().into()];
    if tx
        .optional(crate::image_put::IMAGE_DIGEST, &key)
        .await?
        .is_none()
    {
        return Ok(Err(DeleteImageRefused::NotFound));
    }
    let mut indexes = Vec::new();
    for mut row in tx.all(INDEXES, &key).await? {
        indexes.push(row.parse()?);
    }
    if !indexes.is_empty() {
        return Ok(Err(DeleteImageRefused::ReferencedBy(indexes)));
    }
    leave_images(tx, repository, digest, others, now).await?;
    let tags = delete_rows(tx, repository, digest).await?;
    detach(tx, repository, digest, others, now).await?;
    delete_generated(tx, repository, digest, None).await?;
    Ok(Ok(DeletedImage {
        digest: digest.clone(),
        tags,
        image: true,
    }))
}

/// Deletes an image that is no child of an index; gives its tags in byte order.
pub(crate) async fn delete_rows(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
) -> Result<Vec<Tag>> {
    const IMAGE: &str = "DELETE FROM images WHERE repository = $1 AND digest = $2";
    const BLOBS: &str = "DELETE FROM image_blobs WHERE repository = $1 AND image = $2";
    const CHILDREN: &str = "DELETE FROM image_children WHERE repository = $1 AND image = $2";
    const TAGS: &str = "DELETE FROM tags WHERE repository = $1 AND digest = $2 RETURNING tag";
    let key: [Value; 2] = [repository.into(), digest.as_str().into()];
    for sql in [IMAGE, BLOBS, CHILDREN] {
        tx.execute(sql, &key).await?;
    }
    delete_scan(tx, &key).await?;
    delete_image_facts(tx, repository, digest).await?;
    let mut tags: Vec<Tag> = Vec::new();
    for mut row in tx.all(TAGS, &key).await? {
        tags.push(row.parse()?);
    }
    tags.sort_unstable();
    Ok(tags)
}

/// Deletes a tag; its image too, as `image_with_last` says, if that is the last one.
async fn delete_tag(
    tx: &mut Tx<'_>,
    repository: &str,
    (tag, of): (&Tag, &Digest),
    image_with_last: Option<(Others, Timestamp)>,
) -> Result<Outcome> {
    const TAGS: &str = "SELECT tag FROM tags WHERE repository = $1 AND digest = $2 LIMIT 2";
    const DELETE: &str = "DELETE FROM tags WHERE repository = $1 AND tag = $2";
    let key: [Value; 2] = [repository.into(), tag.as_str().into()];
    let named = tx.optional(TAG_DIGEST, &key).await?;
    let Some(named) = named.map(|mut row| row.parse::<Digest>()).transpose()? else {
        return Ok(Err(DeleteImageRefused::NotFound));
    };
    if named != *of {
        return Ok(Err(DeleteImageRefused::TagDoesNotMatchDigest));
    }
    if let Some(how) = image_with_last {
        let image: [Value; 2] = [repository.into(), of.as_str().into()];
        if tx.all(TAGS, &image).await?.len() == 1 {
            return delete_image(tx, repository, of, how).await;
        }
    }
    tx.execute(DELETE, &key).await?;
    Ok(Ok(DeletedImage {
        digest: named,
        tags: vec![tag.clone()],
        image: false,
    }))
}
