//! Opening an upload for one request, and suspending it for the next.
//!
//! On the disk the writer's lease is a lock on the object's file, which ends with its holder. A
//! state recorded by another run of the process is not trusted: the file may have lost what was not
//! synced, so it is read back and hashed anew. In a bucket the lease is in the row (see
//! `upload_lease`), parts are durable when they are recorded, and what is less than a part is in the
//! state: any node goes on.

use aws_lc_rs::aead::LessSafeKey;
use bonded_model::Timestamp;

use crate::Store;
use crate::blobs::{
    Blobs, Bucket, Disk, Header, ObjectId, ObjectWriter, PartsState, StagedParts, WriterState,
};
use crate::error::{Result, StoreError};
use crate::keys::Place;
use crate::meta::Value;
use crate::repository::{RepositoryId, found};
use crate::thread::blocking;
use crate::upload::{UploadId, UploadWriter, row_size};

/// Where an upload's state is kept.
fn state_place(id: &UploadId) -> Place {
    Place::new(&["uploads", "sealed_state", id.as_str()])
}

/// An upload that is being opened.
struct Opening<'a> {
    repository: &'a RepositoryId,
    id: &'a UploadId,
    object: ObjectId,
    header: Header,
    key: LessSafeKey,
}

/// A writer's state as the row has it.
struct SavedState {
    /// Whether this run of the process recorded it.
    recorded_by_us: bool,
    writer: WriterState,
}

impl Store {
    /// How many bytes the next writer will find; `None` if there is no such upload.
    ///
    /// # Errors
    /// As every write.
    pub async fn upload_offset(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        // A file that another run left is read back here, so that the answer holds.
        if matches!(self.blobs(), Blobs::Disk(_)) {
            match self.open_upload(repository, id, now).await {
                Ok(None) => return Ok(None),
                Ok(Some(writer)) => return self.suspend_upload(writer, now).await.map(Some),
                Err(StoreError::Conflict) => {}
                Err(other) => return Err(other),
            }
        }
        let upload = self.find_upload(repository, id).await?;
        Ok(upload.map(|upload| upload.offset))
    }

    /// Opens an upload for writing, where it was suspended; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while another writer has it.
    pub async fn open_upload(
        &self,
        repository: &RepositoryId,
        id: &UploadId,
        now: Timestamp,
    ) -> Result<Option<UploadWriter>> {
        const FIND: &str = "SELECT object, header FROM uploads WHERE id = $1 AND repository = $2";
        let values = [id.as_str().into(), (&repository.0).into()];
        let Some(mut row) = self.meta().optional(FIND, &values).await? else {
            return Ok(None);
        };
        let object: ObjectId = row.parse()?;
        let header = Header::from_bytes(&row.bytes()?, object)?;
        let key_version = self
            .keys()
            .version(self.meta(), header.key_version())
            .await?;
        let key = header.open(&key_version)?;
        let upload = Opening {
            repository,
            id,
            object,
            header,
            key,
        };
        match self.blobs() {
            Blobs::Disk(disk) => self.open_file(disk, upload, now).await,
            Blobs::Bucket(bucket) => self.open_parts(bucket, upload, now).await,
        }
    }

