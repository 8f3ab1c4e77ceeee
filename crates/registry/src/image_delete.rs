//! Deleting images, tags and blobs: for `DELETE` on `/v2` and for ECR's `BatchDeleteImage`.

use bonded_model::{Digest, Reference, RepositoryArn};
use bonded_store::{DeleteImageRefused, DeleteLayer, DeletedImage, ImageToDelete, Repository};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::repository::gone;
use crate::target::{ImageId, ImageIn, ImagesIn, Resolved, Target};

type Outcome = std::result::Result<DeletedImage, DeleteImageRefused>;

impl Registry {
    /// `DELETE /v2/NAME/manifests/REFERENCE`: an image by its digest with all its tags, or the tag
    /// alone. What was judged is deleted: a tag that has moved since stays.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageNotFound`],
    /// [`Error::ImageReferencedByManifestList`].
    pub async fn delete_image(&self, allowed: &Allowed<ImageIn>) -> Result<DeletedImage> {
        let ImageIn {
            repository: arn,
            reference,
        } = allowed.target();
        let missing = || Error::RepositoryNotFound(arn.clone());
        let (repository, digest) = allowed.found().as_ref().ok_or_else(missing)?;
        let digest = digest.clone().ok_or(Error::ImageNotFound)?;
        let image = match reference {
            Reference::Digest(_) => ImageToDelete::Image(digest),
            Reference::Tag(tag) => ImageToDelete::Tag(tag.clone(), digest),
        };
        let deleted = self.delete_named(allowed, repository, vec![image]).await?;
        match deleted.into_iter().next() {
            Some(Ok(deleted)) => Ok(deleted),
            Some(Err(DeleteImageRefused::ReferencedBy(indexes))) => {
                Err(Error::ImageReferencedByManifestList(indexes))
            }
            Some(Err(DeleteImageRefused::NotFound | DeleteImageRefused::TagDoesNotMatchDigest))
            | None => Err(Error::ImageNotFound),
        }
    }

    /// `BatchDeleteImage`: each of the images that were judged, in the order of the request and in
    /// one transaction. A digest takes the image with all its tags; a tag takes the tag, and the
    /// image if it was the last one. One that is refused does not keep the others.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn delete_images(&self, allowed: &Allowed<ImagesIn>) -> Result<Vec<Outcome>> {
        let ImagesIn {
            repository: arn,
            ids,
        } = allowed.target();
        let missing = || Error::RepositoryNotFound(arn.clone());
        let (repository, resolved) = allowed.found().as_ref().ok_or_else(missing)?;
        let named: Vec<std::result::Result<ImageToDelete, DeleteImageRefused>> = ids
            .iter()
            .zip(resolved)
            .map(|(id, resolved)| to_delete(id, resolved))
            .collect();
        let images = named
            .iter()
            .filter_map(|n| n.as_ref().ok())
            .cloned()
            .collect();
        let outcomes = self.delete_named(allowed, repository, images).await?;
        let mut outcomes = outcomes.into_iter();
        let outcome = |named: std::result::Result<_, _>| match named {
            Ok(_) => outcomes.next().unwrap_or(Err(DeleteImageRefused::NotFound)),
            Err(refused) => Err(refused),
        };
        Ok(named.into_iter().map(outcome).collect())
    }

    async fn delete_named<T: Target>(
        &self,
        allowed: &Allowed<T>,
        repository: &Repository,
        images: Vec<ImageToDelete>,
    ) -> Result<Vec<Outcome>> {
        let (store, change) = (self.store(), allowed.change());
        let whole = images.iter().filter_map(|image| match image {
            ImageToDelete::Image(digest) | ImageToDelete::TagOrLast(_, digest) => Some(digest),
            ImageToDelete::Tag(..) => None,
        });
        let whole: Vec<&Digest> = whole.collect();
        let retracts = store.any_is_trusted(&repository.id, &whole).await?
            && self.may_state(allowed.caller(), &repository.arn).await?;
        let deleted = match retracts {
            true => store.retract_images(&repository.id, images, &change).await,
            false => store.delete_images(&repository.id, images, &change).await,
        };
        deleted.map_err(|e| gone(e, &repository.arn))
    }

    /// Takes the blob `digest` from the repository that was judged.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::BlobNotFound`], [`Error::BlobReferenced`].
    pub async fn delete_layer(
        &self,
        allowed: &Allowed<RepositoryArn>,
        digest: &Digest,
    ) -> Result<()> {
        let Repository { id, .. } = allowed.repository()?;
        let change = allowed.change();
        match self.store().delete_layer(id, digest, &change).await? {
            DeleteLayer::Deleted => Ok(()),
            DeleteLayer::Referenced => Err(Error::BlobReferenced(digest.clone())),
            DeleteLayer::NotFound => Err(Error::BlobNotFound(digest.clone())),
        }
    }
}

fn to_delete(
    id: &ImageId,
    resolved: &Resolved,
) -> std::result::Result<ImageToDelete, DeleteImageRefused> {
    match resolved {
        Resolved::NotFound => Err(DeleteImageRefused::NotFound),
        Resolved::TagDoesNotMatchDigest => Err(DeleteImageRefused::TagDoesNotMatchDigest),
        Resolved::Image(digest) => Ok(match id.tag() {
            None => ImageToDelete::Image(digest.clone()),
            Some(tag) => ImageToDelete::TagOrLast(tag.clone(), digest.clone()),
        }),
    }
}
