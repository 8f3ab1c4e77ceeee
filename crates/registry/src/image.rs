//! Images as ECR's API has them: several at once, lists of them, and pushes that must change
//! something.

use bonded_model::{Digest, Reference, RepositoryArn, TagMutability};
use bonded_store::{ImageDetail, ImageKey, ImagePage, Repository, StoredManifest, TagStatus};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::repository::gone;
use crate::target::{ImageId, ImageToPut, ImagesIn, Resolved};

/// The most bytes of manifests that one answer holds.
const MANIFESTS_LIMIT: usize = 32 * 1024 * 1024;

/// Why one of several images was not served. The others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFailure {
    /// The repository has no such image.
    NotFound,
    /// The tag names another image than the digest.
    TagDoesNotMatchDigest,
}

impl Allowed<ImagesIn> {
    /// The repository that was judged.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; the caller may know, being allowed.
    pub fn repository_of_images(&self) -> Result<&Repository> {
        Ok(&self.repository_and_images()?.0)
    }

    fn repository_and_images(&self) -> Result<&(Repository, Vec<Resolved>)> {
        let missing = || Error::RepositoryNotFound(self.target().repository.clone());
        self.found().as_ref().ok_or_else(missing)
    }
}

impl Registry {
    /// The manifest of each image that was judged, byte for byte, in the order of the request.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::LimitExceeded`] if the manifests have more than
    /// 32 MiB together.
    pub async fn images(
        &self,
        allowed: &Allowed<ImagesIn>,
    ) -> Result<Vec<std::result::Result<StoredManifest, ImageFailure>>> {
        let (repository, resolved) = allowed.repository_and_images()?;
        let mut images = Vec::with_capacity(resolved.len());
        let mut bytes = 0_usize;
        for resolved in resolved {
            images.push(match resolved.digest() {
                Err(failure) => Err(failure),
                Ok(digest) => {
                    let reference = Reference::Digest(digest.clone());
                    let found = self.store().find_manifest(&repository.id, &reference);
                    found.await?.ok_or(ImageFailure::NotFound)
                }
            });
            let last = images.last().and_then(|image| image.as_ref().ok());
            bytes = bytes.saturating_add(last.map_or(0, |manifest| manifest.bytes.len()));
            if bytes > MANIFESTS_LIMIT {
                return Err(Error::LimitExceeded(format!(
                    "the manifests of these images have more than {MANIFESTS_LIMIT} bytes together; ask for fewer images at once"
                )));
            }
        }
        Ok(images)
    }

    /// `PutImage`: stores the manifest that was judged, under its tag if it has one, if that changes
    /// anything.
    ///
    /// # Errors
    /// As [`Registry::put_image`]; [`Error::ImageAlreadyExists`] if the image is there and has the
    /// tag. Of two such pushes at once both may succeed.
    pub async fn put_new_image(&self, allowed: &Allowed<ImageToPut>) -> Result<StoredManifest> {
        let repository = allowed.image_repository()?;
        let put = allowed.target();
        let (digest, tag) = (put.digest(), put.tags().first());
        let there = if let Some(tag) = tag {
            let named = self.store().resolve_tag(&repository.id, tag).await?;
            named.as_ref() == Some(digest)
        } else {
            let asked = std::slice::from_ref(digest);
            let found = self.store().find_image_details(&repository.id, asked);
            found.await?.iter().any(Option::is_some)
        };
        if there && put.stated().is_none_or(|stated| stated == digest) {
            return Err(Error::ImageAlreadyExists {
                digest: digest.clone(),
                tag: tag.cloned(),
                repository: Box::new(repository.arn.clone()),
            });
        }
        let pushed = self.put_image(allowed).await?;
        Ok(StoredManifest {
            digest: pushed.digest,
            media_type: pushed.media_type,
            bytes: put.bytes().to_vec(),
            pushed_at: allowed.caller().time(),
        })
    }

    /// What is known of the images that were judged, each once, in the order of the request.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::ImageIdNotFound`] for the first that is not there.
    pub async fn describe_named_images(
        &self,
        allowed: &Allowed<ImagesIn>,
    ) -> Result<Vec<ImageDetail>> {
        let (repository, resolved) = allowed.repository_and_images()?;
        let missing = |id: &ImageId| Error::ImageIdNotFound {
            digest: id.digest().map(ToString::to_string),
            tag: id.tag().map(ToString::to_string),
            repository: Box::new(repository.arn.clone()),
        };
        let ids = &allowed.target().ids;
        let mut digests: Vec<Digest> = Vec::with_capacity(ids.len());
        for (id, resolved) in ids.iter().zip(resolved) {
            digests.push(resolved.digest().map_err(|_| missing(id))?.clone());
        }
        let found = self
            .store()
            .find_image_details(&repository.id, &digests)
            .await?;
        let mut details: Vec<ImageDetail> = Vec::with_capacity(found.len());
        for (id, detail) in ids.iter().zip(found) {
            let detail = detail.ok_or_else(|| missing(id))?;
            if !details.iter().any(|other| other.digest == detail.digest) {
                details.push(detail);
            }
        }
        Ok(details)
    }

    /// A page of at most `limit` images of the repository, behind `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn describe_images(
        &self,
        allowed: &Allowed<ImagesIn>,
        after: Option<&ImageKey>,
        status: TagStatus,
        limit: u32,
    ) -> Result<ImagePage<ImageDetail>> {
        let repository = allowed.repository_of_images()?;
        let store = self.store();
        Ok(store
            .describe_images(&repository.id, after, status, limit)
            .await?)
    }

    /// Sets which tags of the repository may move; what they name by now stays.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn set_tag_mutability(
        &self,
        allowed: &Allowed<RepositoryArn>,
        tag_mutability: &TagMutability,
    ) -> Result<()> {
        let repository = allowed.repository()?;
        let set = self
            .store()
            .set_tag_mutability(&repository.id, tag_mutability, &allowed.change())
            .await;
        set.map_err(|e| gone(e, &repository.arn))
    }

    /// A page of at most `limit` tags and untagged images of the repository, behind `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn list_images(
        &self,
        allowed: &Allowed<RepositoryArn>,
        after: Option<&ImageKey>,
        status: TagStatus,
        limit: u32,
    ) -> Result<ImagePage<ImageKey>> {
        let repository = allowed.repository()?;
        let store = self.store();
        Ok(store
            .list_image_keys(&repository.id, after, status, limit)
            .await?)
    }
}

impl Resolved {
    /// The image, as far as its tag tells.
    const fn digest(&self) -> std::result::Result<&Digest, ImageFailure> {
        match self {
            Self::Image(digest) => Ok(digest),
            Self::NotFound => Err(ImageFailure::NotFound),
            Self::TagDoesNotMatchDigest => Err(ImageFailure::TagDoesNotMatchDigest),
        }
    }
}
