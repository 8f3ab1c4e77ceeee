//! Layers of a repository as targets: one may be read if, for at least one image of the repository
//! that refers to it, it may.
//!
//! Where an image that may run refers to a layer, only such images vouch for it: whoever may push
//! could otherwise have a harmless artifact refer to the layer of a vulnerable image.

use bonded_model::{Digest, Reference, RepositoryArn};
use bonded_store::{ImageFacts, Repository, RepositoryId};

use super::images::image_resource;
use super::sealed::Judged;
use super::{Resource, Target, id_of, repository_resource};
use crate::Registry;
use crate::error::Result;
use crate::judge::{Look, Seen};

/// How many images are looked at for one layer.
const IMAGES_LIMIT: usize = 1000;

/// How many images are looked at first; every further page is four times as long.
const FIRST_PAGE: u32 = 8;

/// A layer of a repository.
#[derive(Debug, Clone)]
pub struct LayerIn {
    /// The repository.
    pub repository: RepositoryArn,
    /// The layer.
    pub digest: Digest,
}

impl Target for LayerIn {}

impl Judged for LayerIn {
    type Found = Option<Repository>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry.store().find_repository(&self.repository).await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let resource = image_resource(&self.repository, found.as_ref(), None, registry)?;
        Ok(vec![resource])
    }

    async fn look(&self, found: &mut Self::Found, look: &Look<'_>) -> Result<Vec<Seen>> {
        let id = id_of(found.as_ref());
        Ok(vec![
            look_at_layer((&self.repository, &id), &self.digest, 0, look).await?,
        ])
    }
}

/// Several layers of a repository, each of which is checked; or none, and the repository is.
#[derive(Debug, Clone)]
pub struct LayersIn {
    /// The repository.
    pub repository: RepositoryArn,
    /// The layers.
    pub digests: Vec<Digest>,
}

impl Target for LayersIn {}

impl Judged for LayersIn {
    type Found = Option<Repository>;

    async fn find(&self, registry: &Registry) -> Result<Self::Found> {
        Ok(registry.store().find_repository(&self.repository).await?)
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn resources(&self, found: &Self::Found, registry: &Registry) -> Result<Vec<Resource>> {
        let (arn, found) = (&self.repository, found.as_ref());
        if self.digests.is_empty() {
            return Ok(vec![repository_resource(arn, found, registry)?]);
        }
        let resource = |_: &Digest| image_resource(arn, found, None, registry);
        self.digests.iter().map(resource).collect()
    }

    async fn look(&self, found: &mut Self::Found, look: &Look<'_>) -> Result<Vec<Seen>> {
        let id = id_of(found.as_ref());
        let mut all = Vec::with_capacity(self.digests.len());
        for (at, digest) in self.digests.iter().enumerate() {
            all.push(look_at_layer((&self.repository, &id), digest, at, look).await?);
        }
        Ok(all)
    }
}

/// The first image that lets the layer be read as the resource `at`, those first that the caller
/// pulled lately; else one that does not.
async fn look_at_layer(
    (arn, repository): (&RepositoryArn, &RepositoryId),
    layer: &Digest,
    at: usize,
    look: &Look<'_>,
) -> Result<Seen> {
    let store = look.registry.store();
    for image in look.pulled_lately(repository) {
        if !store.image_has_layer(repository, &image, layer).await? {
            continue;
        }
        let named = [Reference::Digest(image)];
        let facts = look.image_facts((arn, repository), &named).await?;
        let facts = facts.into_iter().flatten().find(|facts| facts.scannable);
        let seen = facts.map(|facts| Seen::image(repository, facts));
        if let Some(seen) = seen.filter(|seen| look.accepts(at, seen)) {
            return Ok(seen);
        }
    }
    let mut candidates = Candidates::default();
    let (mut after, mut page) = (None, FIRST_PAGE);
    loop {
        let mut found = store
            .facts_of_images_with_layer(repository, layer, after.as_ref(), page)
            .await?;
        look.without_allowed((arn, repository), found.iter_mut())
            .await?;
        let last = found.len() < page as usize;
        after = found.last().map(|facts| facts.digest.clone());
        for facts in found {
            if candidates.looked_at == IMAGES_LIMIT {
                return Ok(Seen::TooMany);
            }
            if let Some(seen) = candidates.add(repository, facts, at, look) {
                return Ok(seen);
            }
        }
        if last {
            return Ok(candidates.decided());
        }
        page = page.saturating_mul(4).min(500);
    }
}

/// The images of a layer that were looked at, as far as they may still decide.
#[derive(Default)]
struct Candidates {
    looked_at: usize,
    /// One that may run and does not let the layer be read.
    denied: Option<Seen>,
    /// One that may not run: it decides if none may.
    artifact: Option<Seen>,
    artifact_accepted: bool,
}

impl Candidates {
    /// Adds an image, and gives it back if it lets the layer be read for certain.
    fn add(
        &mut self,
        repository: &RepositoryId,
        facts: ImageFacts,
        at: usize,
        look: &Look<'_>,
    ) -> Option<Seen> {
        self.looked_at += 1;
        let scannable = facts.scannable;
        if !scannable && (self.denied.is_some() || self.artifact_accepted) {
            return None;
        }
        let seen = Seen::image(repository, facts);
        let accepted = look.accepts(at, &seen);
        match (scannable, accepted) {
            (true, true) => return Some(seen),
            (true, false) => self.denied = self.denied.take().or(Some(seen)),
            (false, _) => {
                self.artifact_accepted = accepted;
                self.artifact = self.artifact.take().filter(|_| !accepted).or(Some(seen));
            }
        }
        None
    }

    fn decided(self) -> Seen {
        let decides = self.denied.or(self.artifact);
        decides.unwrap_or(Seen::Unreferenced)
    }
}
