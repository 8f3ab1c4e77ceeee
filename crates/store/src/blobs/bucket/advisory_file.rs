//! Files of advisories in the bucket, where every node of the deployment finds them: in clear, as
//! they are public, and by the digest of their contents, by which whoever fetches one verifies it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use bonded_model::Timestamp;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutPayload};

use super::super::Key;
use super::super::bucket_error::{is_missing, reason};
use super::{Bucket, failure};
use crate::error::{Result, StoreError};
use crate::thread::blocking;

/// How much of a file is sent or asked for with one request, in bytes.
const PIECE: u64 = 8 * 1024 * 1024;

/// How long one stays that nobody needs: another node may be about to use it.
const KEPT: Duration = Duration::from_secs(60 * 60);

impl Bucket {
    fn advisory_file(&self, name: &str) -> Path {
        self.path(Key::Advisories).join(name)
    }

    fn failed_advisories(&self, what: &str) -> impl FnOnce(object_store::Error) -> StoreError {
        let what = format!("cannot {what} advisories in the bucket '{}'", self.0.name);
        move |error| failure(&what, &error)
    }

    /// Writes the file `name`, unless it is there, from the beginning of `file` on.
    pub(crate) async fn put_advisories(&self, name: &str, mut file: File) -> Result<()> {
        let path = self.advisory_file(name);
        match self.0.s3.head(&path).await {
            Ok(_) => return Ok(()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(self.failed_advisories("find")(error)),
        }
        let unreadable = || StoreError::io("cannot read advisories".to_owned());
        let (first, rest) = piece(file).await.map_err(unreadable())?;
        file = rest;
        let mut next = first;
        if (next.len() as u64) < PIECE {
            let put = self.0.s3.put(&path, PutPayload::from(next)).await;
            return put.map(drop).map_err(self.failed_advisories("write"));
        }
        let begun = self.0.s3.put_multipart(&path).await;
        let mut upload = begun.map_err(self.failed_advisories("write"))?;
        while !next.is_empty() {
            if let Err(error) = upload.put_part(PutPayload::from(next)).await {
                // What is left of it is nothing that can be read.
                let _ = upload.abort().await;
                return Err(self.failed_advisories("write")(error));
            }
            let (following, rest) = piece(file).await.map_err(unreadable())?;
            (next, file) = (following, rest);
        }
        let completed = upload.complete().await;
        completed.map(drop).map_err(self.failed_advisories("write"))
    }

    /// Copies the file `name` to `out`; says whether it is there. What it is, is not verified.
    pub(crate) async fn get_advisories(&self, name: &str, mut out: File) -> Result<bool> {
        let path = self.advisory_file(name);
        let whole = match self.0.s3.head(&path).await {
            Ok(found) => found.size,
            Err(error) if is_missing(&error) => return Ok(false),
            Err(error) => return Err(self.failed_advisories("find")(error)),
        };
        let mut at = 0;
        while at < whole {
            let options = GetOptions {
                range: Some((at..whole.min(at + PIECE)).into()),
                ..GetOptions::default()
            };
            let failed = || self.failed_advisories("read");
            let got = self.0.s3.get_opts(&path, options).await;
            let bytes = got.map_err(failed())?.bytes().await.map_err(failed())?;
            if bytes.is_empty() {
                let what = format!("the advisories '{name}' end at {at} bytes in the bucket");
                return Err(StoreError::Bucket(what));
            }
            at += bytes.len() as u64;
            let written = blocking(move || Ok(out.write_all(&bytes).map(|()| out))).await?;
            out = written.map_err(StoreError::io("cannot write advisories".to_owned()))?;
        }
        Ok(true)
    }

    /// Deletes the files but those of `names` and the youngest.
    pub(crate) async fn delete_other_advisories(
        &self,
        names: &[&str],
        now: Timestamp,
    ) -> Result<()> {
        let directory = self.path(Key::Advisories);
        let listed = self.0.s3.list_with_delimiter(Some(&directory)).await;
        let before = now.before(KEPT);
        for object in listed.map_err(self.failed_advisories("list"))?.objects {
            let name = object.location.filename().unwrap_or_default();
            let changed = Timestamp::from_millis(object.last_modified.timestamp_millis());
            if names.contains(&name) || changed > before {
                continue;
            }
            match self.0.s3.delete(&object.location).await {
                Err(error) if !is_missing(&error) => {
                    let reason = reason(&error);
                    let what = format!("cannot delete '{}': {reason}", object.location);
                    return Err(StoreError::Bucket(what));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The next piece of a file, which is empty at its end.
async fn piece(mut file: File) -> io::Result<(Bytes, File)> {
    let read = blocking(move || {
        let mut bytes = Vec::new();
        let read = (&mut file).take(PIECE).read_to_end(&mut bytes);
        Ok(read.map(|_| (Bytes::from(bytes), file)))
    });
    read.await.map_err(io::Error::other)?
}
