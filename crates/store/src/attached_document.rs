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
use crate::meta::{FromRow, Row, Tx, Value};
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
}

impl FromRow for AttachedDocument {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            referrer: row.parse()?,
            lists_packages: row.boolean()?,
            pushed_by: row.opt_text()?,
            trusted_by: row.opt_text()?,
        })
    }
}

impl Store {
    /// The documents attached to an image that its scan looks at: first those that are trusted,
    /// then those that may list packages, each the oldest first. If there are more of these than
    /// [`DOCUMENTS_LIMIT`], one more is given; of all others no more than 16.
    ///
    /// # Errors
    /// As every read.
    pub async fn attached_documents(
        &self,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<Vec<AttachedDocument>> {
        let key = [(&repository.0).into(), image.as_str().into(), limit()];
        chosen(self.meta().all(ATTACHED, &key).await?)
    }
}

impl Store {
    /// Whether one of these images of a repository is a document whose statements count.
    ///
    /// # Errors
    /// As every read.
    pub async fn any_is_trusted(
        &self,
        repository: &RepositoryId,
        images: &[&Digest],
    ) -> Result<bool> {
        const SQL: &str = "SELECT referrer FROM attached_documents \
             WHERE repository = $1 AND referrer = $2 AND trusted_by IS NOT NULL";
        for image in images {
            let key = [(&repository.0).into(), image.as_str().into()];
            if self.meta().optional(SQL, &key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

const ATTACHED: &str = "SELECT referrer, lists_packages, pushed_by, trusted_by \
     FROM attached_documents WHERE repository = $1 AND subject = $2 \
     ORDER BY CASE WHEN trusted_by IS NULL THEN 1 ELSE 0 END, lists_packages DESC, \
     pushed_at, referrer LIMIT $3";

fn limit() -> Value {
    i64::try_from(DOCUMENTS_LIMIT + OTHERS + 1)
        .unwrap_or(i64::MAX)
        .into()
}

fn chosen(rows: Vec<Row>) -> Result<Vec<AttachedDocument>> {
    let (mut counting, mut others) = (Vec::new(), Vec::new());
    for mut row in rows {
        let document = AttachedDocument::from_row(&mut row)?;
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
    rejudge(tx, repository, subject, trusted_by.is_some(), now).await
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
    const DISTRUST: &str = "UPDATE attached_documents SET trusted_by = NULL \
         WHERE repository = $1 AND subject = $2 AND pushed_at <= $3";
    let key: [Value; 2] = [repository.into(), referrer.as_str().into()];
    let Some(mut row) = tx.optional(SQL, &key).await? else {
        return Ok(());
    };
    let (subject, trusted_by): (Digest, _) = (row.parse()?, row.opt_text()?);
    if trusted_by.is_some() && others == Others::BeforeNoMore {
        let before = [
            repository.into(),
            subject.as_str().into(),
            row.time()?.into(),
        ];
        tx.execute(DISTRUST, &before).await?;
    }
    rejudge(tx, repository, &subject, trusted_by.is_some(), now).await
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
    let key = [repository.into(), image.as_str().into(), limit()];
    let there = chosen(tx.all(ATTACHED, &key).await?)?;
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
