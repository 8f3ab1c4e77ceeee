//! Pushing: uploads that become blobs, and manifests that become images.

use std::time::Duration;

use bonded_model::{Digest, InvalidManifest, RepositoryArn, RepositoryName, Tag};
use bonded_store::{
    DigestMismatch, Layer, PutImage, PutImageRefused, Repository, StoreError, TAGS_LIMIT, UploadId,
    UploadWriter,
};
use bytes::Bytes;
use futures_util::Stream;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::outage::Outage;
use crate::repository::gone;
use crate::target::ImageToPut;
use crate::upload_body::write_body;
use crate::upload_limit::Allowance;

/// How long a blob that no image references yet is kept after it was last asked for.
pub(crate) const LAYER_GRACE: Duration = Duration::from_hours(24);

/// How many unfinished uploads a principal may have.
const UPLOADS_LIMIT: u32 = 1000;

/// A manifest that was stored.
pub struct PushedImage {
    /// Its digest.
    pub digest: Digest,
    /// The media type of its manifest.
    pub media_type: String,
    /// The digest of its subject, if it has one.
    pub subject: Option<Digest>,
}

impl Allowed<ImageToPut> {
    /// The repository that the image goes to.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; the caller may know, being allowed.
    pub(crate) fn image_repository(&self) -> Result<&Repository> {
        let missing = || Error::RepositoryNotFound(self.target().repository().clone());
        self.found().as_ref().ok_or_else(missing)
    }
}

impl Registry {
    /// Begins an upload.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::LimitExceeded`]; the disk has no room.
    pub async fn start_upload(&self, allowed: &Allowed<RepositoryArn>) -> Result<UploadId> {
        let repository = allowed.repository()?;
        let caller = allowed.caller();
        self.check_allowance(&caller.user_id()).await?;
        let started = self
            .store()
            .start_upload(
                &repository.id,
                &caller.user_id(),
                UPLOADS_LIMIT,
                caller.time(),
            )
            .await;
        started
            .map_err(|e| gone(e, &repository.arn))?
            .map_err(|limit| Error::LimitExceeded(limit.to_string()))
    }

    /// How many bytes the upload has.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::UploadNotFound`].
    pub async fn upload_offset(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
    ) -> Result<u64> {
        let repository = allowed.repository()?;
        let now = self.clock().now();
        let offset = self.store().upload_offset(&repository.id, id, now).await;
        offset.map_err(cancelled)?.ok_or(Error::UploadNotFound)
    }

    /// Appends `body` to the upload and returns how many bytes it has then. `first` is where the
    /// client says the body begins. If the body breaks off, what came is kept. So it is if there is
    /// no room for all of it, unless nothing had come before: then the upload is gone.
    ///
    /// # Errors
    /// [`Error::UploadNotFound`], [`Error::UploadBusy`], [`Error::UploadOffset`],
    /// [`Error::BodyIncomplete`], [`Error::LimitExceeded`]; the disk has no room.
    pub async fn append_upload(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
        first: Option<u64>,
        body: impl Stream<Item = std::result::Result<Bytes, String>> + Send,
    ) -> Result<u64> {
        let received = self.receive(allowed, id, first, body).await?;
        let offset = self.suspend_upload(received.writer).await?;
        received.allowance.keep();
        received.body.map(|()| offset)
    }

    /// Appends `body` and makes the upload a blob of the repository, if its digest is `digest`.
    ///
    /// # Errors
    /// As [`Registry::append_upload`]; [`Error::BlobDigestMismatch`], and the upload is gone then.
    pub async fn finish_upload(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
        first: Option<u64>,
        digest: &Digest,
        body: impl Stream<Item = std::result::Result<Bytes, String>> + Send,
    ) -> Result<Layer> {
        let received = self.receive(allowed, id, first, body).await?;
        if let Err(broken) = received.body {
            self.suspend_upload(received.writer).await?;
            received.allowance.keep();
            return Err(broken);
        }
        let now = self.clock().now();
        let keep_until = now.after(LAYER_GRACE);
        let finished = self
            .store()
            .finish_upload(received.writer, digest, keep_until, now, &allowed.change())
            .await;
        if finished.is_ok() {
            received.allowance.finish(received.before);
        }
        finished
            .map_err(cancelled)?
            .map_err(|DigestMismatch { calculated }| Error::BlobDigestMismatch {
                stated: digest.clone(),
                calculated,
            })
    }

    /// Gives the upload up.
    ///
    /// # Errors
    /// [`Error::UploadNotFound`].
    pub async fn cancel_upload(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
    ) -> Result<()> {
        let repository = allowed.repository()?;
        let found = self.store().cancel_upload(&repository.id, id).await?;
        found.then_some(()).ok_or(Error::UploadNotFound)
    }

    async fn open_upload(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
        first: Option<u64>,
    ) -> Result<UploadWriter> {
        let repository = allowed.repository()?;
        let writer = match self
            .store()
            .open_upload(&repository.id, id, self.clock().now())
            .await
        {
            Err(StoreError::Conflict) => return Err(Error::UploadBusy),
            other => other?.ok_or(Error::UploadNotFound)?,
        };
        let offset = writer.offset();
        if first.is_some_and(|first| first != offset) {
            self.suspend_upload(writer).await?;
            return Err(Error::UploadOffset { offset });
        }
        Ok(writer)
    }

