//! Documents attached to images that their scans look at: which there are, who pushed them, and
//! whose statements count.
//!
//! Whatever makes other documents count has the image judged again, in its own transaction. Where
//! statements that may suppress findings come or go, what is known of the image is void until then:
//! a gate that one has opened does not stay open when it is gone.

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::change::Change;
use crate::error::Result;
use crate::image_facts::ScanState;
use crate::image_scan::request_scan;
use crate::meta::{Row, Tx, Value};
use crate::repository::RepositoryId;

/// How many documents of an image are looked at that are trusted or may list packages.
pub const DOCUMENTS_LIMIT: usize = 64;

/// How many others are.
const OTHERS: usize = 16;

/// An image about another that the scan of that one looks at, as it is pushed.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Whether it may list packages, not only state something about vulnerabilities.
    pub lists_packages: bool,
    /// The ARN of whoever pushes it.
    pub pushed_by: String,
    /// The decision that its statements count, if it was allowed.
    pub trusted: Option<Change>,
}

/// A document attached to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedDocument {
    /// The digest of the manifest that has it.
    pub referrer: Digest,
    /// The index that it is attached to, if it is to one that lists the image.
    pub index: Option<Digest>,
    /// Whether it may list packages, not only state something about vulnerabilities.
    pub lists_packages: bool,
    /// The ARN of whoever pushed it first; `None` if that was not written down.
    pub pushed_by: Option<String>,
    /// The ARN of whoever pushed it and may have its statements count.
    pub trusted_by: Option<String>,
}

impl AttachedDocument {
    fn counts(&self) -> bool {
        self.lists_packages || self.trusted_by.is_some()
    }

    fn from_row(row: &mut Row, image: &Digest) -> Result<Self> {
        let (referrer, subject) = (row.parse()?, row.parse()?);
        Ok(Self {
            referrer,
            index: Some(subject).filter(|subject| subject != image),
            lists_packages: row.boolean()?,
            pushed_by: row.opt_text()?,
            trusted_by: row.opt_text()?,
        })
    }
}

