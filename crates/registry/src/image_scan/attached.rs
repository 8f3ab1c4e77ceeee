//! The documents attached to an image, read for its scan.

use bonded_model::Digest;
use bonded_scan::{Attached, Attachment};
use bonded_store::{AttachedDocument, DOCUMENTS_LIMIT, RepositoryId};

use crate::Registry;
use crate::attached::Documents;
use crate::error::Result;

/// The longest document, in bytes.
const DOCUMENT_LIMIT: u64 = 32 << 20;

/// The most bytes of all documents of an image.
const BYTES_LIMIT: usize = 64 << 20;

/// The documents attached to an image.
pub(super) struct AttachedDocuments {
    /// The image.
    image: Digest,
    /// Those that there are.
    pub(super) known: Vec<AttachedDocument>,
    /// What they hold.
    attachments: Vec<Attachment>,
    /// There are more that may list packages.
    more: bool,
}

impl AttachedDocuments {
    /// What they say.
    pub(super) fn read(&self) -> Attached {
        let mut attached = Attached::read(&self.image, &self.attachments);
        if self.more {
            attached.too_many(DOCUMENTS_LIMIT);
        }
        attached
    }
}

impl Registry {
    /// The documents attached to an image.
    ///
    /// # Errors
    /// The store's. One that cannot be read is none: that is in what it holds.
    pub(super) async fn attached_documents(
        &self,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<AttachedDocuments> {
        let known = self.store().attached_documents(repository, image).await?;
        let (mut attachments, mut bytes, mut counting) = (Vec::new(), 0_usize, 0_usize);
        for document in &known {
            let trusted = document.trusted_by.is_some();
            let ignored = match document.index {
                Some(_) => Some("they are attached to an index, not to the image"),
                None => self.attached_lists().ignored(trusted),
            };
            let lists_packages = document.lists_packages && ignored.is_none();
            let counts = lists_packages || trusted;
            counting += usize::from(counts);
            if counts && counting > DOCUMENTS_LIMIT {
                continue;
            }
            let Some(manifest) = self.manifest_of(repository, &document.referrer).await? else {
                continue;
            };
            let layers = Documents::of(&manifest).map_or_else(Vec::new, |found| found.layers);
            for layer in layers {
                let left = u64::try_from(BYTES_LIMIT - bytes).unwrap_or_default();
                let limit = DOCUMENT_LIMIT.min(left);
                let content = self.small_blob(repository, &layer.digest, limit).await?;
                bytes += content.as_ref().map_or(0, Vec::len);
                let by = document.trusted_by.as_ref().or(document.pushed_by.as_ref());
                attachments.push(Attachment {
                    referrer: document.referrer.clone(),
                    index: document.index.clone(),
                    by: by
                        .cloned()
                        .unwrap_or_else(|| "an unknown pusher".to_owned()),
                    trusted,
                    lists_packages,
                    lists_ignored: ignored,
                    content: content.ok_or_else(|| {
                        format!(
                            "'{}' is not here, damaged, or one of more than {limit} bytes",
                            layer.digest
                        )
                    }),
                });
            }
        }
        Ok(AttachedDocuments {
            image: image.clone(),
            known,
            attachments,
            more: counting > DOCUMENTS_LIMIT,
        })
    }
}
