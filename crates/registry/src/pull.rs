//! Pulling: the manifest that was judged, and the blobs linked to a repository.

use std::io;
use std::ops::Range;

use bonded_model::Reference;
use bonded_store::{Layer, Repository, StoredManifest};
use bytes::Bytes;
use futures_util::Stream;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::target::{ImageIn, LayerIn};

impl Allowed<LayerIn> {
    /// The repository of the layer that was judged.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; the caller may know, being allowed.
    pub(crate) fn layers_repository(&self) -> Result<&Repository> {
        let missing = || Error::RepositoryNotFound(self.target().repository.clone());
        self.found().as_ref().ok_or_else(missing)
    }
}

impl Registry {
    /// The manifest of the image that was judged, byte for byte.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::ImageNotFound`].
    pub async fn manifest(&self, allowed: &Allowed<ImageIn>) -> Result<StoredManifest> {
        let missing = || Error::RepositoryNotFound(allowed.target().repository.clone());
        let (repository, digest) = allowed.found().as_ref().ok_or_else(missing)?;
        let digest = digest.clone().ok_or(Error::ImageNotFound)?;
        let found = self
            .store()
            .find_manifest(&repository.id, &Reference::Digest(digest))
            .await?;
        found.ok_or(Error::ImageNotFound)
    }

    /// The blob that was judged, if it is linked to its repository: a digest alone is no
    /// capability.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::BlobNotFound`].
    pub async fn layer(&self, allowed: &Allowed<LayerIn>) -> Result<Layer> {
        let repository = allowed.layers_repository()?;
        let digest = &allowed.target().digest;
        let found = self.store().find_layer(&repository.id, digest).await?;
        found.ok_or_else(|| Error::BlobNotFound(digest.clone()))
    }

    /// The bytes of `layer` in `range`. The first piece is read and authenticated before this
    /// returns, so a blob that cannot be opened is an error and not a broken body.
    ///
    /// # Errors
    /// The object cannot be read or is not what was written.
    pub async fn read_layer(
        &self,
        layer: &Layer,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
        Ok(self.store().read_layer(layer, range).await?)
    }
}
