//! Collecting objects: those without a layer are marked, and go when the mark is old enough.
//!
//! A marked object has no layer: whatever links an object again takes its mark, in its own
//! transaction. The time between is for those who found the object while it had one, and read it.

use bonded_model::Timestamp;

use crate::Store;
use crate::blobs::ObjectId;
use crate::collect::{Amount, BATCH, Mode, STEP, Step};
use crate::error::Result;
use crate::job::Job;
use crate::meta::{Row, Tx, Value, malformed};

impl Store {
    /// One step through the objects after `position` (empty: from the first): those without a layer
    /// are marked. A dry run counts those that had none if [`Store::collect_layers`] had done its
    /// work with the same `passed`.
    ///
    /// # Errors
    /// As every write; what is left is marked the next time.
    pub async fn mark_objects(
        &self,
        position: &str,
        passed: Timestamp,
        now: Timestamp,
        mode: Mode,
    ) -> Result<Step> {
        const SQL: &str = "SELECT o.id, o.size, CAST(CASE WHEN o.unlinked_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM layers l WHERE l.object = o.id AND (l.keep_until > $1 \
             OR EXISTS (SELECT 1 FROM image_blobs b WHERE b.repository = l.repository \
             AND b.blob = l.digest))) THEN 1 ELSE 0 END AS BIGINT) \
             FROM objects o WHERE o.id > $2 ORDER BY o.id LIMIT $3";
        let values = [passed.into(), position.into(), STEP.into()];
        let rows = self.meta().all(SQL, &values).await?;
        let full = rows.len() as i64 == STEP;
        let mut step = Step::default();
        let mut found = Vec::new();
        for row in rows {
            let (id, size, unlinked) = read(row)?;
            step.next = full.then(|| id.clone());
            if unlinked {
                found.push((id, size));
            }
        }
        match mode {
            Mode::DryRun => found.iter().for_each(|(_, size)| step.amount.add(*size)),
            Mode::Collect => {
                for batch in found.chunks(BATCH) {
                    step.amount += self.mark(batch.to_vec(), now).await?;
                }
            }
        }
        Ok(step)
    }

    /// Marks those of `objects` that have no layer.
    async fn mark(&self, objects: Vec<(String, u64)>, now: Timestamp) -> Result<Amount> {
        const SQL: &str = "UPDATE objects SET unlinked_at = $1 WHERE id = $2 \
             AND unlinked_at IS NULL AND NOT EXISTS (SELECT 1 FROM layers WHERE object = $2)";
        self.meta()
            .transact((objects, now), |tx, input| {
                Box::pin(async move {
                    let (objects, now) = &*input;
                    let mut marked = Amount::default();
                    for (id, size) in objects {
                        if tx.execute(SQL, &[(*now).into(), id.into()]).await? > 0 {
                            marked.add(*size);
                        }
                    }
                    Ok(marked)
                })
            })
            .await
    }

    /// Deletes up to 100 objects that were marked at `before` or earlier, rows and then bytes. In a
    /// dry run counts all of them.
    ///
    /// # Errors
    /// As every write and as the disk. Bytes whose row is gone are strays.
    pub async fn collect_objects(&self, before: Timestamp, mode: Mode) -> Result<Amount> {
        const COUNT: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) \
             FROM objects WHERE unlinked_at <= $1";
        if mode == Mode::DryRun {
            return self.count(COUNT, before).await;
        }
        let Ok(_deleting) = self.bytes_stay().try_read() else {
            // A backup copies them; the next round comes.
            return Ok(Amount::default());
        };
        let deleted = self
            .meta()
            .transact(before, |tx, before| {
                Box::pin(async move { delete_marked(tx, *before).await })
            })
            .await?;
        let mut amount = Amount::default();
        for (object, size) in deleted {
            self.blobs().delete(object).await?;
            amount.add(size);
        }
        Ok(amount)
    }
}

fn read(mut row: Row) -> Result<(String, u64, bool)> {
    Ok((row.text()?, row.size()?, row.boolean()?))
}

/// Deletes rows whose mark is old enough. That a marked object has no layer is asked once more,
/// because its bytes go; one that had would lose its mark.
async fn delete_marked(tx: &mut Tx<'_>, before: Timestamp) -> Result<Vec<(ObjectId, u64)>> {
    const FIND: &str =
        "SELECT id, size FROM objects WHERE unlinked_at <= $1 ORDER BY unlinked_at LIMIT $2";
    const DELETE: &str = "DELETE FROM objects WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM layers WHERE object = $1)";
    const INVENTORIES: &str = "DELETE FROM layer_inventories WHERE object = $1";
    const JOB: &str = "DELETE FROM jobs WHERE kind = $1 AND subject = $2";
    const UNMARK: &str = "UPDATE objects SET unlinked_at = NULL WHERE id = $1";
    let mut deleted = Vec::new();
    let limit: Value = i64::try_from(BATCH).unwrap_or(i64::MAX).into();
    for mut row in tx.all(FIND, &[before.into(), limit]).await? {
        let (id, size) = (row.text()?, row.size()?);
        if tx.execute(DELETE, &[(&id).into()]).await? == 0 {
            tx.execute(UNMARK, &[(&id).into()]).await?;
            continue;
        }
        let object = id.parse().map_err(|_| malformed("no object id"))?;
        tx.execute(INVENTORIES, &[(&id).into()]).await?;
        // Whoever indexes it cannot close the job any more, and so leaves nothing behind.
        tx.execute(JOB, &Job::IndexLayer(object).key()).await?;
        deleted.push((object, size));
    }
    Ok(deleted)
}
