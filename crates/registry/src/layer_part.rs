//! Layers as ECR's API knows them: uploaded in numbered parts, completed under one of several
//! digests. The uploads are those of `/v2`, by other rules.

use bonded_model::{Algorithm, Digest, RepositoryArn};
use bonded_store::{DigestMismatch, Layer, Repository, StoreError, UploadId};
use bytes::Bytes;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::push::LAYER_GRACE;
use crate::repository::gone;
use crate::target::LayersIn;

/// The least length of a part that another follows: ECR's 5 MiB.
const PART_MIN: usize = 5 * 1024 * 1024;

/// The most parts of an upload by ECR's API.
const PARTS_LIMIT: u64 = 4200;

/// The most bytes of an upload by ECR's API: 52,000 MiB.
const LAYER_LIMIT: u64 = 52_000 * 1024 * 1024;

impl Allowed<LayersIn> {
    /// The repository of the layers that were judged.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; the caller may know, being allowed.
    pub fn repository_of_layers(&self) -> Result<&Repository> {
        let missing = || Error::RepositoryNotFound(self.target().repository.clone());
        self.found().as_ref().ok_or_else(missing)
    }
}

impl Registry {
    /// Appends a part, whose first and last byte the client states, and returns how many bytes the
    /// upload has then.
    ///
    /// # Errors
    /// [`Error::UploadNotFound`], [`Error::UploadBusy`]; [`Error::InvalidLayerPart`] if the part
    /// does not begin where the upload ends or has another length than stated;
    /// [`Error::LimitExceeded`].
    pub async fn append_part(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
        (first, last): (u64, u64),
        part: Bytes,
    ) -> Result<u64> {
        let repository = allowed.repository()?;
        let parts = self.store().find_parts(&repository.id, id).await?;
        let parts = parts.ok_or(Error::UploadNotFound)?;
        let invalid = |offset, reason| Error::InvalidLayerPart {
            repository: Box::new(repository.arn.clone()),
            upload: id.to_string(),
            offset,
            reason,
        };
        let length = part.len() as u64;
        let end = first.saturating_add(length);
        if length == 0 || last.checked_add(1) != Some(end) {
            let reason = format!(
                "the layer part has {length} bytes; those from {first} to {last} were stated"
            );
            return Err(invalid(parts.offset, reason));
        }
        if parts.count >= PARTS_LIMIT || end > LAYER_LIMIT {
            return Err(Error::LimitExceeded(format!(
                "a layer has at most {PARTS_LIMIT} parts and {LAYER_LIMIT} bytes; use /v2 for a larger one"
            )));
        }
        let short = part.len() < PART_MIN;
        let body = futures_util::stream::iter([Ok(part)]);
        let offset = match self.append_upload(allowed, id, Some(first), body).await {
            Err(Error::UploadOffset { offset }) => {
                let reason = format!("First byte of the layer part is {first} instead of {offset}");
                return Err(invalid(offset, reason));
            }
            other => other?,
        };
        let short_end = short.then_some(offset);
        self.store()
            .record_part(&repository.id, id, short_end)
            .await?;
        Ok(offset)
    }

    /// Makes an upload a layer under that of `digests` which its bytes have: their sha256 digest,
    /// else the first sha512 digest. If it is none of them, or the repository has the layer, the
    /// upload is gone.
    ///
    /// # Errors
    /// [`Error::UploadNotFound`], [`Error::UploadBusy`], [`Error::EmptyUpload`],
    /// [`Error::LayerPartTooSmall`], [`Error::InvalidLayer`], [`Error::LayerAlreadyExists`].
    pub async fn complete_upload(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
        digests: &[Digest],
    ) -> Result<Layer> {
        let repository = allowed.repository()?;
        let now = self.clock().now();
        let writer = match self.store().open_upload(&repository.id, id, now).await {
            Err(StoreError::Conflict) => return Err(Error::UploadBusy),
            other => other?.ok_or(Error::UploadNotFound)?,
        };
        let parts = self.store().find_parts(&repository.id, id).await?;
        let parts = parts.ok_or(Error::UploadNotFound)?;
        let (arn, upload) = (repository.arn.clone(), id.to_string());
        if writer.offset() == 0 {
            self.store().suspend_upload(writer, now).await?;
            return Err(Error::EmptyUpload {
                repository: arn,
                upload,
            });
        }
        if parts
            .short_part_end
            .is_some_and(|end| end < writer.offset())
        {
            self.store().suspend_upload(writer, now).await?;
            return Err(Error::LayerPartTooSmall {
                repository: arn,
                upload,
            });
        }
        let sha256 = writer.sha256();
        let sha512 = |digest: &&Digest| digest.algorithm() == Algorithm::Sha512;
        let fits = digests.iter().find(|digest| **digest == sha256);
        let Some(digest) = fits.or_else(|| digests.iter().find(sha512)) else {
            drop(writer);
            self.store().cancel_upload(&repository.id, id).await?;
            return Err(Error::InvalidLayer);
        };
        if fits.is_some() && self.find_whole(repository, digest).await?.is_some() {
            drop(writer);
            self.store().cancel_upload(&repository.id, id).await?;
            return Err(Error::LayerAlreadyExists {
                digest: digest.clone(),
                repository: arn,
            });
        }
        let keep_until = now.after(LAYER_GRACE);
        let (allowance, size) = (
            self.allowance(&allowed.caller().user_id()).await?,
            writer.offset(),
        );
        let finished = self
            .store()
            .finish_upload(writer, digest, keep_until, now, &allowed.change())
            .await;
        if finished.is_ok() {
            allowance.finish(size);
        }
        finished
            .map_err(|e| gone(e, &arn))?
            .map_err(|DigestMismatch { .. }| Error::InvalidLayer)
    }

    /// The layer `digest` of a repository, if its bytes are not known to be lost.
    async fn find_whole(&self, repository: &Repository, digest: &Digest) -> Result<Option<Layer>> {
        let Some(layer) = self.store().find_layer(&repository.id, digest).await? else {
            return Ok(None);
        };
        Ok(self.store().has_bytes(&layer).await?.then_some(layer))
    }

    /// The layer `digest`, which must be one of those that were judged, kept for a day from now so
    /// that an image that is about to refer to it finds it; `None` if the repository does not have
    /// it.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn available_layer(
        &self,
        allowed: &Allowed<LayersIn>,
        digest: &Digest,
    ) -> Result<Option<Layer>> {
        let repository = allowed.repository_of_layers()?;
        if !allowed.target().digests.contains(digest) {
            return Ok(None);
        }
        let Some(layer) = self.find_whole(repository, digest).await? else {
            return Ok(None);
        };
        let until = self.clock().now().after(LAYER_GRACE);
        let kept = self
            .store()
            .keep_layer(&repository.id, &layer, until)
            .await?;
        Ok(kept.then_some(layer))
    }
}
