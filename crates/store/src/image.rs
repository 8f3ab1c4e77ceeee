//! Images as they are read: manifests by digest, and the tags that name them.

use bonded_model::{Digest, Reference, Tag, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::keys::Place;
use crate::page::page;
use crate::repository::RepositoryId;

/// A manifest as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type, as it was stated.
    pub media_type: String,
    /// The bytes, exactly.
    pub bytes: Vec<u8>,
    /// When it was first pushed to this repository.
    pub pushed_at: Timestamp,
}

/// Where a manifest's bytes are kept.
pub(crate) fn manifest_place(repository: &str, digest: &Digest) -> Place {
    Place::new(&["images", "sealed_bytes", repository, digest.as_str()])
}

impl Store {
    /// The manifest that `reference` names, by one statement.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_manifest(
        &self,
        repository: &RepositoryId,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>> {
        const BY_DIGEST: &str = "SELECT digest, media_type, sealed_bytes, pushed_at \
             FROM images WHERE repository = $1 AND digest = $2";
        const BY_TAG: &str = "SELECT i.digest, i.media_type, i.sealed_bytes, i.pushed_at \
             FROM tags t JOIN images i ON i.repository = t.repository AND i.digest = t.digest \
             WHERE t.repository = $1 AND t.tag = $2";
        let (sql, name) = match reference {
            Reference::Digest(digest) => (BY_DIGEST, digest.as_str()),
            Reference::Tag(tag) => (BY_TAG, tag.as_str()),
        };
        let values = [(&repository.0).into(), name.into()];
        let Some(mut row) = self.meta().optional(sql, &values).await? else {
            return Ok(None);
        };
        let digest: Digest = row.parse()?;
        let media_type = row.text()?;
        let place = manifest_place(&repository.0, &digest);
        let bytes = self.keys().open_row(&place, &row.bytes()?)?.to_vec();
        Ok(Some(StoredManifest {
            digest,
            media_type,
            bytes,
            pushed_at: row.time()?,
        }))
    }

    /// The image that `tag` names.
    ///
    /// # Errors
    /// As every read.
    pub async fn resolve_tag(
        &self,
        repository: &RepositoryId,
        tag: &Tag,
    ) -> Result<Option<Digest>> {
        let values = [(&repository.0).into(), tag.as_str().into()];
        let row = self.meta().optional(TAG_DIGEST, &values).await?;
        row.map(|mut row| row.parse()).transpose()
    }

    /// A page of a repository's tags in byte order: those behind `after`, at most `limit` and never
    /// more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_tags(
        &self,
        repository: &RepositoryId,
        after: Option<&Tag>,
        limit: u32,
    ) -> Result<Vec<Tag>> {
        const SQL: &str =
            "SELECT tag FROM tags WHERE repository = $1 AND tag > $2 ORDER BY tag LIMIT $3";
        let values = [
            (&repository.0).into(),
            after.map_or("", Tag::as_str).into(),
            page(limit),
        ];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter().map(|mut row| row.parse()).collect()
    }
}

/// What a tag of a repository names.
pub(crate) const TAG_DIGEST: &str = "SELECT digest FROM tags WHERE repository = $1 AND tag = $2";