impl Store {
    /// The documents attached to an image, or to an index that lists it, that its scan looks at: first
    /// those that are trusted, then those that may list packages, each the oldest first. Those of an
    /// index list none that are its images'. If there are more of these than
    /// [`DOCUMENTS_LIMIT`], one more is given; of all others no more than 16.
    ///
    /// # Errors
    /// As every read.
    pub async fn attached_documents(
        &self,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<Vec<AttachedDocument>> {
        let key = [image.as_str().into(), (&repository.0).into(), limit()];
        chosen(self.meta().all(ATTACHED, &key).await?, image)
    }

    /// Whether one of these images of a repository is a document whose statements count, or an index
    /// that one is attached to.
    ///
    /// # Errors
    /// As every read.
    pub async fn any_is_trusted(
        &self,
        repository: &RepositoryId,
        images: &[&Digest],
    ) -> Result<bool> {
        const SQL: &str = "SELECT referrer FROM attached_documents \
             WHERE repository = $1 AND (referrer = $2 OR subject = $2) \
             AND trusted_by IS NOT NULL LIMIT 1";
        for image in images {
            let key = [(&repository.0).into(), image.as_str().into()];
            if self.meta().optional(SQL, &key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

const ATTACHED: &str = "SELECT referrer, subject, \
     CASE WHEN subject = $1 THEN lists_packages ELSE 0 END AS lists, pushed_by, trusted_by \
     FROM attached_documents WHERE repository = $2 AND subject IN (SELECT CAST($1 AS TEXT) \
     UNION ALL SELECT image FROM image_children WHERE repository = $2 AND child = $1) \
     ORDER BY CASE WHEN trusted_by IS NULL THEN 1 ELSE 0 END, lists DESC, \
     pushed_at, referrer LIMIT $3";

fn limit() -> Value {
    i64::try_from(DOCUMENTS_LIMIT + OTHERS + 1)
        .unwrap_or(i64::MAX)
        .into()
}

fn chosen(rows: Vec<Row>, image: &Digest) -> Result<Vec<AttachedDocument>> {
    let (mut counting, mut others) = (Vec::new(), Vec::new());
    for mut row in rows {
        let document = AttachedDocument::from_row(&mut row, image)?;
        match document.counts() {
            true => counting.push(document),
            false => others.push(document),
        }
    }
    counting.truncate(DOCUMENTS_LIMIT + 1);
    others.truncate(OTHERS);
    counting.append(&mut others);
    Ok(counting)
}

/// Notes a document about the image `subject` of `repository`, which need not be there; that it is
/// trusted stays, whoever pushes it again. Its place among others is when it came to be trusted, if
/// it is.
pub(crate) async fn attach(
    tx: &mut Tx<'_>,
    (repository, subject): (&str, &Digest),
    referrer: &Digest,
    document: &NewDocument,
    now: Timestamp,
) -> Result<()> {
    const GENERATED: &str =
        "SELECT digest FROM images WHERE repository = $1 AND digest = $2 AND generated <> 0";
    const FIND: &str =
        "SELECT trusted_by FROM attached_documents WHERE repository = $1 AND referrer = $2";
    const INSERT: &str = "INSERT INTO attached_documents (repository, referrer, subject, \
         lists_packages, pushed_by, pushed_at, trusted_by) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const TRUST: &str = "UPDATE attached_documents SET trusted_by = $1, pushed_at = $2 \
         WHERE repository = $3 AND referrer = $4";
    let key: [Value; 2] = [repository.into(), referrer.as_str().into()];
    // What this server has made says nothing that it does not know.
    if tx.optional(GENERATED, &key).await?.is_some() {
        return Ok(());
    }
    let pushed_by = document.pushed_by.as_str();
    let trusted_by = document.trusted.as_ref().map(|_| pushed_by);
    let found = tx.optional(FIND, &key).await?;
    match found.map(|mut row| row.opt_text()).transpose()? {
        None => {
            let rest = [
                subject.as_str().into(),
                document.lists_packages.into(),
                pushed_by.into(),
                now.into(),
                trusted_by.into(),
            ];
            tx.execute(INSERT, &[&key[..], &rest].concat()).await?;
        }
        Some(None) if trusted_by.is_some() => {
            let trusted = [trusted_by.into(), now.into()];
            tx.execute(TRUST, &[&trusted[..], &key].concat()).await?;
        }
        Some(_) => return Ok(()),
    }
    if let Some(change) = &document.trusted {
        change.insert(tx).await?;
    }
    rejudge_all(tx, repository, subject, trusted_by.is_some(), now).await
}

/// What becomes of the other documents about an image when one that is trusted is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// They stay as they are.
    Stay,
    /// Those that came to be trusted before are so no more: the one that goes may have said that
    /// what they say does not hold.
    BeforeNoMore,
}

/// Forgets a document with the image that has it.
pub(crate) async fn detach(
    tx: &mut Tx<'_>,
    repository: &str,
    referrer: &Digest,
    others: Others,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "DELETE FROM attached_documents WHERE repository = $1 AND referrer = $2 \
         RETURNING subject, trusted_by, pushed_at";
    let key: [Value; 2] = [repository.into(), referrer.as_str().into()];
    let Some(mut row) = tx.optional(SQL, &key).await? else {
        return Ok(());
    };
    let (subject, trusted_by): (Digest, _) = (row.parse()?, row.opt_text()?);
    if trusted_by.is_some() && others == Others::BeforeNoMore {
        distrust_before(tx, repository, &subject, row.time()?, now).await?;
    }
    rejudge_all(tx, repository, &subject, trusted_by.is_some(), now).await
}

/// What an index that goes leaves of documents: those attached to it are about its images no more,
/// which are judged again. To be called while it lists them.
pub(crate) async fn leave_images(
    tx: &mut Tx<'_>,
    repository: &str,
    index: &Digest,
    others: Others,
    now: Timestamp,
) -> Result<()> {
    const LATEST: &str = "SELECT MAX(pushed_at) FROM attached_documents \
         WHERE repository = $1 AND subject = $2 AND trusted_by IS NOT NULL";
    if children(tx, repository, index).await?.is_empty() {
        return Ok(());
    }
    let key = [repository.into(), index.as_str().into()];
    let latest = tx.one(LATEST, &key).await?.opt_int()?;
    if let (Some(latest), Others::BeforeNoMore) = (latest, others) {
        let latest = Timestamp::from_millis(latest);
        distrust_before(tx, repository, index, latest, now).await?;
    }
    rejudge_images_of(tx, repository, index, now).await
}

/// Documents that came to be trusted until `until` are so no more: those about an image, about the
/// images of an index, and about indexes that list one of them.
async fn distrust_before(
    tx: &mut Tx<'_>,
    repository: &str,
    subject: &Digest,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    const DISTRUST: &str = "UPDATE attached_documents SET trusted_by = NULL \
         WHERE repository = $1 AND trusted_by IS NOT NULL AND pushed_at <= $2 AND subject IN ( \
         SELECT CAST($3 AS TEXT) \
         UNION SELECT child FROM image_children WHERE repository = $1 AND image = $3 \
         UNION SELECT image FROM image_children WHERE repository = $1 AND child = $3 \
         UNION SELECT p.image FROM image_children c JOIN image_children p \
         ON p.repository = c.repository AND p.child = c.child \
         WHERE c.repository = $1 AND c.image = $3) RETURNING subject";
    let values = [repository.into(), until.into(), subject.as_str().into()];
    let mut subjects: Vec<Digest> = Vec::new();
    for mut row in tx.all(DISTRUST, &values).await? {
        subjects.push(row.parse()?);
    }
    subjects.sort_unstable();
    subjects.dedup();
    for subject in subjects {
        rejudge_all(tx, repository, &subject, true, now).await?;
    }
    Ok(())
}

/// Has the images of an index judged again that comes or goes, if documents are attached to it. To
/// be called while it lists them.
pub(crate) async fn rejudge_images_of(
    tx: &mut Tx<'_>,
    repository: &str,
    index: &Digest,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "SELECT trusted_by FROM attached_documents \
         WHERE repository = $1 AND subject = $2 \
         ORDER BY CASE WHEN trusted_by IS NULL THEN 1 ELSE 0 END LIMIT 1";
    let key = [repository.into(), index.as_str().into()];
    let Some(mut row) = tx.optional(SQL, &key).await? else {
        return Ok(());
    };
    let void = row.opt_text()?.is_some();
    for image in children(tx, repository, index).await? {
        rejudge(tx, repository, &image, void, now).await?;
    }
    Ok(())
}

/// The images that an index lists.
async fn children(tx: &mut Tx<'_>, repository: &str, index: &Digest) -> Result<Vec<Digest>> {
    const SQL: &str = "SELECT child FROM image_children WHERE repository = $1 AND image = $2";
    let key = [repository.into(), index.as_str().into()];
    let rows = tx.all(SQL, &key).await?;
    rows.into_iter().map(|mut row| row.parse()).collect()
}

/// Has an image judged again or, of an index, its images, as [`rejudge`] does.
async fn rejudge_all(
    tx: &mut Tx<'_>,
    repository: &str,
    subject: &Digest,
    void: bool,
    now: Timestamp,
) -> Result<()> {
    rejudge(tx, repository, subject, void, now).await?;
    for image in children(tx, repository, subject).await? {
        rejudge(tx, repository, &image, void, now).await?;
    }
    Ok(())
}

/// Has an image judged again, if it was before; `void` says that what is known of it does not hold
/// until then.
async fn rejudge(
    tx: &mut Tx<'_>,
    repository: &str,
    image: &Digest,
    void: bool,
    now: Timestamp,
) -> Result<()> {
    const SCAN: &str = "SELECT image FROM image_scans WHERE repository = $1 AND image = $2";
    let key = [repository.into(), image.as_str().into()];
    if tx.optional(SCAN, &key).await?.is_none() {
        return Ok(());
    }
    request_scan(tx, &RepositoryId(repository.to_owned()), image, now).await?;
    if void {
        tx.set_image_scan(repository, image, &ScanState::Pending)
            .await?;
    }
    Ok(())
}

/// Has an image judged again if other documents are attached to it than those that it was `judged`
/// by: a job that runs is not enqueued, so what came or went meanwhile is found here.
pub(crate) async fn rejudge_if_others(
    tx: &mut Tx<'_>,
    repository: &str,
    image: &Digest,
    judged: &[AttachedDocument],
    now: Timestamp,
) -> Result<()> {
    let key = [image.as_str().into(), repository.into(), limit()];
    let there = chosen(tx.all(ATTACHED, &key).await?, image)?;
    if there == judged {
        return Ok(());
    }
    let trusted = |of: &[AttachedDocument]| -> Vec<AttachedDocument> {
        let trusted = of.iter().filter(|document| document.trusted_by.is_some());
        trusted.cloned().collect()
    };
    let void = trusted(&there) != trusted(judged);
    rejudge(tx, repository, image, void, now).await
}