    async fn open_file(
        &self,
        disk: &Disk,
        upload: Opening<'_>,
        now: Timestamp,
    ) -> Result<Option<UploadWriter>> {
        const STATE: &str = "UPDATE uploads SET updated_at = $1 \
             WHERE id = $2 AND repository = $3 RETURNING received, sealed_state";
        let Opening {
            repository,
            id,
            object,
            header,
            key,
        } = upload;
        let (file, created) = disk.stage(object)?;
        // Only now, with the file locked, does the row say where its last writer stopped.
        let values: [Value; 3] = [now.into(), id.as_str().into(), (&repository.0).into()];
        let state = self
            .meta()
            .transact_soon(values, |tx, values| {
                Box::pin(async move { tx.optional(STATE, &values[..]).await })
            })
            .await?;
        let Some(mut row) = state else {
            // A file that was there may be an object by now.
            if created {
                self.blobs().delete(object).await?;
            }
            return Ok(None);
        };
        let fresh = row.size()? == 0;
        let state = row.opt_bytes()?;
        let state = state
            .map(|sealed| self.open_state(id, &sealed))
            .transpose()?;
        let trusted = state
            .filter(|state| state.recorded_by_us)
            .map(|state| state.writer);
        let open = move || match trusted {
            _ if fresh => ObjectWriter::begin(file, object, &header, key),
            Some(state) => ObjectWriter::restore(file, object, key, &state),
            None => ObjectWriter::recover(file, object, &header, key),
        };
        Ok(Some(UploadWriter {
            id: id.clone(),
            repository: repository.clone(),
            writer: blocking(open).await?,
            lease: None,
        }))
    }

    async fn open_parts(
        &self,
        bucket: &Bucket,
        upload: Opening<'_>,
        now: Timestamp,
    ) -> Result<Option<UploadWriter>> {
        let Opening {
            repository,
            id,
            object,
            header,
            key,
        } = upload;
        let Some(leased) = self.take_lease(repository, id, now).await? else {
            return Ok(None);
        };
        let mut row = leased.row;
        row.size()?;
        let state = row.opt_bytes()?;
        let state = state
            .map(|sealed| self.open_state(id, &sealed))
            .transpose()?;
        let announce = self.announce(id, object);
        let staged = |parts| StagedParts::new(bucket, object, announce, parts);
        let writer = match state {
            None => ObjectWriter::begin_parts(staged(PartsState::default()), object, &header, key)?,
            Some(SavedState { mut writer, .. }) => {
                let parts = writer.take_parts().unwrap_or_default();
                ObjectWriter::restore_parts(staged(parts), object, key, &writer)?
            }
        };
        Ok(Some(UploadWriter {
            id: id.clone(),
            repository: repository.clone(),
            writer,
            lease: Some(leased.lease),
        }))
    }

    fn open_state(&self, id: &UploadId, sealed: &[u8]) -> Result<SavedState> {
        let bytes = self.keys().open_row(&state_place(id), sealed)?;
        let damaged = || StoreError::Corrupt(format!("the state of the upload '{id}'"));
        let (run, state) = bytes
            .split_at_checked(self.run().len())
            .ok_or_else(damaged)?;
        Ok(SavedState {
            recorded_by_us: run == self.run().as_bytes(),
            writer: WriterState::decode(state).ok_or_else(damaged)?,
        })
    }

    /// Ends a request that wrote to an upload, so that another may go on; gives the offset.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the upload was cancelled or taken over meanwhile.
    pub async fn suspend_upload(&self, writer: UploadWriter, now: Timestamp) -> Result<u64> {
        const SQL: &str = "UPDATE uploads \
             SET received = $1, sealed_state = $2, updated_at = $3, lease = NULL \
             WHERE id = $4 AND COALESCE(lease, '') = $5";
        let suspend = move || {
            let mut writer = writer;
            Ok((writer.writer.suspend()?, writer))
        };
        let (state, writer) = blocking(suspend).await?;
        let encoded = state.encode();
        let plain = zeroize::Zeroizing::new([self.run().as_bytes(), &encoded[..]].concat());
        let sealed = self.keys().seal_row(&state_place(&writer.id), &plain)?;
        let values: [Value; 5] = [
            row_size(state.size)?.into(),
            sealed.into(),
            now.into(),
            writer.id.as_str().into(),
            self.lease_of(&writer).into(),
        ];
        found(self.meta().execute_soon(SQL, values).await?)?;
        Ok(state.size)
    }

    /// What the column `lease` holds while `writer` has the upload.
    pub(crate) fn lease_of(&self, writer: &UploadWriter) -> &str {
        match writer.lease {
            Some(_) => self.run(),
            None => "",
        }
    }
}
