//! Collecting strays: bytes without a row, left by a process that ended between the two.
//!
//! The row of an upload is committed before its object is created, finishing moves the object from
//! one row to another in one transaction, and ids are never used again. So an object that was listed
//! and has neither row on a later snapshot never has one again.

use std::collections::HashSet;

use bonded_model::Timestamp;

use crate::Store;
use crate::blobs::ObjectId;
use crate::collect::{Mode, STEP};
use crate::error::Result;

/// What a step through the stored bytes found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrayStep {
    /// How many strays were deleted or, in a dry run, would be.
    pub count: u64,
    /// Where the next step begins; `None` at the end.
    pub next: Option<String>,
}

impl Store {
    /// One step through the stored objects after `position` (empty: from the first): those without
    /// a row that were changed last at `before` or earlier are deleted.
    ///
    /// # Errors
    /// As every read, and as the disk or bucket; what is left goes the next time.
    pub async fn collect_strays(
        &self,
        position: &str,
        before: Timestamp,
        mode: Mode,
    ) -> Result<StrayStep> {
        // A position that is none begins anew.
        let after: Option<ObjectId> = position.parse().ok();
        let limit = usize::try_from(STEP).unwrap_or(usize::MAX);
        let listed = self.blobs().list(after, limit).await?;
        let full = listed.len() == limit;
        let Some((last, _)) = listed.last().copied() else {
            let (count, next) = (0, None);
            return Ok(StrayStep { count, next });
        };
        let Ok(_deleting) = self.bytes_stay().try_read() else {
            // A backup copies them; the next walk comes.
            let (count, next) = (0, None);
            return Ok(StrayStep { count, next });
        };
        let known = self.known_objects(position, last).await?;
        let mut count = 0;
        for (object, changed) in listed {
            if changed > before || known.contains(&object) {
                continue;
            }
            if mode == Mode::Collect {
                self.blobs().delete(object).await?;
            }
            count += 1;
        }
        let next = full.then(|| last.to_string());
        Ok(StrayStep { count, next })
    }

    /// The objects behind `after` up to `last` that have a row, finished or not, on one snapshot.
    async fn known_objects(&self, after: &str, last: ObjectId) -> Result<HashSet<ObjectId>> {
        const SQL: &str = "SELECT id FROM objects WHERE id > $1 AND id <= $2 \
             UNION ALL SELECT object FROM uploads WHERE object > $1 AND object <= $2";
        let values = [after.into(), last.to_string().into()];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter().map(|mut row| row.parse()).collect()
    }
}
