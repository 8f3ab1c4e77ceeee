//! Referrers that this server makes itself: bills of materials of images that it has scanned.
//!
//! That a referrer is one of them is a column which only [`Store::attach_generated`] sets, so that
//! whoever pushes can neither pass anything off as ours nor take ours over. They go with their
//! subject, and give way to their successor. One that somebody has tagged or put into an index is
//! kept, as everything that is referred to.

use bonded_model::{Digest, Manifest, RepositoryName, Timestamp};

use crate::Store;
use crate::change::Change;
use crate::error::{Result, StoreError};
use crate::image_delete::delete_rows;
use crate::image_put::{NewImage, PutImage, image_exists, put_image};
use crate::job::{ClaimedJob, Job, JobEnd, Priority, end, enqueue};
use crate::meta::{Row, Tx, Value};
use crate::page::page;
use crate::repository::{Repository, RepositoryId};

/// A referrer that this server has made; its blobs are in the repository.
pub struct GeneratedReferrer {
    /// What `bytes` say.
    pub manifest: Manifest,
    /// The manifest.
    pub bytes: Vec<u8>,
    /// What it leaves behind if it is new.
    pub change: Change,
}

/// An image that was scanned, with what this server has made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedImage {
    /// Where it is.
    pub repository: RepositoryId,
    /// How that is called.
    pub name: RepositoryName,
    /// Its digest.
    pub image: Digest,
    /// How many referrers this server has made of it.
    pub generated: u64,
}

/// [`GeneratedReferrer`] as rows, and the type by which it takes the place of others.
struct Generated {
    new: NewImage,
    artifact_type: String,
}

impl Store {
    /// Makes `referrers`, of different artifact types, those of the image `subject` that this server
    /// has made, and ends the job. Each takes the place of the one of its type; one that is there is
    /// not written again, so that the same work done twice changes nothing. An image that is gone
    /// gets none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the job was taken again meanwhile, or the repository or a blob
    /// has gone; nothing has changed then.
    pub async fn attach_generated(
        &self,
        claimed: &ClaimedJob,
        repository: &Repository,
        subject: &Digest,
        referrers: &[GeneratedReferrer],
    ) -> Result<()> {
        let generated = referrers.iter().map(|referrer| {
            let manifest = &referrer.manifest;
            let image = PutImage {
                repository,
                manifest,
                bytes: &referrer.bytes,
                digest: &Digest::sha256(&referrer.bytes),
                tags: &[],
                sparse: false,
                document: None,
                now: referrer.change.at,
            };
            let mut new = self.new_image(&image, &referrer.change)?;
            new.generated = true;
            let artifact_type = manifest.artifact_type.as_ref();
            let artifact_type = artifact_type.map(ToString::to_string).unwrap_or_default();
            Ok(Generated { new, artifact_type })
        });
        let generated: Vec<Generated> = generated.collect::<Result<_>>()?;
        let input = (
            claimed.clone(),
            repository.id.0.clone(),
            subject.clone(),
            generated,
        );
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (claimed, repository, subject, generated) = &*input;
                    end(tx, claimed, &JobEnd::Done).await?;
                    if !image_exists(tx, repository, subject).await? {
                        return Ok(());
                    }
                    for referrer in generated {
                        attach(tx, subject, referrer).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Images whose scan has ended at some time, behind `after`, at most `limit` and never more than
    /// 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn scanned_images(
        &self,
        after: Option<&(RepositoryId, Digest)>,
        limit: u32,
    ) -> Result<Vec<ScannedImage>> {
        const SQL: &str = "SELECT s.repository, r.name, s.image, (SELECT COUNT(*) FROM images g \
             WHERE g.repository = s.repository AND g.subject = s.image AND g.generated <> 0) \
             FROM image_scans s JOIN repositories r ON r.id = s.repository \
             WHERE s.completed_at IS NOT NULL \
             AND (s.repository > $1 OR (s.repository = $1 AND s.image > $2)) \
             ORDER BY s.repository, s.image LIMIT $3";
        let (repository, image) = after.map_or(("", ""), |(id, image)| (&id.0, image.as_str()));
        let values = [repository.into(), image.into(), page(limit)];
        let scanned = |mut row: Row| {
            Ok(ScannedImage {
                repository: RepositoryId(row.text()?),
                name: row.parse()?,
                image: row.parse()?,
                generated: row.size()?,
            })
        };
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter().map(scanned).collect()
    }

    /// Enqueues, in the background, the attaching of bills of materials to these images.
    ///
    /// # Errors
    /// As every write.
    pub async fn enqueue_sboms(&self, images: Vec<ScannedImage>, now: Timestamp) -> Result<()> {
        self.meta()
            .transact((images, now), |tx, input| {
                Box::pin(async move {
                    let (images, now) = &*input;
                    for of in images {
                        let job = Job::AttachSboms(of.repository.clone(), of.image.clone());
                        enqueue(tx, &job, Priority::Background, *now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

async fn attach(tx: &mut Tx<'_>, subject: &Digest, referrer: &Generated) -> Result<()> {
    let Generated { new, artifact_type } = referrer;
    if !image_exists(tx, &new.repository, &new.digest).await? && put_image(tx, new).await?.is_err()
    {
        return Err(StoreError::Conflict);
    }
    let kept = Some((artifact_type.as_str(), &new.digest));
    delete_generated(tx, &new.repository, subject, kept).await
}

/// Deletes what this server has made of an image and nothing refers to: all of it, or all of one
/// artifact type but the one of these that is kept.
pub(crate) async fn delete_generated(
    tx: &mut Tx<'_>,
    repository: &str,
    subject: &Digest,
    kept: Option<(&str, &Digest)>,
) -> Result<()> {
    const ALL: &str = "SELECT digest FROM images i \
         WHERE repository = $1 AND subject = $2 AND generated <> 0 \
         AND NOT EXISTS (SELECT 1 FROM tags t \
         WHERE t.repository = i.repository AND t.digest = i.digest) \
         AND NOT EXISTS (SELECT 1 FROM image_children c \
         WHERE c.repository = i.repository AND c.child = i.digest)";
    const OF_TYPE: &str = "SELECT digest FROM images i \
         WHERE repository = $1 AND subject = $2 AND generated <> 0 \
         AND artifact_type = $3 AND digest <> $4 \
         AND NOT EXISTS (SELECT 1 FROM tags t \
         WHERE t.repository = i.repository AND t.digest = i.digest) \
         AND NOT EXISTS (SELECT 1 FROM image_children c \
         WHERE c.repository = i.repository AND c.child = i.digest)";
    let key: [Value; 2] = [repository.into(), subject.as_str().into()];
    let rows = match kept {
        None => tx.all(ALL, &key).await?,
        Some((artifact_type, digest)) => {
            let of_type = [artifact_type.into(), digest.as_str().into()];
            tx.all(OF_TYPE, &[&key[..], &of_type].concat()).await?
        }
    };
    for mut row in rows {
        delete_rows(tx, repository, &row.parse()?).await?;
    }
    Ok(())
}