    /// Opens an upload and writes `body` to it. If there is no room for the body, the upload is given
    /// up if it had nothing before: its bytes must not hold the room that is missing.
    async fn receive(
        &self,
        allowed: &Allowed<RepositoryArn>,
        id: &UploadId,
        first: Option<u64>,
        body: impl Stream<Item = std::result::Result<Bytes, String>> + Send,
    ) -> Result<Received> {
        let mut allowance = self.allowance(&allowed.caller().user_id()).await?;
        let writer = self.open_upload(allowed, id, first).await?;
        let before = writer.offset();
        let stall = self.0.uploads.stall;
        match write_body(writer, body, &mut allowance, stall).await {
            Err(full) | Ok((_, Err(full))) if before == 0 && is_no_room(&full) => {
                let repository = allowed.repository()?;
                self.store().cancel_upload(&repository.id, id).await?;
                Err(full)
            }
            Err(error) => Err(error),
            Ok((writer, body)) => Ok(Received {
                writer,
                before,
                allowance,
                body,
            }),
        }
    }

    async fn suspend_upload(&self, writer: UploadWriter) -> Result<u64> {
        let suspended = self
            .store()
            .suspend_upload(writer, self.clock().now())
            .await;
        suspended.map_err(cancelled)
    }

    /// Stores the manifest that was judged under the tags that were, all or nothing.
    ///
    /// # Errors
    /// [`Error::InvalidManifest`], [`Error::ManifestDigestMismatch`], [`Error::LayersNotFound`],
    /// [`Error::ReferencedImagesNotFound`], [`Error::ImageTagAlreadyExists`],
    /// [`Error::RepositoryNotFound`].
    pub async fn put_image(&self, allowed: &Allowed<ImageToPut>) -> Result<PushedImage> {
        let repository = allowed.image_repository()?;
        let put = allowed.target();
        let manifest = put.manifest().as_ref().map_err(invalid)?;
        if let Some(stated) = put.stated().filter(|stated| *stated != put.digest()) {
            return Err(Error::ManifestDigestMismatch {
                stated: stated.clone(),
                calculated: put.digest().clone(),
            });
        }
        let image = PutImage {
            repository,
            manifest,
            bytes: put.bytes(),
            digest: put.digest(),
            tags: put.tags(),
            sparse: self.takes_sparse_manifests(&repository.arn.name),
            document: self.document_to_put(allowed, manifest).await?,
            now: self.clock().now(),
        };
        let stored = self.store().put_image(image, &allowed.change()).await?;
        stored.map_err(|refused| refusal(refused, repository))?;
        Ok(PushedImage {
            digest: put.digest().clone(),
            media_type: manifest.media_type.to_string(),
            subject: manifest.subject.as_ref().map(|s| s.digest.clone()),
        })
    }

    fn takes_sparse_manifests(&self, name: &RepositoryName) -> bool {
        let patterns = &self.0.sparse_manifests;
        patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// A page of at most `limit` tags in byte order, after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn list_tags(
        &self,
        allowed: &Allowed<RepositoryArn>,
        after: Option<&Tag>,
        limit: u32,
    ) -> Result<Vec<Tag>> {
        let repository = allowed.repository()?;
        Ok(self.store().list_tags(&repository.id, after, limit).await?)
    }
}

/// A writer met an upload that was given up meanwhile, perhaps with its repository.
fn cancelled(error: StoreError) -> Error {
    match error {
        StoreError::Conflict => Error::UploadNotFound,
        other => other.into(),
    }
}

/// ECR's text for a manifest it cannot read, which tools know; ours for one it can.
fn invalid(error: &InvalidManifest) -> Error {
    let text = match error {
        InvalidManifest::Syntax(_) => "Invalid JSON syntax".to_owned(),
        InvalidManifest::TooLarge(_) | InvalidManifest::Member { .. } => error.to_string(),
    };
    Error::InvalidManifest(format!(
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{text}'"
    ))
}

fn refusal(refused: PutImageRefused, repository: &Repository) -> Error {
    let arn = repository.arn.clone();
    match refused {
        PutImageRefused::LayersNotFound(digests) => Error::LayersNotFound(arn, digests),
        PutImageRefused::ReferencedImagesNotFound(digests) => {
            Error::ReferencedImagesNotFound(arn, digests)
        }
        PutImageRefused::TagImmutable { tag, digest } => Error::ImageTagAlreadyExists {
            tag,
            existing: digest,
            repository: Box::new(arn),
        },
        PutImageRefused::TooManyTags => Error::LimitExceeded(format!(
            "The image in the repository with name '{}' in the registry with id '{}' already has the {TAGS_LIMIT} tags that an image may have; delete some of them",
            arn.name, arn.account
        )),
        PutImageRefused::RepositoryNotFound => Error::RepositoryNotFound(arn),
    }
}

/// An upload to which a body was written.
struct Received {
    writer: UploadWriter,
    /// How many bytes it had before.
    before: u64,
    allowance: Allowance,
    /// Whether the body came whole.
    body: Result<()>,
}

/// Whether a body was refused because there is no room for it.
fn is_no_room(error: &Error) -> bool {
    matches!(error, Error::LimitExceeded(_)) || error.outage() == Some(Outage::Full)
}
