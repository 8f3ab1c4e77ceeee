//! Referrers: what is said about an image by images that name it as their subject.

use std::collections::BTreeMap;

use bonded_model::{Digest, Manifest};
use bonded_store::StoreError;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::target::SubjectIn;

/// An image that names another as its subject.
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// The media type of its manifest.
    pub media_type: String,
    /// Its artifact type, else the media type of its config; `None` for a plain index.
    pub artifact_type: Option<String>,
    /// The length of its manifest in bytes.
    pub size: u64,
    /// The annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Part of the referrers of an image.
pub struct Referrers {
    /// In byte order of their digests.
    pub referrers: Vec<Referrer>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl Registry {
    /// A page of at most `limit` images, never more than 1,000, whose subject is the image that
    /// was judged, which need not exist: those behind `after`, of one of `artifact_types` if there
    /// are any. A page ends early at 4 MiB of manifests.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn referrers(
        &self,
        allowed: &Allowed<SubjectIn>,
        artifact_types: &[String],
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Referrers> {
        let SubjectIn {
            repository: arn,
            subject,
        } = allowed.target();
        let missing = || Error::RepositoryNotFound(arn.clone());
        let repository = allowed.found().as_ref().ok_or_else(missing)?;
        let page = self
            .store()
            .referrers(&repository.id, subject, artifact_types, after, limit)
            .await?;
        let referrers = page.referrers.into_iter().map(shown);
        Ok(Referrers {
            referrers: referrers.collect::<Result<_>>()?,
            more: page.more,
        })
    }
}

fn shown(stored: bonded_store::Referrer) -> Result<Referrer> {
    let bonded_store::Referrer {
        digest,
        media_type,
        artifact_type,
        bytes,
        ..
    } = stored;
    let manifest = Manifest::parse(&bytes, Some(&media_type))
        .map_err(|e| StoreError::Corrupt(format!("the manifest '{digest}': {e}")))?;
    Ok(Referrer {
        digest,
        media_type,
        artifact_type,
        size: bytes.len() as u64,
        annotations: manifest.annotations,
    })
}
