//! Collecting layers that no image refers to and whose time has passed.

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::collect::{Amount, BATCH, Mode, STEP, Step};
use crate::error::Result;
use crate::meta::{Row, Tx, Value};

/// A layer that was found unused.
#[derive(Clone)]
struct Unused {
    repository: String,
    digest: Digest,
    size: u64,
}

impl Store {
    /// One step through the layers after `position` (empty: from the first): those that no image of
    /// their repository refers to and that are kept until `passed` or earlier are deleted.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn collect_layers(
        &self,
        position: &str,
        passed: Timestamp,
        mode: Mode,
    ) -> Result<Step> {
        const SQL: &str = "SELECT l.repository, l.digest, o.size, \
             CAST(CASE WHEN l.keep_until <= $1 AND NOT EXISTS (SELECT 1 FROM image_blobs b \
             WHERE b.repository = l.repository AND b.blob = l.digest) THEN 1 ELSE 0 END AS BIGINT) \
             FROM layers l JOIN objects o ON o.id = l.object \
             WHERE (l.repository, l.digest) > ($2, $3) \
             ORDER BY l.repository, l.digest LIMIT $4";
        let (repository, digest) = position.split_once(' ').unwrap_or((position, ""));
        let values = [passed.into(), repository.into(), digest.into(), STEP.into()];
        let rows = self.meta().all(SQL, &values).await?;
        let full = rows.len() as i64 == STEP;
        let mut step = Step::default();
        let mut found = Vec::new();
        for row in rows {
            let (layer, unused) = read(row)?;
            step.next = full.then(|| format!("{} {}", layer.repository, layer.digest));
            if unused {
                found.push(layer);
            }
        }
        match mode {
            Mode::DryRun => found.iter().for_each(|layer| step.amount.add(layer.size)),
            Mode::Collect => {
                for batch in found.chunks(BATCH) {
                    step.amount += self.delete_unused(batch.to_vec(), passed).await?;
                }
            }
        }
        Ok(step)
    }

    /// Deletes those of `layers` that are still unused.
    async fn delete_unused(&self, layers: Vec<Unused>, passed: Timestamp) -> Result<Amount> {
        self.meta()
            .transact((layers, passed), |tx, input| {
                Box::pin(async move {
                    let (layers, passed) = &*input;
                    let mut deleted = Amount::default();
                    for layer in layers {
                        if delete_unused(tx, layer, *passed).await? {
                            deleted.add(layer.size);
                        }
                    }
                    Ok(deleted)
                })
            })
            .await
    }
}

fn read(mut row: Row) -> Result<(Unused, bool)> {
    let layer = Unused {
        repository: row.text()?,
        digest: row.parse()?,
        size: row.size()?,
    };
    Ok((layer, row.boolean()?))
}

/// One statement checks and deletes. A push that refers to the layer reads this row and writes the
/// reference that is looked for here; of two such transactions at once PostgreSQL takes one back.
async fn delete_unused(tx: &mut Tx<'_>, layer: &Unused, passed: Timestamp) -> Result<bool> {
    const SQL: &str = "DELETE FROM layers \
         WHERE repository = $1 AND digest = $2 AND keep_until <= $3 AND NOT EXISTS \
         (SELECT 1 FROM image_blobs WHERE repository = $1 AND blob = $2)";
    let values: [Value; 3] = [
        (&layer.repository).into(),
        layer.digest.as_str().into(),
        passed.into(),
    ];
    Ok(tx.execute(SQL, &values).await? > 0)
}
