//! Deleting a repository: at once for everyone who looks, in steps for its rows.
//!
//! The first transaction takes the repository's row, and with it every way to what it holds. Its
//! images, tags, layers and uploads then go a thousand rows at a time; if that is interrupted,
//! [`Store::collect_deleted_repositories`] goes on. Objects stay for the collector: another
//! repository may share them.

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::collect::Mode;
use crate::error::Result;
use crate::meta::{Tx, Value};
use crate::repository::{DeleteRepository, RepositoryId};

/// Each deletes up to 1,000 rows of a repository that is gone; children before parents.
const STEPS: [&str; 10] = [
    "DELETE FROM tags WHERE repository = $1 AND tag IN \
     (SELECT tag FROM tags WHERE repository = $1 LIMIT 1000)",
    "DELETE FROM image_findings WHERE repository = $1 AND (image, part) IN \
     (SELECT image, part FROM image_findings WHERE repository = $1 LIMIT 500)",
    "DELETE FROM image_packages WHERE repository = $1 AND image IN \
     (SELECT image FROM image_packages WHERE repository = $1 LIMIT 500)",
    "DELETE FROM image_scans WHERE repository = $1 AND image IN \
     (SELECT image FROM image_scans WHERE repository = $1 LIMIT 1000)",
    "DELETE FROM attached_documents WHERE repository = $1 AND referrer IN \
     (SELECT referrer FROM attached_documents WHERE repository = $1 LIMIT 1000)",
    "DELETE FROM image_blobs WHERE repository = $1 AND image IN \
     (SELECT digest FROM images WHERE repository = $1 ORDER BY digest LIMIT 50)",
    "DELETE FROM image_children WHERE repository = $1 AND image IN \
     (SELECT digest FROM images WHERE repository = $1 ORDER BY digest LIMIT 50)",
    "DELETE FROM image_facts WHERE repository = $1 AND digest IN \
     (SELECT digest FROM images WHERE repository = $1 ORDER BY digest LIMIT 50)",
    "DELETE FROM images WHERE repository = $1 AND digest IN \
     (SELECT digest FROM images WHERE repository = $1 ORDER BY digest LIMIT 50)",
    "DELETE FROM layers WHERE repository = $1 AND digest IN \
     (SELECT digest FROM layers WHERE repository = $1 LIMIT 1000)",
];

impl Store {
    /// Deletes a repository; `force` also if it holds images.
    ///
    /// # Errors
    /// As every write. An error after the first step leaves the repository deleted and rows for
    /// [`Store::collect_deleted_repositories`].
    pub async fn delete_repository(
        &self,
        id: &RepositoryId,
        force: bool,
        change: &Change,
    ) -> Result<DeleteRepository> {
        let input = (id.clone(), force, change.clone());
        let outcome = self
            .meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (id, force, change) = &*input;
                    detach(tx, id, *force, change).await
                })
            })
            .await?;
        if outcome == DeleteRepository::Deleted {
            self.delete_rows(&id.0).await?;
        }
        Ok(outcome)
    }

    /// Deletes the rows that interrupted deletions left, of up to 1,000 repositories; says of how
    /// many. Idempotent; for a periodic task.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn collect_deleted_repositories(&self, mode: Mode) -> Result<u64> {
        const SQL: &str = "SELECT id FROM deleted_repositories ORDER BY id LIMIT 1000";
        let rows = self.meta().all(SQL, &[]).await?;
        let found = rows.len() as u64;
        if mode == Mode::Collect {
            for mut row in rows {
                self.delete_rows(&row.text()?).await?;
            }
        }
        Ok(found)
    }

    async fn delete_rows(&self, repository: &str) -> Result<()> {
        self.delete_uploads(repository).await?;
        loop {
            let values: [Value; 1] = [repository.into()];
            let left = self
                .meta()
                .transact(values, |tx, values| {
                    Box::pin(async move { delete_step(tx, &values[..]).await })
                })
                .await?;
            if !left {
                return Ok(());
            }
        }
    }

    /// Drops the unfinished uploads of a repository with their bytes.
    async fn delete_uploads(&self, repository: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM uploads WHERE id IN \
             (SELECT id FROM uploads WHERE repository = $1 LIMIT 100) RETURNING object";
        loop {
            let values: [Value; 1] = [repository.into()];
            let objects = self
                .meta()
                .transact(values, |tx, values| {
                    Box::pin(async move { tx.all(SQL, &values[..]).await })
                })
                .await?;
            if objects.is_empty() {
                return Ok(());
            }
            for mut row in objects {
                self.discard(row.parse()?).await?;
            }
        }
    }
}

async fn detach(
    tx: &mut Tx<'_>,
    id: &RepositoryId,
    force: bool,
    change: &Change,
) -> Result<DeleteRepository> {
    const FIND: &str = "SELECT r.id, i.digest FROM repositories r \
         LEFT JOIN images i ON i.repository = r.id WHERE r.id = $1 LIMIT 1";
    const DELETE: &str = "DELETE FROM repositories WHERE id = $1";
    const REMEMBER: &str = "INSERT INTO deleted_repositories (id) VALUES ($1)";
    let values = [Value::from(&id.0)];
    let Some(mut row) = tx.optional(FIND, &values).await? else {
        return Ok(DeleteRepository::NotFound);
    };
    row.text()?;
    if row.opt_text()?.is_some() && !force {
        return Ok(DeleteRepository::NotEmpty);
    }
    tx.execute(DELETE, &values).await?;
    tx.execute(REMEMBER, &values).await?;
    next_epoch(tx, &change.account).await?;
    change.insert(tx).await?;
    Ok(DeleteRepository::Deleted)
}

/// Deletes some rows; says whether there may be more.
async fn delete_step(tx: &mut Tx<'_>, values: &[Value]) -> Result<bool> {
    const FORGET: &str = "DELETE FROM deleted_repositories WHERE id = $1";
    let mut deleted = 0;
    for sql in STEPS {
        deleted += tx.execute(sql, values).await?;
    }
    if deleted == 0 {
        tx.execute(FORGET, values).await?;
    }
    Ok(deleted > 0)
}
