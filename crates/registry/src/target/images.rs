//! Images of one repository as targets: pulled, deleted, described, or asked what refers to them.

use bonded_model::{Digest, Reference, RepositoryArn, Tag};
use bonded_store::Repository;

use super::sealed::Judged;
use super::{Resource, Target, id_of, repository_resource};
use crate::Registry;
use crate::context::Fact;
use crate::error::Result;
use crate::image_keys::IMAGE_TAG;
use crate::judge::{Look, Seen};

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

    /// What decides which image is meant: the tag, if there is one.
    fn reference(&self) -> Reference {
        match self {
            Self::Digest(digest) => Reference::Digest(digest.clone()),
            Self::Tag(tag) | Self::Both(_, tag) => Reference::Tag(tag.clone()),
        }
    }
}

/// The resource that an image is to the policy engine: its repository, and the tag that the
/// request names.
pub(super) fn image_resource(
    arn: &RepositoryArn,
    found: Option<&Repository>,
    tag: Option<&Tag>,
    registry: &Registry,
) -> Result<Resource> {
    let mut resource = repository_resource(arn, found, registry)?;
    resource.of_image = true;
    if let Some(tag) = tag {
        let tag = Fact::One(tag.to_string());
        resource.named.insert(IMAGE_TAG.to_owned(), tag);
    }
    Ok(resource)
}

/// An image of a repository. A tag is resolved here, before the decision, and the use case serves
/// the digest that was judged and no other.
#[derive(Debug, Clone)]
pub struct ImageIn {
    /// The repository.
    pub repository: RepositoryArn,
    /// How the request names the image.
    pub reference: Reference,
}

impl Target for ImageIn {}

impl Judged for ImageIn {
    type Found = Option<(Repository, Option<Digest>)>;

    const AWAITS_SCANS: bool = true;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        let store = registry.store();
        let repository = store.find_repository(&self.repository).await?;
        let id = id_of(repository.as_ref());
        let digest = match &self.reference {
            Reference::Digest(digest) => Some(digest.clone()),
            Reference::Tag(tag) => store.resolve_tag(&id, tag).await?,
        };
        Ok(repository.map(|repository| (repository, digest)))
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let repository = found.as_ref().map(|(repository, _)| repository);
        let tag = match &self.reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        let resource = image_resource(&self.repository, repository, tag, registry)?;
        Ok(vec![resource])
    }

    async fn look(&self, found: &mut Self::Found, look: &Look<'_>) -> Result<Vec<Seen>> {
        let id = id_of(found.as_ref().map(|(repository, _)| repository));
        let named = std::slice::from_ref(&self.reference);
        let facts = look.image_facts((&self.repository, &id), named).await?;
        let facts = facts.into_iter().next().flatten();
        if let Some((_, digest)) = found {
            *digest = facts.as_ref().map(|facts| facts.digest.clone());
        }
        let seen = facts.map_or(Seen::Absent, |facts| Seen::image(&id, facts));
        look.remember(0, &seen);
        Ok(vec![seen])
    }
}

/// Several images of a repository, each of which is checked; or none, and the repository is. Tags
/// are resolved here, as in [`ImageIn`].
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

impl Resolved {
    /// What `id` comes to if its tag, or its digest, names the image `named`.
    fn new(id: &ImageId, named: Option<Digest>) -> Self {
        match (id, named) {
            (_, None) => Self::NotFound,
            (ImageId::Both(stated, _), Some(named)) if *stated != named => {
                Self::TagDoesNotMatchDigest
            }
            (_, Some(named)) => Self::Image(named),
        }
    }
}

impl Target for ImagesIn {}

impl Judged for ImagesIn {
    type Found = Option<(Repository, Vec<Resolved>)>;

    const AWAITS_SCANS: bool = true;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        let store = registry.store();
        let repository = store.find_repository(&self.repository).await?;
        let within = id_of(repository.as_ref());
        let mut resolved = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let named = match id.reference() {
                Reference::Digest(digest) => Some(digest),
                Reference::Tag(tag) => store.resolve_tag(&within, &tag).await?,
            };
            resolved.push(Resolved::new(id, named));
        }
        Ok(repository.map(|repository| (repository, resolved)))
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let repository = found.as_ref().map(|(repository, _)| repository);
        if self.ids.is_empty() {
            let all = repository_resource(&self.repository, repository, registry)?;
            return Ok(vec![all]);
        }
        let resource =
            |id: &ImageId| image_resource(&self.repository, repository, id.tag(), registry);
        self.ids.iter().map(resource).collect()
    }

    async fn look(&self, found: &mut Self::Found, look: &Look<'_>) -> Result<Vec<Seen>> {
        let id = id_of(found.as_ref().map(|(repository, _)| repository));
        let named: Vec<Reference> = self.ids.iter().map(ImageId::reference).collect();
        let facts = look.image_facts((&self.repository, &id), &named).await?;
        let digest = facts.iter().map(|f| f.as_ref().map(|f| f.digest.clone()));
        let now: Vec<Resolved> = self
            .ids
            .iter()
            .zip(digest)
            .map(|(id, d)| Resolved::new(id, d))
            .collect();
        let mut all = Vec::with_capacity(facts.len());
        for (at, (facts, resolved)) in facts.into_iter().zip(&now).enumerate() {
            // What is refused as a mismatch is not served, so it is not judged either.
            let served = facts.filter(|_| matches!(resolved, Resolved::Image(_)));
            let seen = served.map_or(Seen::Absent, |facts| Seen::image(&id, facts));
            look.remember(at, &seen);
            all.push(seen);
        }
        if let Some((_, resolved)) = found {
            *resolved = now;
        }
        Ok(all)
    }
}

/// An image whose referrers are asked for, and which need not exist.
#[derive(Debug, Clone)]
pub struct SubjectIn {
    /// The repository.
    pub repository: RepositoryArn,
    /// The image.
    pub subject: Digest,
}

impl Target for SubjectIn {}

impl Judged for SubjectIn {
    type Found = Option<Repository>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry.store().find_repository(&self.repository).await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let resource = image_resource(&self.repository, found.as_ref(), None, registry)?;
        Ok(vec![resource])
    }

    /// Unlike an image that is to be pulled, a subject that is not there has unknown keys: its
    /// referrers may be there.
    async fn look(&self, found: &mut Self::Found, look: &Look<'_>) -> Result<Vec<Seen>> {
        let id = id_of(found.as_ref());
        let named = [Reference::Digest(self.subject.clone())];
        let facts = look.image_facts((&self.repository, &id), &named).await?;
        let facts = facts.into_iter().next().flatten();
        let seen = facts.map_or(Seen::Unknown, |facts| Seen::image(&id, facts));
        Ok(vec![seen])
    }
}
