//! An image that is pushed as a target: each tag it gets is checked.

use std::sync::Arc;

use bonded_model::{Algorithm, Digest, InvalidManifest, Manifest, Reference, RepositoryArn, Tag};
use bonded_store::{ImageFacts, JudgedScan, Repository};

use super::images::image_resource;
use super::sealed::Judged;
use super::{Resource, Target, id_of};
use crate::Registry;
use crate::context::{ContextFacts, Fact};
use crate::error::Result;
use crate::image_keys::{IMAGE_DIGEST, IMAGE_MEDIA_TYPE};
use crate::judge::{Look, Seen};

/// A manifest with the tags it is to get. What is judged is what is stored. Clones share the bytes.
#[derive(Clone)]
pub struct ImageToPut(Arc<Parts>);

struct Parts {
    repository: RepositoryArn,
    stated: Option<Digest>,
    tags: Vec<Tag>,
    digest: Digest,
    media_type: Option<String>,
    bytes: Vec<u8>,
    manifest: std::result::Result<Manifest, InvalidManifest>,
}

impl ImageToPut {
    /// The manifest in `bytes`, under `reference` and `tags`. `media_type` is what the request
    /// says it is. A manifest that is none is found out when it is stored: whoever may not push
    /// learns nothing about it.
    #[must_use]
    pub fn new(
        repository: RepositoryArn,
        reference: Option<Reference>,
        mut tags: Vec<Tag>,
        media_type: Option<&str>,
        bytes: Vec<u8>,
    ) -> Self {
        let mut stated = None;
        match reference {
            Some(Reference::Digest(digest)) => stated = Some(digest),
            Some(Reference::Tag(tag)) if !tags.contains(&tag) => tags.push(tag),
            Some(Reference::Tag(_)) | None => {}
        }
        let algorithm = stated.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let manifest = Manifest::parse(&bytes, media_type);
        let own = manifest.as_ref().ok().map(|m| m.media_type.to_string());
        Self(Arc::new(Parts {
            repository,
            stated,
            tags,
            digest: Digest::of(algorithm, &bytes),
            media_type: own.or_else(|| media_type.map(str::to_owned)),
            bytes,
            manifest,
        }))
    }

    /// Where to.
    #[must_use]
    pub fn repository(&self) -> &RepositoryArn {
        &self.0.repository
    }

    /// The digest in the request.
    #[must_use]
    pub fn stated(&self) -> Option<&Digest> {
        self.0.stated.as_ref()
    }

    /// The digest of the manifest, by the algorithm of the one in the request.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// The tags that it gets.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.0.tags
    }

    /// The manifest, byte for byte.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    pub(crate) fn manifest(&self) -> &std::result::Result<Manifest, InvalidManifest> {
        &self.0.manifest
    }

    /// The keys that the request itself tells of the image.
    fn named(&self) -> ContextFacts {
        let digest = Fact::One(self.0.digest.to_string());
        let mut facts = ContextFacts::from([(IMAGE_DIGEST.to_owned(), digest)]);
        if let Some(media_type) = &self.0.media_type {
            let media_type = Fact::One(media_type.clone());
            facts.insert(IMAGE_MEDIA_TYPE.to_owned(), media_type);
        }
        facts
    }
}

impl Target for ImageToPut {}

impl Judged for ImageToPut {
    type Found = Option<Repository>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry.store().find_repository(&self.0.repository).await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let resource = |tag: Option<&Tag>| {
            let found = found.as_ref();
            let mut resource = image_resource(&self.0.repository, found, tag, registry)?;
            resource.named.extend(self.named());
            Ok(resource)
        };
        if self.0.tags.is_empty() {
            return Ok(vec![resource(None)?]);
        }
        self.0.tags.iter().map(|tag| resource(Some(tag))).collect()
    }

    /// The tags that the image bears already are all that is to be looked up.
    async fn look(&self, found: &mut Self::Found, look: &Look<'_>) -> Result<Vec<Seen>> {
        let id = id_of(found.as_ref());
        let store = look.registry.store();
        let facts = ImageFacts {
            digest: self.0.digest.clone(),
            media_type: self.0.media_type.clone().unwrap_or_default(),
            scannable: false,
            current_tags: store.current_tags(&id, &self.0.digest).await?,
            scan: JudgedScan::NotApplicable,
            scanned: Vec::new(),
        };
        let seen = Seen::image(&id, facts);
        Ok(vec![seen; self.0.tags.len().max(1)])
    }
}
