//! Who writes to an upload whose bytes go to a bucket, which has no locks.
//!
//! Within the process it is who holds the entry of [`Writers`]. Between processes it is the lease in
//! the row: the run of the process that has it, and until when. It is renewed while the writer
//! lives; recording a state gives it back, and nothing is recorded or finished without it. Whoever
//! takes over one that was not given back marks the upload *contested*: parts of the last writer
//! may still arrive in place of ours, so the object is verified by reading it back at the end.
//!
//! The clocks of two nodes may differ by less than [`LEASE`] less [`RENEWAL`].

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bonded_model::Timestamp;
use tokio::task::JoinHandle;

use crate::Store;
use crate::blobs::{Announce, ObjectId};
use crate::error::{Result, StoreError};
use crate::meta::{Row, Value};
use crate::repository::{RepositoryId, found};
use crate::upload::UploadId;

/// How long a lease lasts if it is not renewed: how long an upload waits after its node died.
const LEASE: Duration = Duration::from_secs(30);

/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// The uploads that this process writes to now.
#[derive(Clone, Default)]
pub(crate) struct Writers(Arc<Mutex<HashSet<UploadId>>>);

/// The entry of one writer; the upload is free when it is dropped.
struct Entry {
    writers: Writers,
    id: UploadId,
}

impl Writers {
    fn enter(&self, id: &UploadId) -> Option<Entry> {
        let mut writers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writers.insert(id.clone()).then(|| Entry {
            writers: self.clone(),
            id: id.clone(),
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let writers = self.writers.0.lock();
        writers
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

/// The right to write to an upload, renewed until it is dropped.
pub(crate) struct Lease {
    renewing: JoinHandle<()>,
    _entry: Entry,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// What is in the row of an upload when its lease is taken.
pub(crate) struct Leased {
    pub(crate) lease: Lease,
    /// The columns `received` and `sealed_state`.
    pub(crate) row: Row,
}

impl Store {
    /// Takes the lease of an upload; `None` if there is no such upload.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while another writer has it.
    pub(crate) async fn take_lease(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
        now: Timestamp,
    ) -> Result<Option<Leased>> {
        const TAKE: &str = "UPDATE uploads SET updated_at = $1, lease_until = $2, \
             contested = CASE WHEN lease IS NULL THEN contested ELSE 1 END, lease = $3 \
             WHERE id = $4 AND repository = $5 \
             AND (lease IS NULL OR lease = $3 OR lease_until < $1) \
             RETURNING received, sealed_state";
        const FIND: &str = "SELECT id FROM uploads WHERE id = $1 AND repository = $2";
        let entry = self.writers().enter(id).ok_or(StoreError::Conflict)?;
        let values: [Value; 5] = [
            now.into(),
            now.after(LEASE).into(),
            self.run().into(),
            id.as_str().into(),
            (&repository.0).into(),
        ];
        let row = self
            .meta()
            .transact_soon(values, |tx, values| {
                Box::pin(async move {
                    match tx.optional(TAKE, &values[..]).await? {
                        None if tx.optional(FIND, &values[3..]).await?.is_some() => {
                            Err(StoreError::Conflict)
                        }
                        row => Ok(row),
                    }
                })
            })
            .await?;
        Ok(row.map(|row| Leased {
            lease: Lease {
                renewing: tokio::spawn(self.clone().renew(id.clone(), now)),
                _entry: entry,
            },
            row,
        }))
    }

    /// Renews the lease from time to time, as long as it is ours.
    async fn renew(self, id: UploadId, taken: Timestamp) {
        let since = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(RENEWAL).await;
            let now = taken.after(since.elapsed());
            // After another error the database may be back before the lease ends.
            if let Err(StoreError::Conflict) = self.hold_lease(&id, now).await {
                return;
            }
        }
    }

    /// Prolongs the lease, if it is still ours; says whether the upload is contested.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the upload is gone or another writer has it.
    pub(crate) async fn hold_lease(&self, id: &UploadId, now: Timestamp) -> Result<bool> {
        const HOLD: &str = "UPDATE uploads SET updated_at = $1, lease_until = $2 \
             WHERE id = $3 AND lease = $4 RETURNING contested";
        let values: [Value; 4] = [
            now.into(),
            now.after(LEASE).into(),
            id.as_str().into(),
            self.run().into(),
        ];
        self.meta()
            .transact_soon(values, |tx, values| {
                Box::pin(async move {
                    let row = tx.optional(HOLD, &values[..]).await?;
                    Ok(row.ok_or(StoreError::Conflict)?.int()? != 0)
                })
            })
            .await
    }

    /// Lets go of what processes before this one held, where there can be no other one: on SQLite.
    pub(crate) async fn end_leases(&self) -> Result<()> {
        const SQL: &str = "UPDATE uploads SET lease_until = 0 WHERE lease IS NOT NULL";
        self.meta().execute_soon(SQL, []).await.map(drop)
    }

    /// Records a multipart upload of an object, if its upload is still ours.
    pub(crate) fn announce(&self, id: &UploadId, object: ObjectId) -> Announce {
        const RECORD: &str = "INSERT INTO multiparts (object, name) \
             SELECT object, CAST($1 AS TEXT) FROM uploads \
             WHERE id = $2 AND lease = $3 AND object = $4";
        let (store, id) = (self.clone(), id.clone());
        Arc::new(move |multipart| {
            let (store, id) = (store.clone(), id.clone());
            Box::pin(async move {
                let values: [Value; 4] = [
                    multipart.into(),
                    id.as_str().into(),
                    store.run().into(),
                    object.to_string().into(),
                ];
                found(store.meta().execute(RECORD, values).await?)
            })
        })
    }

    /// Aborts up to 100 multipart uploads whose upload was cancelled, expired or went with its
    /// repository; says how many. For a periodic task: a part that arrived after an abort goes with
    /// the next.
    ///
    /// # Errors
    /// As every write; what is left goes the next time.
    pub async fn abort_stale_multiparts(&self) -> Result<u64> {
        const STALE: &str = "SELECT m.object, m.name FROM multiparts m \
             LEFT JOIN uploads u ON u.object = m.object WHERE u.object IS NULL \
             ORDER BY m.object, m.name LIMIT 100";
        const FORGET: &str = "DELETE FROM multiparts WHERE object = $1 AND name = $2";
        let mut aborted = 0;
        for mut row in self.meta().all(STALE, &[]).await? {
            let object: ObjectId = row.parse()?;
            let multipart = row.text()?;
            self.blobs().abort(object, &multipart).await?;
            let values: [Value; 2] = [object.to_string().into(), multipart.into()];
            self.meta().execute_soon(FORGET, values).await?;
            aborted += 1;
        }
        Ok(aborted)
    }
}
