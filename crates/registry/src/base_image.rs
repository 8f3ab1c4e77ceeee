//! The image that another was built upon, recognised by its layers.
//!
//! Bases are the images of the repositories that the configuration names: what is in them is told
//! to whoever sees the findings of an image built upon one, whether that one may be read or not.

use bonded_model::{Digest, Manifest, ManifestKind, RepositoryName};
use bonded_scan::BaseImage;
use bonded_store::{Repository, RepositoryId};

use crate::Registry;
use crate::error::Result;

/// How many repositories are looked at.
const REPOSITORIES: u32 = 5_000;

/// How many images are compared.
const CANDIDATES: u32 = 100;

impl Registry {
    /// The image of the same registry with the most layers that are also the lowest of `manifest`,
    /// of which `image` is the digest; `None` if none has, or nothing is configured as a base.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn base_image(
        &self,
        repository: &Repository,
        image: &Digest,
        manifest: &Manifest,
    ) -> Result<Option<BaseImage>> {
        let own = layers(manifest);
        let Some(first) = own.first().filter(|_| !self.0.base_images.is_empty()) else {
            return Ok(None);
        };
        let (mut best, mut left) = (None, CANDIDATES);
        for (id, name) in self.bases_with(&repository.id, first).await? {
            let candidates = self.store().images_with_layer(&id, first, left).await?;
            left -= u32::try_from(candidates.len()).unwrap_or(left).min(left);
            for digest in candidates.iter().filter(|digest| *digest != image) {
                let Some(other) = self.manifest_of(&id, digest).await? else {
                    continue;
                };
                let theirs = layers(&other);
                let is_longer = best.as_ref().is_none_or(|(_, _, _, n)| theirs.len() > *n);
                if is_longer && theirs.len() < own.len() && own.starts_with(&theirs) {
                    best = Some((id.clone(), name.clone(), digest.clone(), theirs.len()));
                }
            }
        }
        let Some((id, name, digest, count)) = best else {
            return Ok(None);
        };
        let details = self
            .store()
            .find_image_details(&id, std::slice::from_ref(&digest));
        let tags = details.await?.into_iter().flatten().flat_map(|of| of.tags);
        let tag = tags.into_iter().next();
        Ok(Some(BaseImage {
            name: match &tag {
                Some(tag) => format!("{name}:{tag}"),
                None => format!("{name}@{digest}"),
            },
            digest,
            layers: u32::try_from(count).unwrap_or(u32::MAX),
            tagged: tag.is_some(),
        }))
    }

    /// The repositories of bases that have the layer.
    async fn bases_with(
        &self,
        repository: &RepositoryId,
        layer: &Digest,
    ) -> Result<Vec<(RepositoryId, RepositoryName)>> {
        let store = self.store();
        let found = store.repositories_sharing_layer(repository, layer, REPOSITORIES);
        let mut found = found.await?;
        found.retain(|(_, name)| self.0.base_images.iter().any(|base| base.matches(name)));
        Ok(found)
    }
}

/// The layers of an image, the lowest first; none of what is no image.
fn layers(manifest: &Manifest) -> Vec<&Digest> {
    match manifest.kind() {
        ManifestKind::Image => manifest.blobs.iter().skip(1).map(|of| &of.digest).collect(),
        ManifestKind::Index | ManifestKind::Artifact => Vec::new(),
    }
}
