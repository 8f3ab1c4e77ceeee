//! Blobs: distribution-spec 1.1, "Pulling blobs".

use bonded_model::Digest;
use bonded_registry::target::{LayerIn, LayersIn};
use bonded_registry::{Allowed, Checks, Error, Result};

use super::{Call, deleted};
use crate::door::Reply;
use crate::layer_content;

pub(super) fn parse(digest: &str) -> Result<Digest> {
    digest
        .parse()
        .map_err(|e: bonded_model::InvalidDigest| Error::InvalidDigest(e.to_string()))
}

impl Call<'_> {
    /// Has the route's action on a layer of the repository authorized.
    async fn authorize_layer(&self, digest: Digest) -> Result<Allowed<LayerIn>> {
        let target = LayerIn {
            repository: self.repository.clone(),
            digest,
        };
        self.authorize_all(Checks::new(self.action, target)).await
    }
}

/// `HEAD`: whether the repository has the blob, and its length. A client that asks is about to push an
/// image with it, so it is kept for a day.
pub(super) async fn head(call: Call<'_>, digest: &str) -> Result<Reply> {
    let digest = parse(digest)?;
    let target = LayersIn {
        repository: call.repository.clone(),
        digests: vec![digest.clone()],
    };
    let allowed = call.authorize_all(Checks::new(call.action, target)).await?;
    let layer = call.registry.available_layer(&allowed, &digest).await?;
    layer_content::head(&layer.ok_or(Error::BlobNotFound(digest))?)
}

/// `GET`: the blob, or the range of it that the request asks for.
pub(super) async fn get(call: Call<'_>, digest: &str) -> Result<Reply> {
    let allowed = call.authorize_layer(parse(digest)?).await?;
    let layer = call.registry.layer(&allowed).await?;
    layer_content::get(call.registry, &call.head, &layer).await
}

/// `DELETE`: takes the blob from the repository, unless an image there refers to it.
pub(super) async fn delete(call: Call<'_>, digest: &str) -> Result<Reply> {
    let digest = parse(digest)?;
    let allowed = call.authorize().await?;
    call.registry.delete_layer(&allowed, &digest).await?;
    Ok(deleted())
}
