//! Several images of one repository as a target.

use bonded_model::{Digest, RepositoryArn, Tag};
use bonded_store::{Repository, RepositoryId};

use super::sealed::Judged;
use super::{Resource, Target, repository_resource};
use crate::Registry;
use crate::error::Result;

/// How a request of ECR's API names an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageId {
    /// By its digest.
    Digest(Digest),
    /// By a tag.
    Tag(Tag),
    /// By both, which must be of the same image.
    Both(Digest, Tag),
}

impl ImageId {
    /// The digest in the request.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Digest(digest) | Self::Both(digest, _) => Some(digest),
            Self::Tag(_) => None,
        }
    }

    /// The tag in the request.
    #[must_use]
    pub const fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) | Self::Both(_, tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }
}

/// Several images of a repository, each of which is checked; or none, and the repository is. Tags
/// are resolved here, as in [`ImageIn`](super::ImageIn).
#[derive(Debug, Clone)]
pub struct ImagesIn {
    /// The repository.
    pub repository: RepositoryArn,
    /// How the request names the images.
    pub ids: Vec<ImageId>,
}

/// What an [`ImageId`] comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// This image, if the repository has it.
    Image(Digest),
    /// No image has the tag.
    NotFound,
    /// The tag names another image than the digest.
    TagDoesNotMatchDigest,
}

impl Target for ImagesIn {}

impl Judged for ImagesIn {
    type Found = Option<(Repository, Vec<Resolved>)>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        let store = registry.store();
        let repository = store.find_repository(&self.repository).await?;
        let nowhere = RepositoryId::nowhere();
        let within = repository.as_ref().map_or(&nowhere, |found| &found.id);
        let mut resolved = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let (tag, stated) = match id {
                ImageId::Digest(digest) => {
                    resolved.push(Resolved::Image(digest.clone()));
                    continue;
                }
                ImageId::Tag(tag) => (tag, None),
                ImageId::Both(digest, tag) => (tag, Some(digest)),
            };
            let named = store.resolve_tag(within, tag).await?;
            resolved.push(match named {
                None => Resolved::NotFound,
                Some(named) if stated.is_some_and(|stated| *stated != named) => {
                    Resolved::TagDoesNotMatchDigest
                }
                Some(named) => Resolved::Image(named),
            });
        }
        Ok(repository.map(|repository| (repository, resolved)))
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let repository = found.as_ref().map(|(repository, _)| repository);
        let resource = || repository_resource(&self.repository, repository, registry);
        (0..self.ids.len().max(1)).map(|_| resource()).collect()
    }
}
