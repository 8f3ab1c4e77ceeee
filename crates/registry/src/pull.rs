//! Pulling: the manifest that was judged, and the blobs linked to a repository.

use std::io;
use std::ops::Range;

use bonded_model::{Digest, Reference, RepositoryArn};
use bonded_store::{Layer, StoredManifest};
use bytes::Bytes;
use futures_util::Stream;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::target::ImageIn;

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

    /// The blob `digest`, if it is linked to the repository that was judged: a digest alone is no
    /// capability.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::BlobNotFound`].
    pub async fn layer(&self, allowed: &Allowed<RepositoryArn>, digest: &Digest) -> Result<Layer> {
        let repository = allowed.repository()?;
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
